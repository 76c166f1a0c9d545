"""Sessions. Every change of status is checked here against the legal moves."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from supervisor.model.entities import Session
from supervisor.model.errors import NotFound, Refused
from supervisor.model.statuses import SESSION_ENDED, SessionStatus, check_session_move
from supervisor.store import queries, spools
from supervisor.store.lookup import only
from supervisor.store.rows import Shape, to_json

SQL = queries.load("sessions")
SHAPE = Shape(Session, json=("work", "reason", "activity", "stats", "agent_session_ids"))


def insert(conn: sqlite3.Connection, session: Session) -> None:
    """Add a session, with its log unread; Refused when it is there, or its project or parent is not."""
    try:
        conn.execute(SQL["insert"], SHAPE.row(session))
    except sqlite3.IntegrityError as error:
        raise Refused(f"The session {session.id} cannot be added: {error}.") from error
    spools.insert(conn, session.id)


def update(conn: sqlite3.Connection, session: Session) -> None:
    """Store a session as it is now; IllegalMove when its stored status may not become the new one."""
    values = SHAPE.row(session)
    # Most changes keep the status: one statement tells that, and stores them.
    if conn.execute(SQL["update"], {**values, "before": session.status}).rowcount > 0:
        return
    stored = conn.execute(SQL["status"], {"id": session.id}).fetchone()
    if stored is None:
        raise _missing(session.id)
    check_session_move(SessionStatus(stored["status"]), session.status)
    conn.execute(SQL["update"], {**values, "before": stored["status"]})


def get(conn: sqlite3.Connection, session_id: str) -> Session:
    """Return a session by its whole id; NotFound when there is none."""
    row = conn.execute(SQL["get"], {"id": session_id}).fetchone()
    if row is None:
        raise _missing(session_id)
    return SHAPE.entity(row)


def resolve(conn: sqlite3.Connection, text: str) -> Session:
    """Return the session that ``text`` means: an id, its unique beginning, or a name.

    A name that was used again means the session that has not ended, else the one that is not archived.
    """
    found = [SHAPE.entity(row) for row in conn.execute(SQL["matching"], {"text": text})]
    named = [session for session in found if session.name == text]
    for past in (SESSION_ENDED, {SessionStatus.ARCHIVED}):
        current = [session for session in named if session.status not in past]
        if len(current) == 1:
            return current[0]
    return only("session", text, found)


def of_plan(conn: sqlite3.Connection, plan: str) -> list[Session]:
    """Return the sessions in which the last attempts of a plan's tasks ran, oldest first."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["of_plan"], {"plan": plan})]


def find(
    conn: sqlite3.Connection, *, statuses: Collection[SessionStatus] | None = None, project: str | None = None
) -> list[Session]:
    """Return sessions, oldest first: those with one of ``statuses``, those of one project, or all."""
    if statuses is None:
        rows = conn.execute(SQL["all"], {"project": project})
    else:
        rows = conn.execute(SQL["by_status"], {"statuses": to_json(sorted(statuses)), "project": project})
    return [SHAPE.entity(row) for row in rows]


def with_ids(
    conn: sqlite3.Connection,
    ids: Collection[str],
    *,
    statuses: Collection[SessionStatus] | None = None,
    project: str | None = None,
) -> list[Session]:
    """Return those of some sessions that there are, oldest first; ``ids`` are whole."""
    chosen = None if statuses is None else to_json(sorted(statuses))
    rows = conn.execute(SQL["with_ids"], {"ids": to_json(sorted(ids)), "statuses": chosen, "project": project})
    return [SHAPE.entity(row) for row in rows]


def count(conn: sqlite3.Connection) -> dict[SessionStatus, int]:
    """Return how many sessions have each status that occurs."""
    return {SessionStatus(row["status"]): row["number"] for row in conn.execute(SQL["count_by_status"])}


def _missing(session_id: str) -> NotFound:
    return NotFound(f"There is no session {session_id}.", hint="`quarterdeck sessions` shows them.")
