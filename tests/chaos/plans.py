"""`make chaos-plans`: a plan of gates, retries, failures and agents, while its supervisor is killed again and again.

Whatever the kills, the plan must end as if there had been none: the same statuses, every task run exactly as often as
the plan says, the same files on its branch. Exit code 1 when anything differs. `--rounds 100` for the long run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.paths import Paths
from supervisor.api.client import Client
from supervisor.engine.failpoints import PLAN_FAILPOINTS
from supervisor.model.errors import QuarterdeckError, Refused
from tests.chaos.planwork import Work, work
from tests.chaos.round import clean_up
from tests.chaos.victim import Victim
from tests.support.git import repository

DEADLINE_S = 240.0
FARTHEST = 40
"""How often a failpoint is reached at most before it kills."""


@dataclass(frozen=True)
class Result:
    """What a round showed."""

    broken: list[str]
    ran: int
    kills: int
    seconds: float
    died_at_failpoint: bool


def main() -> int:
    """Play the rounds and print what they showed."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.plans", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--kills", type=int, default=6, help="kills at random moments in each round")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="repeats a run's choices")
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.tasks} tasks", flush=True)
    dice = random.Random(options.seed)  # noqa: S311 - repeatable, not secret
    results = []
    for number in range(options.rounds):
        failpoint = PLAN_FAILPOINTS[number % len(PLAN_FAILPOINTS)]
        result = asyncio.run(_round(failpoint, options.tasks, options.kills, dice.randrange(1 << 30)))
        results.append(result)
        state = f"{len(result.broken)} BROKEN" if result.broken else "kept"
        note = "" if result.died_at_failpoint else "  (did not die at its failpoint)"
        counted = f"{result.ran} runs, {result.kills} kills, {result.seconds:5.1f} s"
        print(f"{number + 1:4} {failpoint:20} {state:9} {counted}{note}", flush=True)
        for line in result.broken[:20]:
            print(f"       {line}", flush=True)
    broken = sum(len(result.broken) for result in results)
    kills = sum(result.kills for result in results)
    print(f"\n{len(results)} rounds, {kills} kills, {broken} differences from an undisturbed run")
    return 1 if broken else 0


async def _round(failpoint: str, tasks: int, kills: int, seed: int) -> Result:
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="qdp"))
    paths = Paths.below(folder / "h", environ={})
    paths.create()
    ledger = folder / "ledger"
    ledger.touch()
    made = work(tasks, ledger, seed)
    place = repository(folder / "repository")
    victim = Victim(paths, "", folder / "failpoints")
    dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
    victim.armed = f"{failpoint}@{1 if 'merge' in failpoint else dice.randint(1, FARTHEST)}"
    try:
        await victim.start()
        helping = [
            asyncio.create_task(_start(paths, place, made)),
            asyncio.create_task(_approve(paths)),
            asyncio.create_task(_kill(victim, kills, dice)),
        ]
        shown = await _watch(victim, paths, helping)
        for each in helping:
            each.cancel()
        await asyncio.gather(*helping, return_exceptions=True)
        broken = [f"not ended within {DEADLINE_S:.0f} s: {_standing(shown)}"] if shown is None else []
        broken += _differences(made, shown, ledger, place) if shown is not None else []
        ran = len(ledger.read_text().split())
        await victim.stop()
    finally:
        victim.kill()
        clean_up(paths)
    if not broken:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        broken.append(f"kept: {folder}")
    return Result(broken, ran, len(victim.starts) - 1, time.monotonic() - began, victim.died_at_failpoint)


async def _watch(victim: Victim, paths: Paths, helping: list[asyncio.Task[None]]) -> dict[str, Any] | None:
    """Start the supervisor whenever it is dead, until the plan has ended; None when it does not in time."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if not victim.is_running:
            await victim.start()
        with suppress(QuarterdeckError):
            async with Client(paths.socket, paths.token_file) as client:
                plan: dict[str, Any] = (await client.get("/plans/plan-chaos"))["plan"]
                if plan["status"] in ("completed", "failed", "abandoned") and helping[2].done():
                    return plan
        await asyncio.sleep(0.1)
    return None


async def _start(paths: Paths, place: Path, made: Work) -> None:
    """Create and start the plan once, whatever happens to the supervisor that is asked."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(place.parent)}
    body = {"document": json.dumps(made.document), "where": "plan.json", "cwd": str(place)}
    while True:
        try:
            async with Client(paths.socket, paths.token_file) as client:
                if not (await client.get("/plans"))["plans"]:
                    await client.post("/plans", body)
                plan = (await client.get("/plans/plan-chaos"))["plan"]
                if plan["status"] == "pending":
                    await client.post("/plans/plan-chaos/start", {"environment": environment})
                return
        except QuarterdeckError:
            await asyncio.sleep(0.05)


async def _approve(paths: Paths) -> None:
    while True:
        with suppress(QuarterdeckError):
            async with Client(paths.socket, paths.token_file) as client:
                for approval in (await client.get("/approvals"))["approvals"]:
                    with suppress(Refused):
                        await client.post(f"/approvals/{approval['id']}/approve", {})
        await asyncio.sleep(0.1)


async def _kill(victim: Victim, kills: int, dice: random.Random) -> None:
    for _ in range(kills):
        await asyncio.sleep(0.3 + dice.random() * 2.0)
        victim.kill()


def _differences(made: Work, shown: dict[str, Any], ledger: Path, place: Path) -> list[str]:
    """Say what is not as in an undisturbed run."""
    broken = []
    ran = Counter(ledger.read_text().split())
    for task in shown["tasks"]:
        expected = made.statuses[task["id"]]
        if task["status"] != expected:
            why = task["status_reason"]["text"]
            broken.append(f"{task['id']} is {task['status']}, not {expected}: {why}")
        if ran[task["id"]] != made.runs[task["id"]]:
            broken.append(f"{task['id']} ran {ran[task['id']]} times, not {made.runs[task['id']]}")
    listed = subprocess.run(
        ["git", "-C", str(place), "ls-tree", "-r", "--name-only", "qd/plan-chaos", "out/"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    wanted = made.files | {f"out/{task}.txt" for task, status in made.statuses.items() if status == "failed"}
    broken += [f"{path} is missing on the branch" for path in sorted(wanted - set(listed))]
    broken += [f"{path} should not be on the branch" for path in sorted(set(listed) - wanted)]
    return broken


def _standing(shown: dict[str, Any] | None) -> str:
    return "it could not be read" if shown is None else str(Counter(task["status"] for task in shown["tasks"]))


if __name__ == "__main__":
    sys.exit(main())
