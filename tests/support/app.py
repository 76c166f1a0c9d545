"""The app inside a test, on a supervisor that runs, or on a view model made by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from textual.pilot import Pilot

from config.paths import Paths
from panels.app import QuarterdeckApp
from panels.screens.session import SessionScreen
from panels.widgets.lines import LineView
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
