"""The event bus: stored events go out to subscribers in the order of their numbers.

Publishing never waits. A subscriber that is too slow, or that missed a batch, is told so by a
gap in the numbers and re-reads from the store: the bus is a doorbell with a buffer, the store is the truth.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from supervisor.model.events import Event

SUBSCRIBER_LIMIT = 20_000
"""Events a subscriber may lag behind before its buffer is dropped and it must re-read."""


class Subscription:
    """One subscriber's buffer."""

    def __init__(self, limit: int = SUBSCRIBER_LIMIT) -> None:
        self._buffer: deque[Event] = deque()
        self._ready = asyncio.Event()
        self._limit = limit
        self.dropped = False
        self.closed = False

    def put(self, events: Sequence[Event]) -> None:
        """Take a batch; when it does not fit, forget everything and remember that."""
        if len(self._buffer) + len(events) > self._limit:
            self._buffer.clear()
            self.dropped = True
        else:
            self._buffer.extend(events)
        self._ready.set()

    def miss(self) -> None:
        """Count as dropped: the subscriber could not use what it took, and must re-read."""
        self.dropped = True
        self._ready.set()

    def close(self) -> None:
        """Wake the subscriber: nothing more will come."""
        self.closed = True
        self._ready.set()

    async def take(self) -> list[Event]:
        """Wait for events and return all there are. Empty when the buffer was dropped or the bus closed."""
        await self._ready.wait()
        self._ready.clear()
        events = list(self._buffer)
        self._buffer.clear()
        return events


class Bus:
    """Fans stored events out to subscribers."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()
        self._listeners: list[Callable[[Sequence[Event]], None]] = []

    def listen(self, listener: Callable[[Sequence[Event]], None]) -> None:
        """Call ``listener`` with every batch before whoever caused it goes on. It must be quick, and never fail."""
        self._listeners.append(listener)

    def publish(self, events: Sequence[Event]) -> None:
        """Give a committed batch to every listener and subscriber."""
        if events:
            for listener in self._listeners:
                listener(events)
            for subscription in self._subscriptions:
                subscription.put(events)

    def close(self) -> None:
        """End every subscription: the supervisor goes away, and its clients should know at once."""
        for subscription in self._subscriptions:
            subscription.close()

    @contextmanager
    def subscribe(self, limit: int = SUBSCRIBER_LIMIT) -> Iterator[Subscription]:
        """Subscribe for as long as the context lasts."""
        subscription = Subscription(limit)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
