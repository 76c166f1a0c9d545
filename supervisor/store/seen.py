"""When people last had a digest of what happened."""

from __future__ import annotations

import sqlite3

from supervisor.store import queries

SQL = queries.load("seen")


def get(conn: sqlite3.Connection, actor: str) -> int | None:
    """Return until when somebody knows what happened (ms), None when they never looked."""
    row = conn.execute(SQL["get"], {"actor": actor}).fetchone()
    return None if row is None else int(row["at"])


def put(conn: sqlite3.Connection, actor: str, at: int) -> None:
    """Note that somebody knows what happened until a time; it never goes back."""
    conn.execute(SQL["put"], {"actor": actor, "at": at})
