"""Uploads: what is to be kept once its content is there."""

from __future__ import annotations

import sqlite3

from supervisor.model.artifacts import Draft, Upload
from supervisor.model.errors import NotFound
from supervisor.store import queries
from supervisor.store.rows import Shape, to_json

SQL = queries.load("uploads")
SHAPE = Shape(Upload, json=("draft",))


def insert(conn: sqlite3.Connection, upload: Upload) -> None:
    """Add an upload."""
    conn.execute(SQL["insert"], SHAPE.row(upload))


def get(conn: sqlite3.Connection, upload_id: str) -> Upload:
    """Return an upload; NotFound when there is none (any more)."""
    row = conn.execute(SQL["get"], {"id": upload_id}).fetchone()
    if row is None:
        raise NotFound(f"There is no upload {upload_id} (any more).", hint="Put the file again.")
    return SHAPE.entity(row)


def like(conn: sqlite3.Connection, draft: Draft) -> Upload | None:
    """Return the unfinished upload of the same by the same, if there is one."""
    row = conn.execute(SQL["like"], {"draft": to_json(draft)}).fetchone()
    return None if row is None else SHAPE.entity(row)


def count_open(conn: sqlite3.Connection, created_by: str) -> int:
    """Return how many of somebody have not come to their end."""
    number: int = conn.execute(SQL["open"], {"created_by": created_by}).fetchone()["number"]
    return number


def finish(conn: sqlite3.Connection, upload_id: str, artifact_id: str) -> None:
    """Note what an upload has become: whoever asks again is told."""
    conn.execute(SQL["finish"], {"id": upload_id, "artifact": artifact_id})


def delete(conn: sqlite3.Connection, upload_id: str) -> None:
    """Forget an upload."""
    conn.execute(SQL["delete"], {"id": upload_id})


def stale(conn: sqlite3.Connection, before: int) -> list[Upload]:
    """Return those that were begun before a time."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["stale"], {"before": before})]


def unfinished(conn: sqlite3.Connection) -> set[str]:
    """Return the ids of those that have not come to their end."""
    return {row["id"] for row in conn.execute(SQL["unfinished"])}
