"""Delivers what is addressed to a running agent: messages of a person, answers to its questions.

Everything stands in the outbox before it is written, so a restart repeats what was not confirmed. Answers may
arrive twice (agents ignore the second); a message is written once and confirmed by the agent's own echo or hook.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from supervisor.engine.deciding import consume
from supervisor.engine.failpoints import hit
from supervisor.engine.ledger import Transaction
from supervisor.engine.ports.agents import AgentAdapter
from supervisor.engine.services import Services
from supervisor.model.entities import Attempt, Session
from supervisor.model.errors import IllegalMove, QuarterdeckError, Refused
from supervisor.model.events import Event, EventType
from supervisor.model.statuses import NO_PROCESS, ApprovalStatus
from supervisor.model.times import now_ms
from supervisor.store import approvals, attempts, outbox, sessions

log = logging.getLogger(__name__)

TRY_AGAIN_S = 1.0
MARK_AFTER_S = 0.02
"""How soon it is stored that an answer of policy was written: with those that are written meanwhile, for a commit each
would keep the writer from what waits for a decision. Cut off in between, they are written again."""

CONFIRM_S = 30.0
"""How long an idle agent's input stays open for a message that it has not confirmed."""


_HEARD = frozenset(
    {
        EventType.PERMISSION_ASKED,
        EventType.TURN_ENDED,
        EventType.MESSAGE_DELIVERED,
        EventType.USAGE_LIMIT,
        EventType.APPROVAL_DECIDED,
        EventType.APPROVAL_ENDED,
    }
)
"""What there may be something to deliver after: an answer, or a message that waited for the end of a turn."""


@dataclass(frozen=True, slots=True)
class _Item:
    """What is to be written; ``policy`` says that it is an answer that policy gave, which nobody waits for."""

    entry: outbox.Entry
    policy: bool


def _item(conn: sqlite3.Connection, entry: outbox.Entry) -> _Item:
    asked = entry.request_id is not None and approvals.by_key(conn, entry.session, entry.request_id) is not None
    return _Item(entry, entry.kind == "reply" and not asked)


