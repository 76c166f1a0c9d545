"""Tells whether a file was changed since it was looked at last."""

from __future__ import annotations

import os

FileStamp = tuple[int, int, int]


def stamp_of(path: str | os.PathLike[str]) -> FileStamp:
    """Return the time of the last change, the size and the number of a file; zeros when it cannot be looked at.

    The time alone tells too little: a clock tick lasts some milliseconds, and within one an editor empties a file and
    writes it anew. Who had read it in between would never see what it holds.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 - it is looked at very often
    except OSError:
        return 0, 0, 0
    return found.st_mtime_ns, found.st_size, found.st_ino
