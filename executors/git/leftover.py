"""Lock files that a git process left behind when it was killed.

Git does not write down who holds a lock. One counts as left behind when it is older than `SETTLED_S`,
nobody has it open, and no git process works in its repository or in the worktree it belongs to.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from supervisor.model.errors import Refused

SETTLED_S = 30.0
"""A younger lock is never removed."""

_NAMED = re.compile(r"(?:Unable to create|could not lock config file) '?(?P<path>.+?)'?: File exists")


def named_in(complaint: str, where: Path) -> Path | None:
    """Return the lock file that a message of git names, when that is what it is about."""
    if not (found := _NAMED.search(complaint)):
        return None
    path = where / found["path"]
    return path if path.name.endswith(".lock") else path.with_name(f"{path.name}.lock")


def clear(lock: Path) -> bool:
    """Say whether the lock is gone, after removing it if it was left behind."""
    try:
        if _age_s(lock) < SETTLED_S or any(_users(lock)):
            return False
        lock.unlink()
    except FileNotFoundError:
        pass
    return True


def refusal(lock: Path) -> Refused:
    """Return the error for a lock that could not be cleared."""
    try:
        age = f"{_age_s(lock):.0f} s old"
    except FileNotFoundError:
        age = "just taken again"
    pids = sorted(set(_users(lock)))
    holder = f"process {', '.join(map(str, pids))} may hold it" if pids else "its holder is not known"
    return Refused(
        f"Another git process locked the repository: {lock} is {age}, {holder}.",
        hint=f"Try again when it is done. If nothing uses it, it is removed by itself after {SETTLED_S:g} s.",
    )


def _age_s(lock: Path) -> float:
    return time.time() - lock.stat().st_mtime


def _users(lock: Path) -> Iterator[int]:
    """Yield processes that have the lock open, or are git and work in its repository."""
    places = tuple(f"{place}{os.sep}" for place in _places(lock))
    for process in Path("/proc").glob("[0-9]*"):
        try:
            is_git = (process / "comm").read_text().startswith("git")
            inside = is_git and f"{(process / 'cwd').readlink()}{os.sep}".startswith(places)
            if inside or any(link.readlink() == lock for link in (process / "fd").iterdir()):
                yield int(process.name)
        except PermissionError:
            if is_git:  # somebody else's git: it cannot be ruled out
                yield int(process.name)
        except OSError:
            continue


def _places(lock: Path) -> Iterator[Path]:
    folder = lock.parent
    yield folder
    if folder.name == ".git":
        yield folder.parent
    elif (back := folder / "gitdir").is_file():  # gitrepository-layout(5): worktrees/<id>/gitdir
        yield Path(back.read_text().strip()).parent
