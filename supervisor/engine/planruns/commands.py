"""Commands of plans on their way: one connection to their host for all, which is made anew when it goes away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from supervisor.engine.planruns.ports import CommandHost, Connect, EndLeft, Journal
from supervisor.engine.ports.processes import ExitRecord, Launch
from supervisor.model.entities import Attempt
from supervisor.model.errors import QuarterdeckError, Unavailable
from supervisor.model.times import now_ms

log = logging.getLogger(__name__)

TRY_AGAIN_S = 1.0
GRACE_S = 5.0
NOT_STARTED = 127
GIVEN_UP = "It was given up before it began."
ANSWER_S = 5.0
"""Seconds after which a host that says nothing counts as giving no sign of life."""

Ended = Callable[[str, ExitRecord | None], None]
"""Is told an attempt and how it ended; None when it went away with its host and nobody knows how it ended."""


def not_started(attempt: str, token: int, why: str) -> ExitRecord:
    """Return the end of an attempt that was never begun."""
    now = now_ms()
    return ExitRecord(attempt, token, NOT_STARTED, "spawn_failed", now, now, why)


class Commands:
    """Starts commands and tells of their ends. Whoever starts one gets its end, once, also over a new connection."""

    def __init__(self, connect: Connect, journal: Journal, end_left: EndLeft) -> None:
        self._connect = connect
        self._journal = journal
        self._end_left = end_left
        self._host: CommandHost | None = None
        self._stack = AsyncExitStack()
        self._lock = asyncio.Lock()
        self._waiting: dict[str, tuple[Path, Ended]] = {}
        self._losing: set[asyncio.Task[None]] = set()

    async def identity(self) -> str:
        """Return the name of the host that commands are started on now."""
        return (await self._connected()).identity

    async def start(self, launches: Sequence[tuple[Launch, Ended]]) -> None:
        """Start commands; each ``ended`` is told how its command ended, also when it could not be started."""
        host = await self._connected()
        for launch, ended in launches:
            self._waiting[launch.attempt] = (launch.folder, ended)
        told = await host.start_all([launch for launch, _ in launches])
        for (launch, _), answer in zip(launches, told, strict=True):
            if isinstance(answer, Unavailable):
                # The host has recorded that as its end, and tells of it like of any other.
                log.debug("%s could not be started", launch.attempt)
            elif isinstance(answer, QuarterdeckError):
                log.info("%s: %s", launch.attempt, answer)
                if answer.specific_code == "failed":
                    # The host refused: it has no room for it, say. Nothing was started.
                    self._tell(launch.attempt, not_started(launch.attempt, launch.token, answer.message))
                elif self._host is not host:
                    # The host went away. Whether it started this nobody knows; whoever hears of its end tells of that.
                    await self._gone(launch.folder, [launch.attempt])

    async def adopt(self, folder: Path, attempts: Iterable[Attempt], ended: Ended) -> list[Attempt]:
        """Take up what another supervisor started; returns the attempts that were never started."""
        host = await self._connected()
        # Whoever ends from here on is told; whoever ended before is in the journal by now.
        asked = list(attempts)
        for attempt in asked:
            self._waiting[attempt.id] = (folder, ended)
        running = await host.running()
        known = await asyncio.to_thread(self._journal, folder)
        unstarted: list[Attempt] = []
        gone: list[str] = []
        for attempt in asked:
            if attempt.id in known:
                self._tell(attempt.id, known[attempt.id])
            elif attempt.id in running or attempt.id not in self._waiting:
                continue
            elif attempt.handle == host.identity:
                del self._waiting[attempt.id]
                unstarted.append(attempt)
            else:
                gone.append(attempt.id)
        await self._gone(folder, gone)
        return unstarted

    async def stop(self, attempt: str) -> None:
        """End a command; its end is told like any other."""
        await (await self._connected()).stop(attempt, grace_s=GRACE_S)

    async def hold(self, attempt: str, *, held: bool) -> None:
        """Let the timeouts of a command rest while a person decides what it asks, or run on."""
        await (await self._connected()).hold(attempt, held=held)

    async def alive(self) -> set[str]:
        """Return the attempts whose processes run, as their host says it; none when it does not answer, or is gone."""
        if self._host is None:
            return set()
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._host.alive()
        except (TimeoutError, QuarterdeckError) as error:
            log.info("The host of commands gives no sign of life: %s", error)
            return set()

    async def close(self) -> None:
        """Disconnect; the commands go on."""
        for losing in self._losing:
            losing.cancel()
        await self._stack.aclose()

    async def _connected(self) -> CommandHost:
        async with self._lock:
            if self._host is None:
                self._host = await self._stack.enter_async_context(self._connect())
                self._host.listen(lambda record: self._tell(record.attempt, record), self._host_gone)
            return self._host

    def _host_gone(self) -> None:
        losing = asyncio.create_task(self._lost(), name="a host of commands went away")
        self._losing.add(losing)
        losing.add_done_callback(self._losing.discard)

    async def _lost(self) -> None:
        """The host went away, and what ran there with it, as far as its journal does not say more."""
        async with self._lock:
            self._host = None
            await self._stack.aclose()
            self._stack = AsyncExitStack()
        waiting = {attempt: folder for attempt, (folder, _) in self._waiting.items()}
        while self._waiting.keys() & waiting.keys():
            try:
                running = await (await self._connected()).running()
            except (QuarterdeckError, OSError) as error:
                log.warning("The host of commands cannot be reached now: %s", error)
                await asyncio.sleep(TRY_AGAIN_S)
                continue
            for folder in set(waiting.values()):
                await self._gone(folder, [each for each in waiting.keys() - running if waiting[each] == folder])
            return

    async def _gone(self, folder: Path, attempts: Sequence[str]) -> None:
        """Tell of attempts that ran on a host which is dead: how they ended, or that nobody knows.

        What still runs of them is ended before: whoever hears of it may do it again, and never are there two.
        """
        known = await asyncio.to_thread(self._journal, folder) if attempts else {}
        unknown = [attempt for attempt in attempts if attempt not in known]
        while unknown and not await asyncio.to_thread(self._end_left, folder, unknown):
            log.warning("%s: what is left of a command that lost its host does not end", folder.name)
            await asyncio.sleep(TRY_AGAIN_S)
        for attempt in attempts:
            self._tell(attempt, known.get(attempt))

    def _tell(self, attempt: str, record: ExitRecord | None) -> None:
        found = self._waiting.pop(attempt, None)
        if found is not None:
            try:
                found[1](attempt, record)
            except Exception:
                # Others wait for what comes over the same connection.
                log.exception("The end of %s could not be taken in", attempt)
