"""What the app writes into its terminal when something waits for the person or goes wrong."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from textual.pilot import Pilot

from config.paths import Paths
from config.settings import Notifications
from panels.app import QuarterdeckApp
from panels.notifying import Gathering, Notifier
from supervisor.api.client import Client
from supervisor.daemon import Daemon
from tests.support.app import StillApp, becomes, snapshot
from tests.support.screen import Screen
from tests.support.sessions import session_json


class Terminal:
    """Stands in for the driver's file: what was written, in order."""

    def __init__(self, app: QuarterdeckApp, monkeypatch: pytest.MonkeyPatch) -> None:
        self.written: list[str] = []
        monkeypatch.setattr(type(app), "is_headless", False)
        monkeypatch.setattr(app._driver, "write", self.written.append)

    def said(self) -> str:
        return "".join(each for each in self.written if "\x1b]9;" in each or "\x07" in each)


async def watched(pilot: Pilot[Any], **settings: Any) -> StillApp:
    """The app, once it knows what is so, with notifications as the settings say."""
    app = cast("StillApp", pilot.app)
    await becomes(pilot, lambda: app.view.connection.state == "live")
    chosen = Notifications(**{"desktop": False, **settings})
    Notifier(app, app.view, chosen, {}).start(app.changes)
    return app


def waits(app: StillApp, *names: str) -> None:
    app.view.take_sessions([session_json(name, status="waiting") for name in names])
    app._changed(app.view.take_changes())


async def test_those_that_begin_to_wait_are_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    async with StillApp(snapshot()).run_test() as pilot:
        app = await watched(pilot)
        terminal = Terminal(app, monkeypatch)
        waits(app, "a", "b")
        waits(app, "c")
        await becomes(pilot, terminal.said, "it is told")
        assert terminal.said() == (
            "\x07\x1b]9;Quarterdeck: 3 sessions wait for you\x07\x1b]777;notify;Quarterdeck;3 sessions wait for you\x07"
        )


async def test_a_headless_app_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with StillApp(snapshot()).run_test() as pilot:
        app = await watched(pilot)
        terminal = Terminal(app, monkeypatch)
        monkeypatch.setattr(type(app), "is_headless", True)
        told = told_of(monkeypatch)
        waits(app, "a")
        await becomes(pilot, lambda: told, "it would be told")
        await pilot.pause()
        assert terminal.said() == ""


async def test_while_another_program_has_the_terminal_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    async with StillApp(snapshot()).run_test() as pilot:
        app = await watched(pilot)
        terminal = Terminal(app, monkeypatch)
        told = told_of(monkeypatch)
        app.app_suspend_signal.publish(app)
        waits(app, "a")
        await becomes(pilot, lambda: told, "it would be told")
        assert terminal.said() == ""
        app.app_resume_signal.publish(app)
        monkeypatch.setattr("panels.notifying.EVERY_MS", 0)
        waits(app, "b")
        await becomes(pilot, terminal.said, "it is told")
        assert "b waits for you" in terminal.said()


def told_of(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """What was taken out of the gathering, whether or not it was written."""
    told: list[str | None] = []
    take = Gathering.take

    def noted(self: Gathering, *given: Any) -> str | None:
        told.append(take(self, *given))
        return told[-1]

    monkeypatch.setattr(Gathering, "take", noted)
    return told


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "config.yaml").write_text("notifications: {bell: false, desktop: false}\n")
    return tmp_path / "home"


async def test_in_a_real_terminal_an_alert_arrives_as_configured(home: Path) -> None:
    paths = Paths.below(home)
    async with Daemon(paths), Client(paths.socket, paths.token_file) as client:
        env = {name: value for name, value in os.environ.items() if name not in ("TMUX", "NO_COLOR")}
        env |= {"QUARTERDECK_HOME": str(home), "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}
        command = [sys.executable, "-P", "-m", "supervisor.cli.main"]
        with Screen(command, env, 100, 30) as screen:
            await asyncio.to_thread(screen.wait, b"live")
            await client.post("/emit", {"type": "test_alert", "payload": {"severity": "high", "text": "a;b\x07c"}})
            await asyncio.to_thread(screen.wait, b"\x1b]777;notify;Quarterdeck;a,bc\x07")
            assert b"\x07\x1b]9;" not in screen._drawn, "the bell is off"
            assert b"\x1b]9;Quarterdeck: a,bc\x07" in screen._drawn
