"""Approvals: stored before anyone hears of them, decided once, used once."""

from __future__ import annotations

import sqlite3

from supervisor.model.approvals import Approval
from supervisor.model.errors import NotFound, Refused
from supervisor.model.statuses import ApprovalStatus, check_approval_move
from supervisor.store import queries
from supervisor.store.lookup import only
from supervisor.store.rows import Shape

SQL = queries.load("approvals")
SHAPE = Shape(Approval, json=("asked", "options", "preview", "judgement"))


def insert(conn: sqlite3.Connection, approval: Approval) -> None:
    """Add a question; Refused when its request is there already, or what it belongs to is not."""
    try:
        conn.execute(SQL["insert"], SHAPE.row(approval))
    except sqlite3.IntegrityError as error:
        raise Refused(f"The question {approval.id} cannot be stored: {error}.") from error


def move(conn: sqlite3.Connection, before: Approval, after: Approval) -> None:
    """Store what became of an approval, in one conditional update; Refused when somebody was faster."""
    check_approval_move(before.status, after.status)
    changed = conn.execute(SQL["move"], {**SHAPE.row(after), "before": before.status})
    if changed.rowcount == 0:
        now = get(conn, before.id)
        raise Refused(f"{now.id} is {now.status} already: {now.reason}")


def get(conn: sqlite3.Connection, approval_id: str) -> Approval:
    """Return an approval by its whole id; NotFound when there is none."""
    row = conn.execute(SQL["get"], {"id": approval_id}).fetchone()
    if row is None:
        raise NotFound(f"There is no approval {approval_id}.", hint="`quarterdeck approvals` shows them.")
    return SHAPE.entity(row)


def resolve(conn: sqlite3.Connection, text: str) -> Approval:
    """Return the approval that an id or its unique beginning means; one that waits is preferred."""
    found = [SHAPE.entity(row) for row in conn.execute(SQL["matching"], {"text": text})] if text else []
    waiting = [approval for approval in found if approval.status is ApprovalStatus.PENDING]
    return waiting[0] if len(waiting) == 1 else only("approval", text, found)


def by_key(conn: sqlite3.Connection, session: str | None, request_key: str) -> Approval | None:
    """Return the approval that a request made, if it was asked before."""
    row = conn.execute(SQL["by_key"], {"session": session, "request_key": request_key}).fetchone()
    return None if row is None else SHAPE.entity(row)


def open_of_session(conn: sqlite3.Connection, session: str) -> list[Approval]:
    """Return what of a session waits for a decision or for being used, oldest first."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["open_of_session"], {"session": session})]


def open_of_plan(conn: sqlite3.Connection, plan: str) -> list[Approval]:
    """Return what about a plan's tasks waits for a decision or for being used, oldest first."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["open_of_plan"], {"plan": plan})]


def asking_attempts(conn: sqlite3.Connection) -> set[str]:
    """Return the attempts that wait for a decision."""
    return {approval.attempt for approval in pending(conn) if approval.attempt is not None}


def pending_of_plan(conn: sqlite3.Connection, plan: str) -> dict[str, list[str]]:
    """Return the ids of what waits for a decision in a plan, by task: about it, of its command, or of its session."""
    worked = dict(conn.execute(SQL["sessions_of_plan"], {"plan": plan}).fetchall())
    found: dict[str, list[str]] = {}
    for approval in pending(conn):
        task = approval.task if approval.plan == plan else worked.get(approval.session or "")
        if task is not None:
            found.setdefault(task, []).append(approval.id)
    return found


def latest_of_attempt(conn: sqlite3.Connection, attempt: str) -> Approval | None:
    """Return the newest question by which an attempt exits to ask, whatever became of it."""
    row = conn.execute(SQL["latest_of_attempt"], {"attempt": attempt}).fetchone()
    return None if row is None else SHAPE.entity(row)


def open_ones(conn: sqlite3.Connection) -> list[Approval]:
    """Return everything that waits for a decision or for being used, oldest first."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["open"])]


def pending(conn: sqlite3.Connection, project: str | None = None) -> list[Approval]:
    """Return what waits for a decision, oldest first."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["pending"], {"project": project})]


def find(
    conn: sqlite3.Connection, limit: int, *, project: str | None = None, session: str | None = None
) -> list[Approval]:
    """Return approvals of every status, newest first."""
    values = {"project": project, "session": session, "limit": limit}
    return [SHAPE.entity(row) for row in conn.execute(SQL["all"], values)]


def of_plan(conn: sqlite3.Connection, plan: str) -> list[Approval]:
    """Return every question that was asked about a plan or one of its tasks, oldest first."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["of_plan"], {"plan": plan})]


def due(conn: sqlite3.Connection, now: int) -> list[Approval]:
    """Return the questions whose time is over (``now`` in milliseconds)."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["due"], {"now": now})]


def next_due(conn: sqlite3.Connection) -> int | None:
    """Return when the next question's time is over (ms), or None."""
    found: int | None = conn.execute(SQL["next_due"]).fetchone()[0]
    return found


def count_pending(conn: sqlite3.Connection) -> int:
    """Return how many wait for a decision."""
    return int(conn.execute(SQL["count_pending"]).fetchone()[0])


def has_pending(conn: sqlite3.Connection, session: str) -> bool:
    """Whether a session waits for a decision."""
    return bool(conn.execute(SQL["has_pending"], {"session": session}).fetchone()[0])
