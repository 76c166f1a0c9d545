"""What the engine needs from the outside world. Adapters live in `executors`.

Three ports: `Executor` starts and controls processes, `Workspaces` is git, `AgentAdapter`
knows an agent's command line and stream. Starting a process and speaking its protocol are
two things: an adapter never touches a process, an executor never reads a stream.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from config.profiles import AgentProfile, ContainerProfile
from supervisor.model.acts import Act, Judgement
from supervisor.model.entities import ExecutorName, Mode
from supervisor.model.events import NewEvent

# --- executors -----------------------------------------------------------------------------


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


# --- git -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository that sessions can work on."""

    root: Path
    name: str
    default_branch: str


@dataclass(frozen=True, slots=True)
class WorkspaceRequest:
    """A worktree for one session. ``task`` may name an existing one by convention (C2); ``standing`` is one that the
    session shares with others, which stands on ``branch`` already.
    """

    session: str
    project: str
    root: Path
    worktrees: Path
    log: Path
    task: str | None = None
    branch: str | None = None
    base: str | None = None
    standing: Path | None = None


@dataclass(frozen=True, slots=True)
class Workspace:
    """A worktree that is ready. ``env`` is what provisioning adds to the session's environment."""

    path: Path
    branch: str
    base_commit: str
    env: dict[str, str] = field(default_factory=dict)
    reused: bool = False
    warm: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WorktreeState:
    """What would be lost if a worktree went away."""

    exists: bool
    modified: int = 0
    untracked: int = 0
    unmerged_commits: int = 0
    detail: str = ""

    @property
    def holds_work(self) -> bool:
        """Whether removing it would lose something."""
        return bool(self.modified or self.untracked or self.unmerged_commits)


@dataclass(frozen=True, slots=True)
class MergeResult:
    """The outcome of a merge; with conflicts nothing was changed."""

    merged: bool
    commit: str | None = None
    conflicts: tuple[str, ...] = ()
    detail: str = ""


FileStatus = Literal["unchanged", "added", "modified", "deleted", "renamed"]


@dataclass(frozen=True, slots=True)
class WorktreeFile:
    """A file of a worktree, compared with the base; ``before`` is the path that a renamed one had there."""

    path: str
    status: FileStatus
    before: str | None = None


@dataclass(frozen=True, slots=True)
class FileContent:
    """What is in a file of ``size`` bytes. ``text`` is None for a binary one; of a long one it is the beginning."""

    path: str
    text: str | None
    size: int
    binary: bool = False
    truncated: bool = False


PushChange = Literal["created", "updated", "unchanged"]


@dataclass(frozen=True, slots=True)
class PushResult:
    """The outcome of a push of ``commit``. ``change`` is what happened to the remote's branch, ``detail`` the word of
    git for it, or why the remote refused; ``messages`` are lines that the remote said."""

    pushed: bool
    remote: str
    commit: str
    change: PushChange | None = None
    detail: str = ""
    messages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BundleResult:
    """A file with ``commits`` commits, the last of which is ``commit``; ``size`` in bytes."""

    path: Path
    commit: str
    commits: int
    size: int


@dataclass(frozen=True, slots=True)
class CheckpointRequest:
    """A checkpoint of a worktree, to be kept under ``ref``. ``ignored`` are patterns of ignored files that are in it.

    ``unless_like`` is the ref of another: none is made when nothing is different from that one.
    """

    worktree: Path
    ref: str
    message: str
    ignored: tuple[str, ...] = ()
    unless_like: str | None = None


@dataclass(frozen=True, slots=True)
class MadeCheckpoint:
    """A checkpoint that is kept. ``head`` and ``branch`` are where HEAD was, ``size`` of its files is in bytes."""

    ref: str
    commit: str
    head: str | None
    branch: str | None
    files: int
    size: int


