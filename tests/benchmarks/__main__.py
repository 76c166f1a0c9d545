"""`make bench`: measure against what the machine does at best, and write docs/benchmarks.md."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable

from tests.benchmarks import (
    app,
    commands,
    decisions,
    helping,
    idle,
    ingest,
    plans,
    pool,
    queueing,
    reports,
    starts,
    stream,
)
from tests.benchmarks.figures import Figure
from tests.benchmarks.report import write

BENCHMARKS: dict[str, Callable[[float], Awaitable[list[Figure]]]] = {
    "starts": starts.measure,
    "pool": pool.measure,
    "ingest": ingest.measure,
    "stream": stream.measure,
    "queueing": queueing.measure,
    "reports": reports.measure,
    "decisions": decisions.measure,
    "commands": commands.measure,
    "plans": plans.measure,
    "idle": idle.measure,
    "help": helping.measure,
    "app": app.measure,
}


async def run(names: list[str], scale: float) -> list[Figure]:
    """Run benchmarks one after the other and print their figures."""
    figures: list[Figure] = []
    for name in names:
        began = time.monotonic()
        figures += (found := await BENCHMARKS[name](scale))
        print("\n".join(figure.row() for figure in found), f"({time.monotonic() - began:.0f} s)", flush=True)
    return figures


def main() -> None:
    """A bar that is missed is marked, it is no failure."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=BENCHMARKS, help="one benchmark; may be repeated")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the run; others than 1 are not written down")
    given = parser.parse_args()
    figures = asyncio.run(run(given.only or list(BENCHMARKS), given.scale))
    if given.scale == 1:
        write(figures, list(BENCHMARKS))


if __name__ == "__main__":
    main()
