"""The one way to change state: decide inside a transaction, tell the bus after the commit.

What a decision stores, the events that it causes and the audit entries that record it are
committed together. The bus hears of events in the order of their numbers, as they are committed, also when whoever
decided was cancelled meanwhile.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from supervisor.engine.bus import Bus
from supervisor.model.entities import Attempt, Reason, Session
from supervisor.model.events import Event, EventType, NewEvent, Phase, Severity
from supervisor.model.plans import Plan, Task, TaskStatus
from supervisor.model.statuses import (
    AttemptStatus,
    SessionStatus,
    check_attempt_move,
    check_session_move,
)
from supervisor.model.times import now_ms
from supervisor.store import attempts, audit, events, sessions, usage
from supervisor.store.database import Store

T = TypeVar("T")


class Transaction:
    """What a decision may do. Lives in the writer's thread, for one savepoint."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self.conn = conn
        self.events: list[Event] = []
        self.now = now_ms()

    def record(
        self,
        new: Sequence[NewEvent],
        session: Session | None = None,
        attempt: str | None = None,
        *,
        positions: Sequence[tuple[int, int]] | None = None,
    ) -> list[Event]:
        """Store events; ``positions`` are their (offset, index) in the session's spool."""
        stored = events.append(
            self.conn,
            new,
            project=session.project if session else None,
            task=session.task if session else None,
            session=session.id if session else None,
            attempt=attempt,
            positions=positions,
        )
        self.events.extend(stored)
        return stored

    def event(
        self,
        event_type: EventType,
        session: Session | None = None,
        attempt: str | None = None,
        /,
        *,
        phase: Phase = "autonomy",
        severity: Severity = "info",
        **payload: Any,
    ) -> None:
        """Store one event of the supervisor's own."""
        self.record([NewEvent(event_type, phase, self.now, severity, payload=payload)], session, attempt)

    def plan_event(
        self, event_type: EventType, plan: Plan, *, task: str | None = None, severity: Severity = "info", **payload: Any
    ) -> None:
        """Store one event of a plan, or of a task of it."""
        new = NewEvent(event_type, "plan", self.now, severity, payload=payload)
        self.events.extend(events.append(self.conn, [new], project=plan.project, plan=plan.id, task=task))

    def task_events(self, plan: Plan, moved: Iterable[tuple[TaskStatus, Task]]) -> None:
        """Record that the statuses of a plan's tasks changed, from which, and why."""
        changed = [
            NewEvent(
                EventType.TASK_STATUS_CHANGED,
                "plan",
                self.now,
                "error" if after.status is TaskStatus.FAILED else "info",
                payload={
                    "from": before,
                    "to": after.status,
                    "signal": after.reason.signal,
                    "reason": after.reason.text,
                    "attempt": after.attempts,
                    "title": after.title,
                    "session": after.session,
                },
                task=after.id,
            )
            for before, after in moved
        ]
        if changed:
            self.events.extend(events.append(self.conn, changed, project=plan.project, plan=plan.id))

    def session(self, session_id: str) -> Session:
        """Return a session as it is in this transaction."""
        return sessions.get(self.conn, session_id)

    def save(self, session: Session) -> Session:
        """Store a session as it is; IllegalMove when it may not have this status."""
        sessions.update(self.conn, session)
        return session

    def keep(self, before: Session, after: Session) -> Session:
        """Store what changed of a session, and record a change of its status."""
        if after != before:
            self.save(after)
        if after.status is not before.status:
            self.status_changed(before, after)
        return after

    def move(self, session: Session, status: SessionStatus, signal: str, text: str, **changes: Any) -> Session:
        """Give a session another status, with its reason; IllegalMove when it may not have it."""
        check_session_move(session.status, status)
        reason = Reason(signal, text, self.now)
        moved = replace(session, status=status, reason=reason, **changes)
        sessions.update(self.conn, moved)
        self.status_changed(session, moved)
        return moved

    def status_changed(self, before: Session, after: Session) -> None:
        """Record that a session's status changed, and why, and the time that it was at work."""
        if before.status is SessionStatus.RUNNING:
            until = _worked_until(before, after)
            usage.add_time(self.conn, after, until - before.reason.at, until)
        changed = NewEvent(
            EventType.STATUS_CHANGED,
            "autonomy",
            self.now,
            "error" if after.status is SessionStatus.FAILED else "info",
            payload={
                "from": before.status,
                "to": after.status,
                "signal": after.reason.signal,
                "reason": after.reason.text,
                "name": after.name,
            },
        )
        self.record([changed], after)

    def move_attempt(self, attempt: Attempt, status: AttemptStatus, **changes: Any) -> Attempt:
        """Give an attempt another status; IllegalMove when it may not have it."""
        check_attempt_move(attempt.status, status)
        moved = replace(attempt, status=status, **changes)
        attempts.update(self.conn, moved)
        return moved

    def end_command(self, attempt: str, status: AttemptStatus, **end: Any) -> None:
        """Store how a command of a plan ended (`attempts.end`), and the time it took; nothing when that is known."""
        # Nobody knows how long one worked that was lost: what is not known does not count.
        if attempts.end(self.conn, attempt, status, **end) and status is not AttemptStatus.LOST:
            usage.add_command(self.conn, attempt)

    def audit(
        self,
        actor: str,
        action: str,
        subject: str,
        *,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
    ) -> None:
        """Append an audit entry; it is committed with what it records, or not at all."""
        audit.append(self.conn, time=self.now, actor=actor, action=action, subject=subject, before=before, after=after)


def _worked_until(before: Session, after: Session) -> int:
    """Return until when a session that is not at work any more was: one that was lost, until its last sign of life."""
    if after.reason.signal == "recovery":
        return max(before.reason.at, before.last_output_at or 0, before.last_heartbeat_at or 0)
    return max(before.reason.at, min(after.reason.at, after.ended_at or after.reason.at))


class Ledger:
    """Commits decisions and publishes their events."""

    def __init__(self, store: Store, bus: Bus) -> None:
        self.store = store
        self._bus = bus

    async def commit(self, decide: Callable[[Transaction], T], *, urgent: bool = True) -> T:
        """Run ``decide`` in a transaction of its own; when it raises, nothing of it is stored."""

        def run(conn: sqlite3.Connection) -> tuple[T, list[Event]]:
            transaction = Transaction(conn)
            return decide(transaction), transaction.events

        result, _ = await self.store.submit(run, urgent=urgent, then=lambda done: self._bus.publish(done[1]))
        return result
