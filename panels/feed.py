"""The feed: keeps the view model as the supervisor has it, from one event stream.

Events change the model at once; who draws is told at most `FRAMES` times a second. What an event leaves open is read
again together with everything else that is open, at most every `REREAD_S`. Goes on over restarts of the supervisor.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from config.paths import Paths
from panels.view.connecting import why_away, why_not_started
from panels.view.model import Snapshot, Topic, ViewModel
from supervisor.api.client import Client, Json
from supervisor.model.errors import NotFound, QuarterdeckError, SupervisorUnreachable

FRAMES = 15.0
"""Times a second that changes are drawn. Keys are answered at once, whatever this is."""

REREAD_S = 0.25
SUPERVISOR_S = 5.0
"""Seconds after which figures of the supervisor that no event tells are read again."""

RETRY_S = 0.5
OTHER_VERSION = "The supervisor that runs is of another version than the app."
RESTART = "Restart it: `quarterdeck stop`, then open the app again. Sessions go on meanwhile."

log = logging.getLogger(__name__)

IDS = 200
"""Sessions that one request asks for."""


def open_client(paths: Paths) -> Client:
    """Return a client of the supervisor that listens there."""
    return Client(paths.socket, paths.token_file)


Changed = Callable[[frozenset[Topic]], None]


class Feed:
    """Follows the supervisor that ``client`` speaks to.

    ``changed`` is called with what changed in ``view``; ``revive`` while no supervisor answers: it may start one.
    ``paths`` say whether the last one was stopped or is gone.
    """

    def __init__(
        self,
        client: Client,
        view: ViewModel,
        changed: Changed,
        revive: Callable[[], Awaitable[None]],
        paths: Paths,
    ) -> None:
        self._client, self._view, self._changed, self._revive = client, view, changed, revive
        self._paths = paths
        self._frame: asyncio.TimerHandle | None = None
        self._reread = asyncio.Event()
        self._listeners: list[Callable[[Json], None]] = []

    def listen(self, listener: Callable[[Json], None]) -> Callable[[], None]:
        """Call ``listener`` with each event; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read_again(), name="feed: reads again")
            group.create_task(self._look_after(), name="feed: looks after the supervisor")
            while True:
                try:
                    await self._follow()
                except SupervisorUnreachable as error:
                    self._lost(error)
                    await self._come_back()
                except NotFound as error:
                    self._is_away(f"{OTHER_VERSION} {RESTART}")
                    log.info("the supervisor does not know what the app asks: %s", error)
                except QuarterdeckError as error:
                    self._lost(error)
                await asyncio.sleep(RETRY_S)

    async def _come_back(self) -> None:
        try:
            await self._revive()
        except QuarterdeckError as error:
            self._is_away(why_not_started(error))

    def _lost(self, error: QuarterdeckError) -> None:
        # One that is stopped removes its socket before it ends.
        self._is_away(why_away(error, was_live=bool(self._view.status), crashed=self._paths.socket.exists()))

    def _is_away(self, why: str) -> None:
        self._view.connected("away", why)
        self._draw()

    async def _follow(self) -> None:
        self._view.load(await self._snapshot())
        if self._view.stale:
            self._reread.set()
        self._draw()
        async for event in self._client.follow(self._view.seq):
            self._view.apply(event)
            for listener in self._listeners:
                listener(event)
            if self._view.stale:
                self._reread.set()
            self._soon()

    async def _snapshot(self) -> Snapshot:
        """Read everything; the events first, so that nothing falls between them and the rest."""
        events = (await self._client.get("/events", limit=500))["events"]
        sessions, approvals, status, agents, queue, alerts = await asyncio.gather(
            self._client.get("/sessions"),
            self._client.get("/approvals"),
            self._client.get("/status"),
            self._client.get("/agents"),
            self._client.get("/queue"),
            # Also those that were dismissed: the same is not shown again for a while.
            self._client.get("/alerts", all=True),
        )
        return Snapshot(
            seq=events[-1]["seq"] if events else 0,
            sessions=sessions["sessions"],
            approvals=approvals["approvals"],
            status=status,
            agents=agents["agents"],
            queue=queue,
            events=events,
            alerts=alerts,
        )

    async def _read_again(self) -> None:
        while True:
            await self._reread.wait()
            await asyncio.sleep(REREAD_S)
            self._reread.clear()
            try:
                await self.refresh()
            except QuarterdeckError:
                continue  # What follows the stream says so, and reads everything when it is back.

    async def refresh(self) -> None:
        """Read again what is stale, now."""
        stale = self._view.stale
        sessions, approvals, supervisor = sorted(stale.sessions), stale.approvals, stale.supervisor
        plans = stale.plans
        stale.sessions.clear()
        stale.approvals = stale.supervisor = stale.plans = False
        for start in range(0, len(sessions), IDS):
            found: Any = await self._client.get("/sessions", id=sessions[start : start + IDS])
            self._view.take_sessions(found["sessions"])
        if approvals:
            self._view.take_approvals((await self._client.get("/approvals"))["approvals"])
        if plans:
            with self._view.reading_plans():
                found = (await self._client.get("/plans"))["plans"]
            self._view.take_plans(found)
        if supervisor:
            await self._read_supervisor()
        self._soon()

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep(SUPERVISOR_S)
            if self._view.connection.state == "live":
                try:
                    await self._read_supervisor()
                except QuarterdeckError:
                    continue
                self._soon()

    async def _read_supervisor(self) -> None:
        status, agents, queue = await asyncio.gather(
            self._client.get("/status"), self._client.get("/agents"), self._client.get("/queue")
        )
        self._view.take_supervisor(status, agents["agents"], queue)

    def _soon(self) -> None:
        if self._frame is None:
            self._frame = asyncio.get_running_loop().call_later(1 / FRAMES, self._draw)

    def _draw(self) -> None:
        if self._frame is not None:
            self._frame.cancel()
            self._frame = None
        if changes := self._view.take_changes():
            self._changed(changes)
