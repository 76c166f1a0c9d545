"""Reads slices of a log file that another process appends to, and that may be rotated or truncated."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

CHUNK: Final = 256 * 1024
"""Bytes that one slice holds at most; bounds how long a decision waits for one round of ingest."""

NEAR: Final = 16 * 1024
"""Bytes that are looked at first: enough for the records of a slice when they are lines of a usual length."""

RECORDS: Final = 64
"""Records of one slice, some 2 ms of work: so long a decision may have to wait for the ingest that runs."""

Notice = Literal["", "rotated", "lost", "truncated"]


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
    notice: Notice = ""

    @property
    def end(self) -> int:
        """Where the next slice begins."""
        return self.offset + len(self.data)


def read_slice(path: str | Path, inode: int, offset: int) -> Slice:
    """Return the next slice after (inode, offset); empty when there is nothing whole yet."""
    notice: Notice = ""
    file = _opened(path)
    try:
        current = os.fstat(file).st_ino if file is not None else 0
        if inode and current != inode:
            older = _renamed(Path(path), inode)
            if older is not None:
                part = _read_path(older, inode, offset)
                if part.data or not current:
                    return replace(part, more=bool(part.data))
                notice = "rotated"
            elif not current:
                return Slice(inode, offset, b"", more=False)
            else:
                notice = "lost"
            offset = 0
        return Slice(0, 0, b"", more=False) if file is None else _read(file, current, offset, notice)
    finally:
        if file is not None:
            os.close(file)


def _opened(path: str | Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None


def _read_path(path: Path, inode: int, offset: int) -> Slice:
    with path.open("rb", buffering=0) as file:
        return _read(file.fileno(), inode, offset, "")


def _read(file: int, inode: int, offset: int, notice: Notice) -> Slice:
    if os.fstat(file).st_size < offset:
        offset, notice = 0, "truncated"
    for limit in (min(NEAR, CHUNK), CHUNK):
        chunk = os.pread(file, limit, offset)
        # Short records fill a slice long before a chunk is full.
        if len(chunk) < limit or chunk.count(b"\n") >= RECORDS:
            break
    end = chunk.rfind(b"\n") + 1
    if end == 0 and len(chunk) == CHUNK:
        # No runner writes such a record; cut here, it is reported as malformed.
        chunk, end = chunk[:-1] + b"\n", CHUNK
    cut = _after(chunk, RECORDS, end)
    return Slice(inode, offset, chunk[:cut], more=len(chunk) == limit or cut < end, notice=notice)


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
