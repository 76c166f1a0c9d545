"""Making, finding and finishing the one worktree of a session.

Everything here happens under the repository's lock. The record is written first (``making``), so that a
second call after a crash at any step knows what to clear away before it makes the worktree again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

from executors.git import pool
from executors.git.convention import branch_of_session, branch_of_task, check_branch, worktrees_on
from executors.git.records import Record, Records
from executors.git.repository import HEADS, Head, Heads, read_heads, resolve
from executors.git.run import git
from supervisor.engine.ports.workspaces import WorkspaceRequest
from supervisor.model.errors import QuarterdeckError, Refused


@dataclass(frozen=True, slots=True)
class Made:
    """A worktree that stands, and how it came about."""

    record: Record
    reused: bool = False
    warm: bool = False
    warnings: tuple[str, ...] = ()


async def obtain(request: WorkspaceRequest, keep: int) -> Made:
    """Return the session's worktree, making it when there is none. ``keep`` is the lock's descriptor."""
    records = Records(request.worktrees)
    heads = await read_heads(request.root)
    known = await asyncio.to_thread(records.read, request.session)
    if known is not None and known.step != "making":
        return await _again(request.root, known, heads, keep)
    if known is not None:
        await _clear(request.root, known, heads)
        heads = await read_heads(request.root)
    planned = await _standing(request, heads) or await _by_convention(request, heads) or await _adopted(request, heads)
    if planned is not None:
        return Made(await asyncio.to_thread(records.write, planned), reused=True)
    record = await asyncio.to_thread(records.write, known or await _plan(request, heads))
    try:
        warm = await _make(request.root, record, keep)
    except QuarterdeckError:
        await _clear(request.root, record, await read_heads(request.root))
        await asyncio.to_thread(records.drop, record.session)
        raise
    return Made(await asyncio.to_thread(records.write, replace(record, step="made")), warm=warm)


async def _make(root: Path, record: Record, keep: int) -> bool:
    """Make the worktree of a record; says whether a warm one was used."""
    if record.own_branch:
        if await pool.take(record, root, keep):
            return True
        target = ("-b", record.branch, record.path, record.base_commit)
        await git(root, "worktree", "add", "-q", *target, keep=[keep])
    else:
        await git(root, "worktree", "add", "-q", record.path, record.branch, keep=[keep])
    return False


async def _plan(request: WorkspaceRequest, heads: Heads) -> Record:
    """Decide on branch and base; refuses what a session must not work on."""
    path = request.worktrees / request.session
    if await asyncio.to_thread(path.exists):
        raise Refused(
            f"There is already a folder {path}, and it is not this session's worktree.",
            hint="Look at what it holds, and move it away.",
        )
    branch = request.branch or branch_of_session(request.session)
    if branch == heads.default:
        raise Refused(
            f"{branch} is the default branch, and sessions never work on it.",
            hint="Give another --branch; `merge` brings the work over when it is done.",
        )
    head = heads.branches.get(branch)
    if head is None and request.branch is not None:
        await check_branch(request.root, branch)
    if head is not None and head.worktree is not None:
        raise _occupied(branch, head.worktree, await asyncio.to_thread(head.worktree.exists))
    if request.base is not None:
        base = await resolve(request.root, request.base)
    elif head is not None:
        base = head.commit if request.branch else await _fork_point(request.root, head, heads)
    elif heads.default_commit is not None:
        base = heads.default_commit
    else:
        raise Refused(f"{request.root} has no commits yet.", hint="Make a first commit.")
    return Record(request.session, str(path), branch, base, own_branch=head is None)


async def _again(root: Path, record: Record, heads: Heads, keep: int) -> Made:
    """Return to a worktree that was made before, and make it again when its folder went away."""
    path = Path(record.path)
    head = heads.branches.get(record.branch)
    if await asyncio.to_thread((path / ".git").exists):
        return Made(record, reused=True, warnings=_strayed(record, heads))
    if head is not None and head.worktree not in (None, path):
        raise _occupied(record.branch, head.worktree, there=True)
    if head is None or not record.ours:
        raise Refused(
            f"The worktree {path} is gone{'' if head else f', and so is its branch {record.branch}'}.",
            hint="Bring it back, or start a new session.",
        )
    await pool.discard(root, path)
    await git(root, "worktree", "add", "-q", path, record.branch, keep=[keep])
    lost = f"The folder {path} was gone. It was made again from {record.branch}; what was not committed is lost."
    return Made(replace(record, step="made"), reused=True, warnings=(lost,))


def _strayed(record: Record, heads: Heads) -> tuple[str, ...]:
    here = [name for name, head in heads.branches.items() if head.worktree == Path(record.path)]
    if here == [record.branch]:
        return ()
    if heads.default in here:
        raise Refused(
            f"The worktree {record.path} was switched to the default branch {heads.default}.",
            hint=f"`git -C '{record.path}' switch {record.branch}` brings it back to its own branch.",
        )
    now = f"on {here[0]}" if here else "on no branch"
    return (f"The worktree is {now}; the session's own branch is {record.branch}.",)


async def _standing(request: WorkspaceRequest, heads: Heads) -> Record | None:
    """Return the worktree that the session shares with others; None when it is to have its own."""
    if request.standing is None or request.standing == request.worktrees / request.session:
        return None
    branch = request.branch or ""
    head = heads.branches.get(branch)
    if branch == heads.default or head is None or head.worktree != request.standing:
        raise Refused(
            f"The worktree {request.standing} does not stand on the branch {branch}.",
            hint=f"`git -C '{request.root}' worktree list` shows where it is.",
        )
    base = head.commit if request.base is None else await resolve(request.root, request.base)
    path = str(request.standing)
    return Record(request.session, path, branch, base, step="ready", ours=False, own_branch=False)


async def _by_convention(request: WorkspaceRequest, heads: Heads) -> Record | None:
    """Return the one worktree that belongs to the task by its name, as it is; None to make a new one."""
    branch = branch_of_task(request.task) if request.task and request.branch is None else None
    if branch is None or branch not in heads.branches or branch == heads.default:
        return None
    candidates = await worktrees_on(request.root, branch)
    if len(candidates) != 1:
        return None
    (found,) = candidates
    return Record(request.session, str(found.path), branch, found.commit, step="ready", ours=False, own_branch=False)


async def _adopted(request: WorkspaceRequest, heads: Heads) -> Record | None:
    """Return the session's worktree when it stands but its record was lost."""
    path = request.worktrees / request.session
    branch = request.branch or branch_of_session(request.session)
    head = heads.branches.get(branch)
    if head is None or head.worktree != path or not await asyncio.to_thread((path / ".git").exists):
        return None
    base = await _fork_point(request.root, head, heads)
    return Record(request.session, str(path), branch, base, step="made", own_branch=request.branch is None)


async def _clear(root: Path, record: Record, heads: Heads) -> None:
    """Clear away what a crash left of a worktree that was never handed out."""
    await pool.discard(root, Path(record.path))
    head = heads.branches.get(record.branch)
    if record.own_branch and head is not None and head.commit == record.base_commit:
        await git(root, "update-ref", "-d", f"{HEADS}{record.branch}", record.base_commit)


async def _fork_point(root: Path, head: Head, heads: Heads) -> str:
    """Return where a branch left the default one; its own commit when they share nothing."""
    try:
        return (await git(root, "merge-base", head.commit, heads.default_commit or "", reads=True)).strip()
    except QuarterdeckError:
        return head.commit


def _occupied(branch: str, where: Path | None, there: bool) -> Refused:
    if not there:
        return Refused(
            f"{branch} is checked out in {where}, a folder that is gone.",
            hint="`git worktree repair` if it was moved, `git worktree prune` if it was removed.",
        )
    return Refused(
        f"{branch} is already checked out in {where}.",
        hint="Give another --branch, or continue the session that works there.",
    )
