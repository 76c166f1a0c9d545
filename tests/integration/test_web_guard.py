"""The app's web server over HTTP: nothing is answered without the token, or under another name."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import psutil
import pytest
from yarl import URL

from config.paths import HOME_VARIABLE
from supervisor.cli.browser.server import AppServer, serving
from supervisor.cli.main import run
from supervisor.model.errors import Unavailable

ECHO = (
    "import sys\n"
    "sys.stdout.buffer.write(b'__GANGLION__\\n'); sys.stdout.flush()\n"
    "while packet := sys.stdin.buffer.read(5):\n"
    "    data = sys.stdin.buffer.read(int.from_bytes(packet[1:], 'big'))\n"
    "    if b'quit' in data: break\n"
    "    sys.stdout.buffer.write(b'D' + len(data).to_bytes(4, 'big') + data); sys.stdout.flush()\n"
)
"""What speaks as an app does: it draws what it is sent, and ends when it is told to."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[AppServer]:
    program = tmp_path / "echo.py"
    program.write_text(ECHO)
    async with serving("127.0.0.1", 0, command=f"exec {sys.executable} {program}") as running:
        yield running


@asynccontextmanager
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


def at(server: AppServer, path: str = "/", **query: str) -> URL:
    return URL.build(scheme="http", host=server.host, port=server.port, path=path, query=query)


async def status(server: AppServer, path: str = "/", *, headers: dict[str, str] | None = None, **query: str) -> int:
    async with browser() as session, session.get(at(server, path, **query), headers=headers) as answer:
        return answer.status


@pytest.mark.parametrize("path", ["/", "/ws", "/static/js/textual.js", "/static/", "/download/x", "/nothing"])
async def test_nothing_is_answered_without_the_token(server: AppServer, path: str) -> None:
    assert await status(server, path) == 403
    assert await status(server, path, token="") == 403
    assert await status(server, path, token=server.guard.token[:-1]) == 403
    assert await status(server, path, token="ü" * 43) == 403


async def test_the_token_opens_the_page_and_the_cookie_what_it_loads(server: AppServer) -> None:
    async with browser() as session:
        async with session.get(server.url) as page:
            assert page.status == 200
            text = await page.text()
            cookie = page.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert server.guard.token not in text
        for path in ("/", "/static/js/textual.js", "/static/css/xterm.css"):
            async with session.get(at(server, path)) as answer:
                assert answer.status == 200
        async with session.get(at(server, "/static/")) as answer:
            assert answer.status in (403, 404), "folders are not listed"
        async with session.get(at(server, "/", token="wrong")) as answer:
            assert answer.status == 403, "a wrong token is refused even with the cookie"


async def test_the_page_loads_nothing_from_elsewhere(server: AppServer) -> None:
    async with browser() as session, session.get(server.url) as page:
        text, policy = await page.text(), page.headers["Content-Security-Policy"]
    assert "https:" not in text
    assert "//fonts" not in text
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize(
    "name", ["evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:{port}", ""]
)
async def test_other_names_are_refused_with_the_token_too(server: AppServer, name: str) -> None:
    headers = {"Host": name.format(port=server.port)}
    assert await status(server, headers=headers, token=server.guard.token) == 403


@pytest.mark.parametrize("name", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}", "[::1]:{port}"])
async def test_the_names_of_this_machine_are_answered(server: AppServer, name: str) -> None:
    headers = {"Host": name.format(port=server.port)}
    assert await status(server, headers=headers, token=server.guard.token) == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1:1"])
async def test_other_origins_are_refused_with_the_token_too(server: AppServer, origin: str) -> None:
    headers = {"Origin": origin.format(port=server.port)}
    assert await status(server, headers=headers, token=server.guard.token) == 403
    async with browser() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(at(server, "/ws", token=server.guard.token), headers=headers)
    assert refused.value.status == 403


