"""Measures how much sessions changed, for the fleet: after a turn, after the end, and once for those that have ended.

Reading a diff costs git some work, so sessions are measured one by one from a queue, two at a time at most, and a
session that changes again while it waits is measured once.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from panels.view.model import ViewModel
from panels.view.sessions import ENDED, SessionView
from supervisor.api.client import Client, at
from supervisor.model.errors import QuarterdeckError

AT_ONCE: Final = 2
FIRST: Final = 50
"""Sessions that have ended before the app came are measured, the newest so many."""

_INSERTED: Final = re.compile(r"(\d+) insertion")
_DELETED: Final = re.compile(r"(\d+) deletion")

Json = dict[str, Any]


def size_of(stat: str) -> tuple[int, int]:
    """Return the lines that were put in and taken out, from what ``git diff --stat`` prints."""
    last = stat.rstrip().rpartition("\n")[2]
    inserted, deleted = _INSERTED.search(last), _DELETED.search(last)
    return int(inserted[1]) if inserted else 0, int(deleted[1]) if deleted else 0


class Measuring:
    """Tells ``view`` the sizes of diffs; ``draw`` has what changed in it drawn."""

    def __init__(self, client: Client, view: ViewModel, draw: Callable[[], Awaitable[None]]) -> None:
        self._client, self._view, self._draw = client, view, draw
        self._busy: set[str] = set()
        self._wanted: dict[str, None] = {}
        self._there = asyncio.Event()
        self._first_done = False

    def heard(self, event: Json) -> None:
        """Note which session an event makes larger or smaller."""
        if event["session"] is None:
            return
        kind = event["type"]
        if kind == "turn_ended" or (kind == "status_changed" and event["payload"].get("to") in ENDED):
            self.measure(event["session"])

    def measure(self, session: str) -> None:
        """Measure a session soon."""
        self._wanted[session] = None
        self._there.set()

    def connected(self) -> None:
        """Measure what has ended before, once: the newest first."""
        if self._first_done:
            return
        self._first_done = True
        ended = [each for each in self._view.sessions.values() if each.is_ended and _has_worktree(each)]
        ended.sort(key=lambda each: each.ended_at or 0, reverse=True)
        for each in ended[:FIRST]:
            self.measure(each.id)

    async def run(self) -> None:
        """Measure until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(AT_ONCE):
                group.create_task(self._work(), name=f"measures diffs {number}")

    async def _work(self) -> None:
        while True:
            # One that is being measured waits: of two answers the older could come last.
            session = next((each for each in self._wanted if each not in self._busy), None)
            if session is None:
                self._there.clear()
                await self._there.wait()
                continue
            del self._wanted[session]
            self._busy.add(session)
            try:
                await self._measure(session)
            finally:
                self._busy.remove(session)
                self._there.set()

    async def _measure(self, session: str) -> None:
        known = self._view.sessions.get(session)
        if known is None or not _has_worktree(known):
            return
        # A worktree that is gone has no size; nobody asked for it.
        with suppress(QuarterdeckError):
            answer = await self._client.get(at("session", session, "diff"), stat=True)
            self._view.measured(session, *size_of(answer["diff"]))
            await self._draw()


def _has_worktree(session: SessionView) -> bool:
    return session.worktree is not None
