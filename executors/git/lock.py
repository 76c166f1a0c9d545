"""One lock per repository: git itself fails when worktrees are added at the same time."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_POLL_S = 0.01


class RepositoryLocks:
    """Locks within this process by repository, and between processes by a file beside the worktrees."""

    def __init__(self) -> None:
        self._within: dict[Path, asyncio.Lock] = {}

    def within(self, root: Path) -> asyncio.Lock:
        """Return the lock of a repository that this process alone sees."""
        return self._within.setdefault(root, asyncio.Lock())

    @asynccontextmanager
    async def hold(self, root: Path, worktrees: Path) -> AsyncIterator[int]:
        """Hold a repository, also against other processes that use the same folder of worktrees.

        Yields the descriptor of the lock. Git processes that inherit it keep the lock when we die.
        """
        async with self.within(root):
            descriptor = await asyncio.to_thread(open_lock, worktrees / ".lock")
            try:
                while not try_lock(descriptor):  # noqa: ASYNC110 - the holder is another process
                    await asyncio.sleep(_POLL_S)
                yield descriptor
            finally:
                os.close(descriptor)


def open_lock(path: Path) -> int:
    """Open a lock file, making it and its folder (0700) when they are missing."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def try_lock(descriptor: int) -> bool:
    """Take a lock file if nobody has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
