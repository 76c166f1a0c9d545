"""Starting and controlling processes: `Executor`, which never reads what they put out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from config.profiles import ContainerProfile
from supervisor.model.entities import ExecutorName


@dataclass(frozen=True, slots=True)
class ContainerLaunch:
    """What a container needs beyond a plain process. ``clone`` is mounted at /workspace."""

    profile: ContainerProfile
    image: str
    name: str
    clone: Path
    shared_objects: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Launch:
    """Everything that starts one attempt. Seconds are floats; None is no limit.

    ``run`` is the boot-scoped runtime folder (sockets, ``<attempt>.started``), ``folder`` the
    session's own (``stream.log``, ``exit-<number>.json``, ``token``). ``secrets`` are values that
    the runner removes from everything it writes. ``log_limit``, in bytes, is for commands without a session: of
    more output than that the beginning and the end are kept.
    """

    attempt: str
    session: str
    number: int
    token: int
    run: Path
    folder: Path
    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: Path
    secrets: tuple[str, ...] = ()
    stdin: Literal["null", "pipe"] = "null"
    first_input: bytes = b""
    start_to_close_s: float | None = None
    no_output_s: float | None = None
    stop_grace_s: float = 5.0
    heartbeat_s: float = 30.0
    log_limit: int | None = None
    window: str = ""
    container: ContainerLaunch | None = None


@dataclass(frozen=True, slots=True)
class AttemptRef:
    """Names an attempt to an executor, also after a restart of the supervisor."""

    attempt: str
    session: str
    number: int
    token: int
    boot_id: str
    run: Path
    folder: Path
    handle: str | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """A child was spawned. ``handle`` is what the executor finds it by (tmux target, container id)."""

    pid: int
    pid_started_at: int
    handle: str | None = None


@dataclass(frozen=True, slots=True)
class ExitRecord:
    """How an attempt ended, exactly.

    ``exit_code`` is 128 + n for a death by signal n. ``cause`` says who ended it: ``exit`` (by
    itself), ``start_to_close`` or ``no_output`` (that timeout), ``stopped`` (by request) or
    ``spawn_failed`` (nothing ran; ``message`` says why).
    """

    attempt: str
    token: int
    exit_code: int
    cause: Literal["exit", "start_to_close", "no_output", "stopped", "spawn_failed"]
    started_at: int
    ended_at: int
    message: str = ""
    signal: int | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What became of an attempt while nobody looked.

    ``alive``: adopt it (``started`` is set). ``ended``: finish it (``exit`` is set).
    ``not_started``: start the same attempt. ``gone``: it was started, is not there, and left no
    exit record.
    """

    state: Literal["alive", "ended", "not_started", "gone"]
    started: Started | None = None
    exit: ExitRecord | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Signal:
    """News of a running attempt, pushed by its runner.

    ``grew``: the spool has new bytes. ``beat``: the runner is alive. ``stopped`` / ``continued``:
    the child was stopped or goes on. ``exited``: ``exit`` is durable. ``gone``: the runner went
    away without an exit record.
    """

    kind: Literal["grew", "beat", "stopped", "continued", "exited", "gone"]
    exit: ExitRecord | None = None
    at: int = 0


class Executor(Protocol):
    """Starts, finds and controls attempts; they belong to the runner, never to the supervisor."""

    name: ExecutorName

    async def check(self, launch_image: str | None = None) -> None:
        """Raise Unavailable, saying what to do, unless attempts can be started now."""
        ...

    async def start(self, launch: Launch) -> Started:
        """Start an attempt that was claimed. A second call for the same attempt starts nothing.

        Raises Unavailable or QuarterdeckError when nothing was started.
        """
        ...

    async def find(self, ref: AttemptRef) -> Found:
        """Say what became of an attempt."""
        ...

    def watch(self, ref: AttemptRef) -> AsyncIterator[Signal]:
        """Yield news until ``exited`` or ``gone``, which is the last. Survives being cancelled."""
        ...

    async def write(self, ref: AttemptRef, data: bytes, *, close: bool = False) -> None:
        """Write to the child's stdin (a pipe); with ``close`` end it afterwards."""
        ...

    async def signal(self, ref: AttemptRef, number: int) -> None:
        """Send a signal to the child alone."""
        ...

    async def pause(self, ref: AttemptRef) -> None:
        """Freeze the whole tree."""
        ...

    async def resume(self, ref: AttemptRef) -> None:
        """Thaw the whole tree."""
        ...

    async def hold(self, ref: AttemptRef, *, held: bool) -> None:
        """Stop the clocks of the attempt's timeouts while a person decides, or let them run on."""
        ...

    async def stop(self, ref: AttemptRef, *, grace_s: float) -> None:
        """SIGTERM, grace, SIGKILL for every descendant. Returns when the request was taken."""
        ...

    async def type_text(self, ref: AttemptRef, text: str) -> None:
        """Paste text into a terminal and press Enter; Refused where there is no terminal."""
        ...

    async def screen(self, ref: AttemptRef) -> tuple[str, str] | None:
        """Return (title, last screenful) of a terminal, or None where there is none."""
        ...

    def attach_command(self, ref: AttemptRef) -> list[str]:
        """Return the command that gives a person this attempt's terminal; Refused where none."""
        ...

    async def release(self, ref: AttemptRef) -> None:
        """Remove what an ended attempt left behind (window, container)."""
        ...
