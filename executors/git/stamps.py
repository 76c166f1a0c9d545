"""What is known of files from the last look: a file with the same stamp has the same content, and is not read again.

Kept in the folder that git has for a worktree alone. Losing it costs time, nothing else.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

FILE: Final = "quarterdeck-stamps"

SETTLED_NS: Final = 2_000_000_000
"""A file that changed within this time before a look is read again at the next one: clocks of file systems are as
coarse as two seconds, and a second change within one tick would leave the same stamp (racy-git.txt)."""

Stamp = tuple[int, int, int, int, int]
"""Time of the last change of the content (ns), of anything (ns), inode, size (bytes), mode."""

Known = dict[str, tuple[Stamp, str]]
"""Stamp and object id by path."""


def stamp_of(path: str | Path) -> Stamp | None:
    """Return the stamp of what lies at a path, links not followed; None when nothing does. Blocks."""
    try:
        found = os.lstat(path)  # tens of thousands in a row: making a Path of each takes longer than the look
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size, found.st_mode


def is_file(stamp: Stamp | None) -> bool:
    """Whether it is something that git can store: a file or a link."""
    return stamp is not None and (stat.S_ISREG(stamp[4]) or stat.S_ISLNK(stamp[4]))


def is_folder(stamp: Stamp | None) -> bool:
    """Whether it is a folder itself, not a link to one."""
    return stamp is not None and stat.S_ISDIR(stamp[4])


def load(folder: Path) -> Known:
    """Return what is known of a worktree's files; nothing when that cannot be read. Blocks."""
    try:
        found = msgspec.msgpack.decode((folder / FILE).read_bytes(), type=dict[bytes, tuple[Stamp, str]])
    except (OSError, msgspec.DecodeError):
        return {}
    return {os.fsdecode(path): entry for path, entry in found.items()}


def save(folder: Path, known: Mapping[str, tuple[Stamp, str]], began_ns: int) -> None:
    """Keep what was found by a look that began at ``began_ns`` (wall clock). Blocks."""
    settled = {os.fsencode(path): entry for path, entry in known.items() if entry[0][1] < began_ns - SETTLED_NS}
    fresh = folder / f"{FILE}.{os.getpid()}"
    fresh.write_bytes(msgspec.msgpack.encode(settled))
    fresh.replace(folder / FILE)


def forget(folder: Path) -> None:
    """Have every file read again. Blocks."""
    (folder / FILE).unlink(missing_ok=True)