@dataclass(frozen=True, slots=True)
class KeptCheckpoint:
    """A checkpoint that a repository has."""

    ref: str
    commit: str


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did. ``safety`` is the checkpoint of what was there before; ``head`` and ``branch`` are where
    HEAD was then; ``left`` says in sentences what is not as it was."""

    safety: MadeCheckpoint
    written: int
    removed: int
    head: str | None
    branch: str | None
    left: tuple[str, ...] = ()


class Workspaces(Protocol):
    """Git, as the engine sees it."""

    async def inspect(self, path: Path) -> Repository:
        """Return the repository that holds ``path``; refuses bare ones and those without commits."""
        ...

    async def check_branch(self, root: Path, branch: str) -> None:
        """Raise InvalidInput unless git takes this as the name of a branch."""
        ...

    async def checked_out(self, worktree: Path) -> str | None:
        """Return the branch that a worktree has checked out, None when it is on none; NotFound when it is gone."""
        ...

    async def prepare(self, request: WorkspaceRequest) -> Workspace:
        """Make or find the session's worktree and provision it. Idempotent per session."""
        ...

    async def refill(self, project: str, root: Path, worktrees: Path) -> float:
        """Bring the warm pool of a project up to its size; returns the seconds it took."""
        ...

    async def clone_for_container(self, workspace: Path, into: Path, *, uid: int, gid: int) -> tuple[Path, ...]:
        """Make a container's own clone of a worktree; returns folders of objects it shares read-only."""
        ...

    async def bring_back(self, clone: Path, workspace: Path, branch: str) -> str:
        """Bring a container's commits and uncommitted files back to the worktree; says what came."""
        ...

    async def diff(self, worktree: Path, base_commit: str, *, stat: bool = False) -> str:
        """Return everything since ``base_commit``: commits, uncommitted and untracked files."""
        ...

    async def files(self, worktree: Path, base_commit: str) -> tuple[list[WorktreeFile], bool]:
        """Return the files that are not ignored, and whether some were left out because there are too many."""
        ...

    async def content(self, worktree: Path, path: str) -> FileContent:
        """Return what is in one of these files; a path that leads elsewhere is refused."""
        ...

    async def commit(self, worktree: Path, message: str) -> str | None:
        """Commit everything; returns the commit, or None when there was nothing."""
        ...

    async def merge(self, root: Path, branch: str, into: str, message: str) -> MergeResult:
        """Merge a session's branch into another; a conflict changes nothing and says where."""
        ...

    async def push(self, root: Path, branch: str, base_commit: str, remote: str | None) -> PushResult:
        """Push a session's branch, never forced, and make the remote's its upstream.

        Without a name the remote is origin, or the only one. Raises Unavailable when it cannot be reached.
        """
        ...

    async def bundle(self, root: Path, branch: str, base_commit: str, path: Path) -> BundleResult:
        """Write the commits since the base to a file that must not exist yet."""
        ...

    async def checkpoint(self, request: CheckpointRequest) -> MadeCheckpoint | None:
        """Keep files, index and HEAD of a worktree; None when nothing is different from ``request.unless_like``."""
        ...

    async def restore(
        self,
        worktree: Path,
        ref: str,
        safety: CheckpointRequest,
        kept: Callable[[MadeCheckpoint], Awaitable[None]],
        *,
        head: bool = False,
    ) -> Restored:
        """Make files and index what a checkpoint has, with ``head`` also HEAD and its branch.

        First the present is kept as ``safety``, and ``kept`` is called with it. Refused when something would be lost.
        """
        ...

    async def checkpoints(self, root: Path) -> list[KeptCheckpoint]:
        """Return the checkpoints that a repository has."""
        ...

    async def drop_checkpoint(self, root: Path, ref: str) -> None:
        """Let git collect a checkpoint; one that is gone already is none."""
        ...

    async def compare_checkpoint(self, worktree: Path, ref: str, other: str | None, *, stat: bool = False) -> str:
        """Return what is different since a checkpoint: in a worktree, or in another checkpoint."""
        ...

    async def state(self, worktree: Path, branch: str, base_commit: str) -> WorktreeState:
        """Say what a worktree holds that exists nowhere else."""
        ...

    async def discard(
        self, root: Path, places: Sequence[tuple[Path, str]], base_commit: str, *, force: bool
    ) -> WorktreeState:
        """Remove worktrees, of one folder, and their branches together.

        When something in them exists nowhere else nothing is removed without ``force``, and the answer says what.
        """
        ...

    async def remove(self, root: Path, worktree: Path, branch: str, base_commit: str) -> WorktreeState:
        """Remove a worktree that holds no work; one that does is kept, and the answer says what."""
        ...


# --- policy --------------------------------------------------------------------------------


class PolicyPort(Protocol):
    """The rules in force."""

    def judge(self, act: Act, root: Path) -> Judgement:
        """Judge an act by the rules for the project at ``root``. Never raises: what is unclear is asked about."""
        ...


# --- agents --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Turn:
    """One start of an agent."""

    session: str
    profile: AgentProfile
    mode: Mode
    executor: ExecutorName
    cwd: Path
    folder: Path
    prompt: str | None = None
    argv: tuple[str, ...] = ()
    resume: str | None = None
    hook_command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Invocation:
    """The process that a turn starts. ``files`` are written (0600) before it is started."""

    argv: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    stdin: Literal["null", "pipe"] = "null"
    first_input: bytes = b""
    files: dict[Path, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Line:
    """One whole line of a spool, without its newline. ``stream`` is stdout, stderr or tty."""

    data: bytes
    stream: Literal["stdout", "stderr", "tty"]
    time: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to an agent's question. ``message`` tells it why not, ``choice`` is the chosen option's value;
    ``interrupt`` also ends its turn."""

    allow: bool
    message: str = ""
    choice: str | None = None
    interrupt: bool = False


class AgentAdapter(Protocol):
    """One agent's command line and stream. Pure: no process, no clock, no state."""

    name: str

    def invocation(self, turn: Turn) -> Invocation:
        """Return what to start for a turn; InvalidInput when the turn makes no sense."""
        ...

    def parse(self, line: Line) -> Sequence[NewEvent]:
        """Return the events of one line. Never raises: what it cannot read it keeps as UNKNOWN."""
        ...

    def hook_events(self, payload: dict[str, object], time: int) -> Sequence[NewEvent]:
        """Return the events that a hook's input means."""
        ...

    def message(self, text: str) -> bytes | None:
        """Return what delivers a message over stdin, or None where the agent reads none."""
        ...

    def interrupt(self) -> bytes | None:
        """Return what interrupts the turn over stdin, or None where a signal must do it."""
        ...

    def answer(self, asked: Mapping[str, Any], verdict: Verdict) -> bytes | None:
        """Return what answers a PERMISSION_ASKED event (its payload) over stdin; None where only its screen can.

        It may be written twice: the agent must take the second for none.
        """
        ...

    def permission(self, payload: dict[str, Any], time: int) -> NewEvent | None:
        """Return the PERMISSION_ASKED event that a hook's or a tool's blocking request means, or None for another."""
        ...

    def permission_answer(self, asked: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
        """Return the JSON that the process which made such a request prints."""
        ...
