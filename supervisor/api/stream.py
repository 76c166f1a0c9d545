"""The event stream: server-sent events with sequence numbers, replayed from any number.

A batch goes out as soon as it is committed; what is committed while one is being written goes out together.
A reader too slow for its buffer gets ``event: gap`` with the number to re-read from, then what is new.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import msgspec

from supervisor.api.protocol import event_bytes
from supervisor.engine.bus import Bus, Subscription
from supervisor.model.events import Event
from supervisor.store import events
from supervisor.store.database import Store

KEEPALIVE_S = 15.0
REPLAY_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events a reader wants; None is any. Of several types an event has one."""

    session: str | None = None
    plan: str | None = None
    phase: str | None = None
    types: frozenset[str] | None = None
    project: str | None = None

    def matches(self, event: Event) -> bool:
        """Whether an event is wanted."""
        return (
            (self.session is None or event.session == self.session)
            and (self.plan is None or event.plan == self.plan)
            and (self.phase is None or event.phase == self.phase)
            and (self.types is None or event.type in self.types)
            and (self.project is None or event.project == self.project)
        )


async def follow(store: Store, bus: Bus, since: int | None, wanted: Filter) -> AsyncGenerator[bytes, None]:
    """Yield server-sent events after the number ``since`` (None: from now on), until the bus is closed."""
    cursor = await store.read(events.last_seq) if since is None else since
    with bus.subscribe() as subscription:
        yield b": connected\n\n"
        while True:
            batch = await _since(store, cursor)
            if not batch:
                break
            yield _frames(batch, wanted)
            cursor = batch[-1].seq
        while not subscription.closed:
            fresh = await _take(subscription)
            if fresh is None:
                yield b": keepalive\n\n"
                continue
            if subscription.dropped:
                subscription.dropped = False
                notice = msgspec.json.encode({"from": cursor + 1})
                # Counted before the reader knows: what comes after this number it gets from here.
                cursor = fresh[-1].seq if fresh else await store.read(events.last_seq)
                yield b"event: gap\ndata: " + notice + b"\n\n"
            fresh = [event for event in fresh if event.seq > cursor]
            if not fresh:
                continue
            if fresh[0].seq > cursor + 1:
                # Committed, but never published (its caller was cancelled): the store has it.
                fresh = await _since(store, cursor, fresh[-1].seq - cursor)
            yield _frames(fresh, wanted)
            cursor = fresh[-1].seq


async def _take(subscription: Subscription) -> list[Event] | None:
    try:
        async with asyncio.timeout(KEEPALIVE_S):
            return await subscription.take()
    except TimeoutError:
        return None


async def _since(store: Store, cursor: int, limit: int = REPLAY_BATCH) -> list[Event]:
    return await store.read(events.since, cursor, limit=limit)


def _frames(batch: list[Event], wanted: Filter) -> bytes:
    return b"".join(
        b"id: %d\ndata: %s\n\n" % (event.seq, event_bytes(event)) for event in batch if wanted.matches(event)
    )
