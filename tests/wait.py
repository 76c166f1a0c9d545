"""Waiting for a condition, with a deadline: never a bare sleep."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

POLL_S = 0.005


async def until(check: Callable[[], object], timeout: float = 10.0, what: str = "") -> None:  # noqa: ASYNC109 - a test's deadline
    """Return when ``check`` is true; fail, naming ``what`` was awaited, after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not check():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what or check}")
        await asyncio.sleep(POLL_S)


def wait_until(check: Callable[[], object], timeout: float = 10.0, what: str = "") -> None:
    """The same for code without an event loop."""
    deadline = time.monotonic() + timeout
    while not check():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what or check}")
        time.sleep(POLL_S)
