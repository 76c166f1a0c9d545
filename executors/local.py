"""The local executor: plain processes, each under a detached runner of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final

from executors import link
from supervisor.engine.ports.processes import AttemptRef, Found, Launch, Signal, Started
from supervisor.model.entities import ExecutorName
from supervisor.model.errors import QuarterdeckError, Refused, Unavailable

RUNNER: Final = Path(__file__).with_name("runner")
HOST_START_S = 10.0
START_S = 30.0
# A start that is repeated starts nothing twice, so it survives the death of its host.
HOST_DEATHS = 3
NO_TERMINAL: Final = "A process without a terminal cannot be attached to."


def runner_command(*arguments: str) -> list[str]:
    """Return the command line that starts the detached program."""
    return [sys.executable, "-I", "-S", str(RUNNER), *arguments]


def in_own_scope(command: list[str], env: Mapping[str, str] = os.environ) -> list[str]:
    """Return a command that outlives this process' systemd unit, where it runs in one.

    setsid does not leave a cgroup: with the unit's end, or its memory's, everything in it would end.
    """
    if "INVOCATION_ID" not in env or not shutil.which("systemd-run"):
        return command
    return ["systemd-run", "--user", "--scope", "--quiet", "-p", "OOMPolicy=continue", "--", *command]


class LocalExecutor:
    """Implements `supervisor.engine.ports.Executor`."""

    name: ExecutorName = "local"

    def __init__(self) -> None:
        self._starting: dict[Path, asyncio.Lock] = {}

    async def check(self, launch_image: str | None = None) -> None:
        """Raise Unavailable where this machine cannot run the runner."""
        if not await asyncio.to_thread(Path("/proc/self/stat").exists):
            raise Unavailable("Processes are supervised through /proc, which is missing.", hint="Use Linux.")

    async def start(self, launch: Launch) -> Started:
        """Start an attempt under a runner of its own."""
        await asyncio.to_thread(launch.folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        request = {"op": "start", "own": False, **link.launch_fields(launch)}
        for _ in range(HOST_DEATHS):
            with contextlib.suppress(*link.NOBODY):
                async with await self.host(launch.run) as host:
                    return link.started_from(await host.answer(request, START_S))
        raise QuarterdeckError(
            "The runner's host goes away whenever it is to start an attempt.",
            hint=f"{launch.run / 'host.log'} says why.",
        )

    async def host(self, run: Path) -> link.Link:
        """Connect to the host of a runtime folder, which is started when there is none."""
        path = run / "host.sock"
        with contextlib.suppress(*link.NOBODY):
            return await link.Link.open(path)
        async with self._starting.setdefault(run, asyncio.Lock()):
            deadline = asyncio.get_running_loop().time() + HOST_START_S
            while True:
                with contextlib.suppress(*link.NOBODY):
                    return await link.Link.open(path)
                if asyncio.get_running_loop().time() > deadline:
                    raise Unavailable("The runner's host does not start.", hint=f"{run / 'host.log'} says why.")
                await self._start_host(run)

    async def dismiss(self, run: Path) -> None:
        """Let the host of a runtime folder go. Sessions stay with their runners, commands of its own keep it."""
        with contextlib.suppress(*link.NOBODY, QuarterdeckError):
            async with await link.Link.open(run / "host.sock") as host:
                await host.answer({"op": "quit"}, START_S)

    async def find(self, ref: AttemptRef) -> Found:
        """Say what became of an attempt."""
        return await link.find(ref)

    def watch(self, ref: AttemptRef) -> AsyncIterator[Signal]:
        """Yield an attempt's news."""
        return link.watch(ref)

    async def write(self, ref: AttemptRef, data: bytes, *, close: bool = False) -> None:
        """Write to the child's stdin."""
        await link.write(ref, data, close=close)

    async def signal(self, ref: AttemptRef, number: int) -> None:
        """Send a signal to the child alone."""
        await link.send_signal(ref, number)

    async def pause(self, ref: AttemptRef) -> None:
        """Freeze the whole tree."""
        await link.ask(ref, {"op": "pause"})

    async def resume(self, ref: AttemptRef) -> None:
        """Thaw the whole tree."""
        await link.ask(ref, {"op": "resume"})

    async def hold(self, ref: AttemptRef, *, held: bool) -> None:
        """Stop the clocks of the attempt's timeouts, or let them run on."""
        await link.ask(ref, {"op": "hold", "held": held})

    async def stop(self, ref: AttemptRef, *, grace_s: float) -> None:
        """End the whole tree."""
        await link.stop(ref, grace_s=grace_s)

    async def type_text(self, ref: AttemptRef, text: str) -> None:
        """There is no terminal: Refused."""
        raise Refused("A process without a terminal cannot be typed to.", hint="Use its standard input.")

    async def screen(self, ref: AttemptRef) -> tuple[str, str] | None:
        """There is no terminal: None."""
        return None

    def attach_command(self, ref: AttemptRef) -> list[str]:
        """There is no terminal: Refused."""
        raise Refused(NO_TERMINAL, hint="`quarterdeck sessions logs --follow` shows what it puts out.")

    async def release(self, ref: AttemptRef) -> None:
        """Remove the boot-scoped files of an attempt that has ended."""
        await asyncio.to_thread(link.remove_leftovers, ref)

    async def _start_host(self, run: Path) -> None:
        """Start a host and wait until it listens; where another one holds the lock, nothing happens."""
        await asyncio.to_thread(run.mkdir, mode=0o700, parents=True, exist_ok=True)
        await asyncio.to_thread((run / "host.log").touch, mode=0o600)
        log = await asyncio.to_thread((run / "host.log").open, "ab")
        with log:
            starter = await asyncio.create_subprocess_exec(
                *in_own_scope(runner_command("host", str(run))),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        ending = asyncio.ensure_future(starter.wait())
        try:
            if await asyncio.shield(ending) == 0:
                return
        except asyncio.CancelledError:
            # It goes to the background in a moment; left alone it would be nobody's child process.
            await ending
            raise
        await asyncio.sleep(link.LOOK_AGAIN_S)
