"""Reads slices of a log file that another process appends to, and that may be rotated or truncated."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

CHUNK: Final = 256 * 1024
RECORDS: Final = 64
"""Records of one slice, some 2 ms of work: so long a decision may have to wait for the ingest that runs."""

"""Bytes that one slice holds at most; bounds how long a decision waits for one round of ingest."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Whole records of a log: ``data`` begins at ``offset`` of the file ``inode`` and ends with a newline.

    ``inode`` is 0 while there is no file. ``notice`` says that another file than before is read:
    ``rotated`` (the old one was read to its end), ``lost`` (the old one is not to be found), or that the
    same one was ``truncated``.
    """

    inode: int
    offset: int
    data: bytes
    more: bool
    notice: Literal["", "rotated", "lost", "truncated"] = ""

    @property
    def end(self) -> int:
        """Where the next slice begins."""
        return self.offset + len(self.data)


def read_slice(path: Path, inode: int, offset: int) -> Slice:
    """Return the next slice after (inode, offset); empty when there is nothing whole yet."""
    notice: Literal["", "rotated", "lost", "truncated"] = ""
    try:
        current = path.stat().st_ino
    except FileNotFoundError:
        current = 0
    if inode and current != inode:
        older = _renamed(path, inode)
        if older is not None:
            part = _read(older, inode, offset, "")
            if part.data or not current:
                return replace(part, more=bool(part.data))
            notice = "rotated"
        elif not current:
            return Slice(inode, offset, b"", more=False)
        else:
            notice = "lost"
        offset = 0
    if not current:
        return Slice(0, 0, b"", more=False)
    return _read(path, current, offset, notice)


def _read(path: Path, inode: int, offset: int, notice: Literal["", "rotated", "lost", "truncated"]) -> Slice:
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        if size < offset:
            offset, notice = 0, "truncated"
        chunk = os.pread(file.fileno(), CHUNK, offset)
    end = chunk.rfind(b"\n") + 1
    if end == 0 and len(chunk) == CHUNK:
        # No runner writes such a record; cut here, it is reported as malformed.
        chunk, end = chunk[:-1] + b"\n", CHUNK
    cut = _after(chunk, RECORDS, end)
    return Slice(inode, offset, chunk[:cut], more=len(chunk) == CHUNK or cut < end, notice=notice)


def _after(chunk: bytes, records: int, end: int) -> int:
    """Return where so many records end in a chunk, at most ``end``."""
    place = 0
    for _ in range(records):
        place = chunk.find(b"\n", place, end) + 1
        if place == 0:
            return end
    return place


def _renamed(path: Path, inode: int) -> Path | None:
    """Return the file that a log was renamed to."""
    for candidate in path.parent.glob(f"{path.name}*"):
        if candidate.stat().st_ino == inode:
            return candidate
    return None
