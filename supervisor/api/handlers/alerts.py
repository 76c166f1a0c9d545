"""Alerts: what a person should notice, and noting that they did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from supervisor.api.auth import Principal, may
from supervisor.api.protocol import Body, alert_json
from supervisor.api.state import state_of
from supervisor.model.alerts import KEPT, Alert
from supervisor.store import sessions

router = APIRouter(tags=["alerts"])

Operator = Annotated[Principal, Depends(may("operate"))]


class AlertsBody(Body):
    """Which alerts: ids or their unique beginnings; null for all that there are."""

    alerts: list[str] | None = Field(None, max_length=2 * KEPT)


@router.get("/alerts", dependencies=[Depends(may("read"))])
async def list_alerts(
    request: Request,
    all: bool = False,  # noqa: A002 - the name in the contract
) -> dict[str, Any]:
    """What is active as of the event ``seq``, the most severe first; with ``all`` also what is over, the last first."""
    known = state_of(request).engine.alerting.alerts
    found = known.all() + (known.past() if all else [])
    # Read at once with the number: whoever follows the events from there misses none and counts none twice.
    return {"seq": known.seq, "alerts": await _named(request, found)}


@router.post("/alerts/ack")
async def acknowledge_several(request: Request, body: AlertsBody, principal: Operator) -> dict[str, Any]:
    """Note that several were seen, or all; all of them, or none."""
    found = await state_of(request).engine.alerting.acknowledge(body.alerts, principal.actor)
    return {"alerts": await _named(request, found)}


@router.post("/alerts/dismiss")
async def dismiss_several(request: Request, body: AlertsBody, principal: Operator) -> dict[str, Any]:
    """Take several away, or all; all of them, or none."""
    found = await state_of(request).engine.alerting.dismiss(body.alerts, principal.actor)
    return {"alerts": await _named(request, found)}


@router.post("/alerts/{ref}/ack")
async def acknowledge(request: Request, ref: str, principal: Operator) -> dict[str, Any]:
    """Note that one was seen: it stays, and asks for nothing any more."""
    found = await state_of(request).engine.alerting.acknowledge([ref], principal.actor)
    return {"alert": (await _named(request, found))[0]}


@router.post("/alerts/{ref}/dismiss")
async def dismiss(request: Request, ref: str, principal: Operator) -> dict[str, Any]:
    """Take one away; the same is not shown again until it has not happened for a while."""
    found = await state_of(request).engine.alerting.dismiss([ref], principal.actor)
    return {"alert": (await _named(request, found))[0]}


async def _named(request: Request, found: Sequence[Alert]) -> list[dict[str, Any]]:
    """Return alerts, as they are now, with the names of their sessions."""
    answer = [alert_json(alert) for alert in found]
    ids = {alert.session for alert in found if alert.session is not None}
    read = await state_of(request).engine.store.read(sessions.with_ids, ids) if ids else []
    names = {session.id: session.name for session in read}
    return [{**each, "session_name": names.get(each["session"])} for each in answer]
