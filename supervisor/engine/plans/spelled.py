"""Durations as people read them."""

from __future__ import annotations

from typing import Final

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def spelled(ms: int) -> str:
    """Return a duration in words, in at most two units: ``1 h 30 min``, ``1 min 30 s``, ``0.5 s``."""
    if ms < 60_000:
        return f"{ms / 1_000:g} s"
    found: list[str] = []
    seconds = ms // 1_000
    for size, unit in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            found.append(f"{count} {unit}")
    return " ".join(found[:2])
