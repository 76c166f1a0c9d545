"""The moment of a replay is found among events with few looks."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from panels.replaying import last_before
from supervisor.model.times import from_rfc3339, to_rfc3339


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(0, 2_000)), max_size=60),
    st.integers(0, 30_000),
)
def test_it_finds_the_last_event_up_to_the_moment(steps: list[tuple[int, int]], moment: int) -> None:
    seq, time, events = 0, 1_000, list[tuple[int, int]]()
    for by, after in steps:
        seq, time = seq + by, time + after
        events.append((seq, time))
    looks = 0

    async def newest(before: int) -> dict[str, Any] | None:
        nonlocal looks
        looks += 1
        found = [each for each in events if each[0] < before]
        return {"seq": found[-1][0], "time": to_rfc3339(found[-1][1])} if found else None

    last = seq + 7
    expected = max((number for number, at in events if at <= moment), default=0)
    assert asyncio.run(last_before(newest, moment, last)) == expected
    assert looks <= max(1, last).bit_length() + 1
    assert all(from_rfc3339(to_rfc3339(at) or "") == at for _, at in events)
