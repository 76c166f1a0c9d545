"""The queue as the database sees it: who holds a place, who waits, who is due."""

from __future__ import annotations

import sqlite3

from supervisor.model.entities import Session
from supervisor.store import queries
from supervisor.store.sessions import SHAPE

SQL = queries.load("queue")


def places_taken(conn: sqlite3.Connection) -> int:
    """Return how many autonomous sessions hold a place; one that waits for a person holds none."""
    return int(conn.execute(SQL["places_taken"]).fetchone()[0])


def waiting(conn: sqlite3.Connection) -> list[Session]:
    """Return the sessions that wait: higher priority first, then first come."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["waiting"])]


def count_waiting(conn: sqlite3.Connection) -> int:
    """Return how many sessions wait."""
    return int(conn.execute(SQL["count_waiting"]).fetchone()[0])


def due(conn: sqlite3.Connection, now: int) -> list[Session]:
    """Return the sessions whose usage limit has been reset by ``now``."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["due"], {"now": now})]


def next_due(conn: sqlite3.Connection) -> int | None:
    """Return when the next usage limit of a paused session is reset (ms), or None."""
    found: int | None = conn.execute(SQL["next_due"]).fetchone()[0]
    return found


def unfinished_named(conn: sqlite3.Connection, name: str) -> bool:
    """Whether a session of this name has not ended."""
    return bool(conn.execute(SQL["unfinished_named"], {"name": name}).fetchone()[0])
