"""What `quarterdeck --help` takes: the least that every command takes."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.benchmarks.figures import Figure, median, ms, sized
from tests.benchmarks.reports import seconds

TIMES = 20
BAR_S = 0.150


async def measure(scale: float) -> list[Figure]:
    """Compare it with an interpreter that does nothing."""
    return [await asyncio.to_thread(_compare, sized(TIMES, scale))]


def _compare(count: int) -> Figure:
    quarterdeck = str(Path(sys.executable).with_name("quarterdeck"))
    ours, limit = [], []
    for _ in range(count):
        limit.append(seconds([sys.executable, "-c", "pass"]))
        ours.append(seconds([quarterdeck, "--help"]))
    return Figure(
        "help", "quarterdeck --help", ms(ours), f"python -c pass: {ms(limit)}", "< 150 ms", median(ours) < BAR_S
    )
