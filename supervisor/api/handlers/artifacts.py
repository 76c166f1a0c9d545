"""Artifacts and evidence: kept, in pieces that may be sent again, listed and read."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from supervisor.api.artifacts import PutBody, artifact_json, progress_json
from supervisor.api.auth import Principal, may
from supervisor.api.protocol import Number
from supervisor.api.state import project_named, session_of, state_of
from supervisor.engine.taking import CHUNK
from supervisor.engine.uploads import PutRequest
from supervisor.model.artifacts import Artifact, Kind
from supervisor.model.errors import Forbidden, InvalidInput
from supervisor.store import artifacts, plans

router = APIRouter(tags=["artifacts"])

LIMIT = 10_000

Reader = Annotated[Principal, Depends(may("read", "report"))]
Reporter = Annotated[Principal, Depends(may("report"))]

_RANGE = re.compile(r"bytes=(\d{1,19})-(\d{0,19})")


@router.post("/artifacts")
async def put(request: Request, body: PutBody, principal: Reporter) -> dict[str, Any]:
    """Keep something. At once done when its content is there already; else the answer names the upload."""
    values = body.model_dump(exclude={"cwd"})
    asked = PutRequest(cwd=Path(body.cwd) if body.cwd else None, **values)
    return progress_json(await state_of(request).engine.uploads.begin(asked, principal.actor, principal.session))


@router.get("/uploads/{upload}")
async def show_upload(request: Request, upload: str, principal: Reporter) -> dict[str, Any]:
    """How far an upload is, and the artifact once it is whole."""
    return progress_json(await state_of(request).engine.uploads.look(upload, principal.session))


@router.put("/uploads/{upload}")
async def append(request: Request, upload: str, offset: Number, principal: Reporter) -> dict[str, Any]:
    """Take the bytes of the body as those from ``offset`` on. The last ones make the artifact."""
    data = await request.body()
    uploads = state_of(request).engine.uploads
    return progress_json(await uploads.append(upload, offset, data, principal.session))


@router.get("/artifacts")
async def list_artifacts(
    request: Request,
    principal: Reader,
    project: str | None = None,
    plan: str | None = None,
    task: str | None = None,
    session: str | None = None,
    name: str | None = None,
    kind: Kind | None = None,
    version: Annotated[int, Query(ge=1, le=2**53)] | None = None,
    limit: Number = 1000,
) -> dict[str, Any]:
    """What is kept, newest first. A session's token sees what is its own."""
    store = state_of(request).engine.store
    of_session = (await session_of(request, session)).id if session is not None else None
    if principal.session is not None:
        if of_session not in (None, principal.session):
            raise Forbidden("A session sees only its own artifacts.")
        of_session = principal.session
    of_project = await project_named(request, project)
    of_plan = (await store.read(plans.resolve, plan)).id if plan is not None else None
    found = await store.read(
        lambda conn: artifacts.find(
            conn,
            project=of_project,
            plan=of_plan,
            task=task,
            session=of_session,
            kind=kind,
            name=name,
            version=version,
            limit=max(1, min(limit, LIMIT)),
        )
    )
    return {"artifacts": [artifact_json(artifact) for artifact in found]}


@router.get("/artifacts/{ref}")
async def show(request: Request, ref: str, principal: Reader) -> dict[str, Any]:
    """One artifact: by its id, the beginning of that, or its hash."""
    return {"artifact": artifact_json(await _artifact(request, ref, principal))}


@router.get("/artifacts/{ref}/content")
async def content(request: Request, ref: str, principal: Reader) -> StreamingResponse:
    """What is in an artifact, checked whole before the first byte; ``Range: bytes=N-`` goes on from there."""
    artifact = await _artifact(request, ref, principal)
    begin, end = _wanted(request.headers.get("range", ""), artifact.size)
    file = await state_of(request).engine.artifacts.open(artifact)
    partial = (begin, end) != (0, artifact.size)
    headers = {
        "Content-Length": str(end - begin),
        "Accept-Ranges": "bytes",
        "ETag": f'"{artifact.sha256}"',
        "X-Content-Type-Options": "nosniff",
    }
    if partial:
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{artifact.size}"
    # Its type is what somebody wrote: nothing is to act on it.
    return StreamingResponse(
        _stream(file, begin, end), 206 if partial else 200, headers, media_type="application/octet-stream"
    )


async def _artifact(request: Request, ref: str, principal: Principal) -> Artifact:
    found = await state_of(request).engine.store.read(artifacts.resolve, ref)
    if principal.session not in (None, found.session):
        raise Forbidden("A session sees only its own artifacts.")
    return found


def _wanted(header: str, size: int) -> tuple[int, int]:
    """Return which bytes a Range header asks for: all when there is none, InvalidInput when there are none."""
    if not header:
        return 0, size
    match = _RANGE.fullmatch(header)
    begin = int(match[1]) if match else size
    end = min(size, int(match[2]) + 1) if match and match[2] else size
    if not begin < end:
        raise InvalidInput(f"It has {size} bytes, none of which the range asks for.", hint="Use `bytes=N-`.")
    return begin, end


async def _stream(file: BinaryIO, begin: int, end: int) -> AsyncIterator[bytes]:
    try:
        file.seek(begin)
        while begin < end:
            data = await run_in_threadpool(file.read, min(CHUNK, end - begin))
            if not data:
                return  # Cut meanwhile: the length says so to the reader.
            begin += len(data)
            yield data
    finally:
        file.close()
