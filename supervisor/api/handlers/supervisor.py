"""The supervisor itself: status, health, doctor, stop, agents, settings, queue."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from config.shown import shown
from supervisor.api.auth import Principal, may
from supervisor.api.naming import named_sessions
from supervisor.api.protocol import StopBody
from supervisor.api.state import ServerState, project_named, state_of
from supervisor.engine.budgets.weighing import holds_queue
from supervisor.model.errors import ConfigError, QuarterdeckError
from supervisor.model.statuses import SESSION_ENDED, SessionStatus
from supervisor.model.times import now_ms, to_rfc3339
from supervisor.store import approvals, pauses, projects, queue, sessions

router = APIRouter(tags=["supervisor"])

S = SessionStatus
UNFINISHED = set(S) - SESSION_ENDED
END_TIMEOUT_S = 45.0
"""More than any grace that a profile gives by default; less than a client waits."""


@router.get("/status", dependencies=[Depends(may("read"))])
async def status(request: Request) -> dict[str, Any]:
    """How the supervisor is: figures, health and what each check found."""
    state = state_of(request)
    store = state.engine.store
    counts = await store.read(sessions.count)
    health, checks = await state.engine.health()
    if problem := state.config_problem():
        checks["configuration"] = problem
        health = "degraded" if health == "healthy" else health
    return {
        "running": True,
        "pid": os.getpid(),
        "version": state.version,
        "home": str(state.engine.services.paths.state),
        "uptime_s": round(time.monotonic() - state.started, 3),
        "sessions": {
            "running": counts.get(S.RUNNING, 0) + counts.get(S.PREPARING, 0),
            "queued": counts.get(S.QUEUED, 0),
            "waiting": counts.get(S.WAITING, 0),
            "paused": counts.get(S.PAUSED, 0),
        },
        "approvals_pending": await store.read(approvals.count_pending),
        "health": health,
        "checks": checks,
    }


@router.get("/doctor", dependencies=[Depends(may("read"))])
async def doctor(request: Request, security: bool = False) -> dict[str, Any]:
    """What is installed, and whether it works."""
    return {"checks": await state_of(request).doctor(security)}


@router.get("/agents", dependencies=[Depends(may("read"))])
async def agents(request: Request) -> dict[str, Any]:
    """The agents that can be run, and whether they are installed and may start now."""
    return {"agents": await state_of(request).agents()}


@router.get("/config", dependencies=[Depends(may("read"))])
async def show_config(request: Request, project: str | None = None) -> dict[str, Any]:
    """The settings in force, each with its source; secrets are hidden.

    ``problem`` says what is wrong with a file: then the settings are those without it.
    """
    state = state_of(request)
    settings_of = state.engine.services.config_for
    wanted = await project_named(request, project)
    problem = ""
    try:
        root = None if wanted is None else Path((await state.engine.store.read(projects.get, wanted)).root)
        loaded = settings_of(root)
    except ConfigError as error:
        loaded, problem = settings_of(None), str(error)
    return {
        "project": wanted,
        "settings": [{"key": each.key, "value": each.value, "source": each.source} for each in shown(loaded)],
        "problem": problem or state.config_problem() or None,
    }


@router.get("/queue", dependencies=[Depends(may("read"))])
async def show_queue(request: Request, project: str | None = None) -> dict[str, Any]:
    """Who runs, who waits, in order, and what is held back."""
    wanted = await project_named(request, project)
    state = state_of(request)
    store = state.engine.store
    limits = state.engine.services.config_for(None).settings.queue
    running = await store.read(sessions.find, statuses={S.PREPARING, S.RUNNING})
    waiting = await store.read(queue.waiting)
    return {
        "running": await store.read(
            named_sessions,
            [each for each in running if each.mode == "autonomous" and wanted in (None, each.project)],
        ),
        "waiting": await store.read(named_sessions, [each for each in waiting if wanted in (None, each.project)]),
        "limits": {"concurrent": limits.concurrent, "waiting": limits.waiting},
        "paused_agents": [
            {"agent": pause.agent, "until": to_rfc3339(pause.until), "reason": pause.reason}
            for pause in await store.read(pauses.find)
        ],
        "held_back": state.engine.conductor.scheduler.held_back
        or await store.read(holds_queue, wanted, now_ms())
        or None,
    }


@router.post("/stop")
async def stop(
    request: Request, body: StopBody, principal: Annotated[Principal, Depends(may("operate"))]
) -> dict[str, Any]:
    """End the supervisor. Sessions go on, and the next start adopts them; with ``all`` they end too."""
    state = state_of(request)
    try:
        stopped = await _end_sessions(state, principal.actor) if body.all else 0
    finally:
        state.stop.set()
    return {"stopping": True, "sessions_stopped": stopped}


async def _end_sessions(state: ServerState, actor: str) -> int:
    """Cancel all sessions and return how many, when they have ended."""
    engine = state.engine
    try:
        with engine.bus.subscribe() as news:
            stopped = await engine.control.stop_all(actor)
            async with asyncio.timeout(END_TIMEOUT_S):
                while await engine.store.read(sessions.find, statuses=UNFINISHED):
                    await news.take()
                await engine.conductor.settled()
    except TimeoutError as error:
        raise QuarterdeckError(
            f"Not every session has ended within {END_TIMEOUT_S:g} seconds.",
            hint="The next start goes on ending them; `quarterdeck sessions` shows which.",
        ) from error
    return stopped
