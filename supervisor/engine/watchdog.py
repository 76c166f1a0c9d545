"""Notices runners that give no sign of life any more. One timer for all of them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from supervisor.engine.absorb import observe
from supervisor.engine.ledger import Transaction
from supervisor.engine.services import Services
from supervisor.model.errors import QuarterdeckError
from supervisor.model.events import EventType, NewEvent
from supervisor.model.statuses import SessionStatus

SILENT = "its runner gives no sign of life"

LONGEST_LOOK_S = 5.0
SHORTEST_LOOK_S = 0.05


@dataclass(slots=True)
class _Watched:
    session: str
    limit_s: float
    heard: float
    stalled: bool = False


@dataclass(slots=True)
class Watchdog:
    """When each runner was last heard of, in seconds of the loop's clock, which a sleeping machine stops."""

    services: Services
    _watched: dict[str, _Watched] = field(default_factory=dict)

    def watch(self, attempt: str, session: str, limit_s: float) -> None:
        """Expect a sign of life of an attempt's runner every ``limit_s`` seconds."""
        self._watched[attempt] = _Watched(session, limit_s, asyncio.get_running_loop().time())

    def heard(self, attempt: str) -> None:
        """Note a sign of life."""
        watched = self._watched[attempt]
        watched.heard = asyncio.get_running_loop().time()
        watched.stalled = False

    def forget(self, attempt: str) -> None:
        """Expect nothing more."""
        self._watched.pop(attempt, None)

    async def run(self) -> None:
        """Look at all runners until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            overdue = {
                attempt: watched
                for attempt, watched in self._watched.items()
                if not watched.stalled and now - watched.heard > watched.limit_s
            }
            for attempt, watched in overdue.items():
                watched.stalled = await self._stall(attempt, watched)
            due = [each.heard + each.limit_s - now for each in self._watched.values() if not each.stalled]
            await asyncio.sleep(max(SHORTEST_LOOK_S, min([LONGEST_LOOK_S, *due])))

    async def _stall(self, attempt: str, watched: _Watched) -> bool:
        """Store that an attempt is stalled; whether that was stored."""

        def store(transaction: Transaction) -> None:
            session = transaction.session(watched.session)
            if session.status in (SessionStatus.RUNNING, SessionStatus.WAITING):
                payload = {"text": SILENT, "timeout_s": watched.limit_s}
                stalled = NewEvent(EventType.STALLED, "autonomy", transaction.now, "warning", "watchdog", payload)
                observe(transaction, session, stalled, attempt)

        try:
            await self.services.ledger.commit(store)
        except QuarterdeckError:
            return False
        return True
