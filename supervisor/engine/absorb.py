"""Stores what was observed of a session, with everything that follows from it, in one transaction.

Stream, hooks and tools all come through here, so a reaction (an answer that refuses a
permission, a paused queue, a delivered message) exists exactly when its event exists.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from supervisor.engine.figures import fold
from supervisor.engine.ledger import Transaction
from supervisor.engine.ports import AgentAdapter, Verdict
from supervisor.model.entities import Attempt, Session
from supervisor.model.events import Event, EventType, NewEvent
from supervisor.store import attempts, outbox, pauses


def absorb(
    transaction: Transaction,
    session: Session,
    attempt: Attempt | None,
    adapter: AgentAdapter,
    events: Sequence[NewEvent],
    *,
    positions: Sequence[tuple[int, int]] | None = None,
    heard_at: int | None = None,
) -> tuple[Session, list[Event]]:
    """Store events of a session and what follows from them; returns the session as it is then.

    ``heard_at`` is the time of the last sign of output, in milliseconds since the epoch.
    """
    attempt_id = attempt.id if attempt else None
    stored = transaction.record(events, session, attempt_id, positions=positions)
    after = session
    for new, event in zip(events, stored, strict=True):
        after = fold(after, (new,))
        if new.type == EventType.PERMISSION_ASKED and attempt is not None:
            after = _refuse(transaction, after, attempt, adapter, event, new)
        elif new.type == EventType.USAGE_LIMIT and new.payload.get("status") == "rejected":
            _limit(transaction, after, new)
        elif new.type == EventType.MESSAGE_DELIVERED and attempt_id is not None:
            outbox.delivered(transaction.conn, attempt_id, str(new.payload.get("text", "")))
        elif new.type == EventType.HEARTBEAT:
            after = replace(after, last_heartbeat_at=new.time)
    if heard_at is not None:
        after = replace(after, last_output_at=heard_at)
        if attempt is not None:
            attempts.heard(transaction.conn, attempt.id, heard_at)
    _keep(transaction, session, after)
    return after, stored


def observe(transaction: Transaction, session: Session, event: NewEvent, attempt_id: str) -> None:
    """Store one event that the supervisor has seen itself, and what it means for the session."""
    transaction.record([event], session, attempt_id)
    _keep(transaction, session, fold(session, (event,)))


def _keep(transaction: Transaction, before: Session, after: Session) -> None:
    if after != before:
        transaction.save(after)
    if after.status is not before.status:
        transaction.status_changed(before, after)


def _refuse(
    transaction: Transaction,
    session: Session,
    attempt: Attempt,
    adapter: AgentAdapter,
    event: Event,
    new: NewEvent,
) -> Session:
    """Answer a question that nobody can decide: no. A terminal keeps its own dialog."""
    answer = adapter.answer(new.payload, Verdict(allow=False)) if session.mode == "autonomous" else None
    if answer is None:
        return session
    request = str(new.payload.get("request_id"))
    outbox.add_reply(transaction.conn, session.id, attempt.id, request, answer)
    refused = NewEvent(
        EventType.PERMISSION_REFUSED,
        "policy",
        transaction.now,
        "warning",
        payload={**new.payload, "text": "Refused: no decision can be asked for."},
    )
    transaction.record([refused], session, attempt.id)
    return fold(session, [refused])


def _limit(transaction: Transaction, session: Session, new: NewEvent) -> None:
    until = session.resume_at
    text = str(new.payload.get("text") or "usage limit")
    if pauses.set_pause(transaction.conn, session.agent, until, text, transaction.now):
        transaction.event(
            EventType.QUEUE_PAUSED,
            session,
            phase="batch",
            severity="warning",
            agent=session.agent,
            until=until,
            reason=text,
        )
