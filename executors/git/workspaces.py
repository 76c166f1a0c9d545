"""The `Workspaces` port, made of git."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from config.settings import Worktrees
from executors.git import (
    changes,
    checkpoints,
    clones,
    discarding,
    exclusion,
    files,
    merging,
    pool,
    provisioning,
    removal,
    repository,
    restoring,
    returns,
    setup,
    sharing,
    submodules,
    worktrees,
)
from executors.git.convention import check_branch, check_name
from executors.git.lock import RepositoryLocks
from executors.git.records import Record, Records
from executors.git.run import git
from executors.git.standing import Standings
from supervisor.engine.ports.workspaces import (
    BundleResult,
    CheckpointRequest,
    FileContent,
    KeptCheckpoint,
    MadeCheckpoint,
    MergeResult,
    Present,
    PushResult,
    Repository,
    Restored,
    Workspace,
    WorkspaceRequest,
    WorktreeFile,
    WorktreeState,
)


class GitWorkspaces:
    """Worktrees of git repositories. ``settings_for`` returns the settings of a repository by its root."""

    def __init__(self, settings_for: Callable[[Path], Worktrees]) -> None:
        self._settings_for = settings_for
        self._locks = RepositoryLocks()
        self._standings = Standings()

    async def inspect(self, path: Path) -> Repository:
        """Return the repository that holds ``path``; refuses bare ones and those without commits."""
        return await repository.inspect(path)

    async def check_branch(self, root: Path, branch: str) -> None:
        """Raise InvalidInput unless git takes this as the name of a branch."""
        await check_branch(root, branch)

    async def checked_out(self, worktree: Path) -> str | None:
        """Return the branch that a worktree has checked out, None when it is on none; NotFound when it is gone."""
        return await self._standings.checked_out(worktree)

    async def head(self, worktree: Path) -> str:
        """Return the commit that a worktree has checked out."""
        return (await git(worktree, "rev-parse", "--verify", "HEAD^{commit}", reads=True)).strip()

    async def prepare(self, request: WorkspaceRequest) -> Workspace:
        """Make or find the session's worktree and provision it. Idempotent per session."""
        check_name(request.session)
        settings = await asyncio.to_thread(self._settings_for, request.root)
        records = Records(request.worktrees)
        async with self._locks.hold(request.root, request.worktrees) as keep:
            await asyncio.to_thread(exclusion.exclude, request.root)
            made = await worktrees.obtain(request, keep)
            record = await asyncio.to_thread(_with_ports, records, made.record, settings)
        path = Path(record.path)
        env = provisioning.variables(settings, record, request.project)
        warnings = list(made.warnings)
        if record.step != "ready":
            warnings += await submodules.complete(request.root, path)
            warnings += await provisioning.copy_ignored(request.root, path, settings.copy_files)
            await setup.run(settings, path, request.log, env)
            await asyncio.to_thread(records.write, replace(record, step="ready"))
        return Workspace(
            path=path,
            branch=record.branch,
            base_commit=record.base_commit,
            env=env,
            reused=made.reused,
            warm=made.warm,
            warnings=tuple(warnings),
        )

    async def refill(self, project: str, root: Path, worktrees: Path) -> float:
        """Bring the warm pool of a project up to its size; returns the seconds it took."""
        began = time.monotonic()
        settings = await asyncio.to_thread(self._settings_for, root)
        # Git does not move worktrees with submodules.
        poolable = not await asyncio.to_thread((root / ".gitmodules").exists)
        await pool.refill(root, worktrees, settings.pool_size if poolable else 0, self._locks)
        return time.monotonic() - began

    async def clone_for_container(self, workspace: Path, into: Path, *, uid: int, gid: int) -> tuple[Path, ...]:
        """Make a container's own clone of a worktree; returns folders of objects it shares read-only."""
        return await clones.make(workspace, into, uid=uid, gid=gid)

    async def bring_back(self, clone: Path, workspace: Path, branch: str) -> str:
        """Bring a container's commits and uncommitted files back to the worktree; says what came."""
        return await returns.bring_back(clone, workspace, branch)

    async def diff(self, worktree: Path, base_commit: str, *, stat: bool = False, now: str | None = None) -> str:
        """Return everything since ``base_commit``: commits, uncommitted and untracked files; or up to a tree."""
        return await changes.diff(worktree, base_commit, stat=stat, now=now)

    async def present(self, worktree: Path) -> Present:
        """Return the commit that is checked out, and the tree of everything that is not ignored."""
        return await changes.present(worktree)

    async def changed(self, worktree: Path, before: str, after: str) -> frozenset[str]:
        """Return the paths that are not the same in two commits or trees."""
        return await changes.changed(worktree, before, after)

    async def files(self, worktree: Path, base_commit: str) -> tuple[list[WorktreeFile], bool]:
        """Return the files that are not ignored and what became of each; whether some were left out."""
        return await files.files(worktree, base_commit)

    async def content(self, worktree: Path, path: str) -> FileContent:
        """Return what is in one of these files."""
        return await files.content(worktree, path)

    async def commit(self, worktree: Path, message: str) -> str | None:
        """Commit everything; returns the commit, or None when there was nothing."""
        return await changes.commit(worktree, message)

    async def merge(self, root: Path, branch: str, into: str, message: str) -> MergeResult:
        """Merge a session's branch into another; a conflict changes nothing and says where."""
        async with self._locks.within(root):
            return await merging.merge(root, branch, into, message)

    async def push(self, root: Path, branch: str, base_commit: str, remote: str | None) -> PushResult:
        """Push a session's branch, never forced, and follow it; what the remote refuses is in the result."""
        result = await sharing.push(root, branch, base_commit, remote)
        if result.pushed:
            async with self._locks.within(root):
                await sharing.follow(root, branch, result.remote)
        return result

    async def bundle(self, root: Path, branch: str, base_commit: str, path: Path) -> BundleResult:
        """Write a session's commits to a new file."""
        return await sharing.bundle(root, branch, base_commit, path)

    async def checkpoint(self, request: CheckpointRequest) -> MadeCheckpoint | None:
        """Keep files, index and HEAD of a worktree; None when nothing is different from ``request.unless_like``."""
        async with self._locks.within(request.worktree):
            made = await checkpoints.make(request)
        return None if made is None else made.kept

    async def restore(
        self,
        worktree: Path,
        ref: str,
        safety: CheckpointRequest,
        kept: Callable[[MadeCheckpoint], Awaitable[None]],
        *,
        head: bool = False,
    ) -> Restored:
        """Make files and index what a checkpoint has, with ``head`` also HEAD and its branch."""
        async with self._locks.within(worktree):
            return await restoring.restore(worktree, ref, safety, kept, head=head)

    async def checkpoints(self, root: Path) -> list[KeptCheckpoint]:
        """Return the checkpoints that a repository has."""
        return await checkpoints.every(root)

    async def drop_checkpoint(self, root: Path, ref: str) -> None:
        """Let git collect a checkpoint; one that is gone already is none."""
        await checkpoints.drop(root, ref)

    async def compare_checkpoint(self, worktree: Path, ref: str, other: str | None, *, stat: bool = False) -> str:
        """Return what is different since a checkpoint: in a worktree, or in another checkpoint."""
        return await checkpoints.compare(worktree, ref, other, stat=stat)

    async def state(self, worktree: Path, branch: str, base_commit: str) -> WorktreeState:
        """Say what a worktree holds that exists nowhere else."""
        return await removal.state(worktree, branch, base_commit)

    async def discard(
        self, root: Path, places: Sequence[tuple[Path, str]], base_commit: str, *, force: bool
    ) -> WorktreeState:
        """Remove worktrees and their branches; with work that exists nowhere else only with ``force``."""
        async with self._locks.hold(root, places[0][0].parent):
            return await discarding.discard(root, places, base_commit, force=force)

    async def remove(self, root: Path, worktree: Path, branch: str, base_commit: str) -> WorktreeState:
        """Remove a worktree that holds no work; one that does is kept, and the answer says what."""
        if not await asyncio.to_thread(Records(worktree.parent).has, worktree.name):
            return await removal.left_alone(worktree, branch, base_commit)
        async with self._locks.hold(root, worktree.parent):
            return await removal.remove(root, worktree, branch, base_commit)


def _with_ports(records: Records, record: Record, settings: Worktrees) -> Record:
    """Give a record the ports that the settings name; unique, because the caller holds the lock.

    Sessions in the same worktree share its ports; those of a worktree that is gone are free again.
    """
    if not settings.ports:
        return record
    held, taken = dict(record.ports), set[int]()
    for other in records.every():
        if other.path == record.path:
            held = other.ports | held
        elif Path(other.path).exists():
            taken |= set(other.ports.values())
    ports = provisioning.allocate(settings, record.session, held, taken)
    return records.write(replace(record, ports=ports)) if ports != record.ports else record
