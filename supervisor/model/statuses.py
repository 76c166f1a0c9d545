"""Statuses and the moves between them that are legal. This is the only place that knows."""

from __future__ import annotations

from enum import StrEnum

from supervisor.model.errors import IllegalMove


class SessionStatus(StrEnum):
    """Where a session stands."""

    QUEUED = "queued"
    PREPARING = "preparing"
    RUNNING = "running"
    WAITING = "waiting"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ARCHIVED = "archived"


class AttemptStatus(StrEnum):
    """Where one execution stands."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    WAITING_APPROVAL = "waiting_approval"
    STALLED = "stalled"
    COMPLETED = "completed"
    FAILED = "failed"
    FAILED_TIMEOUT = "failed_timeout"
    CANCELLED = "cancelled"
    LOST = "lost"


class ApprovalStatus(StrEnum):
    """Where a question stands."""

    PENDING = "pending"
    APPROVED = "approved"
    CONSUMED = "consumed"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"


S = SessionStatus
A = AttemptStatus
Q = ApprovalStatus

SESSION_ENDED = frozenset({S.COMPLETED, S.FAILED, S.CANCELLED, S.ARCHIVED})
SESSION_LIVE = frozenset({S.PREPARING, S.RUNNING, S.WAITING, S.PAUSED})
ATTEMPT_ENDED = frozenset({A.COMPLETED, A.FAILED, A.FAILED_TIMEOUT, A.CANCELLED, A.LOST})
NO_PROCESS = ATTEMPT_ENDED | {A.WAITING_APPROVAL}
"""An attempt that waits for an approval has exited (code 90); the answer starts the next one."""

SESSION_MOVES: dict[SessionStatus, frozenset[SessionStatus]] = {
    S.QUEUED: frozenset({S.PREPARING, S.PAUSED, S.FAILED, S.CANCELLED}),
    S.PREPARING: frozenset({S.RUNNING, S.WAITING, S.QUEUED, S.FAILED, S.CANCELLED, S.COMPLETED, S.PAUSED}),
    S.RUNNING: frozenset({S.WAITING, S.PAUSED, S.COMPLETED, S.FAILED, S.CANCELLED}),
    # A tool that exited to ask (code 90) is started again with the answer.
    S.WAITING: frozenset({S.RUNNING, S.PAUSED, S.QUEUED, S.PREPARING, S.COMPLETED, S.FAILED, S.CANCELLED}),
    S.PAUSED: frozenset({S.RUNNING, S.WAITING, S.QUEUED, S.PREPARING, S.COMPLETED, S.FAILED, S.CANCELLED}),
    # An ended session comes back to life only through a new attempt (`continue`).
    S.COMPLETED: frozenset({S.QUEUED, S.PREPARING, S.ARCHIVED}),
    S.FAILED: frozenset({S.QUEUED, S.PREPARING, S.ARCHIVED}),
    S.CANCELLED: frozenset({S.QUEUED, S.PREPARING, S.ARCHIVED}),
    S.ARCHIVED: frozenset(),
}

ATTEMPT_MOVES: dict[AttemptStatus, frozenset[AttemptStatus]] = {
    A.QUEUED: frozenset({A.STARTING, A.CANCELLED}),
    # After a crash an end may be heard of before the start was stored.
    A.STARTING: frozenset({A.RUNNING, A.WAITING_APPROVAL, *ATTEMPT_ENDED}),
    A.RUNNING: frozenset({A.WAITING_APPROVAL, A.STALLED, *ATTEMPT_ENDED}),
    A.WAITING_APPROVAL: frozenset({A.RUNNING, A.STALLED, *ATTEMPT_ENDED}),
    A.STALLED: frozenset({A.RUNNING, A.WAITING_APPROVAL, *ATTEMPT_ENDED}),
    **{ended: frozenset() for ended in ATTEMPT_ENDED},
}

APPROVAL_MOVES: dict[ApprovalStatus, frozenset[ApprovalStatus]] = {
    Q.PENDING: frozenset({Q.APPROVED, Q.REJECTED, Q.EXPIRED, Q.CANCELLED, Q.SUPERSEDED}),
    # Approved and not used: what it was given for has ended, or is not the same any more.
    Q.APPROVED: frozenset({Q.CONSUMED, Q.CANCELLED, Q.SUPERSEDED}),
    **{final: frozenset() for final in (Q.CONSUMED, Q.REJECTED, Q.EXPIRED, Q.CANCELLED, Q.SUPERSEDED)},
}


def check_session_move(old: SessionStatus, new: SessionStatus) -> None:
    """Raise IllegalMove unless a session may go from ``old`` to ``new``."""
    if new not in SESSION_MOVES[old]:
        raise IllegalMove(
            f"A session that is {old} cannot become {new}.",
            hint="`quarterdeck sessions explain ID` shows why it has its status.",
        )


def check_attempt_move(old: AttemptStatus, new: AttemptStatus) -> None:
    """Raise IllegalMove unless an attempt may go from ``old`` to ``new``."""
    if new not in ATTEMPT_MOVES[old]:
        raise IllegalMove(f"An attempt that is {old} cannot become {new}.")


def check_approval_move(old: ApprovalStatus, new: ApprovalStatus) -> None:
    """Raise IllegalMove unless an approval may go from ``old`` to ``new``."""
    if new not in APPROVAL_MOVES[old]:
        raise IllegalMove(f"An approval that is {old} cannot become {new}.")
