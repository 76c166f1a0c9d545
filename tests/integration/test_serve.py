"""The supervisor and the script's way in, inside this process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from config.paths import HOME_VARIABLE, Paths
from supervisor.api.client import Client
from supervisor.cli import entry
from supervisor.cli.connection import is_alive, is_running
from supervisor.daemon import serve
from supervisor.model.errors import Refused
from tests.wait import until

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.below(tmp_path / "home")


async def stop(paths: Paths) -> None:
    async with Client(paths.socket, paths.token_file) as client:
        assert await client.post("/stop", {"all": False}) == {"stopping": True, "sessions_stopped": 0}


async def test_it_serves_until_a_client_asks_it_to_stop(paths: Paths) -> None:
    serving = asyncio.create_task(serve(paths))
    await until(lambda: is_running(paths), 20, "the supervisor")
    assert is_alive(paths)
    await stop(paths)
    async with asyncio.timeout(20):
        await serving
    assert not is_alive(paths)
    assert not paths.socket.exists()


async def test_a_signal_stops_it(paths: Paths) -> None:
    serving = asyncio.create_task(serve(paths))
    await until(lambda: is_running(paths), 20, "the supervisor")
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(20):
        await serving
    assert not is_alive(paths)


async def test_a_second_one_is_refused_and_the_first_goes_on(paths: Paths) -> None:
    serving = asyncio.create_task(serve(paths))
    await until(lambda: is_running(paths), 20, "the supervisor")
    with pytest.raises(Refused, match=f"already runs .pid {os.getpid()}"):
        await serve(paths)
    assert is_running(paths)
    await stop(paths)
    await serving


async def test_the_service_manager_is_told_while_it_lives(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    class Manager:
        watchdog_s = 0.03

        def send(self, text: str) -> None:
            told.append(text)

    monkeypatch.setattr("supervisor.daemon.Notifier.take", Manager)
    serving = asyncio.create_task(serve(paths))
    await until(lambda: told.count("WATCHDOG=1") >= 2, 20, "two signs of life")
    await stop(paths)
    await serving
    assert (told[0], told[-1]) == ("READY=1", "STOPPING=1")


def enter(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["quarterdeck", *arguments])
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_script_runs_the_command_line(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(paths.state))
    monkeypatch.delenv("QUARTERDECK_SOCKET", raising=False)
    assert enter(monkeypatch, "status", "--json") == 0
    assert capsys.readouterr().out == '{"running": false}\n'
    assert enter(monkeypatch, "rum") == 2


def test_inside_a_session_reports_take_the_short_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QUARTERDECK_SOCKET", str(tmp_path / "nowhere.sock"))
    given: list[list[str]] = []

    def take(arguments: list[str]) -> int:
        given.append(arguments)
        return 0

    monkeypatch.setattr("executors.hookclient.main", take)
    assert enter(monkeypatch, "emit", "progress", "{}") == 0
    assert enter(monkeypatch, "beat", "--help") == 0
    assert given == [["emit", "progress", "{}"]]
    assert "Example: quarterdeck beat" in capsys.readouterr().out
