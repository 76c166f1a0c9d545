"""What happened since somebody looked the last time, and noting that they did."""

from __future__ import annotations

import sqlite3
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from supervisor.api.auth import Principal, may
from supervisor.api.handlers.cost import figures
from supervisor.api.protocol import Body
from supervisor.api.state import state_of
from supervisor.engine.lookback import FIRST_LOOK_MS, Digest, Item, digest
from supervisor.model.errors import InvalidInput
from supervisor.model.times import from_rfc3339, now_ms, to_rfc3339
from supervisor.store import seen

router = APIRouter(prefix="/digest", tags=["digest"])

Reader = Annotated[Principal, Depends(may("read"))]


class SeenBody(Body):
    """Until when somebody knows what happened, RFC 3339."""

    until: str = Field(max_length=40)


@router.get("")
async def show(
    request: Request,
    principal: Reader,
    since_s: Annotated[float, Query(ge=0, le=1e9, allow_inf_nan=False)] | None = None,
) -> dict[str, Any]:
    """What waits, failed, is at risk, finished, runs, and what it cost: since the caller looked the last time, or for
    the last so many seconds. Who never looked gets a day. That it was looked at is noted by ``/digest/seen``."""
    engine = state_of(request).engine
    settings, now = engine.services.config_for(None).settings, now_ms()

    def look(conn: sqlite3.Connection) -> Digest:
        last = seen.get(conn, principal.actor)
        since = now - FIRST_LOOK_MS if last is None else last
        return digest(conn, settings, since if since_s is None else now - round(since_s * 1000), now)

    found = await engine.store.read(look)
    return {
        "since": to_rfc3339(found.since),
        "until": to_rfc3339(found.until),
        **{
            name: [_item(each) for each in getattr(found, name)]
            for name in ("waits", "failed", "risks", "finished", "running")
        },
        "cost": {**figures(found.cost), "agents": [{"key": row.key, **figures([row])} for row in found.cost]},
    }


@router.post("/seen")
async def note_seen(request: Request, body: SeenBody, principal: Reader) -> dict[str, Any]:
    """Note that the caller knows what happened until a time; it never goes back."""
    try:
        until = min(from_rfc3339(body.until), now_ms())
    except ValueError as error:
        raise InvalidInput(f"until: {error}.", hint="Send the `until` of the digest that was shown.") from error
    await state_of(request).engine.services.ledger.commit(lambda t: seen.put(t.conn, principal.actor, until))
    return {"until": to_rfc3339(until)}


def _item(item: Item) -> dict[str, Any]:
    return {
        "kind": item.kind,
        "id": item.ref,
        "text": item.text,
        "at": to_rfc3339(item.at),
        "command": item.command,
    }
