"""What was used: by session, task, plan, project, agent, model or day."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from supervisor.api.auth import may
from supervisor.api.state import project_named, state_of
from supervisor.engine.budgets.weighing import free
from supervisor.model.times import now_ms
from supervisor.model.usage import NANO, UNITS, By, CostRow
from supervisor.store import projects, sessions, usage

router = APIRouter(tags=["cost"])


@router.get("/cost", dependencies=[Depends(may("read"))])
async def cost(
    request: Request,
    by: By = "session",
    project: str | None = None,
    since_s: Annotated[float, Query(ge=0, le=1e9, allow_inf_nan=False)] | None = None,
) -> dict[str, Any]:
    """What was used, the dearest first, and all of it together.

    A task's row has all its attempts and agents. ``unknown`` names the figures that not every agent has told: there was
    more. ``seconds`` are of work: what waits or is paused takes none. Days are
    those of the supervisor's time zone.
    """
    chosen = await project_named(request, project)
    settings = state_of(request).engine.services.config_for(None).settings
    now = now_ms()
    since = now - round(since_s * 1000) if since_s is not None else None

    def look(conn: sqlite3.Connection) -> tuple[list[CostRow], dict[str, str]]:
        rows = usage.cost(conn, by, now=now, since=since, project=chosen, free=free(settings))
        if by == "project":
            return rows, projects.names(conn)
        ids = [row.key for row in rows if row.key] if by == "session" else []
        return rows, {session.id: session.name for session in sessions.with_ids(conn, ids)}

    rows, names = await state_of(request).engine.store.read(look)
    found = [{"key": row.key, **figures([row])} for row in rows]
    if by in ("session", "project"):
        found = [{**row, "name": names.get(row["key"] or "")} for row in found]
    return {"rows": found, "total": figures(rows)}


def figures(rows: Sequence[CostRow]) -> dict[str, Any]:
    """Return what some rows come to, together."""
    return {
        "cost_usd": sum(row.cost_nano for row in rows) / NANO,
        "tokens": {
            "input": sum(row.tokens_input for row in rows),
            "output": sum(row.tokens_output for row in rows),
            "cached": sum(row.tokens_cached for row in rows),
        },
        "seconds": sum(row.time_ms for row in rows) / 1000,
        "api_calls": sum(row.api_calls for row in rows),
        "attempts": sum(row.attempts for row in rows),
        "unknown": [measure for measure in UNITS if any(measure in row.unknown for row in rows)],
    }
