"""Finding the moment of a replay among a session's events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from supervisor.model.times import from_rfc3339

Json = dict[str, Any]
Newest = Callable[[int], Awaitable[Json | None]]
"""Returns the newest event with a number below the given one, None when there is none."""


async def last_before(newest: Newest, moment: int, last: int) -> int:
    """Return the number of the last event up to a moment (ms since the epoch), 0 when there is none.

    ``last`` is the highest number there is. Numbers follow time, so the range is halved with each event that is read.
    """
    low, high, found = 1, last + 1, 0
    while low < high:
        middle = (low + high) // 2
        event = await newest(middle + 1)
        if event is None or event["seq"] < low:
            low = middle + 1
        elif from_rfc3339(event["time"]) <= moment:
            found = event["seq"]
            low = middle + 1
        else:
            high = event["seq"]
    return found
