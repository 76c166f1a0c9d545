"""Pictures are taken when the screen stands still: on a busy machine a frame may come late."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot

STILL = 8
"""Looks in a row, 50 ms apart, at which the screen must be the same."""

Compare = Callable[..., bool]


async def _stands_still(pilot: Pilot[Any]) -> None:
    before, same = "", 0
    async with asyncio.timeout(30):
        while same < STILL:
            await pilot.pause(0.05)
            focused = pilot.app.screen.focused
            now = f"{focused and focused.id}{pilot.app.export_screenshot()}"
            same = same + 1 if _body(now) == _body(before) else 0
            before = now


def _body(picture: str) -> str:
    """A picture without what is different in every export: names made of a hash of its content."""
    return picture[picture.find("<g ") :]


@pytest.fixture
def snap_compare(snap_compare: Compare) -> Compare:
    def compare(app: Any, *, run_before: Callable[[Pilot[Any]], Any] | None = None, **more: Any) -> bool:
        async def settled(pilot: Pilot[Any]) -> None:
            if run_before is not None:
                await run_before(pilot)
            await _stands_still(pilot)

        return snap_compare(app, run_before=settled, **more)

    return compare