async def test_the_websocket_needs_the_token(server: AppServer) -> None:
    async with browser() as session:
        for query in ({}, {"token": "wrong"}):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(at(server, "/ws", **query))
            assert refused.value.status == 403
        async with session.get(server.url):
            pass
        headers = {"Origin": f"http://127.0.0.1:{server.port}"}
        async with session.ws_connect(at(server, "/ws", width="80", height="24"), headers=headers) as websocket:
            await websocket.send_json(["stdin", "hello"])
            assert await websocket.receive_bytes(timeout=10) == b"hello"
            await websocket.send_json(["ping", "1"])
            assert await websocket.receive_json(timeout=10) == ["pong", "1"]


@pytest.mark.parametrize("nonsense", ["[", "{}", "[]", '["stdin"]', '["stdin", 5]', '["resize", 1]'])
async def test_a_browser_that_talks_nonsense_is_cut_off(server: AppServer, nonsense: str) -> None:
    async with browser() as session, session.ws_connect(at(server, "/ws", token=server.guard.token)) as websocket:
        await websocket.send_str(nonsense)
        assert (await websocket.receive(timeout=10)).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
    assert await status(server, token=server.guard.token) == 200


async def test_an_app_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervisor.cli.browser.server.END_S", 0.2)
    program, pid = tmp_path / "stubborn.py", tmp_path / "pid"
    program.write_text(
        "import os, pathlib, sys, time\n"
        "sys.stdout.buffer.write(b'__GANGLION__\\n'); sys.stdout.flush()\n"
        f"pathlib.Path({str(pid)!r}).write_text(str(os.getpid()))\n"
        "sys.stdout.buffer.write(b'D\\0\\0\\0\\2hi'); sys.stdout.flush()\n"
        "time.sleep(600)\n"
    )
    async with (
        serving("127.0.0.1", 0, command=f"exec {sys.executable} {program}") as server,
        browser() as session,
        session.ws_connect(at(server, "/ws", token=server.guard.token)) as websocket,
    ):
        assert await websocket.receive_bytes(timeout=10) == b"hi"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


async def test_a_port_in_use_is_a_sentence(server: AppServer) -> None:
    with pytest.raises(Unavailable, match="cannot be had: Address already in use"):
        async with serving("127.0.0.1", server.port):
            pass


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com", ""])  # noqa: S104 - they are refused
def test_other_addresses_are_refused(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["web", "--host", host]) == 2
    assert "others could reach it" in capsys.readouterr().err


def test_a_session_cannot_open_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("QUARTERDECK_TOKEN", "x")
    assert run(["web"]) != 0
    assert "A session cannot" in capsys.readouterr().err


async def test_the_command_prints_the_address_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "supervisor.cli.main", "web", "--port", "0",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, HOME_VARIABLE: str(tmp_path)},
    )  # fmt: skip
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
    url = URL(line.removeprefix("Quarterdeck is at ").strip())
    async with browser() as session, session.get(url) as page:
        assert page.status == 200
    process.send_signal(signal.SIGINT)
    _, errors = await asyncio.wait_for(process.communicate(), 20)
    assert (process.returncode, errors) == (0, b"")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", url.port or 0)) != 0


async def test_apps_end_with_a_server_that_is_killed(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "supervisor.cli.main", "web", "--port", "0",
        stdout=asyncio.subprocess.PIPE, env={**os.environ, HOME_VARIABLE: str(tmp_path)},
    )  # fmt: skip
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
    url = URL(line.removeprefix("Quarterdeck is at ").strip())
    async with browser() as session, session.ws_connect(url.with_path("/ws", keep_query=True)) as websocket:
        await websocket.receive_bytes(timeout=20)
        apps = psutil.Process(process.pid).children()
        process.kill()
        await process.wait()
    gone, left = await asyncio.to_thread(psutil.wait_procs, apps, 20)
    # The app may have started a supervisor by then.
    stop = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "supervisor.cli.main", "stop", "--all", env={**os.environ, HOME_VARIABLE: str(tmp_path)}
    )
    assert await stop.wait() == 0
    assert len(gone) == 1
    assert left == []
