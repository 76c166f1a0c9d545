"""Checkpoints: what is recorded of them; what they hold is in git."""

from __future__ import annotations

import sqlite3

from supervisor.model.checkpoints import Checkpoint
from supervisor.model.errors import NotFound, Refused
from supervisor.store import queries
from supervisor.store.lookup import only
from supervisor.store.rows import Shape

SQL = queries.load("checkpoints")
SHAPE = Shape(Checkpoint, json=("decisions", "outputs"))


def insert(conn: sqlite3.Connection, checkpoint: Checkpoint) -> None:
    """Add a checkpoint; Refused when its project or session is not there."""
    try:
        conn.execute(SQL["insert"], SHAPE.row(checkpoint))
    except sqlite3.IntegrityError as error:
        raise Refused(f"The checkpoint {checkpoint.name} cannot be added: {error}.") from error


def update(conn: sqlite3.Connection, checkpoint: Checkpoint) -> None:
    """Store what became of a checkpoint; NotFound when there is none."""
    if conn.execute(SQL["update"], SHAPE.row(checkpoint)).rowcount == 0:
        raise _missing(checkpoint.id)


def get(conn: sqlite3.Connection, checkpoint_id: str) -> Checkpoint:
    """Return a checkpoint by its whole id, also one that is kept no longer; NotFound when there is none."""
    row = conn.execute(SQL["get"], {"id": checkpoint_id}).fetchone()
    if row is None:
        raise _missing(checkpoint_id)
    return SHAPE.entity(row)


def resolve(conn: sqlite3.Connection, text: str) -> Checkpoint:
    """Return the checkpoint that ``text`` means: an id, its unique beginning, or a name."""
    return only("checkpoint", text, [SHAPE.entity(row) for row in conn.execute(SQL["matching"], {"text": text})])


def find(
    conn: sqlite3.Connection,
    limit: int,
    *,
    plan: str | None = None,
    session: str | None = None,
    project: str | None = None,
    expired: bool = False,
) -> list[Checkpoint]:
    """Return the newest ``limit`` checkpoints that are kept, newest first; with ``expired`` also the others."""
    values = {"plan": plan, "session": session, "project": project, "expired": expired, "limit": limit}
    return [SHAPE.entity(row) for row in conn.execute(SQL["find"], values)]


def has(conn: sqlite3.Connection, ref: str) -> bool:
    """Whether a ref has a record, also of a checkpoint that is kept no longer."""
    return bool(conn.execute(SQL["has"], {"ref": ref}).fetchone()[0])


def newest_of_worktree(conn: sqlite3.Connection, worktree: str) -> Checkpoint | None:
    """Return the newest checkpoint of a worktree that is kept."""
    row = conn.execute(SQL["newest_of_worktree"], {"worktree": worktree}).fetchone()
    return None if row is None else SHAPE.entity(row)


def _missing(checkpoint_id: str) -> NotFound:
    return NotFound(f"There is no checkpoint {checkpoint_id}.", hint="`quarterdeck checkpoint list` shows them.")
