"""The fallback signal: what a terminal shows, read once when its output has settled."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

from config.profiles import AgentProfile
from supervisor.engine.absorb import observe
from supervisor.engine.ledger import Transaction
from supervisor.engine.ports.processes import AttemptRef
from supervisor.engine.services import Services
from supervisor.model.entities import Session
from supervisor.model.errors import QuarterdeckError
from supervisor.model.events import EventType, NewEvent

log = logging.getLogger(__name__)

SETTLED_S = 1.0
"""Seconds without output after which a screen counts as settled."""


@dataclass(slots=True)
class Screens:
    """Reads the screens of terminals whose agents say nothing better of themselves."""

    services: Services
    _printed: dict[str, float] = field(default_factory=dict)

    def printed(self, session: Session, ref: AttemptRef) -> None:
        """Note that a session's terminal has changed; it is read when nothing more comes."""
        profile = self.services.config_for(None).settings.agents.get(session.agent)
        if session.mode != "dispatch" or profile is None or not profile.screen:
            return
        self._printed[session.id] = asyncio.get_running_loop().time()
        self.services.tasks.ensure(f"screen {session.id}", lambda: self._read(session, ref, profile))

    def forget(self, session_id: str) -> None:
        """Look no more at a terminal that is gone."""
        self._printed.pop(session_id, None)
        self.services.tasks.cancel(f"screen {session_id}")

    async def _read(self, session: Session, ref: AttemptRef, profile: AgentProfile) -> None:
        loop = asyncio.get_running_loop()
        while (wait := self._printed[session.id] + SETTLED_S - loop.time()) > 0:  # noqa: ASYNC110 - silence has no event
            await asyncio.sleep(wait)
        try:
            shown = await self.services.executor(session).screen(ref)
            found = self.services.read_screen(profile, *shown) if shown else None
            if found is not None:
                state, pattern = found
                await self.services.ledger.commit(lambda t: _store(t, session.id, ref.attempt, state, pattern))
        except QuarterdeckError as error:
            log.info("The screen of %s was not read: %s", session.name, error)


def _store(transaction: Transaction, session_id: str, attempt_id: str, state: str, pattern: str) -> None:
    """Believe a screen unless a hook or the stream has spoken since the last output, or has said the same."""
    session = transaction.session(session_id)
    if session.activity.state == state or session.activity.at > (session.last_output_at or 0):
        return
    read = NewEvent(
        EventType.SCREEN_READ,
        "telemetry",
        transaction.now,
        source="screen",
        payload={"state": state, "pattern": pattern},
    )
    observe(transaction, session, read, attempt_id)
