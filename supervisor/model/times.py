"""Time as the product keeps it: whole milliseconds since the Unix epoch, UTC.

Only the borders (API, command line, exports) speak RFC 3339.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


def now_ms() -> int:
    """Return the wall clock in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def to_rfc3339(ms: int | None) -> str | None:
    """Return ``2026-01-31T12:00:00.123Z`` for milliseconds since the epoch; None stays None."""
    if ms is None:
        return None
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z"


def local_day(ms: int) -> tuple[str, int, int]:
    """Return the day of a moment in this machine's time zone (``2026-01-31``), and when it begins and ends (ms)."""
    day = datetime.fromtimestamp(ms / 1000).date()
    begins, ends = (datetime.combine(each, datetime.min.time()) for each in (day, day + timedelta(days=1)))
    return day.isoformat(), round(begins.timestamp() * 1000), round(ends.timestamp() * 1000)


def from_rfc3339(text: str) -> int:
    """Return milliseconds since the epoch for an RFC 3339 time; ValueError when it is none."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return round(moment.timestamp() * 1000)
