"""How far each session's log was read. Moves in the transaction that stores what was read."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

import msgspec

from supervisor.model.errors import NotFound, StoreError
from supervisor.store import queries
from supervisor.store.rows import to_json

SQL = queries.load("spools")


@dataclass(slots=True)
class Partial:
    """The parts of a line that has not ended. ``size`` counts bytes that were not kept as well."""

    data: bytes = b""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Position:
    """Where the next read begins. ``partials`` are the unfinished lines per stream.

    ``generation`` counts how often the log was rotated or cut.
    """

    inode: int = 0
    offset: int = 0
    generation: int = 0
    partials: dict[str, Partial] = field(default_factory=dict)


def insert(conn: sqlite3.Connection, session: str) -> None:
    """Say that nothing of a session's log was read yet."""
    conn.execute(SQL["insert"], {"session": session})


def get(conn: sqlite3.Connection, session: str) -> Position:
    """Return how far a session's log was read; NotFound when there is no such session."""
    row = conn.execute(SQL["get"], {"session": session}).fetchone()
    if row is None:
        raise NotFound(f"There is no session {session}.")
    partials = msgspec.json.decode(row["partials"], type=dict[str, Partial])
    return Position(row["inode"], row["offset"], row["generation"], partials)


def advance(conn: sqlite3.Connection, session: str, old: Position, new: Position) -> None:
    """Move a session's position from ``old`` to ``new``; StoreError when it is not at ``old`` any more."""
    moved = conn.execute(
        SQL["advance"],
        {
            "session": session,
            "old_inode": old.inode,
            "old_offset": old.offset,
            "old_generation": old.generation,
            "inode": new.inode,
            "offset": new.offset,
            "generation": new.generation,
            "partials": to_json(new.partials),
        },
    )
    if moved.rowcount == 0:
        raise StoreError(
            f"The log of the session {session} was read by someone else; this reading does not count.",
            hint="Read again from the stored position.",
        )
