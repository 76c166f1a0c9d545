"""Stores what was observed of a session, with everything that follows from it, in one transaction.

Stream, hooks and tools all come through here, so a reaction (a stored question, an answer that policy gives, a paused
queue, a delivered message) exists exactly when its event exists.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from supervisor.engine import reruns
from supervisor.engine.budgets.limits import subject_of
from supervisor.engine.budgets.weighing import weigh
from supervisor.engine.desk import Desk, close
from supervisor.engine.figures import changed, fold
from supervisor.engine.ledger import Transaction
from supervisor.engine.ports.agents import AgentAdapter
from supervisor.model.entities import Attempt, Session
from supervisor.model.events import Event, EventType, NewEvent
from supervisor.model.statuses import ApprovalStatus, SessionStatus
from supervisor.store import approvals, attempts, outbox, pauses, usage

_MOVED_ON = frozenset({EventType.TOOL_RESULT, EventType.TURN_ENDED, EventType.IDLE})


def absorb(
    transaction: Transaction,
    session: Session,
    attempt: Attempt | None,
    adapter: AgentAdapter,
    desk: Desk,
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
    for some in _together(events):
        new = some[-1]
        before, after = after, fold(after, some)
        after = _still_waiting(transaction, before, after, new)
        if new.type == EventType.PERMISSION_ASKED and attempt is not None:
            after = desk.asked(transaction, after, attempt, adapter, new)
        elif new.type == EventType.PERMISSION_WITHDRAWN:
            after = desk.withdrawn(transaction, after, str(new.payload.get("request_id")))
        elif new.type == EventType.APPROVAL_NEEDED and attempt is not None:
            reruns.needed(transaction, desk, after, attempt, new)
        elif new.type == EventType.MALFORMED_EVENT and new.payload.get("of") == EventType.APPROVAL_NEEDED:
            reruns.void(transaction, after)
        elif new.type == EventType.USAGE_LIMIT and new.payload.get("status") == "rejected":
            _limit(transaction, after, new)
        elif new.type == EventType.MESSAGE_DELIVERED and attempt_id is not None:
            outbox.delivered(transaction.conn, attempt_id, str(new.payload.get("text", "")))
        elif new.type == EventType.TURN_ENDED:
            calls = int(new.payload.get("turns") or 1)
            usage.add_turn(transaction.conn, after, before.stats, after.stats, api_calls=calls, at=new.time)
            weigh(transaction, desk.settings(), subject_of(transaction.conn, session.id, session.project))
        elif new.type == EventType.HEARTBEAT:
            after = replace(after, last_heartbeat_at=new.time)
    if heard_at is not None:
        after = changed(after, last_output_at=heard_at)
        if attempt is not None:
            attempts.heard(transaction.conn, attempt.id, heard_at)
    return transaction.keep(session, after), stored


def _together(events: Sequence[NewEvent]) -> Iterator[Sequence[NewEvent]]:
    """Yield events one by one, but a run of output, from which nothing follows, as one."""
    begin = 0
    for end, event in enumerate(events, 1):
        if event.type != EventType.OUTPUT or end == len(events) or events[end].type != EventType.OUTPUT:
            yield events[begin:end]
            begin = end


def observe(transaction: Transaction, session: Session, event: NewEvent, attempt_id: str) -> None:
    """Store one event that the supervisor has seen itself, and what it means for the session."""
    transaction.record([event], session, attempt_id)
    transaction.keep(session, _still_waiting(transaction, session, fold(session, (event,)), event))


def _still_waiting(transaction: Transaction, before: Session, after: Session, new: NewEvent) -> Session:
    """Keep a session waiting that does something else beside its question; a terminal asks one thing at a time.

    There a result, or the end of a turn, means that its dialog was answered.
    """
    if not (before.status is SessionStatus.WAITING and after.status is SessionStatus.RUNNING):
        return after
    if after.mode == "dispatch" and new.type in _MOVED_ON:
        for approval in approvals.open_of_session(transaction.conn, after.id):
            dialog = approval.channel == "wait" and approval.subject_type == "tool_call"
            if dialog and approval.status is ApprovalStatus.PENDING:
                close(transaction, approval, ApprovalStatus.CANCELLED, "It was answered in the terminal.")
    if not approvals.has_pending(transaction.conn, after.id):
        return after
    return replace(after, status=before.status, reason=before.reason, activity=before.activity)


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
