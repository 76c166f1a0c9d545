"""How sessions, tasks and branches are named after each other."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from executors.git.run import ask, git
from supervisor.model.errors import InvalidInput

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True, slots=True)
class Linked:
    """A linked worktree that has a branch checked out."""

    path: Path
    commit: str


def check_name(session: str) -> None:
    """Raise InvalidInput unless a session's name can safely name a folder and a branch."""
    if not _NAME.fullmatch(session) or session.endswith((".", ".lock")) or ".." in session:
        raise InvalidInput(
            f"{session!r} cannot name a worktree.",
            hint="Use up to 100 letters, digits, dots, dashes and underscores.",
        )


async def check_branch(root: Path, branch: str) -> None:
    """Raise InvalidInput unless git takes this as the name of a new branch."""
    answer = await ask(root, "check-ref-format", "--branch", branch, reads=True)
    if answer.code != 0 or answer.text.rstrip("\n") != branch:
        raise InvalidInput(
            f"{branch!r} is not a valid branch name.",
            hint="`git help check-ref-format` lists what a branch's name may hold.",
        )


def branch_of_session(session: str) -> str:
    """Return the branch that a session gets when nothing else was asked for."""
    return f"qd/{session}"


def reference_name(worktree: Path) -> str:
    """Return a worktree's name as a part of a reference; folders that people named may hold any character."""
    name = worktree.name
    safe = re.sub(r"[^A-Za-z0-9_-]+", "-", name)
    return name if name == safe else f"{safe}-{crc32(os.fsencode(worktree)):08x}"


def branch_of_task(task: str) -> str | None:
    """Return the branch on which a task's worktree is looked for.

    What follows the task's first word is its suffix: ``implement-auth-05A`` belongs to ``feature/auth-05A``.
    """
    _, _, suffix = task.partition("-")
    return f"feature/{suffix}" if suffix else None


async def worktrees_on(root: Path, branch: str) -> list[Linked]:
    """Return the linked worktrees on a branch; the main one and those whose folder is gone do not count."""
    listing = await git(root, "worktree", "list", "--porcelain", "-z", reads=True)
    found = []
    for block in listing.split("\0\0")[1:]:  # the main worktree comes first
        facts = dict(line.partition(" ")[::2] for line in block.split("\0") if line)
        if facts.get("branch") == f"refs/heads/{branch}" and "prunable" not in facts:
            found.append(Linked(Path(facts["worktree"]), facts["HEAD"]))
    return found
