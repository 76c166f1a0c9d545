"""Artifacts: added, found, and noted as kept no longer. Nothing else of one is ever changed."""

from __future__ import annotations

import sqlite3
from dataclasses import fields
from typing import Any

from supervisor.model.artifacts import Artifact, Draft, Kind, expiry, is_sha256
from supervisor.model.errors import NotFound, Refused
from supervisor.model.ids import new_id
from supervisor.store import queries
from supervisor.store.lookup import only
from supervisor.store.rows import Shape

SQL = queries.load("artifacts")
SHAPE = Shape(Artifact, json=("provenance",))

NOWHERE = "`quarterdeck artifact list` and `quarterdeck evidence list` show what is kept."


def insert(conn: sqlite3.Connection, draft: Draft, now: int) -> Artifact:
    """Add an artifact, as the next version of its name; Refused when what it belongs to is not there."""
    values = _values(draft)
    version = conn.execute(SQL["last_version"], values).fetchone()["version"] + 1
    artifact = Artifact(
        id=new_id("art"), version=version, created_at=now, expires_at=expiry(draft.retention, now), **values
    )
    try:
        conn.execute(SQL["insert"], SHAPE.row(artifact))
    except sqlite3.IntegrityError as error:
        raise Refused(f"The artifact {draft.name} cannot be kept: {error}.") from error
    return artifact


def of_attempt(conn: sqlite3.Connection, draft: Draft) -> Artifact | None:
    """Return what the draft's attempt has put already: the same content under the same name; None when it has not."""
    row = conn.execute(SQL["of_attempt"], _values(draft)).fetchone()
    return None if row is None else SHAPE.entity(row)


def get(conn: sqlite3.Connection, artifact_id: str) -> Artifact:
    """Return an artifact by its whole id, also one that is kept no longer; NotFound when there is none."""
    row = conn.execute(SQL["get"], {"id": artifact_id}).fetchone()
    if row is None:
        raise NotFound(f"There is no artifact {artifact_id}.", hint=NOWHERE)
    return SHAPE.entity(row)


def resolve(conn: sqlite3.Connection, text: str) -> Artifact:
    """Return the artifact that ``text`` means: an id, its unique beginning, or a hash (the newest with that)."""
    if is_sha256(text):
        row = conn.execute(SQL["with_content"], {"sha256": text}).fetchone()
        if row is None:
            raise NotFound(f"Nothing is kept whose hash is {text}.", hint=NOWHERE)
        return SHAPE.entity(row)
    return only("artifact", text, [SHAPE.entity(row) for row in conn.execute(SQL["matching"], {"text": text})])


def find(
    conn: sqlite3.Connection,
    *,
    project: str | None = None,
    plan: str | None = None,
    task: str | None = None,
    session: str | None = None,
    kind: Kind | None = None,
    name: str | None = None,
    version: int | None = None,
    limit: int = 1000,
) -> list[Artifact]:
    """Return what is kept, newest first: of one project, plan, task, session, kind or name, or all."""
    values = {
        "project": project, "plan": plan, "task": task, "session": session,
        "kind": kind, "name": name, "version": version, "limit": limit,
    }  # fmt: skip
    return [SHAPE.entity(row) for row in conn.execute(SQL["find"], values)]


def newest(conn: sqlite3.Connection, plan: str, task: str, name: str) -> Artifact:
    """Return the newest artifact that a task has kept under a name; NotFound when it has kept none."""
    row = conn.execute(SQL["newest"], {"plan": plan, "task": task, "name": name}).fetchone()
    if row is None:
        raise NotFound(
            f"The task {task} of {plan} has kept no artifact {name!r}.",
            hint=f"`quarterdeck artifact list --plan {plan}` shows what its tasks have kept.",
        )
    return SHAPE.entity(row)


def overdue(conn: sqlite3.Connection, now: int, limit: int = 100) -> list[Artifact]:
    """Return artifacts whose retention has ended: its time, or their plan."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["overdue"], {"now": now, "limit": limit})]


def remove(conn: sqlite3.Connection, artifact_id: str, now: int) -> None:
    """Note that an artifact is kept no longer; its record stays."""
    conn.execute(SQL["remove"], {"id": artifact_id, "now": now})


def contents(conn: sqlite3.Connection) -> set[str]:
    """Return the hashes of everything that is kept."""
    return {row["sha256"] for row in conn.execute(SQL["contents"])}


def is_kept(conn: sqlite3.Connection, sha256: str) -> bool:
    """Whether a content belongs to something that is kept."""
    return bool(conn.execute(SQL["is_kept"], {"sha256": sha256}).fetchone()["kept"])


def is_of_session(conn: sqlite3.Connection, sha256: str, session: str) -> bool:
    """Whether a session has kept this content itself."""
    row = conn.execute(SQL["is_of_session"], {"sha256": sha256, "session": session}).fetchone()
    return bool(row["kept"])


def work_of(conn: sqlite3.Connection, session: str) -> tuple[str, str] | None:
    """Return the plan and the task that a session works on; None when it works on none."""
    row = conn.execute(SQL["work_of"], {"session": session}).fetchone()
    return None if row is None else (row["plan"], row["task"])


def _values(draft: Draft) -> dict[str, Any]:
    return {each.name: getattr(draft, each.name) for each in fields(Draft)}
