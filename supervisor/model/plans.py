"""Plans as they stand: the plan, its revisions, and the state of each task. What a task is stands in the document.

Times are milliseconds since the epoch (`times`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from supervisor.model.entities import Reason
from supervisor.model.errors import IllegalMove

Advance = Literal["manual", "auto"]

Fate = Literal["stop", "restart"]
"""What becomes of a task that a revision has stopped: it waits for a person, or it is begun anew."""

Running = Literal["refuse", "keep", "stop", "restart"]
"""What becomes of running tasks that a revision changes or removes; with ``refuse`` there is no such revision."""


class PlanStatus(StrEnum):
    """Where a plan stands."""

    DRAFT = "draft"
    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    BLOCKED = "blocked"
    COMPLETED = "completed"
    FAILED = "failed"
    ABANDONED = "abandoned"


class TaskStatus(StrEnum):
    """Where a task of a plan stands."""

    PENDING = "pending"
    READY = "ready"
    RUNNING = "running"
    WAITING_APPROVAL = "waiting_approval"
    BLOCKED = "blocked"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    ABANDONED = "abandoned"


P = PlanStatus
T = TaskStatus

PLAN_ENDED = frozenset({P.COMPLETED, P.FAILED, P.ABANDONED})
TASK_ENDED = frozenset({T.COMPLETED, T.FAILED, T.SKIPPED, T.ABANDONED})

PLAN_MOVES: dict[PlanStatus, frozenset[PlanStatus]] = {
    # A draft does not validate yet: a revision that does makes it a plan that can be started.
    P.DRAFT: frozenset({P.PENDING, P.ABANDONED}),
    P.PENDING: frozenset({P.RUNNING, P.DRAFT, P.ABANDONED}),
    P.RUNNING: frozenset({P.PAUSED, P.BLOCKED, *PLAN_ENDED}),
    P.PAUSED: frozenset({P.RUNNING, P.BLOCKED, *PLAN_ENDED}),
    P.BLOCKED: frozenset({P.RUNNING, P.PAUSED, *PLAN_ENDED}),
    # It goes on when a person has a task tried again, or revises it.
    P.COMPLETED: frozenset({P.RUNNING, P.PAUSED}),
    P.FAILED: frozenset({P.RUNNING, P.PAUSED, P.ABANDONED}),
    P.ABANDONED: frozenset(),
}

TASK_MOVES: dict[TaskStatus, frozenset[TaskStatus]] = {
    T.PENDING: frozenset({T.READY, T.BLOCKED, T.SKIPPED, T.ABANDONED}),
    # Completed without running: the same inputs gave a result before (features.md B6).
    T.READY: frozenset({T.RUNNING, T.WAITING_APPROVAL, T.PENDING, T.BLOCKED, *TASK_ENDED}),
    T.RUNNING: frozenset({T.WAITING_APPROVAL, T.READY, T.BLOCKED, *TASK_ENDED}),
    T.WAITING_APPROVAL: frozenset({T.RUNNING, T.READY, T.BLOCKED, *TASK_ENDED}),
    T.BLOCKED: frozenset({T.PENDING, T.READY, T.RUNNING, T.WAITING_APPROVAL, *TASK_ENDED}),
    # Only a person has an ended task run again, and what depends on it waits anew.
    T.COMPLETED: frozenset({T.READY, T.PENDING}),
    T.FAILED: frozenset({T.READY, T.PENDING, T.ABANDONED}),
    T.SKIPPED: frozenset({T.READY, T.PENDING, T.ABANDONED}),
    T.ABANDONED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """An objective as a DAG of tasks. ``revision`` is the number of the one in force.

    ``branch`` and ``base_commit`` are set when it is started, ``worktree`` while it has one of its own.
    """

    id: str
    project: str
    title: str
    status: PlanStatus
    reason: Reason
    created_at: int
    revision: int = 1
    owner: str | None = None
    priority: int = 0
    advance: Advance = "manual"
    branch: str | None = None
    base_commit: str | None = None
    worktree: str | None = None
    started_at: int | None = None
    ended_at: int | None = None
    archived_at: int | None = None

    @property
    def name(self) -> str:
        """What people call it."""
        return self.title


@dataclass(frozen=True, slots=True)
class Revision:
    """One immutable version of a plan. ``parent`` is the number of the one that it took the place of.

    ``diff`` is what changed since the parent, as a unified diff of the two documents.
    """

    plan: str
    number: int
    document: str
    author: str
    created_at: int
    parent: int | None = None
    diff: str = ""
    rationale: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """How a task of one revision stands. ``position`` is its place in the document, from 0.

    ``digest`` is of what the document says it is: a revision that leaves it alone keeps what it has done.
    ``input_hash`` is of everything that its last run depended on; ``result`` what it gave, by name.
    ``session`` is where its last attempt ran, if that was one. ``step`` is the one that is under way, from 0;
    ``released_by`` is who let it run, where each step waits for a person; ``not_before`` is when it may be tried again.

    ``goes_by`` is the revision whose definition its attempt goes by, or went by, where that is not the one of this
    revision; ``fate`` is what becomes of it once what runs for it is gone: it is being stopped. ``forgiven`` is how
    many of its attempts do not count as tries: those of earlier definitions, and what a revision stopped.
    """

    plan: str
    revision: int
    id: str
    position: int
    kind: str
    title: str
    digest: str
    status: TaskStatus
    reason: Reason
    needs: tuple[str, ...] = ()
    attempts: int = 0
    session: str | None = None
    input_hash: str | None = None
    result: dict[str, Any] = field(default_factory=dict)
    step: int = 0
    released_by: str | None = None
    not_before: int | None = None
    started_at: int | None = None
    ended_at: int | None = None
    goes_by: int | None = None
    fate: Fate | None = None
    forgiven: int = 0


def check_plan_move(old: PlanStatus, new: PlanStatus) -> None:
    """Raise IllegalMove unless a plan may go from ``old`` to ``new``."""
    if new not in PLAN_MOVES[old]:
        raise IllegalMove(
            f"A plan that is {old} cannot become {new}.", hint="`quarterdeck plan show ID` shows why it has its status."
        )


def check_task_move(old: TaskStatus, new: TaskStatus) -> None:
    """Raise IllegalMove unless a task may go from ``old`` to ``new``."""
    if new not in TASK_MOVES[old]:
        raise IllegalMove(
            f"A task that is {old} cannot become {new}.", hint="`quarterdeck task show ID` shows why it has its status."
        )
