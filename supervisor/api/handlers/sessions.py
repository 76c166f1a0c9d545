"""Sessions: run, list, show and steer."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Query, Request

from supervisor.api.auth import Principal, may
from supervisor.api.logs import read_log, read_log_before
from supervisor.api.naming import named_sessions, session_answer
from supervisor.api.protocol import (
    Number,
    RunBody,
    TextBody,
    attempt_json,
)
from supervisor.api.state import project_named, session_of, state_of
from supervisor.engine.explain import EXPLAINING_TYPES, explain
from supervisor.engine.intake import RunRequest
from supervisor.model.entities import ExecutorName
from supervisor.model.errors import InvalidInput, NotFound, Refused
from supervisor.model.statuses import SESSION_ENDED, SessionStatus
from supervisor.model.times import to_rfc3339
from supervisor.store import attempts, events, sessions

router = APIRouter(prefix="/sessions", tags=["sessions"])
own = APIRouter(tags=["sessions"])

Operator = Annotated[Principal, Depends(may("operate"))]
READ = [Depends(may("read"))]

ID_LIMIT = 500
"""Sessions that one request may name."""


@router.post("")
async def run(request: Request, body: RunBody, principal: Operator) -> dict[str, Any]:
    """Start a session; returns as soon as it is stored."""
    values = body.model_dump(exclude={"cwd", "argv", "executor"})
    executor = cast("ExecutorName | None", body.executor)
    asked = RunRequest(cwd=Path(body.cwd), argv=tuple(body.argv), executor=executor, **values)
    return {"session": await session_answer(request, await state_of(request).engine.run(asked, principal.actor))}


@router.get("", dependencies=READ)
async def list_sessions(
    request: Request,
    id: Annotated[list[str] | None, Query(max_length=ID_LIMIT)] = None,  # noqa: A002 - the name in the contract
    project: str | None = None,
    status: SessionStatus | None = None,
    archived: bool = False,
) -> dict[str, Any]:
    """All sessions, oldest first; archived ones only when asked for. With ids only these, archived or not."""
    of_project = await project_named(request, project)

    def read(conn: sqlite3.Connection) -> list[dict[str, Any]]:
        if id is not None:
            found = sessions.with_ids(conn, id, statuses={status} if status else None, project=of_project)
        else:
            statuses = {status} if status else None if archived else set(SessionStatus) - {SessionStatus.ARCHIVED}
            found = sessions.find(conn, statuses=statuses, project=of_project)
        return named_sessions(conn, found)

    return {"sessions": await state_of(request).engine.store.read(read)}


@own.get("/self")
async def show_own(request: Request, principal: Annotated[Principal, Depends(may("report"))]) -> dict[str, Any]:
    """The session that the token was made for."""
    if principal.session is None:
        raise NotFound("This token belongs to no session.", hint="`quarterdeck sessions` lists them.")
    session = await state_of(request).engine.store.read(sessions.get, principal.session)
    return {"session": await session_answer(request, session)}


@router.get("/{ref}", dependencies=READ)
async def show(request: Request, ref: str) -> dict[str, Any]:
    """One session."""
    return {"session": await session_answer(request, await session_of(request, ref))}


@router.get("/{ref}/attempts", dependencies=READ)
async def show_attempts(request: Request, ref: str) -> dict[str, Any]:
    """The attempts of a session, in order."""
    session = await session_of(request, ref)
    found = await state_of(request).engine.store.read(attempts.of_session, session.id)
    return {"attempts": [attempt_json(attempt) for attempt in found]}


@router.get("/{ref}/explain", dependencies=READ)
async def explain_status(request: Request, ref: str) -> dict[str, Any]:
    """Why a session has its status: every signal, newest first, and the one that decided."""
    session = await session_of(request, ref)
    store = state_of(request).engine.store
    history = [
        event
        for kind in EXPLAINING_TYPES
        for event in await store.read(events.recent, 50, session=session.id, type=kind)
    ]
    history.sort(key=lambda event: event.seq)
    explained = explain(session, await store.read(attempts.latest, session.id), history)
    return {
        "session": await session_answer(request, session),
        "attempt": attempt_json(explained.attempt) if explained.attempt else None,
        "signals": [
            {
                "time": to_rfc3339(signal.time),
                "signal": signal.signal,
                "text": signal.text,
                "decided": signal.decided,
            }
            for signal in explained.signals
        ],
    }


@router.get("/{ref}/logs", dependencies=READ)
async def logs(
    request: Request, ref: str, offset: Number | None = None, end: Number | None = None, limit: Number = 1_000_000
) -> dict[str, Any]:
    """Lines of a session's log from an offset, or those that end before one.

    ``next_offset`` reads on, also while it grows; ``offset`` as the next ``end`` reads back.
    """
    if offset is not None and end is not None:
        raise InvalidInput("A log is read from an offset or up to an end, not both.", hint="Give one of them.")
    path = Path((await session_of(request, ref)).log_path)
    return await (read_log(path, offset or 0, limit) if end is None else read_log_before(path, end, limit))


@router.get("/{ref}/screen", dependencies=READ)
async def screen(request: Request, ref: str) -> dict[str, Any]:
    """What a session's terminal shows now; nothing when it has none, or has ended."""
    session = await session_of(request, ref)
    engine = state_of(request).engine
    attempt = await engine.store.read(attempts.latest, session.id)
    shown = None
    if attempt is not None and session.status not in SESSION_ENDED:
        services = engine.services
        shown = await services.executor(session).screen(services.ref(attempt, session))
    if shown is None:
        return {"title": None, "text": None}
    # What is printed is cleared of secrets on its way to the log; a terminal is not.
    names = engine.services.config_for(None).settings.secrets
    title, text = (engine.services.secrets.redact(session.id, names, part) for part in shown)
    return {"title": title, "text": text}


