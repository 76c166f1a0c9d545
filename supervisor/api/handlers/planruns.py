"""Plans that run: started, advanced, held and given up; their tasks run again, completed and looked at."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from supervisor.api.auth import Principal, may
from supervisor.api.decisions import approval_json
from supervisor.api.handlers.plans import READ, Operator, plan_named, whole
from supervisor.api.limits import limits_json
from supervisor.api.plans import (
    AdvanceBody,
    CompleteBody,
    GateBody,
    RollbackBody,
    RunBody,
    StartBody,
    reuse_json,
    step_json,
    task_json,
    undo_json,
)
from supervisor.api.protocol import MergeBody
from supervisor.api.state import roles_of, state_of
from supervisor.engine.deciding import Decision
from supervisor.engine.planruns.committing import key_of, limit_key_of
from supervisor.engine.planruns.runs import PlanRuns
from supervisor.engine.planruns.state import folder_of
from supervisor.engine.planruns.words import last_lines
from supervisor.engine.plans.flattening import holders
from supervisor.engine.plans.limits import watch_of
from supervisor.engine.plans.outline import said_before
from supervisor.model.approvals import Approval
from supervisor.model.entities import Attempt
from supervisor.model.errors import NotFound, Refused
from supervisor.model.plans import Plan, Task, TaskStatus
from supervisor.model.times import now_ms
from supervisor.store import approvals, attempts, tasks

router = APIRouter(prefix="/plans", tags=["plans"])

Decider = Annotated[Principal, Depends(may("decide"))]


@router.post("/{ref}/start")
async def start(request: Request, ref: str, body: StartBody, principal: Operator) -> dict[str, Any]:
    """Start a plan: the one explicit start that it has. With ``advance: manual`` nothing runs before it is advanced."""
    plan = await plan_named(request, ref)
    await _runs(request).start(plan.id, body.environment, principal.actor)
    return await whole(request, plan.id)


@router.get("/{ref}/rehearsal", dependencies=READ)
async def rehearse(request: Request, ref: str) -> dict[str, Any]:
    """What a start would do: each task with its steps in words and where it works, and why it would be refused."""
    plan = await plan_named(request, ref)
    tasks_, refusal = await _runs(request).rehearse(plan.id)
    return {"plan": plan.id, "refusal": refusal or None, "tasks": [asdict(each) for each in tasks_]}


@router.post("/{ref}/advance")
async def advance(request: Request, ref: str, body: AdvanceBody, principal: Operator) -> dict[str, Any]:
    """Let the next ready task run, or with ``level`` all that are ready; ``released`` says which."""
    plan = await plan_named(request, ref)
    _, released = await _runs(request).advance(plan.id, principal.actor, level=body.level)
    return {**await whole(request, plan.id), "released": released}


@router.post("/{ref}/pause")
async def pause(request: Request, ref: str, principal: Operator) -> dict[str, Any]:
    """Begin nothing more; what runs goes on to its end."""
    plan = await plan_named(request, ref)
    await _runs(request).pause(plan.id, principal.actor)
    return await whole(request, plan.id)


@router.post("/{ref}/resume")
async def resume(request: Request, ref: str, principal: Operator) -> dict[str, Any]:
    """Let a paused plan go on."""
    plan = await plan_named(request, ref)
    await _runs(request).resume(plan.id, principal.actor)
    return await whole(request, plan.id)


@router.post("/{ref}/cancel")
async def cancel(request: Request, ref: str, principal: Operator) -> dict[str, Any]:
    """Give a plan up: what runs is stopped, and nothing more begins. Its branch and worktree stay."""
    plan = await plan_named(request, ref)
    await _runs(request).cancel(plan.id, principal.actor)
    return await whole(request, plan.id)


@router.post("/{ref}/merge")
async def merge(request: Request, ref: str, body: MergeBody, principal: Operator) -> dict[str, Any]:
    """Merge an ended plan's branch; a conflict changes nothing and says where."""
    plan = await plan_named(request, ref)
    merged, into, result = await state_of(request).engine.ending.merge(plan.id, body.into, principal.actor)
    return {"merged": True, "commit": result.commit, "into": into, "branch": merged.branch}


@router.post("/{ref}/archive")
async def archive(request: Request, ref: str, principal: Operator) -> dict[str, Any]:
    """Put an ended plan away: its document and a handoff readme stay in the project, its branch in git."""
    plan = await plan_named(request, ref)
    _, readme, left = await state_of(request).engine.ending.archive(plan.id, principal.actor)
    kept = {"exists": left.exists, "detail": left.detail}
    return {**await whole(request, plan.id), "readme": str(readme), "worktree": kept}


