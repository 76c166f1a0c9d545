"""Taking worktrees away together with their branches, for good: what all of them hold is counted first."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from executors.git.records import Record, Records
from executors.git.removal import state
from executors.git.repository import HEADS, read_heads
from executors.git.run import ask, git
from supervisor.engine.ports.workspaces import WorktreeState

Place = tuple[Path, str]
"""A worktree, which may be gone, and its branch."""


async def discard(root: Path, places: Sequence[Place], base_commit: str, *, force: bool) -> WorktreeState:
    """Remove worktrees and their branches; with work in them, that exists nowhere else, only with ``force``.

    What was not made for a session or a plan stays in any case, and the answer says so. The caller holds the
    repository's lock.
    """
    held = await _held(root, places, base_commit)
    if held.holds_work and not force:
        return held
    said = [sentence for path, branch in places for sentence in await _discard(root, path, branch)]
    return WorktreeState(exists=False, detail=" ".join(said))


async def _held(root: Path, places: Sequence[Place], base_commit: str) -> WorktreeState:
    """Count what would be lost if all of these went away."""
    modified = untracked = 0
    tips = [f"{HEADS}{branch}" for _, branch in places]
    standing = False
    for path, branch in places:
        if await _is_there(path):
            one = await state(path, branch, base_commit)
            standing, modified, untracked = True, modified + one.modified, untracked + one.untracked
            # A detached one may have commits that no branch has.
            tips.append((await git(path, "rev-parse", "HEAD", reads=True)).strip())
    kept = (*(f"--exclude={branch}" for _, branch in places), "--branches", "--remotes", "--tags")
    count = await git(root, "rev-list", "--count", "--ignore-missing", *tips, "--not", base_commit, *kept, reads=True)
    return WorktreeState(standing, modified, untracked, int(count))


async def _discard(root: Path, path: Path, branch: str) -> list[str]:
    records = Records(path.parent)
    record = await asyncio.to_thread(records.read, path.name)
    if await _is_there(path):
        if record is None or not record.ours or Path(record.path) != path:
            return [f"{path} was not made for it, so it stays with its branch."]
        answer = await ask(root, "worktree", "remove", "--force", path)
        if answer.code != 0:
            return [f"Git did not remove {path}: {answer.complaint}."]
        return [f"Removed {path}.", *await _remove_branch(root, branch, record, records)]
    return await _remove_branch(root, branch, record, records)


async def _remove_branch(root: Path, branch: str, record: Record | None, records: Records) -> list[str]:
    heads = await read_heads(root)
    head = heads.branches.get(branch)
    said = []
    if head is not None:
        own = record is None or record.own_branch
        if head.worktree is not None or branch == heads.default or not own:
            why = f"{head.worktree} has it checked out" if head.worktree else "it was not made for it"
            said = [f"The branch {branch} stays: {why}."]
        else:
            await git(root, "update-ref", "-d", f"{HEADS}{branch}", head.commit)
            await ask(root, "config", "--remove-section", f"branch.{branch}")
            said = [f"Removed the branch {branch}."]
    if record is not None:
        await asyncio.to_thread(records.drop, record.session)
    return said


async def _is_there(path: Path) -> bool:
    return await asyncio.to_thread((path / ".git").exists)
