"""Draws the pictures of the app: from the app itself, on a throw-away supervisor with the demonstration's agents.

`make picture` runs it. A picture is drawn when the screen shows what it should; one that would show a path of this
machine is refused.
"""

from __future__ import annotations

import asyncio
import html
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from textual.pilot import Pilot

from supervisor.cli.demonstration.picture import self_contained
from supervisor.cli.demonstration.scripts import ASKS, FAILED, JOBS, Job
from supervisor.cli.demonstration.stage import Stage
from tests.support.app import becomes, opened, shows, text_of

WIDTH: Final = 130
ROOT: Final = Path(__file__).parents[1]

_PASSED: Final = ("PATH", "LANG", "LC_ALL", "TERM")


PROMPTS: Final = {
    "fix-lamp": "The lamp stays off in the evening. Find out why, and fix it.",
    "fog-horn": "Build a horn that sounds for as long as there is fog, and push it.",
    "paint-tower": "Plan how the tower is painted: red and white.",
    "write-guide": "Write a guide for the keeper, and link it in the README.",
    "count-stars": "Count the stars that can be seen from the gallery.",
}
"""What a person would have asked for; the scripted agent has its script from a file."""

AGENT: Final = 'python=$0 agent=$1; shift; exec "$python" -I -S "$agent" --shape claude --script "$SCENE" "$@"'


@dataclass(frozen=True, slots=True)
class Picture:
    """A file, its lines, and what leads to it: keys, and what must be seen after them, some times over."""

    name: str
    lines: int
    steps: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]


PICTURES: Final = (
    Picture(
        "fleet",
        24,
        (
            ((), (f"✕ {FAILED}", "It asks: Bash sh test.sh", "● write-guide")),
            (("home",), ("Needs you", "Working", "show it exactly", "The tests say what is wrong")),
        ),
    ),
    Picture(
        "approvals",
        29,
        (((), ("(2)",)), (("2", "end"), ("May fog-horn do this?", "$ git push --force origin main"))),
    ),
    Picture(
        "session",
        31,
        (
            (("home", "a"), ("(1)",)),
            (("1", "slash", *ASKS, "enter"), ("Done 1", "1 of 1")),
            (("enter",), ("[Log]", "at 22 o'clock the lamp is off", "-lt 18 ]", "all tests pass", "turn ended")),
        ),
    ),
    Picture("monitor", 34, ((("3",), ("failed: The agent ended", "asks: May fog-horn", "tool_use", "Queue")),)),
)
"""In the order in which the demonstration comes to them."""


async def _draw(stage: Stage, folder: Path) -> None:
    stage.paths.create()
    agent = {"command": ["/bin/sh", "-c", AGENT, "{python}", "{scripted}"]}
    stage.paths.config_file.write_text(json.dumps({"agents": {"scripted": agent}}))
    async with stage.client() as client:
        await client.post("/projects", {"path": str(stage.repository)})
        for job in JOBS:
            await client.post("/sessions", _session(stage, job))
        async with opened(stage.paths, (WIDTH, PICTURES[0].lines)) as pilot:
            for picture in PICTURES:
                await pilot.resize_terminal(WIDTH, picture.lines)
                for keys, seen in picture.steps:
                    await pilot.press(*keys)
                    await shows(pilot, *seen)
                pilot.app.clear_notifications()
                await _settled(pilot)
                (folder / f"{picture.name}.svg").write_text(_clean(pilot.app.export_screenshot(), stage))


def _session(stage: Stage, job: Job) -> dict[str, Any]:
    environment = {name: os.environ[name] for name in _PASSED if name in os.environ}
    scene = stage.folder / f"{job.name}.json"
    scene.write_text(job.prompt(terminal=job.terminal))
    body = {
        "cwd": str(stage.repository),
        "agent": "scripted",
        "name": job.name,
        "prompt": PROMPTS[job.name],
        "environment": {**environment, "HOME": str(stage.folder), "SCENE": str(scene)},
    }
    return {**body, "mode": "dispatch"} if job.terminal else body


async def _settled(pilot: Pilot[Any]) -> None:
    """Return when nothing on the screen is still being read."""
    before = ""

    def still() -> bool:
        nonlocal before
        same, before = before == text_of(pilot.app), text_of(pilot.app)
        return same

    await becomes(pilot, still, "the screen stands still")


def _clean(svg: str, stage: Stage) -> str:
    """Return a picture that loads nothing, and names nothing of this machine."""
    chance = stage.folder.name.rpartition("-")[2]
    svg = self_contained(svg).replace(chance, "keepsake"[: len(chance)])
    text = html.unescape(svg)
    for place in (ROOT, Path.home()):
        if str(place) in text:
            raise ValueError(f"The picture shows {place}, a path of this machine.")
    for foreign in re.findall(r"https?://[^\"' )]+", text):
        if not foreign.startswith("http://www.w3.org/"):
            raise ValueError(f"The picture loads {foreign}.")
    return svg


def main() -> None:
    """Draw all pictures into the folder that is named."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with Stage(keep=False) as stage:
        asyncio.run(_draw(stage, folder))
    print("\n".join(f"{folder / picture.name}.svg" for picture in PICTURES))


if __name__ == "__main__":
    main()
