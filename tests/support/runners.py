"""Runtime folders with a host: what was started in them is ended afterwards."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from unittest.mock import patch

import coverage
import psutil

from executors import link
from executors.local import RUNNER
from executors.runner.tree import Cgroup
from supervisor.engine.ports.processes import AttemptRef, Executor, Launch, Signal
from tests.support.attempts import Home, home, ref_of
from tests.wait import until, wait_until

# A runner is started without site-packages, so whoever measures coverage has to start it otherwise.
MEASURED = """[run]
data_file = {data_file}
parallel = true
source = executors
patch = fork, _exit
sigterm = true
"""


@contextmanager
def home_with_host(tmp_path: Path) -> Iterator[Home]:
    """A home; its host and runners are killed afterwards, with everything below them."""
    with home(tmp_path) as place, ExitStack() as stack:
        measuring = coverage.Coverage.current()
        if measuring:
            settings = place.run / "coveragerc"
            data_file = Path(measuring.config.data_file).absolute()
            settings.write_text(MEASURED.format(data_file=data_file))
            command = [sys.executable, "-m", "coverage", "run", f"--rcfile={settings}", str(RUNNER)]
            stack.enter_context(patch("executors.local.runner_command", lambda *rest: [*command, *rest]))
        try:
            yield place
        finally:
            if measuring:
                end_politely(runners(place.run))
            for process in runners(place.run):
                with suppress(psutil.NoSuchProcess):
                    for below in (*process.children(recursive=True), process):
                        with suppress(psutil.NoSuchProcess):
                            below.kill()
            for path in cgroups_in(place.run):
                wait_until(lambda path=path: not Cgroup(path).processes())  # type: ignore[misc]
                Cgroup(path).remove()


def end_politely(processes: list[psutil.Process]) -> None:
    """Let runners end their trees and say what they covered."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    psutil.wait_procs(processes, timeout=5)


def cgroups_in(run: Path) -> list[str]:
    """The cgroups of the attempts of a runtime folder."""
    found = []
    for started in run.glob("*.started"):
        with suppress(ValueError):
            found.append(json.loads(started.read_text()).get("cgroup"))
    return [path for path in found if path]


def runners(run: Path) -> list[psutil.Process]:
    """The host of a runtime folder and the runners that it forked."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if str(run) in process.cmdline():
                found.append(process)
    return found


def host_pid(run: Path) -> int:
    """The process that listens: the first of its family."""
    pids = {process.pid for process in runners(run)}
    return next(process.pid for process in runners(run) if process.ppid() not in pids)


def runner_pid(ref: AttemptRef) -> int:
    """The runner of one attempt."""
    return int((link.read_started(ref) or {})["runner_pid"])


def kill(pid: int) -> None:
    """kill -9."""
    os.kill(pid, signal.SIGKILL)


async def news(executor: Executor, launch: Launch) -> list[Signal]:
    """Everything that is told of an attempt, to its end."""
    return [told async for told in executor.watch(ref_of(launch))]


async def pids_in(path: Path, count: int = 1) -> list[int]:
    """The pids that a child wrote to a file, once there are so many."""

    def written() -> list[int]:
        return [int(pid) for pid in re.findall(r"(\d+)\n", path.read_text())] if path.exists() else []

    await until(lambda: len(written()) >= count, what=str(path))
    return written()


def is_alive(pid: int) -> bool:
    """Whether a process can still do something."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False
