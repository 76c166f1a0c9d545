"""Where benchmarks run: a throw-away home with a repository, and its supervisor as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.paths import HOME_VARIABLE, Paths
from supervisor.api.client import Client
from supervisor.cli.connection import is_running
from tests.support.git import commit, repository
from tests.wait import until

START_TIMEOUT_S = 60.0
REPOSITORY_FILES = 20


@contextmanager
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for sockets; it is removed afterwards."""
    made = Path(tempfile.mkdtemp(prefix="qdb"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@dataclass
class Stage:
    """A home and the supervisor on it, which can be killed and started again."""

    paths: Paths
    repository: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def pid(self) -> int:
        """The supervisor's process."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> float:
        """Start the supervisor; returns the seconds until it has answered."""
        began = time.perf_counter()
        await asyncio.to_thread(self._spawn)
        await until(lambda: is_running(self.paths), START_TIMEOUT_S, f"it starts, see {self.paths.log}")
        async with self.client() as client:
            await client.get("/status")
        return time.perf_counter() - began

    def _spawn(self) -> None:
        with self.paths.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "supervisor.cli.main", "serve"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, HOME_VARIABLE: str(self.paths.home)},
                start_new_session=True,
            )

    def kill(self) -> None:
        """kill -9; its sessions go on."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def client(self) -> Client:
        """Return a client, to be entered."""
        return Client(self.paths.socket, self.paths.token_file)

    def request(self, *argv: str, **fields: Any) -> dict[str, Any]:
        """Return the request that starts a session of a command."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.paths.home)}
        return {"cwd": str(self.repository), "argv": list(argv), "environment": environment, **fields}

    async def close(self) -> None:
        """Stop the supervisor with all its sessions."""
        assert self._process is not None
        if self._process.poll() is None:
            try:
                async with self.client() as client:
                    await client.post("/stop", {"all": True})
                await asyncio.to_thread(self._process.wait, START_TIMEOUT_S)
            finally:
                self._process.kill()


@asynccontextmanager
async def stage(files: int = REPOSITORY_FILES, **settings: Any) -> AsyncIterator[Stage]:
    """A running supervisor with a repository of ``files`` files; it is stopped with its sessions."""
    with folder() as place:
        paths = Paths.below(place / "h")
        paths.create()
        settings = {"storage": {"free_disk_floor_mb": 0}, "queue": {"concurrent": 500, "waiting": 1000}, **settings}
        paths.config_file.write_text(json.dumps(settings))
        root = repository(place / "repository")
        commit(root, {f"source/{n // 100}/{n}.py": f"# {n}\n" * 40 for n in range(files)})
        made = Stage(paths, root)
        try:
            await made.start()
            yield made
        finally:
            await made.close()


async def wait_for(
    client: Client, sessions: set[str], *statuses: str, timeout_s: float = 120.0, every_s: float = 0.05
) -> None:
    """Return when all these sessions have one of the statuses; it is looked every so many seconds."""
    async with asyncio.timeout(timeout_s):
        while True:
            found = (await client.get("/sessions"))["sessions"]
            if sessions <= {session["id"] for session in found if session["status"] in statuses}:
                return
            await asyncio.sleep(every_s)
