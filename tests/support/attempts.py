"""Launches of attempts in a throw-away home, and what becomes of them."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from executors.link import read_exit
from executors.runner.identity import boot_id
from supervisor.engine.ports.processes import AttemptRef, Executor, ExitRecord, Launch, Started
from tests.wait import until

RECORD = re.compile(rb"^\S+Z (stdout|stderr|tty) ([FP]) (.*)$")
PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass
class Home:
    """A runtime folder, short enough for sockets, and a folder for sessions."""

    run: Path
    state: Path

    def launch(self, name: str, *argv: str, **fields: Any) -> Launch:
        """A first attempt of a session of its own."""
        folder = self.state / "sessions" / f"ses_{name}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "token").write_text("1")
        launch = Launch(
            attempt=f"att_{name}",
            session=f"ses_{name}",
            number=1,
            token=1,
            run=self.run,
            folder=folder,
            argv=argv,
            env={"PATH": PATH},
            cwd=folder,
            stop_grace_s=2.0,
            window=f"{name}-dispatch",
        )
        return replace(launch, **fields)


@contextmanager
def home(tmp_path: Path) -> Iterator[Home]:
    """A home whose runtime folder is removed afterwards."""
    run = Path(tempfile.mkdtemp(prefix="qdr"))
    try:
        yield Home(run, tmp_path)
    finally:
        shutil.rmtree(run, ignore_errors=True)


def ref_of(launch: Launch, started: Started | None = None) -> AttemptRef:
    """What the engine would know of an attempt."""
    handle = started.handle if started else None
    return AttemptRef(
        launch.attempt, launch.session, launch.number, launch.token, boot_id(), launch.run, launch.folder, handle
    )


def spooled(launch: Launch, *streams: str) -> bytes:
    """What the spool holds of some streams, as it was printed."""
    try:
        records = (launch.folder / "stream.log").read_bytes().split(b"\n")
    except FileNotFoundError:
        return b""
    found = [match for record in records if (match := RECORD.match(record))]
    wanted = [match for match in found if not streams or match[1].decode() in streams]
    return b"".join(match[3] + (b"\n" if match[2] == b"F" else b"") for match in wanted)


async def ended(executor: Executor, ref: AttemptRef, timeout: float = 20.0) -> ExitRecord:  # noqa: ASYNC109 - a test's deadline
    """The exit record, once it is on the disk, as the executor tells it."""
    await until(lambda: read_exit(ref), timeout, f"{ref.attempt} ended")
    found = await executor.find(ref)
    assert found.state == "ended", found
    assert found.exit is not None
    return found.exit
