"""Draws the pictures of the app: from the app itself, on a throw-away supervisor with the demonstration's agents.

`make picture` runs it. A picture is drawn when the screen shows what it should; one that would show a path of this
machine is refused.
"""

from __future__ import annotations

import asyncio
import html
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from textual.pilot import Pilot

from supervisor.cli.demonstration.picture import self_contained
from supervisor.cli.demonstration.scripts import FAILED, JOBS, Job
from supervisor.cli.demonstration.stage import Stage
from tests.support.app import becomes, opened, shows, text_of

SIZE: Final = (130, 36)
ROOT: Final = Path(__file__).parents[1]

_PASSED: Final = ("PATH", "LANG", "LC_ALL", "TERM")


@dataclass(frozen=True, slots=True)
class Picture:
    """A file, what is waited for, the keys that lead then to what it shows, and what must be seen in it."""

    name: str
    after: tuple[str, ...]
    keys: tuple[str, ...]
    shows: tuple[str, ...]


PICTURES: Final = (
    Picture(
        "fleet",
        (f"✕ {FAILED}", "It asks: Bash sh test.sh"),
        ("home",),
        ("Needs you", "Working", "show it exactly", "The tests say what is wrong"),
    ),
    Picture("approvals", ("(2)",), ("2", "end"), ("May fog-horn do this?", "$ git push --force origin main")),
)
"""In the order in which the demonstration comes to them."""


async def _draw(stage: Stage, folder: Path) -> None:
    async with stage.client() as client:
        await client.post("/projects", {"path": str(stage.repository)})
        for job in JOBS:
            await client.post("/sessions", _session(stage, job))
        async with opened(stage.paths, SIZE) as pilot:
            for picture in PICTURES:
                await shows(pilot, *picture.after)
                await pilot.press(*picture.keys)
                await shows(pilot, *picture.shows)
                await _settled(pilot)
                (folder / f"{picture.name}.svg").write_text(_clean(pilot.app.export_screenshot(), stage))


def _session(stage: Stage, job: Job) -> dict[str, Any]:
    environment = {name: os.environ[name] for name in _PASSED if name in os.environ}
    body = {
        "cwd": str(stage.repository),
        "agent": "scripted",
        "name": job.name,
        "prompt": job.prompt(terminal=job.terminal),
        "environment": {**environment, "HOME": str(stage.folder)},
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
