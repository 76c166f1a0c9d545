"""The supervisor of a round: started, killed, started again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from config.paths import Paths
from supervisor.api.client import Client
from supervisor.model.errors import QuarterdeckError

START_S = 20.0


class Victim:
    """One supervisor process at a time on one state folder.

    ``armed`` is the failpoint of the next start, ``starts`` the times (ms since the epoch) of all starts.
    """

    def __init__(self, paths: Paths, docker_host: str, log: Path) -> None:
        self.paths = paths
        self.armed = ""
        self.starts: list[int] = []
        self.died_at_failpoint = False
        self.slowest_start_s = 0.0
        self._environment = {
            **os.environ,
            "QUARTERDECK_HOME": str(paths.state),
            "QUARTERDECK_FAILPOINT_LOG": str(log),
            "QUARTERDECK_QUEUE__CONCURRENT": "100",
            "QUARTERDECK_QUEUE__WAITING": "100",
            "QUARTERDECK_STORAGE__FREE_DISK_FLOOR_MB": "0",
        }
        if docker_host:
            self._environment["DOCKER_HOST"] = docker_host
        self._process: subprocess.Popen[bytes] | None = None
        self._armed_now = False

    @property
    def is_running(self) -> bool:
        """Whether it lives; notes when it died at its failpoint."""
        if self._process is None:
            return False
        if self._process.poll() is None:
            return True
        self.died_at_failpoint |= self._armed_now and self._process.returncode == -signal.SIGKILL
        self._process = None
        return False

    async def start(self) -> None:
        """Start it and wait until it answers, or is dead again."""
        began = time.monotonic()
        self.starts.append(time.time_ns() // 1_000_000)
        self._armed_now = bool(self.armed)
        self._process = await asyncio.to_thread(self._spawn)
        self.armed = ""
        while self.is_running and time.monotonic() - began < START_S:
            try:
                async with Client(self.paths.socket, self.paths.token_file) as client:
                    await client.get("/queue")
            except QuarterdeckError:
                await asyncio.sleep(0.02)
            else:
                self.slowest_start_s = max(self.slowest_start_s, time.monotonic() - began)
                return

    def _spawn(self) -> subprocess.Popen[bytes]:
        with self.paths.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "supervisor.cli.main", "serve"],
                env=self._environment | {"QUARTERDECK_FAILPOINT": self.armed},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """Kill it the hard way. A failpoint that is armed has not been reached then."""
        if self.is_running and self._process is not None:
            self._armed_now = False
            self._process.kill()
            self._process.wait()
            self._process = None

    async def stop(self) -> None:
        """Stop it in order."""
        if self.is_running and self._process is not None:
            self._process.terminate()
            await asyncio.to_thread(self._process.wait)
            self._process = None
