"""How the tasks of each revision of a plan stand. Every change of status is checked against the legal moves."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from supervisor.model.errors import NotFound, Refused
from supervisor.model.plans import Task, TaskStatus
from supervisor.store import queries, usage
from supervisor.store.rows import Shape

SQL = queries.load("tasks")
SHAPE = Shape(Task, json=("needs", "reason", "result"))


def insert(conn: sqlite3.Connection, tasks: Iterable[Task]) -> None:
    """Add the tasks of a revision; Refused when one is there already, or the revision is not."""
    try:
        conn.executemany(SQL["insert"], map(SHAPE.row, tasks))
    except sqlite3.IntegrityError as error:
        raise Refused(f"The tasks cannot be added: {error}.") from error


def move(conn: sqlite3.Connection, before: Task, after: Task) -> None:
    """Store what has changed of a task since it was read: after any number of moves, each checked where it was decided.
    Refused when its status was changed meanwhile."""
    changes = SHAPE.changes(before, after)
    if not changes:
        return
    sql = SQL["update"].format(changes=", ".join(f"{name} = :{name}" for name in changes))
    key = {"plan": after.plan, "revision": after.revision, "id": after.id, "before": before.status}
    if conn.execute(sql, {**changes, **key}).rowcount == 0:
        now = get(conn, after.plan, after.revision, after.id).status
        raise Refused(f"The task {after.id} is {now} by now.", hint="Look at it again before you change it.")
    if after.session is not None and after.session != before.session:
        usage.link(conn, after.session, after.plan, after.id)


def get(conn: sqlite3.Connection, plan_id: str, revision: int, task_id: str) -> Task:
    """Return a task of a revision; NotFound when there is none."""
    row = conn.execute(SQL["get"], {"plan": plan_id, "revision": revision, "id": task_id}).fetchone()
    if row is None:
        raise NotFound(
            f"The plan {plan_id} has no task {task_id}.", hint=f"`quarterdeck plan show {plan_id}` lists its tasks."
        )
    return SHAPE.entity(row)


def of_revision(conn: sqlite3.Connection, plan_id: str, revision: int) -> list[Task]:
    """Return the tasks of a revision, in the order of its document."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["of_revision"], {"plan": plan_id, "revision": revision})]


def last_elsewhere(conn: sqlite3.Connection, project: str, task: Task, *, other_plans: bool) -> Task | None:
    """Return how a task stands where it ran last in a project, this revision aside; with ``other_plans`` this plan."""
    values = {
        "project": project, "plan": task.plan, "revision": task.revision, "id": task.id, "elsewhere": other_plans,
    }  # fmt: skip
    row = conn.execute(SQL["last_elsewhere"], values).fetchone()
    return None if row is None else SHAPE.entity(row)


def given_up(conn: sqlite3.Connection) -> list[Task]:
    """Return the tasks that were given up and whose sessions have not ended."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["given_up"])]


def count(conn: sqlite3.Connection, plan_id: str, revision: int) -> dict[TaskStatus, int]:
    """Return how many tasks of a revision have each status that occurs."""
    rows = conn.execute(SQL["count"], {"plan": plan_id, "revision": revision})
    return {TaskStatus(row["status"]): row["number"] for row in rows}


def counts(conn: sqlite3.Connection) -> dict[str, dict[TaskStatus, int]]:
    """Return for each plan how many tasks of its revision in force have each status that occurs."""
    found: dict[str, dict[TaskStatus, int]] = {}
    for row in conn.execute(SQL["counts"]):
        found.setdefault(row["plan"], {})[TaskStatus(row["status"])] = row["number"]
    return found
