"""What a worktree has checked out, read without starting git: it is looked at often."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from executors.git.repository import HEADS
from executors.git.run import ask
from supervisor.model.errors import NotFound

_SYMBOLIC: Final = "ref: "
_ELSEWHERE: Final = f"{HEADS}.invalid"
"""What the file says where references are kept in another way (git 2.45, ``reftable``)."""


async def checked_out(worktree: Path) -> str | None:
    """Return the branch that a worktree has checked out, None when it is on none; NotFound when it is gone."""
    try:
        text = await asyncio.to_thread(_head, worktree)
    except OSError as error:
        raise NotFound(f"There is no worktree {worktree}.") from error
    if text == _SYMBOLIC + _ELSEWHERE:
        text = _SYMBOLIC + (await ask(worktree, "symbolic-ref", "-q", "HEAD", reads=True)).text.strip()
    named = text.removeprefix(_SYMBOLIC) if text.startswith(_SYMBOLIC) else ""
    return named.removeprefix(HEADS) or None


def _head(worktree: Path) -> str:
    """Return what the worktree's own HEAD says. Blocks; raises OSError."""
    marker = worktree / ".git"
    own = marker if marker.is_dir() else worktree / marker.read_text().removeprefix("gitdir:").strip()
    return (own / "HEAD").read_text().strip()
