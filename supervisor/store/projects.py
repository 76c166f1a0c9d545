"""Projects: the repositories that were added."""

from __future__ import annotations

import sqlite3

from supervisor.model.entities import Project
from supervisor.model.errors import NotFound, Refused
from supervisor.store import queries
from supervisor.store.lookup import only
from supervisor.store.rows import Shape

SQL = queries.load("projects")
SHAPE = Shape(Project)


def insert(conn: sqlite3.Connection, project: Project) -> None:
    """Add a project; Refused when its root is one already."""
    try:
        conn.execute(SQL["insert"], SHAPE.row(project))
    except sqlite3.IntegrityError as error:
        raise Refused(f"{project.root} is a project already.", hint="`quarterdeck project list`.") from error


def update(conn: sqlite3.Connection, project: Project) -> None:
    """Store the name, root and default branch that a project has now."""
    if conn.execute(SQL["update"], SHAPE.row(project)).rowcount == 0:
        raise _missing(project.id)


def get(conn: sqlite3.Connection, project_id: str) -> Project:
    """Return a project by its whole id; NotFound when there is none."""
    row = conn.execute(SQL["get"], {"id": project_id}).fetchone()
    if row is None:
        raise _missing(project_id)
    return SHAPE.entity(row)


def by_root(conn: sqlite3.Connection, root: str) -> Project | None:
    """Return the project whose main worktree is at ``root`` (absolute, links resolved)."""
    row = conn.execute(SQL["by_root"], {"root": root}).fetchone()
    return None if row is None else SHAPE.entity(row)


def resolve(conn: sqlite3.Connection, text: str) -> Project:
    """Return the project that ``text`` means: an id, its unique beginning, or a name."""
    found = [SHAPE.entity(row) for row in conn.execute(SQL["matching"], {"text": text})]
    return only("project", text, found)


def find(conn: sqlite3.Connection) -> list[Project]:
    """Return every project, oldest first."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["all"])]


def names(conn: sqlite3.Connection) -> dict[str, str]:
    """Return what every project is called, by its id."""
    return {row["id"]: row["name"] for row in conn.execute(SQL["names"])}


def remove(conn: sqlite3.Connection, project_id: str) -> None:
    """Forget a project; Refused while sessions, plans or artifacts belong to it: its history."""
    try:
        removed = conn.execute(SQL["remove"], {"id": project_id}).rowcount
    except sqlite3.IntegrityError as error:
        raise Refused(
            "Sessions, plans or artifacts belong to this project; it stays, with their history.",
            hint="`quarterdeck sessions --archived` and `quarterdeck plan list` show them; it does no harm.",
        ) from error
    if removed == 0:
        raise _missing(project_id)


def _missing(project_id: str) -> NotFound:
    return NotFound(f"There is no project {project_id}.", hint="`quarterdeck project list` shows them.")
