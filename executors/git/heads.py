"""Where HEAD is, and what git keeps of an unfinished merge: put back as a checkpoint has them."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from pathlib import Path

from executors.git import leftover
from executors.git.checkpoints import OPERATION, State
from executors.git.run import LOCK_PATIENCE_S, ask, git
from supervisor.model.errors import Refused

POLL_S = 0.02


async def check(worktree: Path, state: State) -> None:
    """Refuse when HEAD cannot be moved to where a checkpoint has it without losing a commit or another worktree's."""
    if state.head is None:
        raise Refused(
            f"{_short(state.branch)} had no commit then, so HEAD cannot be moved there.", hint="Leave --head out."
        )
    now = (await ask(worktree, "symbolic-ref", "-q", "HEAD", reads=True)).text.strip() or None
    if state.branch is None or state.branch == now:
        return
    listing = await git(worktree, "worktree", "list", "--porcelain", "-z", reads=True)
    if f"branch {state.branch}" in listing.split("\0"):
        raise Refused(
            f"{_short(state.branch)} is checked out in another worktree.", hint="Leave --head out, or switch that one."
        )
    tip = await ask(worktree, "rev-parse", "-q", "--verify", state.branch, reads=True)
    if tip.code == 0 and tip.text.strip() != state.head:
        raise Refused(
            f"{_short(state.branch)} has moved from {state.head[:12]} to {tip.text[:12]} and is not checked out.",
            hint=f"Check it out first (git -C '{worktree}' switch {_short(state.branch)}), or leave --head out.",
        )


async def move(worktree: Path, state: State, message: str) -> None:
    """Move HEAD, and the branch that was checked out, to where a checkpoint has them."""
    if state.head is None:
        return
    if state.branch is None:
        await git(worktree, "update-ref", "--no-deref", "-m", message, "HEAD", state.head)
        return
    await git(worktree, "update-ref", "-m", message, state.branch, state.head)
    await git(worktree, "symbolic-ref", "-m", message, "HEAD", state.branch)


def put_operation(own: Path, state: State) -> None:
    """Have git know of the merge, cherry-pick or revert that was not finished, and of no other. Blocks."""
    for name in OPERATION:
        if name in state.operation:
            (own / name).write_bytes(os.fsencode(state.operation[name]))
        else:
            (own / name).unlink(missing_ok=True)


async def locked_write(path: Path, content: bytes | None, time_ns: int) -> None:
    """Replace a file of git's under git's own lock, and give it a time; without content it is removed."""
    lock = path.with_name(f"{path.name}.lock")
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while not await asyncio.to_thread(_locked, lock):
        cleared = await asyncio.to_thread(leftover.clear, lock)
        if time.monotonic() > deadline:
            raise await asyncio.to_thread(leftover.refusal, lock)
        if not cleared:
            await asyncio.sleep(POLL_S)
    await asyncio.to_thread(_replace, path, lock, content, time_ns)


def _locked(lock: Path) -> bool:
    with suppress(FileExistsError):
        os.close(os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))
        return True
    return False


def _replace(path: Path, lock: Path, content: bytes | None, time_ns: int) -> None:
    try:
        if content is None:
            path.unlink(missing_ok=True)
            return
        lock.write_bytes(content)
        os.utime(lock, ns=(time_ns, time_ns))
        lock.rename(path)
    finally:
        lock.unlink(missing_ok=True)


def _short(branch: str | None) -> str:
    return branch.removeprefix("refs/heads/") if branch else "HEAD"
