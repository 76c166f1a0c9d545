"""The session's screen inside a test: on a supervisor that runs, or on a view model made by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from textual.pilot import Pilot

from config.paths import Paths
from panels.app import QuarterdeckApp
from panels.screens.session import SessionScreen
from panels.widgets.lines import LineView
from supervisor.api.client import Client
from supervisor.model.errors import NotFound
from tests.wait import until


async def no_revival() -> None:
    """Start no supervisor: the test has one."""


@asynccontextmanager
async def running_app(
    paths: Paths, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[QuarterdeckApp, Pilot[Any]]]:
    """The app once it is connected."""
    app = QuarterdeckApp(paths, no_revival)
    async with app.run_test(size=size) as pilot:
        await until(lambda: app.view.connection.state == "live", what="the app connects")
        yield app, pilot


class StillClient:
    """Answers GETs from what was prepared, by their path; what was not is not found."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self._answers = answers

    async def get(self, path: str, **query: Any) -> dict[str, Any]:
        """Return the answer that was prepared for a path, or a path with a type of events."""
        found = self._answers.get(f"{path}?type={query.get('type')}", self._answers.get(path))
        if found is None or query.get("before") or query.get("after"):
            raise NotFound("There is no such session any more.", hint="`quarterdeck sessions` lists them.")
        answer: dict[str, Any] = found
        return answer


class StillApp(QuarterdeckApp):
    """The app with a view model and answers made by hand: it connects to nothing and always looks the same."""

    def __init__(self, paths: Paths, sessions: list[dict[str, Any]], answers: dict[str, Any]) -> None:
        super().__init__(paths, no_revival)
        self.view.take_sessions(sessions)
        self.view.connected("live")
        self._client = cast("Client", StillClient(answers))

    def _connect(self) -> None:
        self._changed(self.view.take_changes())


async def session_screen(app: QuarterdeckApp, pilot: Pilot[Any], session: str, tab: str = "log") -> SessionScreen:
    """The screen of a session once the app has heard of it, and its tab has the keys."""
    await until(lambda: session in app.view.sessions, what="the app hears of the session")
    app.open_session(session, tab)
    await until(lambda: isinstance(app.screen, SessionScreen) and app.screen.is_mounted)
    screen = app.screen
    assert isinstance(screen, SessionScreen)
    await until(lambda: screen.focused is not None, what="the tab has the keys")
    await pilot.pause()
    return screen


def shown(view: LineView) -> list[str]:
    """The lines that a view shows now, as a person reads them."""
    return [view.render_line(y).text.rstrip() for y in range(view.size.height)]


def text_of(app: QuarterdeckApp) -> str:
    """Everything that is on the screen now."""
    return "\n".join(
        "".join(segment.text for segment in strip).rstrip() for strip in app.screen._compositor.render_strips()
    )