@dataclass(slots=True)
class Delivery:
    """One deliverer per session at a time; a kick while it works makes it look again.

    Only attempts that are followed are written to: before that it is not known that their runners listen, and what is
    refused for the lack of one would be lost.
    """

    services: Services
    adapter_of: Callable[[Session], AgentAdapter]
    _followed: set[str] = field(default_factory=set)
    _again: set[str] = field(default_factory=set)
    _written: dict[str, int] = field(default_factory=dict)
    """When answers were written of which that is not stored yet (ms)."""
    _marking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def begin(self, session_id: str, attempt_id: str) -> None:
        """Deliver to an attempt from now on; what waits for it at once."""
        self._followed.add(attempt_id)
        self.kick(session_id)

    def end(self, attempt_id: str) -> None:
        """Deliver nothing more to an attempt."""
        self._followed.discard(attempt_id)

    def hear(self, batch: Sequence[Event]) -> None:
        """Look after sessions of which something was stored that there may be something to deliver after."""
        for event in batch:
            if event.type in _HEARD and event.session is not None:
                self.kick(event.session)

    def kick(self, session_id: str) -> None:
        """Look whether there is something to deliver to a session."""
        name = f"deliver {session_id}"
        if self.services.tasks.running(name):
            self._again.add(session_id)
        else:
            self.services.tasks.start(name, self._deliver_all(session_id))

    async def _deliver_all(self, session_id: str) -> None:
        while True:
            self._again.discard(session_id)
            await self._deliver(session_id)
            if session_id not in self._again:
                return

    async def _deliver(self, session_id: str) -> None:
        def look(conn: sqlite3.Connection) -> tuple[Session, Attempt | None, list[_Item]]:
            session = sessions.get(conn, session_id)
            attempt = attempts.latest(conn, session_id)
            if attempt is None or attempt.status in NO_PROCESS:
                return session, None, []
            return session, attempt, [_item(conn, entry) for entry in outbox.pending(conn, session_id)]

        session, attempt, items = self.services.ledger.store.peek(look)
        if attempt is None or attempt.id not in self._followed:
            return
        # Here, for while one is written it may be stored that another was.
        for item in [item for item in items if item.entry.id not in self._written]:
            if item.entry.kind == "message" or item.entry.attempt == attempt.id:
                await self._send(session, attempt, item.entry, policy=item.policy)
        if session.activity.state == "idle" and session.mode == "autonomous":
            await self._close_when_done(session_id, attempt)

    async def _send(self, session: Session, attempt: Attempt, item: outbox.Entry, *, policy: bool) -> None:
        executor = self.services.executor(session)
        ref = self.services.ref(attempt, session)
        hit("message.before_write")
        # What is marked first is written at most once: a message must not be said twice, and the agent's
        # echo tells whether it arrived. An answer that arrives twice does no harm, one that is missing does.
        if item.kind == "message" and not await self._mark_sent(item, attempt):
            return
        at = now_ms()
        try:
            if item.kind == "message" and session.mode == "dispatch":
                await executor.type_text(ref, item.body.decode())
            elif item.kind == "message":
                await executor.write(ref, self.adapter_of(session).message(item.body.decode()) or b"")
            else:
                await executor.write(ref, item.body)
        except QuarterdeckError as error:
            problem = str(error)
            log.warning("%s: %s", session.id, problem)
            if item.kind == "reply" and not isinstance(error, Refused):
                # An answer is not lost because its runner did not listen for a moment.
                self.services.tasks.ensure(f"again {session.id}", lambda: self._kick_later(session.id, TRY_AGAIN_S))
                return
            await self.services.ledger.commit(lambda t: self._failed(t, session, attempt, item, problem))
            return
        hit("message.after_write")
        if policy:
            self._written[item.id] = at
            self.services.tasks.ensure("mark answers", self._mark_written)
        elif item.kind == "reply":
            await self._mark_sent(item, attempt)
        elif session.mode == "dispatch":
            # The terminal showed the text before Enter was pressed.
            await self.services.ledger.commit(lambda t: outbox.delivered(t.conn, attempt.id, item.body.decode()))

    async def settle(self) -> None:
        """Store which answers were written, as far as it is not stored yet."""
        async with self._marking:
            written = dict(self._written)
            if written:
                await self.services.ledger.commit(lambda t: outbox.written(t.conn, written))
            for entry_id in written:
                del self._written[entry_id]

    async def _mark_written(self) -> None:
        while self._written:
            await asyncio.sleep(MARK_AFTER_S)
            try:
                await self.settle()
            except QuarterdeckError as error:
                log.warning("It cannot be stored now which answers were written: %s", error)
                await asyncio.sleep(TRY_AGAIN_S)

    async def _mark_sent(self, item: outbox.Entry, attempt: Attempt) -> bool:
        """Store that an entry is written; whether it was still to be: the end of its attempt may have come first."""

        def store(transaction: Transaction) -> bool:
            try:
                outbox.sent(transaction.conn, item.id, attempt.id, transaction.now)
            except IllegalMove:
                return False
            if item.kind == "reply" and item.request_id is not None:
                approval = approvals.by_key(transaction.conn, item.session, item.request_id)
                if approval is not None and approval.status is ApprovalStatus.APPROVED:
                    consume(transaction, approval, f"attempt {attempt.number} of {item.session}")
            return True

        return await self.services.ledger.commit(store)

    def _failed(
        self, transaction: Transaction, session: Session, attempt: Attempt, item: outbox.Entry, problem: str
    ) -> None:
        try:
            outbox.failed(transaction.conn, item.id, problem)
        except IllegalMove:  # The end of its attempt came first, and said so.
            return
        transaction.event(
            EventType.MESSAGE_UNDELIVERED,
            session,
            attempt.id,
            severity="warning",
            message=item.id,
            text=problem,
        )

    async def _close_when_done(self, session_id: str, attempt: Attempt) -> None:
        """End the stdin of a headless agent whose turn is over and that has nothing left to read.

        A message that was handed over is given time to be confirmed. One that was marked, but never written
        because the supervisor died in between, never will be; the end of the attempt reports it.
        """

        def finished(transaction: Transaction) -> Session | float | None:
            session = transaction.session(session_id)
            idle = session.activity.state == "idle"
            reads = session.mode == "autonomous" and self.adapter_of(session).message("") is not None
            if not (idle and reads):
                return None
            open_messages = outbox.unconfirmed(transaction.conn, attempt.id)
            if open_messages:
                newest = max(item.sent_at or transaction.now for item in open_messages)
                patience_s = CONFIRM_S - (transaction.now - newest) / 1000
                if patience_s > 0:
                    return patience_s
            live = attempts.get(transaction.conn, attempt.id)
            attempts.update(transaction.conn, replace(live, input_closed_at=transaction.now))
            return session

        found = await self.services.ledger.commit(finished)
        if isinstance(found, float):
            patience_s = found
            self.services.tasks.ensure(f"confirm {session_id}", lambda: self._kick_later(session_id, patience_s))
        elif found is not None:
            try:
                await self.services.executor(found).write(self.services.ref(attempt, found), b"", close=True)
            except QuarterdeckError as error:
                log.info("%s had closed its input already: %s", session_id, error)

    async def _kick_later(self, session_id: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self.kick(session_id)
