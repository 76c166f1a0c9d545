"""The bus: in order, never waiting, and honest about what was dropped."""

from __future__ import annotations

import asyncio

from supervisor.engine.bus import Bus
from supervisor.model.events import Event


def some(first: int, last: int) -> list[Event]:
    fields = (0, None, None, None, None, None, "tool", "output", "info", "stream", "{}")
    return [Event(seq, *fields) for seq in range(first, last + 1)]


async def test_subscribers_get_what_is_published_while_they_are_subscribed() -> None:
    bus = Bus()
    bus.publish(some(1, 1))
    with bus.subscribe() as one, bus.subscribe() as other:
        bus.publish(some(2, 3))
        bus.publish([])
        bus.publish(some(4, 4))
        assert await one.take() == await other.take() == some(2, 4)
    bus.publish(some(5, 5))
    assert not one.dropped


async def test_a_subscriber_waits_for_the_next_event() -> None:
    bus = Bus()
    with bus.subscribe() as subscription:
        waiting = asyncio.create_task(subscription.take())
        await asyncio.sleep(0)
        assert not waiting.done()
        bus.publish(some(1, 1))
        assert await waiting == some(1, 1)


async def test_a_subscriber_that_is_too_slow_loses_its_buffer_and_is_told() -> None:
    bus = Bus()
    with bus.subscribe(limit=2) as slow, bus.subscribe() as quick:
        bus.publish(some(1, 2))
        bus.publish(some(3, 3))
        assert (slow.dropped, await slow.take()) == (True, [])
        assert await quick.take() == some(1, 3)
        bus.publish(some(4, 4))
        assert await slow.take() == some(4, 4)
