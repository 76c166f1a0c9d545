"""Schedules: plans that are run whenever a cron expression says so."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from supervisor.api.auth import Principal, may
from supervisor.api.schedules import ScheduleBody, run_json, schedule_json
from supervisor.api.state import project_named, state_of
from supervisor.engine.schedules import Schedules, Wanted
from supervisor.model.schedules import Run, Schedule
from supervisor.store import plans, projects, schedules

router = APIRouter(prefix="/schedules", tags=["schedules"])

READ = [Depends(may("read"))]
Operator = Annotated[Principal, Depends(may("operate"))]
Times = Annotated[int, Query(ge=1, le=100)]

RUNS_SHOWN = 10


@router.get("", dependencies=READ)
async def list_schedules(request: Request, project: str | None = None, plan: str | None = None) -> dict[str, Any]:
    """Schedules, oldest first, each with when it is due next and its newest run."""
    store = state_of(request).engine.store
    wanted = await project_named(request, project)
    meant = (await store.read(plans.resolve, plan)).id if plan is not None else None
    found = await store.read(lambda conn: schedules.find(conn, project=wanted, plan=meant))
    return {"schedules": [await _json(request, each, runs=1) for each in found]}


@router.post("")
async def create(request: Request, body: ScheduleBody, principal: Operator) -> dict[str, Any]:
    """Have a plan run again and again."""
    engine = state_of(request).engine
    plan = await engine.store.read(plans.resolve, body.plan)
    wanted = Wanted(body.cron, body.timezone, body.missed, body.approval)
    made = await engine.schedules.create(plan.id, wanted, body.environment, principal.actor)
    return {"schedule": await _json(request, made)}


@router.get("/{ref}", dependencies=READ)
async def show(request: Request, ref: str, times: Times = 5) -> dict[str, Any]:
    """A schedule with when it is due next, that often, and its newest runs."""
    return {"schedule": await _json(request, await _schedule(request, ref), times=times)}


@router.post("/{ref}/pause")
async def pause(request: Request, ref: str, principal: Operator) -> dict[str, Any]:
    """Make no further runs; what is due meanwhile is not missed."""
    found = await _schedule(request, ref)
    return {"schedule": await _json(request, await _engine(request).pause(found.id, principal.actor))}


@router.post("/{ref}/resume")
async def resume(request: Request, ref: str, principal: Operator) -> dict[str, Any]:
    """Make runs again, from now on."""
    found = await _schedule(request, ref)
    return {"schedule": await _json(request, await _engine(request).resume(found.id, principal.actor))}


@router.post("/{ref}/run")
async def run_now(request: Request, ref: str, principal: Operator) -> dict[str, Any]:
    """Make a run now, as if it were due; it waits for its approval like every other."""
    found = await _schedule(request, ref)
    run = await _engine(request).run_now(found.id, principal.actor)
    return {"schedule": await _json(request, found), "run": run_json(run)}


@router.delete("/{ref}")
async def remove(request: Request, ref: str, principal: Operator) -> dict[str, Any]:
    """Take a schedule away; runs that were made stay."""
    found = await _schedule(request, ref)
    return {"schedule": await _json(request, await _engine(request).remove(found.id, principal.actor))}


def _engine(request: Request) -> Schedules:
    return state_of(request).engine.schedules


async def _schedule(request: Request, ref: str) -> Schedule:
    return await state_of(request).engine.store.read(schedules.resolve, ref)


async def _json(request: Request, schedule: Schedule, *, times: int = 5, runs: int = RUNS_SHOWN) -> dict[str, Any]:
    engine = state_of(request).engine

    def look(conn: sqlite3.Connection) -> tuple[list[Run], str | None]:
        return schedules.last_runs(conn, schedule.id, runs), projects.names(conn).get(schedule.project)

    found, project = await engine.store.read(look)
    due = await asyncio.to_thread(engine.schedules.next_times, schedule, times)
    return schedule_json(schedule, [] if schedule.removed_at else due, found, project)
