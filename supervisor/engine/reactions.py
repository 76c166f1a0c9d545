"""What follows outside the database when something was decided: clocks, queues and answers on their way.

It all follows from committed events, and can be repeated; a start of the supervisor does the same from what is stored.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

import msgspec

from supervisor.engine.broker import Broker
from supervisor.engine.bus import Bus
from supervisor.engine.conducting import Conductor
from supervisor.engine.ledger import Transaction
from supervisor.engine.planruns.runs import PlanRuns
from supervisor.engine.schedules import Schedules
from supervisor.engine.services import Services
from supervisor.model.entities import Attempt, Session
from supervisor.model.errors import QuarterdeckError
from supervisor.model.events import Event, EventType
from supervisor.model.statuses import AttemptStatus, SessionStatus
from supervisor.store import attempts, sessions

log = logging.getLogger(__name__)

TRY_AGAIN_S = 1.0
_OF_PLANS = frozenset(
    {EventType.PLAN_STATUS_CHANGED, EventType.PLAN_REVISED, EventType.PLAN_DELETED, EventType.PLAN_ARCHIVED}
)
_APPROVALS = frozenset({EventType.APPROVAL_REGISTERED, EventType.APPROVAL_DECIDED, EventType.APPROVAL_ENDED})
_HEARD = _APPROVALS | _OF_PLANS | {EventType.STATUS_CHANGED}


@dataclass(frozen=True, slots=True)
class Reactions:
    """Listens to the bus."""

    services: Services
    bus: Bus
    conductor: Conductor
    broker: Broker
    plan_runs: PlanRuns
    schedules: Schedules

    async def run(self) -> None:
        """React until cancelled or until the bus closes."""
        with self.bus.subscribe() as subscription:
            while not subscription.closed:
                events = await subscription.take()
                try:
                    for event in events:
                        if event.type in _HEARD:
                            await self._react(event)
                    if subscription.dropped:
                        subscription.dropped = False
                        await self.catch_up()
                except (QuarterdeckError, OSError) as error:
                    # A full disk, say. What was missed follows from what is stored.
                    log.warning("What follows from decisions cannot be done now: %s", error)
                    await asyncio.sleep(TRY_AGAIN_S)
                    subscription.miss()

    async def _react(self, event: Event) -> None:
        if event.type in _APPROVALS:
            self.broker.react(event)
            if event.session is None:
                await self.plan_runs.decided(event)
                if event.type != EventType.APPROVAL_REGISTERED:
                    self.schedules.kick()
        elif event.type in _OF_PLANS:
            self.schedules.kick()
        elif event.session is not None:
            await self._moved(event, event.session)
            await self.plan_runs.session_moved(event.session)

    async def catch_up(self) -> None:
        """React to what is stored, after a flood in which events were missed."""
        self.broker.ring_all()
        self.conductor.scheduler.kick()
        await self.plan_runs.catch_up()
        self.schedules.kick()
        live = await self.services.ledger.commit(
            lambda t: [(t.session(attempt.session), attempt) for attempt in attempts.live(t.conn) if attempt.session]
        )
        for session, attempt in live:
            self.conductor.delivery.kick(session.id)
            await self._set_clock(session, attempt)
            answered = attempt.status is AttemptStatus.WAITING_APPROVAL and session.status is SessionStatus.PREPARING
            if answered and not self.services.tasks.running(f"run {session.id}"):
                self.conductor.begin(session)

    async def _moved(self, event: Event, session_id: str) -> None:
        payload = msgspec.json.decode(event.payload)
        before, after = payload.get("from"), payload.get("to")
        if SessionStatus.WAITING not in (before, after):
            return
        self.conductor.scheduler.kick()
        session, attempt = await self.services.ledger.commit(lambda t: _found(t, session_id))
        if before == SessionStatus.WAITING and session.status is SessionStatus.PREPARING:
            self.conductor.begin(session)
        elif attempt is not None:
            await self._set_clock(session, attempt)
        if after == SessionStatus.FAILED:
            self.conductor.ended(session)

    async def _set_clock(self, session: Session, attempt: Attempt) -> None:
        """Let an attempt's timeouts rest while a person decides."""
        if attempt.status is not AttemptStatus.RUNNING:
            return
        held = session.status is SessionStatus.WAITING
        try:
            await self.services.executor(session).hold(self.services.ref(attempt, session), held=held)
        except (QuarterdeckError, OSError) as error:
            log.info("%s: its timeouts were not %s: %s", session.name, "held" if held else "let go", error)


def _found(transaction: Transaction, session_id: str) -> tuple[Session, Attempt | None]:
    return sessions.get(transaction.conn, session_id), attempts.latest(transaction.conn, session_id)
