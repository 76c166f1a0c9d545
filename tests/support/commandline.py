"""A supervisor in a thread, and the command line in this process, so that coverage sees both."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from config.paths import HOME_VARIABLE, Paths
from supervisor.cli.main import run
from supervisor.daemon import Daemon


@dataclass(frozen=True, slots=True)
class Printed:
    """What a command line came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class CommandLine:
    """Runs `quarterdeck` for one home, the way a person would type it."""

    home: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    @property
    def paths(self) -> Paths:
        return Paths.below(self.home)

    def __call__(self, *arguments: str) -> Printed:
        self.monkeypatch.setenv(HOME_VARIABLE, str(self.home))
        self.capsys.readouterr()
        code = run(list(arguments))
        printed = self.capsys.readouterr()
        return Printed(code, printed.out, printed.err)

    def session(self, ref: str) -> dict[str, Any]:
        found: dict[str, Any] = self("sessions", "show", ref, "--json").json["session"]
        return found


@contextmanager
def supervisor_thread(home: Path) -> Iterator[Daemon]:
    """Run a supervisor in a thread; its sessions are ended with it."""
    daemon = Daemon(Paths.below(home))
    ready = threading.Event()
    failures: list[BaseException] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        try:
            async with daemon:
                loops.append(asyncio.get_running_loop())
                ready.set()
                await daemon.wait()
        except BaseException as failure:
            failures.append(failure)
        finally:
            ready.set()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="supervisor")
    thread.start()
    ready.wait(20)
    try:
        assert not failures, failures
        yield daemon
    finally:
        if thread.is_alive() and loops:
            loops[0].call_soon_threadsafe(daemon.stop)
        thread.join(20)
        assert not failures, failures
