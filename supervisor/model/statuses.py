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


S = SessionStatus
A = AttemptStatus

SESSION_ENDED = frozenset({S.COMPLETED, S.FAILED, S.CANCELLED, S.ARCHIVED})
SESSION_LIVE = frozenset({S.PREPARING, S.RUNNING, S.WAITING, S.PAUSED})
ATTEMPT_ENDED = frozenset({A.COMPLETED, A.FAILED, A.FAILED_TIMEOUT, A.CANCELLED, A.LOST})

SESSION_MOVES: dict[SessionStatus, frozenset[SessionStatus]] = {
    S.QUEUED: frozenset({S.PREPARING, S.PAUSED, S.FAILED, S.CANCELLED}),
    S.PREPARING: frozenset({S.RUNNING, S.QUEUED, S.FAILED, S.CANCELLED, S.COMPLETED, S.PAUSED}),
    S.RUNNING: frozenset({S.WAITING, S.PAUSED, S.COMPLETED, S.FAILED, S.CANCELLED}),
    S.WAITING: frozenset({S.RUNNING, S.PAUSED, S.COMPLETED, S.FAILED, S.CANCELLED}),
    S.PAUSED: frozenset({S.RUNNING, S.WAITING, S.QUEUED, S.PREPARING, S.COMPLETED, S.FAILED, S.CANCELLED}),
    # An ended session comes back to life only through a new attempt (`continue`).
    S.COMPLETED: frozenset({S.QUEUED, S.PREPARING, S.ARCHIVED}),
    S.FAILED: frozenset({S.QUEUED, S.PREPARING, S.ARCHIVED}),
    S.CANCELLED: frozenset({S.QUEUED, S.PREPARING, S.ARCHIVED}),
    S.ARCHIVED: frozenset(),
}

ATTEMPT_MOVES: dict[AttemptStatus, frozenset[AttemptStatus]] = {
    A.QUEUED: frozenset({A.STARTING, A.CANCELLED}),
    A.STARTING: frozenset({A.RUNNING, *ATTEMPT_ENDED}),
    A.RUNNING: frozenset({A.WAITING_APPROVAL, A.STALLED, *ATTEMPT_ENDED}),
    A.WAITING_APPROVAL: frozenset({A.RUNNING, A.STALLED, *ATTEMPT_ENDED}),
    A.STALLED: frozenset({A.RUNNING, A.WAITING_APPROVAL, *ATTEMPT_ENDED}),
    **{ended: frozenset() for ended in ATTEMPT_ENDED},
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
