"""Plans: created, looked at, revised and taken away. None of this starts anything."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from supervisor.api.auth import Principal, may
from supervisor.api.plans import (
    PlanBody,
    RehearseBody,
    ReviseBody,
    listed_json,
    plan_json,
    revision_json,
    shown_json,
    touched_json,
)
from supervisor.api.state import project_named, state_of
from supervisor.engine.planning import refusal
from supervisor.engine.plans.drawing import drawing
from supervisor.engine.plans.exporting import as_json, as_yaml
from supervisor.engine.plans.stored import planned_of
from supervisor.model.plans import Plan, PlanStatus
from supervisor.store import approvals, plans, projects, tasks

router = APIRouter(prefix="/plans", tags=["plans"])

READ = [Depends(may("read"))]
Operator = Annotated[Principal, Depends(may("operate"))]


@router.get("", dependencies=READ)
async def list_plans(
    request: Request,
    status: Annotated[list[PlanStatus] | None, Query()] = None,
    project: str | None = None,
    archived: bool = False,
) -> dict[str, Any]:
    """Plans, oldest first; archived ones only when they are wanted."""
    store = state_of(request).engine.store
    wanted = await project_named(request, project)
    found = await store.read(lambda conn: plans.find(conn, statuses=status, project=wanted, archived=archived))
    names = {each.id: each.name for each in await store.read(projects.find)}
    counts = await store.read(tasks.counts)
    return {"plans": [listed_json(plan, names.get(plan.project), counts.get(plan.id, {})) for plan in found]}


@router.post("")
async def create(request: Request, body: PlanBody, principal: Operator) -> dict[str, Any]:
    """Create a plan from a document in any form. Only a person's start lets it run."""
    planning = state_of(request).engine.planning
    plan = await planning.create(
        body.document.encode(errors="surrogatepass"), body.where, Path(body.cwd), principal.actor
    )
    return await whole(request, plan.id)


@router.get("/{ref}", dependencies=READ)
async def show(request: Request, ref: str) -> dict[str, Any]:
    """A plan with the state of each task, and its revisions."""
    return await whole(request, (await plan_named(request, ref)).id)


@router.get("/{ref}/document", dependencies=READ)
async def document(request: Request, ref: str, revision: int | None = None, form: str = "yaml") -> dict[str, Any]:
    """The document of a revision, the one in force unless another is named: yaml or json."""
    plan = await plan_named(request, ref)
    found = await state_of(request).engine.store.read(plans.revision, plan.id, revision or plan.revision)
    planned = await asyncio.to_thread(planned_of, found)
    text = await asyncio.to_thread(as_json if form == "json" else as_yaml, planned)
    return {"plan": plan.id, "revision": revision_json(found), "document": text}


@router.get("/{ref}/graph", dependencies=READ)
async def graph(request: Request, ref: str) -> dict[str, Any]:
    """The plan as a Mermaid flowchart, with the state of each task."""
    shown = await state_of(request).engine.planning.show((await plan_named(request, ref)).id)
    states = {task.id: task.status.value for task in shown.tasks}
    return {"plan": shown.plan.id, "mermaid": await asyncio.to_thread(drawing, shown.planned, states)}


@router.get("/{ref}/diff", dependencies=READ)
async def diff(request: Request, ref: str, before: int, after: int) -> dict[str, Any]:
    """What is different between two revisions, as a unified diff."""
    plan = await plan_named(request, ref)
    return {"plan": plan.id, "diff": await state_of(request).engine.planning.diff(plan.id, before, after)}


@router.post("/{ref}/revisions")
async def revise(request: Request, ref: str, body: ReviseBody, principal: Operator) -> dict[str, Any]:
    """Let another document take the place of the one in force. Tasks that it leaves as they were keep their state;
    ``running`` says what becomes of those under way that it changes or removes, and the answer which these are."""
    plan = await plan_named(request, ref)
    document = body.document.encode(errors="surrogatepass")
    _, touched = await state_of(request).engine.planning.revise(
        plan.id, document, body.where, body.rationale, principal.actor, body.running
    )
    state_of(request).engine.plan_runs.revised(plan.id)
    return {**await whole(request, plan.id), "running": touched_json(touched)}


@router.post("/{ref}/revisions/rehearsal", dependencies=READ)
async def rehearse_revision(request: Request, ref: str, body: RehearseBody) -> dict[str, Any]:
    """What a revision would change, and what would become of tasks under way. Nothing is stored."""
    plan = await plan_named(request, ref)
    document = body.document.encode(errors="surrogatepass")
    number, diff, touched = await state_of(request).engine.planning.rehearse(
        plan.id, document, body.where, body.running
    )
    refused = refusal(touched)
    return {
        "plan": plan.id,
        "revision": number,
        "diff": diff,
        "refusal": None if refused is None else str(refused),
        "running": touched_json(touched),
    }


@router.delete("/{ref}")
async def delete(request: Request, ref: str, principal: Operator, force: bool = False) -> dict[str, Any]:
    """Take a plan away that is not under way, with its worktree and branch; what is recorded of it stays.

    Refused when these hold work that exists nowhere else, unless ``force``.
    """
    plan = await plan_named(request, ref)
    deleted, left = await state_of(request).engine.deleting.delete(plan.id, principal.actor, force=force)
    return {"plan": plan_json(deleted), "worktree": {"exists": left.exists, "detail": left.detail}}


async def plan_named(request: Request, ref: str) -> Plan:
    """Return the plan that an id, its unique beginning, or a title means; NotFound when none."""
    return await state_of(request).engine.store.read(plans.resolve, ref)


async def whole(request: Request, plan_id: str) -> dict[str, Any]:
    """Return a plan with everything that is told of it."""
    engine = state_of(request).engine
    shown = await engine.planning.show(plan_id)
    project = await engine.store.read(projects.get, shown.plan.project)
    asked = await engine.store.read(approvals.pending_of_plan, plan_id)
    return {"plan": shown_json(shown, project.name, asked)}
