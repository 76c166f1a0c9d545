"""Checkpoints of sessions and plans: made, listed, compared, restored and let go."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from supervisor.api.auth import Principal, may
from supervisor.api.checkpoints import CheckpointBody, RestoreBody, checkpoint_json
from supervisor.api.state import project_named, session_of, state_of
from supervisor.model.checkpoints import Checkpoint
from supervisor.store import checkpoints, plans, projects

router = APIRouter(prefix="/checkpoints", tags=["checkpoints"])

READ = [Depends(may("read"))]
Operator = Annotated[Principal, Depends(may("operate"))]


@router.get("", dependencies=READ)
async def list_checkpoints(
    request: Request,
    session: str | None = None,
    plan: str | None = None,
    project: str | None = None,
    expired: bool = False,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """Checkpoints, newest first; those that are kept no longer only when they are wanted."""
    store = state_of(request).engine.store
    of_session = None if session is None else (await session_of(request, session)).id
    of_plan = None if plan is None else (await store.read(plans.resolve, plan)).id
    wanted = await project_named(request, project)
    found = await store.read(
        lambda conn: checkpoints.find(conn, limit, plan=of_plan, session=of_session, project=wanted, expired=expired)
    )
    names = {each.id: each.name for each in await store.read(projects.find)}
    return {"checkpoints": [checkpoint_json(each, names.get(each.project)) for each in found]}


@router.post("")
async def create(request: Request, body: CheckpointBody, principal: Operator) -> dict[str, Any]:
    """Make a checkpoint of a session's or a plan's worktree."""
    engine = state_of(request).engine
    if body.plan is not None:
        subject = engine.checkpoints.of_plan(await engine.store.read(plans.resolve, body.plan))
    else:
        subject = engine.checkpoints.of_session(await session_of(request, body.session or ""))
    made = await engine.checkpoints.make(subject, body.reason, principal.actor, body.ignored)
    return {"checkpoint": await _shown(request, made)}


@router.get("/{ref}", dependencies=READ)
async def show(request: Request, ref: str) -> dict[str, Any]:
    """A checkpoint."""
    return {"checkpoint": await _shown(request, await _named(request, ref))}


@router.get("/{ref}/diff", dependencies=READ)
async def diff(request: Request, ref: str, other: str | None = None, stat: bool = False) -> dict[str, Any]:
    """What is different since a checkpoint: in its worktree now, or in another checkpoint."""
    found = await _named(request, ref)
    second = None if other is None else await _named(request, other)
    text = await state_of(request).engine.checkpoints.diff(found, second, stat=stat)
    return {"checkpoint": found.id, "other": None if second is None else second.id, "diff": text}


@router.post("/{ref}/restore")
async def restore(request: Request, ref: str, body: RestoreBody, principal: Operator) -> dict[str, Any]:
    """Make a worktree what a checkpoint has of it; what was there before is a checkpoint, too: `safety`."""
    found = await _named(request, ref)
    restored, safety, done = await state_of(request).engine.checkpoints.restore(
        found.id, principal.actor, head=body.head, force=body.force
    )
    return {
        "checkpoint": await _shown(request, restored),
        "safety": await _shown(request, safety),
        "written": done.written,
        "removed": done.removed,
        "head_moved": body.head,
        "left": list(done.left),
    }


@router.delete("/{ref}")
async def delete(request: Request, ref: str, principal: Operator) -> dict[str, Any]:
    """Let go of a checkpoint: git collects what it holds; its record stays."""
    found = await _named(request, ref)
    dropped = await state_of(request).engine.checkpoints.drop(found.id, principal.actor)
    return {"checkpoint": await _shown(request, dropped)}


async def _named(request: Request, ref: str) -> Checkpoint:
    return await state_of(request).engine.store.read(checkpoints.resolve, ref)


async def _shown(request: Request, checkpoint: Checkpoint) -> dict[str, Any]:
    project = await state_of(request).engine.store.read(projects.get, checkpoint.project)
    return checkpoint_json(checkpoint, project.name)
