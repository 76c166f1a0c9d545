"""Background work with an owner, a name and a visible failure."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

log = logging.getLogger(__name__)


class Tasks:
    """Owns background tasks; a failure is logged and counted, never silent."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.failures: list[str] = []
        self._closing = False

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start work under a name; a second start of a name that still runs is refused.

        After `close` nothing starts any more: the work is cancelled before its first step.
        """
        if self.running(name):
            work.close()
            raise RuntimeError(f"The task {name} runs already.")
        task = asyncio.create_task(work, name=name)
        self._tasks[name] = task
        task.add_done_callback(self._done)
        if self._closing:
            task.cancel()
        return task

    def ensure(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start work unless work of that name is under way."""
        if not self.running(name):
            self.start(name, work())

    def follow(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start work now, or as soon as the work of that name that is under way has ended."""
        before = self._tasks.get(name)
        if before is None or before.done():
            self.start(name, work())
        else:
            before.add_done_callback(lambda _: None if self._closing else self.follow(name, work))

    def cancel(self, name: str) -> bool:
        """Cancel work by name; whether there was any."""
        task = self._tasks.get(name)
        return task.cancel() if task is not None else False

    def running(self, name: str) -> bool:
        """Whether work of this name is under way: it will still look at what happens from now on."""
        task = self._tasks.get(name)
        return task is not None and not task.done()

    def _done(self, task: asyncio.Task[None]) -> None:
        name = task.get_name()
        if self._tasks.get(name) is task:
            del self._tasks[name]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", name, exc_info=error)
            self.failures.append(f"{name}: {error}")

    async def join(self, prefix: str) -> None:
        """Wait until the work whose names begin so has ended."""
        await asyncio.gather(
            *(task for name, task in self._tasks.items() if name.startswith(prefix)), return_exceptions=True
        )

    async def close(self) -> None:
        """Cancel everything and wait until it has ended."""
        self._closing = True
        while self._tasks:
            running = list(self._tasks.values())
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            # Callbacks that remove the ended tasks run in the next round of the loop.
            await asyncio.sleep(0)
