"""What worktrees have checked out, read without starting git: it is looked at often."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

from executors.git.repository import HEADS
from executors.git.run import ask
from supervisor.model.errors import NotFound

_SYMBOLIC: Final = "ref: "
_ELSEWHERE: Final = f"{HEADS}.invalid"
"""What the file says where references are kept in another way (git 2.45, ``reftable``)."""

_Stamp = tuple[int, int, int]


class Standings:
    """What worktrees have checked out. A look costs one `stat` while that stays the same: git replaces the file."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[str, _Stamp, str | None]] = {}

    async def checked_out(self, worktree: Path) -> str | None:
        """Return the branch that a worktree has checked out, None when it is on none; NotFound when it is gone."""
        known = self._known.get(worktree)
        try:
            if known is not None and _stamp(known[0]) == known[1]:
                return known[2]
            self._known.pop(worktree, None)
            head, stamp, text = await asyncio.to_thread(_read, worktree)
        except OSError as error:
            self._known.pop(worktree, None)
            raise NotFound(f"There is no worktree {worktree}.") from error
        if text == _SYMBOLIC + _ELSEWHERE:
            text = _SYMBOLIC + (await ask(worktree, "symbolic-ref", "-q", "HEAD", reads=True)).text.strip()
            return _branch(text)
        self._known[worktree] = head, stamp, _branch(text)
        return _branch(text)


def _branch(text: str) -> str | None:
    named = text.removeprefix(_SYMBOLIC) if text.startswith(_SYMBOLIC) else ""
    return named.removeprefix(HEADS) or None


def _read(worktree: Path) -> tuple[str, _Stamp, str]:
    """Return the worktree's own HEAD: where it is, its stamp from before it was read, and what it says. Blocks."""
    marker = worktree / ".git"
    own = marker if marker.is_dir() else worktree / marker.read_text().removeprefix("gitdir:").strip()
    head = own / "HEAD"
    return str(head), _stamp(str(head)), head.read_text().strip()


def _stamp(path: str) -> _Stamp:
    found = os.stat(path)  # noqa: PTH116 - it is looked at each time that something of a plan happens
    return found.st_ino, found.st_mtime_ns, found.st_size
