"""Budgets: how far each is used, and letting one that is used up go on."""

from __future__ import annotations

import sqlite3
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from config.settings import Settings
from supervisor.api.auth import Principal, may
from supervisor.api.state import state_of
from supervisor.engine.budgets.listing import Listed, every
from supervisor.engine.budgets.weighing import free
from supervisor.model.budgets import DAY, DOES, Kind, Limit, kind_of
from supervisor.model.times import local_day, now_ms, to_rfc3339
from supervisor.model.usage import Measure, written
from supervisor.store import usage

router = APIRouter(prefix="/budgets", tags=["budgets"])


@router.get("", dependencies=[Depends(may("read"))])
async def list_budgets(request: Request) -> dict[str, Any]:
    """The budgets of the day, of projects, and of plans, tasks and sessions that have not ended.

    ``unknown`` is true where an agent does not tell what it uses of that: more is used than is known.
    """
    engine = state_of(request).engine
    settings, now = engine.services.config_for(None).settings, now_ms()

    def look(conn: sqlite3.Connection) -> list[dict[str, Any]]:
        listed = every(conn, settings, now)
        unknown = _unknown(conn, settings, {kind_of(each.limit.scope) for each in listed}, now)
        return [budget_json(each, is_unknown=_is_among(each.limit, unknown)) for each in listed]

    return {"budgets": await engine.store.read(look)}


@router.post("/{ref:path}/resume")
async def resume(request: Request, ref: str, principal: Annotated[Principal, Depends(may("decide"))]) -> dict[str, Any]:
    """Let what is used up go on: as much again may be used, and what was paused because of it goes on."""
    granted = await state_of(request).engine.breakers.resume(ref, principal.actor)
    return {
        "scope": granted[0].scope,
        "allowed": {each.measure: written(each.measure, each.allowed) for each in granted},
    }


def budget_json(listed: Listed, *, is_unknown: bool) -> dict[str, Any]:
    """Return a budget as clients get it."""
    limit = listed.limit
    return {
        "scope": limit.scope,
        "kind": kind_of(limit.scope),
        "of": listed.whose,
        "measure": limit.measure,
        "used": written(limit.measure, listed.used),
        "unknown": is_unknown,
        "limit": written(limit.measure, listed.allowed),
        "granted": written(limit.measure, listed.granted),
        "level": listed.level,
        "since": to_rfc3339(listed.since),
        "period": limit.period or None,
        "does": DOES[kind_of(limit.scope)],
    }


def _unknown(conn: sqlite3.Connection, settings: Settings, kinds: set[Kind], now: int) -> set[tuple[str, Measure]]:
    """Return of which scopes of these kinds some use was not told, by what is measured."""
    found: set[tuple[str, Measure]] = set()
    for kind in kinds:
        since = local_day(now)[1] if kind in (DAY, "project") else None
        for row in usage.cost(conn, kind, now=now, since=since, free=free(settings)):
            scope = DAY if kind == DAY else f"{kind}:{row.key}"
            found |= {(scope, measure) for measure in row.unknown}
    return found


def _is_among(limit: Limit, unknown: set[tuple[str, Measure]]) -> bool:
    """Whether some use of a limit was not told, of a task also in its parts."""
    return any(
        measure == limit.measure and (scope == limit.scope or scope.startswith(f"{limit.scope}/"))
        for scope, measure in unknown
    )
