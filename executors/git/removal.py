"""What a worktree holds that exists nowhere else, and its removal when that is nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from executors.git.records import Record, Records
from executors.git.repository import HEADS, read_heads
from executors.git.run import ask, git
from executors.git.submodules import holding_work
from supervisor.engine.ports.workspaces import WorktreeState


async def state(worktree: Path, branch: str, base_commit: str) -> WorktreeState:
    """Count what would be lost: changed files, new files, commits that no other branch or remote has."""
    if not await asyncio.to_thread((worktree / ".git").exists):
        return WorktreeState(exists=False, detail=f"The folder {worktree} is gone: it was moved or removed.")
    listing = await git(worktree, "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", reads=True)
    entries = [entry for entry in listing.split("\0") if entry]
    untracked = sum(entry.startswith("??") for entry in entries)
    submodules = await holding_work(worktree)
    # HEAD counts too: a detached one may have commits that no branch has.
    commits = await _unmerged(worktree, branch, base_commit, "HEAD")
    changed = {entry[3:] for entry in entries if not entry.startswith("??")} | set(submodules)
    return WorktreeState(
        exists=True,
        modified=len(changed),
        untracked=untracked,
        unmerged_commits=commits,
        detail=f"Submodules with work of their own: {', '.join(submodules)}." if submodules else "",
    )


async def remove(root: Path, worktree: Path, branch: str, base_commit: str) -> WorktreeState:
    """Remove a worktree and its branch as far as nothing is lost; says what was kept and why.

    The caller holds the repository's lock.
    """
    records = Records(worktree.parent)
    record = await asyncio.to_thread(records.read, worktree.name)
    held = await state(worktree, branch, base_commit)
    if record is None or Path(record.path) != worktree or not record.ours:
        return _not_ours(held)
    if not held.exists:
        return await _forget_missing(root, record, records)
    if held.holds_work:
        return _kept(held, "It holds work, so it stays.")
    # Git looks again by itself. Only submodules make it refuse a clean worktree; these were looked at.
    force = ("--force",) if await asyncio.to_thread((worktree / ".gitmodules").exists) else ()
    answer = await ask(root, "worktree", "remove", *force, worktree)
    if answer.code != 0:
        return _kept(held, f"Git did not remove it: {answer.complaint}.")
    said = await _remove_branch(root, record)
    await asyncio.to_thread(records.drop, record.session)
    return WorktreeState(exists=False, detail=f"Removed {worktree}. {said}")


async def left_alone(worktree: Path, branch: str, base_commit: str) -> WorktreeState:
    """Say what a worktree holds that was not made for a session; it is never removed."""
    return _not_ours(await state(worktree, branch, base_commit))


def _not_ours(held: WorktreeState) -> WorktreeState:
    return _kept(held, "It was not made for a session, so it stays.") if held.exists else held


def _kept(held: WorktreeState, why: str) -> WorktreeState:
    return replace(held, detail=f"{why} {held.detail}".strip())


async def _forget_missing(root: Path, record: Record, records: Records) -> WorktreeState:
    head = (await read_heads(root)).branches.get(record.branch)
    if head is not None and head.worktree not in (None, Path(record.path)):
        return WorktreeState(
            exists=False, detail=f"The folder {record.path} was moved to {head.worktree}, which stays."
        )
    await ask(root, "worktree", "remove", "--force", record.path)
    said = await _remove_branch(root, record)
    await asyncio.to_thread(records.drop, record.session)
    return WorktreeState(exists=False, detail=f"The folder {record.path} was already gone. {said}")


async def _remove_branch(root: Path, record: Record) -> str:
    """Remove the session's own branch when others have all of its commits."""
    heads = await read_heads(root)
    head = heads.branches.get(record.branch)
    if head is None:
        return "Its branch was gone too."
    commits = await _unmerged(root, record.branch, record.base_commit)
    if commits or head.worktree is not None or not record.own_branch or record.branch == heads.default:
        return f"The branch {record.branch} stays" + (f": only it has {commits} commits." if commits else ".")
    await git(root, "update-ref", "-d", f"{HEADS}{record.branch}", head.commit)
    await ask(root, "config", "--remove-section", f"branch.{record.branch}")
    return f"The branch {record.branch} was merged, or had no commits, and is removed too."


async def _unmerged(where: Path, branch: str, base_commit: str, *also: str) -> int:
    """Count commits since the base that only this branch (and ``also``) has."""
    others = ("--not", base_commit, f"--exclude={branch}", "--branches", "--remotes", "--tags")
    tips = (f"{HEADS}{branch}", *also)
    return int(await git(where, "rev-list", "--count", "--ignore-missing", *tips, *others, reads=True))
