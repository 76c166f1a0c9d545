"""Where the demonstration takes place: a folder of its own that leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from config.paths import HOME_VARIABLE, Paths
from supervisor.api.client import Client
from supervisor.cli.connection import is_running, start_in_background
from supervisor.cli.demonstration.scripts import REPOSITORY
from supervisor.model.errors import QuarterdeckError, Unavailable

STOP_TIMEOUT_S: Final = 20.0
POLL_S: Final = 0.01
_PERSON = ("-c", "user.name=Demonstration", "-c", "user.email=demonstration@localhost")
# Neither a person's git configuration nor the session that this may run in has a say here.
_ALONE = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_FOREIGN = ("QUARTERDECK_", "GIT_", "TMUX")


class Stage:
    """A throw-away repository and a home for a supervisor. Use as a context: leaving it ends and removes all.

    With ``keep`` the supervisor and its sessions are ended, but the folder stays.
    """

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._before = dict(os.environ)

    def __enter__(self) -> Self:
        if shutil.which("git") is None:
            raise Unavailable("git is not installed.", hint="Install it, for example: sudo apt install git")
        self.folder = Path(tempfile.mkdtemp(prefix="quarterdeck-demo-"))
        self.repository = self.folder / "lighthouse"
        home = self.folder / "home"
        for name in [name for name in os.environ if name.startswith(_FOREIGN)]:
            del os.environ[name]
        os.environ |= {**_ALONE, HOME_VARIABLE: str(home)}
        self.paths = Paths.find()
        try:
            self._make_repository()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Whoever is impatient now would leave processes behind.
        before = {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS}
        try:
            self._end()
        finally:
            self._remove()
            for number, handler in before.items():
                signal.signal(number, handler)

    def client(self) -> Client:
        """Return a client of the stage's supervisor, which is started when none runs."""
        if not is_running(self.paths):
            start_in_background(self.paths)
        return Client(self.paths.socket, self.paths.token_file)

    def restart(self) -> None:
        """Start a supervisor once the one before it is gone."""
        while is_running(self.paths):
            time.sleep(POLL_S)
        start_in_background(self.paths)

    def _make_repository(self) -> None:
        self.repository.mkdir()
        for name, text in REPOSITORY.items():
            (self.repository / name).write_text(text)
        for arguments in (["init", "-q", "-b", "main"], ["add", "."], [*_PERSON, "commit", "-q", "-m", "A lighthouse"]):
            subprocess.run(["git", *arguments], cwd=self.repository, check=True, stdin=subprocess.DEVNULL)

    def _end(self) -> None:
        if not self.paths.database.exists():
            return
        with contextlib.suppress(QuarterdeckError):
            asyncio.run(self._stop())
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while self._locked() and time.monotonic() < deadline:
            time.sleep(POLL_S)
        # It outlives every supervisor on purpose; a folder that goes away must not have it.
        terminal = self.paths.run / "tmux.sock"
        if terminal.exists():
            subprocess.run(["tmux", "-S", str(terminal), "kill-server"], capture_output=True, check=False)

    async def _stop(self) -> None:
        """End the sessions and the supervisor. One that is gone is started again: only it knows what is left."""
        async with self.client() as client:
            await client.post("/stop", {"all": True})

    def _locked(self) -> bool:
        """Whether the supervisor has not let go of its home yet."""
        with self.paths.lock.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def _remove(self) -> None:
        os.environ.clear()
        os.environ |= self._before
        if not self._keep:
            shutil.rmtree(self.folder, ignore_errors=True)
        if not self.paths.run.is_relative_to(self.folder):
            shutil.rmtree(self.paths.run, ignore_errors=True)
