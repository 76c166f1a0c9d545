"""The set-up command that a person wrote for new worktrees: its run, its log and its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from config.settings import Provisioning
from executors.git.run import environment
from executors.runner.identity import running
from supervisor.model.errors import QuarterdeckError

_LAST_LINES = 5
_KILL_S = 10.0
"""A process that waits for a broken disk does not die; it is not waited for longer than this."""

_MARK = "QUARTERDECK_SETUP"


async def run(settings: Provisioning, worktree: Path, log: Path, env: Mapping[str, str]) -> None:
    """Run the set-up command; its output is appended to ``log``.

    Raises QuarterdeckError with the last lines of the output when it fails or takes too long; then
    everything that it started is killed.
    """
    if settings.setup is None:
        return
    mark = uuid.uuid4().hex
    output = await asyncio.to_thread(_open_log, log)
    try:
        begin = os.fstat(output).st_size
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", settings.setup),
            cwd=worktree,
            env=environment() | dict(env) | {_MARK: mark},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    finally:
        os.close(output)
    try:
        async with asyncio.timeout(settings.setup_timeout_s):
            code = await process.wait()
        outcome = f"exit {code}" if code >= 0 else signal.Signals(-code).name
    except TimeoutError:
        code, outcome = -1, f"stopped after {settings.setup_timeout_s:g} s"
    finally:
        if process.returncode is None:
            await asyncio.shield(asyncio.to_thread(_kill_all, process.pid, mark))
            await process.wait()
    if code != 0:
        said = await asyncio.to_thread(_last_lines, log, begin)
        raise QuarterdeckError(
            f"The set-up of the worktree failed ({outcome}).{said and f' It said: {said}'}",
            hint=f"The whole output is in {log}. Change `setup` in quarterdeck.yaml, then try again.",
            kept=f"The worktree {worktree} is kept.",
            code="setup_failed",
        )


def _open_log(log: Path) -> int:
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _last_lines(log: Path, begin: int) -> str:
    with log.open("rb") as source:
        source.seek(max(begin, source.seek(0, os.SEEK_END) - 4096))
        lines = source.read().decode(errors="replace").splitlines()
    return " / ".join(line.strip() for line in lines[-_LAST_LINES:] if line.strip())


def _kill_all(leader: int, mark: str) -> None:
    """Kill a process session and everything that inherited the mark, until nothing of it is left."""
    deadline = time.monotonic() + _KILL_S
    while pids := [pid for pid, found in running().items() if found.session == leader or _carries(pid, mark)]:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            break
        time.sleep(0.005)


def _carries(pid: int, mark: str) -> bool:
    try:
        return f"{_MARK}={mark}".encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
