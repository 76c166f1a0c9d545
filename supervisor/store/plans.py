"""Plans and their revisions. Every change of a plan's status is checked here against the legal moves."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from supervisor.model.errors import NotFound, Refused
from supervisor.model.plans import Plan, PlanStatus, Revision, check_plan_move
from supervisor.store import queries
from supervisor.store.lookup import only
from supervisor.store.rows import Shape, to_json

SQL = queries.load("plans")
SHAPE = Shape(Plan, json=("reason",))
REVISION = Shape(Revision)


def insert(conn: sqlite3.Connection, plan: Plan) -> None:
    """Add a plan; Refused when its id is taken, or its project is not there."""
    try:
        conn.execute(SQL["insert"], SHAPE.row(plan))
    except sqlite3.IntegrityError as error:
        if conn.execute(SQL["get"], {"id": plan.id}).fetchone() is None:
            raise Refused(f"The plan {plan.id} cannot be added: {error}.") from error
        raise Refused(
            f"There is a plan {plan.id} already.",
            hint=f"Give this one another id, or change that one: `quarterdeck plan revise {plan.id} FILE`.",
        ) from error


def update(conn: sqlite3.Connection, plan: Plan) -> None:
    """Store a plan as it is now; IllegalMove when its stored status may not become the new one."""
    stored = conn.execute(SQL["status"], {"id": plan.id}).fetchone()
    if stored is None:
        raise _missing(plan.id)
    if stored["status"] != plan.status:
        check_plan_move(PlanStatus(stored["status"]), plan.status)
    conn.execute(SQL["update"], SHAPE.row(plan))


def get(conn: sqlite3.Connection, plan_id: str) -> Plan:
    """Return a plan by its whole id; NotFound when there is none."""
    row = conn.execute(SQL["get"], {"id": plan_id}).fetchone()
    if row is None:
        raise _missing(plan_id)
    return SHAPE.entity(row)


def revision_of(conn: sqlite3.Connection, plan_id: str) -> int:
    """Return the number of the revision of a plan that is in force; NotFound when there is no such plan."""
    row = conn.execute(SQL["revision_of"], {"id": plan_id}).fetchone()
    if row is None:
        raise _missing(plan_id)
    return int(row["revision"])


def resolve(conn: sqlite3.Connection, text: str) -> Plan:
    """Return the plan that ``text`` means: an id, its unique beginning, or a title."""
    return only("plan", text, [SHAPE.entity(row) for row in conn.execute(SQL["matching"], {"text": text})])


def find(
    conn: sqlite3.Connection,
    *,
    statuses: Collection[PlanStatus] | None = None,
    project: str | None = None,
    archived: bool = False,
) -> list[Plan]:
    """Return plans, oldest first: those with one of ``statuses``, those of one project, or all.

    Archived ones only when they are wanted.
    """
    wanted = None if statuses is None else to_json(sorted(statuses))
    values = {"project": project, "statuses": wanted, "archived": archived}
    return [SHAPE.entity(row) for row in conn.execute(SQL["find"], values)]


def delete(conn: sqlite3.Connection, plan_id: str) -> None:
    """Take a plan away, with its revisions and tasks; NotFound when there is none. Its events stay."""
    if conn.execute(SQL["delete"], {"id": plan_id}).rowcount == 0:
        raise _missing(plan_id)


def add_revision(conn: sqlite3.Connection, revision: Revision) -> None:
    """Add a revision of a plan; Refused when its number is taken (somebody revised it meanwhile)."""
    try:
        conn.execute(SQL["insert_revision"], REVISION.row(revision))
    except sqlite3.IntegrityError as error:
        raise Refused(
            f"Revision {revision.number} of {revision.plan} cannot be added: {error}.",
            hint=f"`quarterdeck plan show {revision.plan}` shows the revision in force; revise that one.",
        ) from error


def revision(conn: sqlite3.Connection, plan_id: str, number: int) -> Revision:
    """Return a revision of a plan; NotFound when there is none of this number."""
    row = conn.execute(SQL["revision"], {"plan": plan_id, "number": number}).fetchone()
    if row is None:
        raise NotFound(
            f"The plan {plan_id} has no revision {number}.", hint=f"`quarterdeck plan show {plan_id}` lists them."
        )
    return REVISION.entity(row)


def revisions(conn: sqlite3.Connection, plan_id: str) -> list[Revision]:
    """Return every revision of a plan, oldest first."""
    return [REVISION.entity(row) for row in conn.execute(SQL["revisions"], {"plan": plan_id})]


def _missing(plan_id: str) -> NotFound:
    return NotFound(f"There is no plan {plan_id}.", hint="`quarterdeck plan list` shows them.")
