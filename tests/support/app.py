"""The app inside a test: on a real supervisor, or still, with fixed answers, for pictures."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from textual.app import App
from textual.pilot import Pilot

from config.paths import Paths
from panels.app import QuarterdeckApp
from panels.view.model import Snapshot
from supervisor.model.errors import SupervisorUnreachable

Json = dict[str, Any]


async def _nothing() -> None:
    return


@asynccontextmanager
async def opened(paths: Paths, size: tuple[int, int] = (120, 36)) -> AsyncIterator[Pilot[None]]:
    """The app on the supervisor that listens there, once it is live."""
    app = QuarterdeckApp(paths, _nothing)
    async with app.run_test(size=size, notifications=True) as pilot:
        await becomes(pilot, lambda: app.view.connection.state == "live", "the app is connected")
        yield pilot


async def becomes(pilot: Pilot[Any], check: Callable[[], object], what: str = "", within_s: float = 15.0) -> None:
    """Return when a condition is true of the app; fail with what is on the screen."""
    deadline = time.monotonic() + within_s
    while not check():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {what or check}\n{text_of(pilot.app)}")
        await pilot.pause(0.01)


async def shows(pilot: Pilot[Any], *texts: str) -> None:
    """Return when all of these texts are on the screen."""
    await becomes(pilot, lambda: all(text in text_of(pilot.app) for text in texts), f"{texts} on the screen")


def text_of(app: App[Any]) -> str:
    """What is on the screen, line by line."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


class StillClient:
    """Answers from a table, by path; what is read after a number is nothing more."""

    def __init__(self, answers: dict[str, Json]) -> None:
        self._answers = answers

    async def get(self, path: str, **query: Any) -> Json:
        found = self._answers[path]
        if query.get("after"):
            return {name: [] for name in found}
        return found

    async def post(self, path: str, body: Json | None = None) -> Json:
        return self._answers[path]


class StillApp(QuarterdeckApp):
    """The app without a supervisor: ``snapshot`` is what it knows, None for none at all with ``problem``."""

    def __init__(self, snapshot: Snapshot | None, answers: dict[str, Json] | None = None, problem: str = "") -> None:
        super().__init__(Paths.below(Path("/nowhere")), _nothing)
        self._answers = StillClient(answers or {})
        self._snapshot, self._problem = snapshot, problem

    @property
    def client(self) -> Any:
        if self._snapshot is None:
            raise SupervisorUnreachable(self._problem)
        return self._answers

    async def _follow(self) -> None:
        if self._snapshot is None:
            self.view.connected("away", self._problem)
        else:
            self.view.load(self._snapshot)
        self._changed(self.view.take_changes())


def snapshot(sessions: list[Json] | None = None, approvals: list[Json] | None = None, **more: Any) -> Snapshot:
    """A supervisor in order."""
    return Snapshot(
        seq=1,
        sessions=sessions or [],
        approvals=approvals or [],
        status=more.get("status", {"health": "healthy"}),
        agents=more.get("agents", []),
        queue=more.get("queue", {}),
        events=more.get("events", []),
    )
