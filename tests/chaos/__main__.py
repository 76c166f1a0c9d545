"""`make chaos`: kill the supervisor at random points and at every failpoint, and count what is lost."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack

from supervisor.engine.failpoints import FAILPOINTS
from tests.chaos.rounds import Plan, Result, Round
from tests.support.dockerd import IMAGE, docker_engine

ONCE = ("message.before_write", "message.after_write", "recovery.begin", "recovery.adopted")
"""Reached so seldom in a life of the supervisor that only the first time is certain."""


def armed(number: int, chance: random.Random) -> str:
    """Return the failpoint of a round: every one has its turn, the first time it is reached or a later one."""
    name = FAILPOINTS[number % len(FAILPOINTS)]
    return f"{name}@{1 if name in ONCE else chance.randint(1, 4)}"


def line(number: int, result: Result, seconds: float) -> str:
    """Return what is printed of a round."""
    verdict = f"FAILED, kept in {result.home}" if result.wrong else "ok"
    died = "died there" if result.died_there else "not reached"
    told = f"{number:4} {result.failpoint:24} {died:11} {result.kills} kills, adopted in {result.adopted_s:.2f} s"
    return "\n".join([f"{told}, {seconds:4.1f} s: {verdict}", *(f"     {wrong}" for wrong in result.wrong)])


def missed(results: Sequence[Result]) -> list[str]:
    """Return why the run does not count: failpoints that were never reached, or never killed it."""
    reached = {name for result in results for name in result.reached}
    died = {result.failpoint.partition("@")[0] for result in results if result.died_there}
    return [
        *(f"{name} was never reached" for name in FAILPOINTS if name not in reached),
        *(f"{name} never killed it" for name in FAILPOINTS if name not in died),
    ]


async def play(plan: Plan, rounds: int, chance: random.Random) -> list[Result]:
    """Play all rounds, one after the other, and say what came of each."""
    results = []
    for number in range(rounds):
        began = time.monotonic()
        results.append(await Round(plan, armed(number, chance), chance).run())
        print(line(number + 1, results[-1], time.monotonic() - began), flush=True)
    return results


def main() -> int:
    """Return 0 when nothing was wrong and every failpoint had its turn."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--executors", default="local,tmux,docker", help="separated by commas")
    parser.add_argument("--each", type=int, default=10, help="sessions on each executor")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    given = parser.parse_args()
    executors = given.executors.split(",")
    chance = random.Random(given.seed)  # noqa: S311 - chaos that can be repeated, not cryptography
    print(f"seed {given.seed}, {given.rounds} rounds, {given.each} sessions on each of {given.executors}", flush=True)
    with ExitStack() as stack:
        host = stack.enter_context(docker_engine()) if "docker" in executors else None
        plan = Plan(executors, each=given.each, docker_host=host, image=IMAGE if host else None)
        results = asyncio.run(play(plan, given.rounds, chance))
    failed = sum(bool(result.wrong) for result in results)
    gaps = missed(results)
    sessions, kills = sum(result.sessions for result in results), sum(result.kills for result in results)
    slowest = max((result.adopted_s for result in results), default=0.0)
    print(
        f"\n{len(results)} rounds, {sessions} sessions, {kills} kills; adopted within {slowest:.2f} s; {failed} failed"
    )
    print("\n".join(f"incomplete: {gap}" for gap in gaps))
    return 1 if failed or gaps else 0


if __name__ == "__main__":
    sys.exit(main())
