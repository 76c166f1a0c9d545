"""What a benchmark says: a figure beside its limit, and whether its bar is met."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One row. ``limit`` is what the same machine does at best, measured in between; ``met`` is None without a bar."""

    benchmark: str
    what: str
    measured: str
    limit: str = ""
    bar: str = ""
    met: bool | None = None

    def row(self) -> str:
        """Return the row of the table in docs/benchmarks.md."""
        verdict = {None: "", True: "met", False: "**missed**"}[self.met]
        return f"| {self.benchmark} | {self.what} | {self.measured} | {self.limit} | {self.bar} | {verdict} |"


def ms(seconds: Sequence[float]) -> str:
    """Return the median in milliseconds, with the smallest and the largest."""
    middle, low, high = (value * 1000 for value in (median(seconds), min(seconds), max(seconds)))
    digits = 2 if high < 10 else 0
    return f"{middle:.{digits}f} ms ({low:.{digits}f}..{high:.{digits}f})"


def rate(per_second: Sequence[float]) -> str:
    """Return the median of a rate per second, with the smallest and the largest."""
    return f"{median(per_second):,.0f}/s ({min(per_second):,.0f}..{max(per_second):,.0f})"


def median(values: Sequence[float]) -> float:
    """Return the middle value."""
    return statistics.median(values)


def p99(values: Sequence[float]) -> float:
    """Return the value that one of a hundred exceeds."""
    return sorted(values)[int(len(values) * 0.99)]


def sized(count: int, scale: float) -> int:
    """Return how many of something a run of this size does: at least two."""
    return max(2, round(count * scale))
