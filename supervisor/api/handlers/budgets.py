"""Budgets: how far each is used, and letting one that is used up go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from supervisor.api.auth import Principal, may
from supervisor.api.state import state_of
from supervisor.engine.budgets.listing import Listed, every
from supervisor.model.budgets import DOES, kind_of
from supervisor.model.times import now_ms, to_rfc3339
from supervisor.model.usage import written

router = APIRouter(prefix="/budgets", tags=["budgets"])


@router.get("", dependencies=[Depends(may("read"))])
async def list_budgets(request: Request) -> dict[str, Any]:
    """The budgets of the day, of projects, and of plans, tasks and sessions that have not ended."""
    return {"budgets": [budget_json(each) for each in await _every(request)]}


@router.post("/{ref:path}/resume")
async def resume(request: Request, ref: str, principal: Annotated[Principal, Depends(may("decide"))]) -> dict[str, Any]:
    """Let what is used up go on: as much again may be used, and what was paused because of it goes on."""
    granted = await state_of(request).engine.breakers.resume(ref, principal.actor)
    return {
        "scope": granted[0].scope,
        "allowed": {each.measure: written(each.measure, each.allowed) for each in granted},
    }


def budget_json(listed: Listed) -> dict[str, Any]:
    """Return a budget as clients get it."""
    limit = listed.limit
    return {
        "scope": limit.scope,
        "kind": kind_of(limit.scope),
        "of": listed.whose,
        "measure": limit.measure,
        "used": written(limit.measure, listed.used),
        "limit": written(limit.measure, listed.allowed),
        "granted": written(limit.measure, listed.granted),
        "level": listed.level,
        "since": to_rfc3339(listed.since),
        "period": limit.period or None,
        "does": DOES[kind_of(limit.scope)],
    }


async def _every(request: Request) -> Sequence[Listed]:
    engine = state_of(request).engine
    return await engine.store.read(every, engine.services.config_for(None).settings, now_ms())
