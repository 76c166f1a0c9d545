"""The private tmux server: found, or started in a scope of its own, and spoken to over one connection."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import suppress
from pathlib import Path

from executors.tmux.control import Connection, TmuxError, TmuxGoneError, connect
from supervisor.model.errors import Unavailable

SESSION = "quarterdeck"
# Control connections have a session of their own, so that they never resize a window; its only pane is dead
# from the start (remain-on-exit). It stays when they go: a server (3.3a) that has to destroy the session of a
# connection that dies, destroy-unattached, crashed in 8 of 30 tries, with every window.
OWN_SESSION = "_control"
CONF = Path(__file__).with_name("tmux.conf")
OLDEST = (3, 2)
# What a server needs of the environment; what a session is given comes in its launch file.
PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TMPDIR", "XDG_RUNTIME_DIR")
INSTALL_HINT = "Install it (`apt install tmux`), or use the local executor."


class TmuxServer:
    """Commands for the server on ``<run>/tmux.sock``. A lost connection is made anew when it is needed."""

    def __init__(self, run: Path) -> None:
        self.socket = run / "tmux.sock"
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()
        self._closed = False

    async def check(self) -> None:
        """Raise Unavailable when tmux is missing or too old."""
        try:
            process = await asyncio.create_subprocess_exec("tmux", "-V", stdout=PIPE, stderr=DEVNULL)
        except FileNotFoundError:
            raise Unavailable("tmux is not installed.", hint=INSTALL_HINT) from None
        said = (await process.communicate())[0].decode(errors="replace").strip()
        version = re.search(r"(\d+)\.(\d+)", said)
        if version and (int(version[1]), int(version[2])) < OLDEST:
            oldest = ".".join(map(str, OLDEST))
            raise Unavailable(f"{said} is too old: Quarterdeck needs {oldest} or later.", hint=INSTALL_HINT)

    async def command(self, *words: str, start: bool = False) -> list[str]:
        """Run a tmux command; returns its lines.

        Raises TmuxError when tmux refuses it, TmuxGoneError when no server runs; with ``start`` one is
        started then.
        """
        connection = self._connection
        if connection is None or connection.closed:
            connection = await self._connect(start=start)
        return await connection.command(*words)

    async def new_window(self, name: str, argv: list[str]) -> str:
        """Run a command in a new window; returns the pane's id. Starts the server when none runs."""
        shown = ("-d", "-P", "-F", "#{pane_id}", "-n", name)
        problem: TmuxError | None = None
        for _ in range(3):
            # The session comes with its first window and goes with its last: either may happen in between.
            for words in (
                ("new-window", *shown, "-t", f"{SESSION}:"),
                ("new-session", *shown, "-s", SESSION),
            ):
                try:
                    return (await self.command(*words, "--", *argv, start=True))[0]
                except TmuxError as error:
                    problem = error
        raise Unavailable(f"tmux could not open a window: {problem}.", hint="See `quarterdeck doctor`.")

    async def close(self) -> None:
        """Hang up for good. The server stays while it has windows."""
        self._closed = True
        async with self._connecting:
            connection, self._connection = self._connection, None
        if connection is None:
            return
        with suppress(TmuxError, TmuxGoneError):
            if await connection.command("list-sessions", "-F", "#{session_name}") == [OWN_SESSION]:
                await connection.command("kill-server")
        await connection.close()

    async def _connect(self, *, start: bool) -> Connection:
        async with self._connecting:
            if self._connection is not None and not self._connection.closed:
                return self._connection
            if self._closed:
                raise TmuxGoneError("the connection to tmux was closed")
            running = await self._answers()
            if not running and not start:
                raise TmuxGoneError("no tmux server runs")
            argv = self._client()
            if not running and _in_a_service():
                # A service's memory is accounted for together: one kill there must not end every session.
                argv = ["systemd-run", "--user", "--scope", "--quiet", "-p", "OOMPolicy=continue", *argv]
            try:
                self._connection = await connect(argv, _environment())
            except FileNotFoundError:
                raise Unavailable("tmux is not installed.", hint=INSTALL_HINT) from None
            except (TmuxGoneError, TmuxError) as error:
                if not start:
                    raise TmuxGoneError(str(error)) from error
                raise Unavailable(
                    f"The tmux server on {self.socket} could not be started.", hint="See `quarterdeck doctor`."
                ) from error
            return self._connection

    def _client(self) -> list[str]:
        session = ["new-session", "-A", "-s", OWN_SESSION, "-f", "no-output,ignore-size"]
        return ["tmux", "-u", "-S", str(self.socket), "-f", str(CONF), "-C", *session, "true"]

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_unix_connection(self.socket)
        except OSError:
            return False
        writer.close()
        return True


def _in_a_service() -> bool:
    """Whether this is a systemd service that may ask its user's manager for a scope."""
    manager = Path(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent"), "systemd", "private")
    return "INVOCATION_ID" in os.environ and shutil.which("systemd-run") is not None and manager.exists()


def _environment() -> dict[str, str]:
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {"TERM": "xterm-256color", "LC_CTYPE": "C.UTF-8"} | environment
