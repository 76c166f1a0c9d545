"""What happened: events, their stream, and the audit log."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse

from supervisor.api.auth import Principal, may
from supervisor.api.protocol import NUMBER_LIMIT, ClearBody, Document, EmitBody, Number, audit_json, event_bytes
from supervisor.api.state import project_named, session_of, state_of
from supervisor.api.stream import Filter, follow
from supervisor.model.errors import InvalidInput
from supervisor.model.times import now_ms
from supervisor.store import audit, events

router = APIRouter(tags=["records"])

READ = [Depends(may("read"))]
LIMIT = 10_000

TYPE_LIMIT = 100
"""Types of events that one request may name."""

Types = Annotated[list[str] | None, Query(max_length=TYPE_LIMIT)]


@router.get("/events", dependencies=READ)
async def list_events(
    request: Request,
    after: Number | None = None,
    before: Number | None = None,
    session: str | None = None,
    project: str | None = None,
    plan: str | None = None,
    phase: str | None = None,
    type: Types = None,  # noqa: A002 - the name in the contract
    since_s: Annotated[float, Query(ge=0, le=1e9, allow_inf_nan=False)] | None = None,
    limit: Number = 1000,
) -> Response:
    """Events in order: after a number, or the newest, also those before a number.

    ``since_s`` keeps the last so many seconds; of several types an event has one.
    """
    if after is not None and before is not None:
        raise InvalidInput("Events are read after a number or before one, not both.", hint="Give one of them.")
    store = state_of(request).engine.store
    chosen = {
        "session": (await session_of(request, session)).id if session else None,
        "project": await project_named(request, project),
        "plan": plan,
        "phase": phase,
    }
    # One type has an index of its own.
    types = None if type is None else type[0] if len(type) == 1 else tuple(type)
    since = now_ms() - round(since_s * 1000) if since_s is not None else None
    count = max(1, min(limit, LIMIT))
    if after is None:
        found = await store.read(events.recent, count, since=since, before=before, type=types, **chosen)
    else:
        found = await store.read(events.since, after, since=since, limit=count, type=types, **chosen)
    body = b'{"events":[' + b",".join(event_bytes(event) for event in found) + b"]}"
    return Response(body, media_type="application/json")


@router.get("/events/stream", dependencies=READ)
async def stream_events(
    request: Request,
    after: Number | None = None,
    session: str | None = None,
    project: str | None = None,
    plan: str | None = None,
    phase: str | None = None,
    type: Types = None,  # noqa: A002 - the name in the contract
) -> StreamingResponse:
    """Server-sent events, replayed from the number ``after``, then as they happen."""
    engine = state_of(request).engine
    wanted = Filter(
        session=(await session_of(request, session)).id if session else None,
        project=await project_named(request, project),
        plan=plan,
        phase=phase,
        types=None if type is None else frozenset(type),
    )
    last = request.headers.get("last-event-id", "")
    start = min(int(last), NUMBER_LIMIT) if last.isdecimal() else after
    return StreamingResponse(
        follow(engine.store, engine.bus, start, wanted),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store"},
    )


@router.post("/events/clear")
async def clear_events(
    request: Request, body: ClearBody, principal: Annotated[Principal, Depends(may("operate"))]
) -> dict[str, Any]:
    """Empty the views of live events in every app, of a phase or of what is old; the history stays."""
    event = await state_of(request).engine.reports.clear_views(body.phase, body.older_than_s, principal.actor)
    return {"seq": event.seq}


@router.post("/emit")
async def emit(
    request: Request, body: EmitBody, principal: Annotated[Principal, Depends(may("report"))]
) -> dict[str, Any]:
    """Take an event from a tool; a session's token can only speak for that session."""
    event = await state_of(request).engine.reports.emit(principal.session, body.type, body.payload)
    return {"seq": event.seq}


@router.post("/hooks/{agent}")
async def hook(
    request: Request,
    agent: str,
    payload: Annotated[Document, Body()],
    principal: Annotated[Principal, Depends(may("report"))],
) -> dict[str, Any]:
    """Take what an agent's hook was given."""
    if principal.session is not None:
        await state_of(request).engine.reports.hook(principal.session, payload)
    return {}


@router.get("/audit", dependencies=READ)
async def list_audit(
    request: Request, after: Number | None = None, before: Number | None = None, limit: Number = 1000
) -> dict[str, Any]:
    """Audit entries in order: after a number, from the first, or the newest before a number."""
    if after is not None and before is not None:
        raise InvalidInput("Entries are read after a number or before one, not both.", hint="Give one of them.")
    store, count = state_of(request).engine.store, max(1, min(limit, LIMIT))
    if before is None:
        entries = await store.read(audit.entries, after or 0, count)
    else:
        entries = await store.read(audit.before, before, count)
    return {"entries": [audit_json(entry) for entry in entries]}


@router.get("/audit/verify", dependencies=READ)
async def verify_audit(request: Request) -> dict[str, Any]:
    """Whether the chain holds, also against the anchor that is kept outside the database."""
    store = state_of(request).engine.store
    verdict = await store.read(audit.verify, store.anchor)
    return {
        "valid": verdict.valid,
        "entries": verdict.entries,
        "first_bad": verdict.first_bad,
        "detail": verdict.detail,
    }


@router.get("/audit/export", dependencies=READ, response_class=PlainTextResponse)
async def export_audit(request: Request) -> str:
    """The whole audit log, one JSON entry per line."""
    return await state_of(request).engine.store.read(lambda conn: "\n".join(audit.export(conn)) + "\n")
