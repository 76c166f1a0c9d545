"""Sessions and approvals with the names of what they belong to: one query for all of them, never one for each."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from fastapi import Request

from supervisor.api.decisions import approval_json
from supervisor.api.protocol import session_json
from supervisor.api.state import state_of
from supervisor.model.approvals import Approval
from supervisor.model.entities import Session
from supervisor.model.events import EventType
from supervisor.store import events, projects, sessions


def named_sessions(conn: sqlite3.Connection, found: Sequence[Session]) -> list[dict[str, Any]]:
    """Return sessions with the names of their projects, and where their branches were merged."""
    names = projects.names(conn) if found else {}
    merges = events.newest_of(conn, EventType.BRANCH_MERGED) if found else {}
    return [session_json(session, names.get(session.project), merges.get(session.id)) for session in found]


def named_approvals(conn: sqlite3.Connection, found: Sequence[Approval]) -> list[dict[str, Any]]:
    """Return approvals with the names of their sessions and projects."""
    ids = {approval.session for approval in found if approval.session is not None}
    called = {session.id: session.name for session in sessions.with_ids(conn, ids)} if ids else {}
    names = projects.names(conn) if found else {}
    return [
        approval_json(approval, called.get(approval.session or ""), names.get(approval.project or ""))
        for approval in found
    ]


async def session_answer(request: Request, session: Session) -> dict[str, Any]:
    """Return one session with the name of its project."""
    return (await state_of(request).engine.store.read(named_sessions, [session]))[0]
