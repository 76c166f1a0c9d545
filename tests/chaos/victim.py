"""The supervisor that is killed and started again, as a process of its own."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from config.paths import HOME_VARIABLE, Paths
from supervisor.api.client import Client
from supervisor.cli.connection import is_running
from tests.wait import until

START_TIMEOUT_S = 30.0


class Victim:
    """One home's supervisor, one process after the other."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self._log = paths.state / "failpoints.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def reached(self) -> set[str]:
        """The failpoints that any of its lives came to."""
        return set(self._log.read_text().split()) if self._log.exists() else set()

    @property
    def is_dead(self) -> bool:
        """Whether no process of it lives."""
        return self._process is None or self._process.poll() is not None

    async def start(self, failpoint: str = "") -> bool:
        """Start it; false when it died at its failpoint before it answered."""
        await asyncio.to_thread(self._spawn, failpoint)
        await until(lambda: self.is_dead or is_running(self.paths), START_TIMEOUT_S, f"it starts, see {self.paths.log}")
        return not self.is_dead

    async def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)

    async def stop(self) -> None:
        """Stop it with everything that it still runs."""
        if self.is_dead:
            await self.start()
        async with self.client() as client:
            await client.post("/stop", {"all": True})
        if self._process is not None:
            await asyncio.to_thread(self._process.wait, START_TIMEOUT_S)

    def client(self) -> Client:
        """Return a client, to be entered."""
        return Client(self.paths.socket, self.paths.token_file)

    def _spawn(self, failpoint: str) -> None:
        environment = {**os.environ, HOME_VARIABLE: str(self.paths.home), "QUARTERDECK_FAILPOINT_LOG": str(self._log)}
        with self.paths.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "supervisor.cli.main", "serve"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**environment, "QUARTERDECK_FAILPOINT": failpoint},
                cwd=Path(__file__).parents[2],
                start_new_session=True,
            )
