"""The warm pool: detached worktrees that were checked out before anybody asked for them.

Taking one is a rename, and a checkout of only what changed since. On 20,000 files that takes a fifth of
`git worktree add`; `git switch` would look at every file again, `read-tree` only at those that differ.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from executors.git.lock import RepositoryLocks, open_lock, try_lock
from executors.git.records import Record
from executors.git.repository import read_heads
from executors.git.run import ask, git
from supervisor.model.errors import QuarterdeckError

_PREFIX = ".pool-"


async def take(record: Record, root: Path, keep: int) -> bool:
    """Turn a warm worktree into a session's, on its new branch; False when none could be used.

    The caller holds the repository's lock, whose descriptor is ``keep``.
    """
    path = Path(record.path)
    for entry, commit in await asyncio.to_thread(_ready, path.parent):
        await asyncio.to_thread(_mark, entry, None)
        try:
            await git(root, "worktree", "move", entry, path, keep=[keep])
            await _go_to(path, commit, record.base_commit, [keep])
            ref = f"refs/heads/{record.branch}"
            await git(path, "symbolic-ref", "HEAD", ref, keep=[keep])
            await git(path, "update-ref", "-m", "session started", ref, record.base_commit, "", keep=[keep])
        except QuarterdeckError:
            # What is left counts as half made: the next refill builds the entry again.
            await discard(root, path)
            continue
        return True
    return False


async def refill(root: Path, worktrees: Path, size: int, locks: RepositoryLocks) -> None:
    """Bring the pool to ``size`` worktrees at the default branch's commit, one after the other.

    New ones are checked out without the repository's lock, so that sessions can start meanwhile. One
    refill runs at a time; a second one returns at once.
    """
    filling = await asyncio.to_thread(open_lock, worktrees / ".pool.lock")
    try:
        if not try_lock(filling):
            return
        wanted = [worktrees / f"{_PREFIX}{number}" for number in range(1, size + 1)]
        for entry in await asyncio.to_thread(_entries, worktrees):
            if entry not in wanted:
                async with locks.hold(root, worktrees):
                    await asyncio.to_thread(_mark, entry, None)
                    await discard(root, entry)
        for entry in wanted:
            await _fill(root, entry, locks, filling)
    finally:
        os.close(filling)


async def discard(root: Path, path: Path) -> None:
    """Remove a worktree that was never handed out, whatever its state, and git's note of it."""
    await ask(root, "worktree", "remove", "--force", "--force", path)
    await asyncio.to_thread(_remove_folder, path)


async def _fill(root: Path, entry: Path, locks: RepositoryLocks, filling: int) -> None:
    async with locks.hold(root, entry.parent) as lock:
        keep = [lock, filling]
        target = (await read_heads(root)).default_commit or "HEAD"
        commit = await asyncio.to_thread(_commit_of, entry)
        if commit is not None:
            await asyncio.to_thread(_mark, entry, None)
            await _go_to(entry, commit, target, keep)
            await git(entry, "update-ref", "--no-deref", "HEAD", target, keep=keep)
            await asyncio.to_thread(_mark, entry, target)
            return
        await discard(root, entry)
        await git(root, "worktree", "add", "-q", "--detach", "--no-checkout", entry, target, keep=keep)
    await git(entry, "reset", "-q", "--hard", keep=[filling])
    await asyncio.to_thread(_mark, entry, target)


async def _go_to(path: Path, old: str, new: str, keep: Sequence[int]) -> None:
    if old != new:
        await git(path, "read-tree", "-m", "-u", old, new, keep=keep)


def _ready(worktrees: Path) -> list[tuple[Path, str]]:
    entries = ((entry, _commit_of(entry)) for entry in _entries(worktrees))
    return [(entry, commit) for entry, commit in entries if commit is not None]


def _entries(worktrees: Path) -> list[Path]:
    return sorted(path for path in worktrees.glob(f"{_PREFIX}*") if path.is_dir())


def _commit_of(entry: Path) -> str | None:
    """Return the commit of an entry that is ready; the mark is written last and removed first."""
    try:
        return _marker(entry).read_text() if entry.is_dir() else None
    except FileNotFoundError:
        return None


def _mark(entry: Path, commit: str | None) -> None:
    if commit is None:
        _marker(entry).unlink(missing_ok=True)
    else:
        _marker(entry).write_text(commit)


def _marker(entry: Path) -> Path:
    return entry.with_name(f"{entry.name}.ready")


def _remove_folder(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
