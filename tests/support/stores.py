"""Databases in a throw-away folder, and entities to fill them with."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from supervisor.engine.digests import digest_of
from supervisor.model.approvals import Approval
from supervisor.model.artifacts import Draft
from supervisor.model.entities import Attempt, Project, Reason, Session, Work
from supervisor.model.events import NewEvent
from supervisor.model.schedules import Missed, Schedule
from supervisor.model.statuses import SessionStatus
from supervisor.store import attempts, projects, sessions
from supervisor.store.database import Store
from supervisor.store.migrate import open_database

NOON = 1_795_262_400_000
PROJECT = Project("prj_1", "app", "/repo/app", "main", NOON)


def a_session(session_id: str = "ses_1", **fields: Any) -> Session:
    """A queued session of `PROJECT`."""
    given: dict[str, Any] = {
        "name": session_id.removeprefix("ses_"),
        "project": PROJECT.id,
        "mode": "autonomous",
        "agent": "command",
        "executor": "local",
        "work": Work(argv=("true",)),
        "status": SessionStatus.QUEUED,
        "reason": Reason("person", "It was asked for.", NOON),
        "created_at": NOON,
        "folder": f"/state/sessions/{session_id}",
    }
    return Session(id=session_id, **{**given, **fields})


def an_approval(approval_id: str = "app_1", **fields: Any) -> Approval:
    """A question of a session that waits for a person."""
    asked = {"tool": "Bash", "input": {"command": "make"}}
    given: dict[str, Any] = {
        "subject_type": "tool_call",
        "subject": "Bash make",
        "question": "May it do this?",
        "channel": "stream",
        "asked": asked,
        "digest": digest_of("ses_1", None, asked),
        "requested_by": "session ses_1",
        "created_at": NOON,
        "session": "ses_1",
        "request_key": approval_id,
    }
    return Approval(id=approval_id, **{**given, **fields})


def a_schedule(schedule_id: str = "sch_1", **fields: Any) -> Schedule:
    """A schedule that runs the plan ``nightly`` at half past two in Berlin."""
    given: dict[str, Any] = {
        "plan": "nightly",
        "project": PROJECT.id,
        "cron": "30 2 * * *",
        "timezone": "Europe/Berlin",
        "missed": Missed.SKIP,
        "approval": "each",
        "created_by": "person",
        "created_at": NOON,
        "since": NOON,
    }
    return Schedule(id=schedule_id, **{**given, **fields})


def a_draft(**fields: Any) -> Draft:
    """What is said of an artifact of a task."""
    given: dict[str, Any] = {
        "project": PROJECT.id,
        "name": "report.html",
        "type": "text/html",
        "sha256": "0" * 64,
        "size": 7,
        "created_by": "person",
        "retention": "plan",
        "plan": "plan-search",
        "task": "a",
    }
    return Draft(**{**given, **fields})


def an_event(number: int = 0, **fields: Any) -> NewEvent:
    """An event whose payload holds its number."""
    given: dict[str, Any] = {"type": "output", "phase": "tool", "time": NOON + number, "payload": {"number": number}}
    return NewEvent(**{**given, **fields})


def claim(conn: sqlite3.Connection, session: str | None = "ses_1") -> Attempt:
    """Claim the next attempt of a session."""
    return attempts.claim(conn, session=session, executor="local", work=Work(argv=("true",)), boot_id="boot", now=NOON)


@contextmanager
def database(folder: Path, *names: str) -> Iterator[sqlite3.Connection]:
    """The writing connection to a new database with `PROJECT` and the sessions of these ids."""
    conn = open_database(folder / "quarterdeck.db", folder / "backups")
    try:
        fill(conn, *names)
        yield conn
    finally:
        conn.close()


@asynccontextmanager
async def store(folder: Path, *names: str) -> AsyncIterator[Store]:
    """A store on a new database with `PROJECT` and the sessions of these ids."""
    opened = await Store.open(folder / "quarterdeck.db", folder / "backups")
    try:
        await opened.submit(lambda conn: fill(conn, *names))
        yield opened
    finally:
        await opened.close()


def fill(conn: sqlite3.Connection, *names: str) -> None:
    """Add `PROJECT` and sessions, unless they are there."""
    if projects.by_root(conn, PROJECT.root) is None:
        projects.insert(conn, PROJECT)
        for name in names:
            sessions.insert(conn, a_session(name))