@router.get("/{ref}/tasks/{task:path}", dependencies=READ)
async def show_task(
    request: Request, ref: str, task: str, lines: Annotated[int, Query(ge=0, le=1000)] = 20
) -> dict[str, Any]:
    """A task: what it is, how it stands, its commands with their last ``lines``, what is asked about it, and what was
    decided."""
    engine = state_of(request).engine
    shown = await engine.planning.show((await plan_named(request, ref)).id)
    plan = shown.plan

    def look(conn: sqlite3.Connection) -> tuple[Task, list[Attempt], Approval | None, list[Approval]]:
        found = tasks.get(conn, plan.id, plan.revision, task)
        watch = watch_of(found)
        by_limit = watch is not None and watch.asked is not None
        gate = key_of(plan, task, found.attempts, found.step)
        key = limit_key_of(plan, task, watch.questions) if watch is not None and by_limit else gate
        # What was asked about an earlier plan of this id is another one's.
        said = [each for each in approvals.of_plan(conn, plan.id) if each.created_at >= plan.created_at]
        decided = [each for each in said if each.task == task and each.decided_by is not None]
        return found, attempts.of_task(conn, plan.id, task), approvals.by_key(conn, None, key), decided

    found, made, asked, decided = await engine.store.read(look)
    folder = folder_of(engine.services.paths.state, plan.id)
    logs = [folder / f"{attempt.id}.log" for attempt in made]
    said = await asyncio.to_thread(lambda: [last_lines(log, lines) for log in logs])
    documents = shown.documents()
    planned = documents[task]
    return {
        "task": {
            **task_json(
                found,
                said_before(list(documents.values()))[task],
                holders(shown.tasks)[task],
                removed=task in shown.left(),
            ),
            "plan": plan.id,
            "limits": limits_json(found, planned, now_ms(), await engine.plan_runs.signs(plan.id, task)),
            "document": planned.model_dump(mode="json", exclude_defaults=True, exclude={"status"}),
            "runner": planned.runner,
            "workspace": planned.place,
            "reuse": reuse_json(found, planned),
            "steps": [step_json(*each) for each in zip(made, logs, said, strict=True)],
            "approval": None if asked is None else approval_json(asked, None, None),
            "decisions": [approval_json(each, None, None) for each in decided],
        }
    }


@router.post("/{ref}/tasks/{task:path}/run")
async def run_task(
    request: Request, ref: str, task: str, principal: Operator, body: RunBody | None = None
) -> dict[str, Any]:
    """Let a task run now that is ready, or once more when it has ended; with ``force`` whether anything has changed
    or not."""
    plan = await plan_named(request, ref)
    await _runs(request).run_task(plan.id, task, principal.actor, force=body is not None and body.force)
    return await whole(request, plan.id)


@router.post("/{ref}/tasks/{task:path}/rollback")
async def roll_back_task(
    request: Request, ref: str, task: str, principal: Operator, body: RollbackBody | None = None
) -> dict[str, Any]:
    """Run the commands that undo a task; ``rollback`` says which, where, and what was built on it. With ``dry_run``
    nothing is done."""
    plan, runs = await plan_named(request, ref), _runs(request)
    if body is not None and body.dry_run:
        return {"plan": None, "rollback": undo_json(await runs.undo(plan.id, task))}
    _, undo = await runs.roll_back(plan.id, task, principal.actor)
    return {**await whole(request, plan.id), "rollback": undo_json(undo)}


@router.post("/{ref}/tasks/{task:path}/retry")
async def retry_task(request: Request, ref: str, task: str, principal: Operator) -> dict[str, Any]:
    """Have a task done once more that has ended or is blocked; what was skipped because of it waits anew."""
    plan = await plan_named(request, ref)
    await _runs(request).retry_task(plan.id, task, principal.actor)
    return await whole(request, plan.id)


@router.post("/{ref}/tasks/{task:path}/complete")
async def complete_task(
    request: Request, ref: str, task: str, body: CompleteBody, principal: Operator
) -> dict[str, Any]:
    """Say that a task is done, and what shows it."""
    plan = await plan_named(request, ref)
    roles = roles_of(request, principal)
    await _runs(request).complete_task(plan.id, task, principal.actor, body.evidence, roles=roles)
    return await whole(request, plan.id)


@router.post("/{ref}/gates/{gate:path}/approve")
async def approve_gate(request: Request, ref: str, gate: str, body: GateBody, principal: Decider) -> dict[str, Any]:
    """Approve what a gate asks."""
    return await _decide(request, ref, gate, body.rationale, principal, approve=True)


@router.post("/{ref}/gates/{gate:path}/reject")
async def reject_gate(request: Request, ref: str, gate: str, body: GateBody, principal: Decider) -> dict[str, Any]:
    """Reject what a gate asks: what needs it never runs."""
    return await _decide(request, ref, gate, body.rationale, principal, approve=False)


async def _decide(
    request: Request, ref: str, gate: str, rationale: str | None, principal: Principal, *, approve: bool
) -> dict[str, Any]:
    plan = await plan_named(request, ref)
    engine = state_of(request).engine
    asked = await engine.store.read(_asked, plan, gate)
    decision = Decision(asked.id, approve=approve, rationale=rationale, roles=roles_of(request, principal))
    await engine.broker.decide([decision], principal.actor)
    await engine.plan_runs.settle(asked.id)
    return await whole(request, plan.id)


def _asked(conn: sqlite3.Connection, plan: Plan, gate: str) -> Approval:
    task = tasks.get(conn, plan.id, plan.revision, gate)
    found = approvals.by_key(conn, None, key_of(plan, gate, task.attempts, task.step))
    if task.status is not TaskStatus.WAITING_APPROVAL:
        raise Refused(f"{gate} asks nothing now: it is {task.status}.", hint=task.reason.text)
    if found is None:
        raise NotFound(f"Nothing is asked about {gate}.")
    return found


def _runs(request: Request) -> PlanRuns:
    return state_of(request).engine.plan_runs
