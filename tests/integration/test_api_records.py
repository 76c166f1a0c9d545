"""Reading the history over the API: backwards, and of several types."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from supervisor.model.errors import InvalidInput
from tests.support.supervised import Supervised


async def emit(supervised: Supervised, *kinds: str) -> list[int]:
    return [(await supervised.engine.reports.emit(None, kind, {})).seq for kind in kinds]


async def numbers(supervised: Supervised, **query: Any) -> list[int]:
    return [event["seq"] for event in (await supervised.client.get("/events", **query))["events"]]


async def test_the_history_is_read_backwards_page_by_page(supervised: Supervised) -> None:
    stored = await emit(supervised, *["progress"] * 25)
    last = (await numbers(supervised))[-1]
    pages, before = list[list[int]](), last + 1
    while page := await numbers(supervised, before=before, limit=10):
        pages.append(page)
        before = page[0]
    assert [number for page in reversed(pages) for number in page] == list(range(1, last + 1))
    assert pages[0] == stored[-10:]


async def test_what_is_before_a_number_is_filtered_too(supervised: Supervised) -> None:
    stored = await emit(supervised, "alpha", "beta", "alpha", "beta", "alpha")
    assert await numbers(supervised, before=stored[4], type="alpha", limit=1) == [stored[2]]
    assert await numbers(supervised, before=stored[4], type="alpha", since_s=60) == [stored[0], stored[2]]
    assert await numbers(supervised, before=0) == []
    assert (await numbers(supervised, before=2**53))[-1] == stored[4]


async def test_before_and_after_exclude_each_other(supervised: Supervised) -> None:
    with pytest.raises(InvalidInput, match="not both"):
        await numbers(supervised, before=5, after=1)


async def test_several_types_are_one_filter(supervised: Supervised) -> None:
    stored = await emit(supervised, "alpha", "beta", "gamma", "alpha")
    wanted = [stored[0], stored[2], stored[3]]
    assert await numbers(supervised, type=["alpha", "gamma"]) == wanted
    assert await numbers(supervised, type=["alpha", "gamma"], after=stored[0]) == wanted[1:]
    assert await numbers(supervised, type=["alpha", "gamma"], limit=2) == wanted[1:]
    with pytest.raises(InvalidInput, match="at most 100"):
        await numbers(supervised, type=["alpha"] * 101)


async def test_the_stream_takes_several_types(supervised: Supervised) -> None:
    stored = await emit(supervised, "alpha", "beta", "gamma")
    seen = []
    async with asyncio.timeout(10):
        async for event in supervised.client.follow(0, type=["alpha", "gamma"]):
            seen.append(event["seq"])
            if len(seen) == 2:
                break
    assert seen == [stored[0], stored[2]]