@router.post("/{ref}/send")
async def send(request: Request, ref: str, body: TextBody, principal: Operator) -> dict[str, Any]:
    """Send a message to a running agent; the state says whether it has arrived."""
    session = await session_of(request, ref)
    identifier, state = await state_of(request).engine.control.send(session.id, body.text, principal.actor)
    return {"message": {"id": identifier, "state": state}, "session": await session_answer(request, session)}


@router.post("/{ref}/pause")
async def pause(request: Request, ref: str, principal: Operator) -> dict[str, Any]:
    """Freeze a session, or hold it back in the queue."""
    session = await session_of(request, ref)
    changed = await state_of(request).engine.control.pause(session.id, principal.actor)
    return {"session": await session_answer(request, changed)}


@router.post("/{ref}/resume")
async def resume(request: Request, ref: str, principal: Operator) -> dict[str, Any]:
    """Let a paused session go on."""
    session = await session_of(request, ref)
    changed = await state_of(request).engine.control.resume(session.id, principal.actor)
    return {"session": await session_answer(request, changed)}


@router.post("/{ref}/cancel")
async def cancel(request: Request, ref: str, principal: Operator) -> dict[str, Any]:
    """Stop a session; its worktree, branch and log stay."""
    session = await session_of(request, ref)
    changed = await state_of(request).engine.control.cancel(session.id, principal.actor)
    return {"session": await session_answer(request, changed)}


@router.post("/{ref}/continue")
async def continue_(request: Request, ref: str, body: TextBody, principal: Operator) -> dict[str, Any]:
    """Give an ended session another attempt, in the agent's own conversation."""
    session = await session_of(request, ref)
    continued = await state_of(request).engine.control.continue_(session.id, body.text, principal.actor)
    return {"session": await session_answer(request, continued)}


@router.post("/{ref}/archive")
async def archive(request: Request, ref: str, principal: Operator) -> dict[str, Any]:
    """Put an ended session away; a worktree that holds work is kept, and the answer says so."""
    session = await session_of(request, ref)
    archived, left = await state_of(request).engine.control.archive(session.id, principal.actor)
    return {"session": await session_answer(request, archived), "worktree_kept": left.exists, "detail": left.detail}


@router.get("/{ref}/attach", dependencies=[Depends(may("operate"))])
async def attach(request: Request, ref: str) -> dict[str, Any]:
    """The command that gives a person this session's terminal."""
    session = await session_of(request, ref)
    engine = state_of(request).engine
    attempt = await engine.store.read(attempts.latest, session.id)
    if attempt is None or session.status in SESSION_ENDED:
        raise Refused(
            f"{session.name} is {session.status}: there is no terminal to attach to.",
            hint=f"`quarterdeck sessions logs {session.name}` shows what it printed.",
        )
    services = engine.services
    return {"command": services.executor(session).attach_command(services.ref(attempt, session))}
