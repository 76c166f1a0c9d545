"""What is read and stored of checkpoints, each in one transaction."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from supervisor.engine.ledger import Transaction
from supervisor.engine.ports.workspaces import Restored
from supervisor.model.checkpoints import Checkpoint
from supervisor.model.entities import Project, Session
from supervisor.model.events import EventType
from supervisor.model.plans import Plan, Task, TaskStatus
from supervisor.model.statuses import ApprovalStatus
from supervisor.store import approvals, attempts, checkpoints, plans, projects, sessions, tasks

DECIDED: Final = frozenset({ApprovalStatus.APPROVED, ApprovalStatus.CONSUMED, ApprovalStatus.REJECTED})
DECISIONS: Final = 1000
"""The newest decisions that a checkpoint of a session names."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a checkpoint is of: a plan, or a session. ``folder`` is its own, outside of git.

    ``changed`` are tasks of the plan as they will be stored in a moment.
    """

    project: str
    worktree: Path
    folder: Path
    plan: Plan | None = None
    session: Session | None = None
    task: str | None = None
    changed: Mapping[str, Task] = field(default_factory=dict)

    @property
    def scope(self) -> str:
        """The id of the plan or the session."""
        return self.plan.id if self.plan is not None else self.session.id if self.session is not None else ""

    @property
    def word(self) -> str:
        """What its checkpoints are named after."""
        return self.task or (self.session.name if self.session is not None else self.scope)


def look(conn: sqlite3.Connection, checkpoint_id: str) -> tuple[Checkpoint, list[str]]:
    """Return a checkpoint, and what works in its worktree."""
    target = checkpoints.get(conn, checkpoint_id)
    working = []
    for attempt in attempts.live(conn):
        if attempt.session is not None:
            session = sessions.get(conn, attempt.session)
            if session.worktree == target.worktree:
                working.append(session.name)
        elif attempt.plan is not None and plans.get(conn, attempt.plan).worktree == target.worktree:
            working.append(f"{attempt.plan}/{attempt.task}")
    return target, sorted(set(working))


def with_project(conn: sqlite3.Connection, checkpoint_id: str) -> tuple[Checkpoint, Project]:
    """Return a checkpoint and its project."""
    checkpoint = checkpoints.get(conn, checkpoint_id)
    return checkpoint, projects.get(conn, checkpoint.project)


def until_now(conn: sqlite3.Connection, subject: Subject) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the ids of what was decided so far, and what has come out, by task."""
    if subject.plan is not None:
        asked = approvals.of_plan(conn, subject.plan.id)
        current = plans.get(conn, subject.plan.id)
        stored = tasks.of_revision(conn, current.id, current.revision)
        done = [subject.changed.get(task.id, task) for task in stored]
        outputs = {task.id: task.result for task in done if task.status is TaskStatus.COMPLETED}
    else:
        asked = approvals.find(conn, DECISIONS, session=subject.scope)[::-1]
        session = sessions.get(conn, subject.scope)
        outputs = {session.task or session.name: {"status": session.status, "exit_code": session.exit_code}}
    return tuple(each.id for each in asked if each.status in DECIDED), outputs


def store_restored(
    transaction: Transaction,
    subject: Subject,
    target: Checkpoint,
    safety: Checkpoint,
    done: Restored,
    actor: str,
    head: bool,
) -> Checkpoint:
    """Store that a checkpoint was restored, and what is in the one of what was there before."""
    checkpoints.update(transaction.conn, safety)
    restored = replace(checkpoints.get(transaction.conn, target.id), restored_at=transaction.now)
    checkpoints.update(transaction.conn, restored)
    what = {"safety": safety.name, "written": done.written, "removed": done.removed, "head": head}
    tell(transaction, EventType.CHECKPOINT_RESTORED, subject, restored, **what)
    transaction.audit(actor, "checkpoint.restore", target.id, after={"name": target.name, **what})
    return restored


def expire(transaction: Transaction, gone: set[str]) -> None:
    """Store that checkpoints (ids) are kept no longer."""
    for each in sorted(gone):
        current = checkpoints.get(transaction.conn, each)
        if current.expired_at is None:
            checkpoints.update(transaction.conn, replace(current, expired_at=transaction.now))


def tell(transaction: Transaction, event: EventType, subject: Subject, checkpoint: Checkpoint, **payload: Any) -> None:
    """Store an event of a plan's or a session's checkpoint."""
    told = {"checkpoint": checkpoint.id, "name": checkpoint.name, "commit": checkpoint.git_commit, **payload}
    if subject.plan is not None:
        transaction.plan_event(event, subject.plan, task=checkpoint.task, **told)
    else:
        transaction.event(event, subject.session, **told)


def digest(file: Path) -> str | None:
    """Return a digest of the environment that was worked in; None when there is none. Blocks."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None
