"""Worktrees of git: `Workspaces`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol


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


@dataclass(frozen=True, slots=True)
class Present:
    """What is in a worktree at a moment: the commit that is checked out, and the tree of all that is not ignored."""

    commit: str
    tree: str


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

    async def head(self, worktree: Path) -> str:
        """Return the commit that a worktree has checked out."""

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

    async def diff(self, worktree: Path, base_commit: str, *, stat: bool = False, now: str | None = None) -> str:
        """Return everything since ``base_commit``: commits, uncommitted and untracked files; or up to a tree."""
        ...

    async def present(self, worktree: Path) -> Present:
        """Return the commit that is checked out, and the tree of everything that is not ignored."""
        ...

    async def changed(self, worktree: Path, before: str, after: str) -> frozenset[str]:
        """Return the paths that are not the same in two commits or trees; raises when one of them is gone."""
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
