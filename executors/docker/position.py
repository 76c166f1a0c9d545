"""How far a container's output has been passed on, counted so that the container's log can be resumed there.

Lines are counted, not bytes: what the runner spooled is redacted, which changes lengths but not lines.
Standard library only.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime

STREAMS = {b"stdout": 1, b"stderr": 2}


class Position:
    """Whole lines that passed, and the bytes of the unfinished line after them."""

    def __init__(self, lines: int = 0, tail: int = 0) -> None:
        self.lines = lines
        self.tail = tail

    def advance(self, data: bytes) -> None:
        """Count data that was passed on."""
        newlines = data.count(b"\n")
        self.lines += newlines
        self.tail = len(data) - data.rfind(b"\n") - 1 if newlines else self.tail + len(data)

    def copy(self) -> Position:
        """Return a position that `skip` may use up."""
        return Position(self.lines, self.tail)

    def skip(self, data: bytes) -> bytes:
        """Return what of ``data`` is new, and use this position up on the way there."""
        start = 0
        while self.lines:
            newline = data.find(b"\n", start)
            if newline < 0:
                return b""
            start = newline + 1
            self.lines -= 1
        if self.tail:
            # Redaction may have made the unfinished line longer than it was: it ends at its newline.
            newline = data.find(b"\n", start)
            end = newline if newline >= 0 else len(data)
            cut = min(self.tail, end - start)
            self.tail = 0 if newline >= 0 else self.tail - cut
            start += cut
        return data[start:]


class Spooled:
    """What of one attempt is in the spool. ``last`` is the time of its last record, in seconds or None."""

    def __init__(self) -> None:
        self.positions = {1: Position(), 2: Position()}
        self.size = 0
        self.last: float | None = None
        self.whole = True

    @property
    def log_size(self) -> int:
        """The most that Docker's json-file log can need for it: every byte escaped, and a frame per line."""
        return self.size * 6 + 128 * sum(position.lines for position in self.positions.values())


def read_spool(path: str, offset: int, inode: int) -> Spooled:
    """Count the records from ``offset`` on. ``whole`` is false when the spool was replaced or cut since."""
    spooled = Spooled()
    try:
        with open(path, "rb") as spool:
            about = os.fstat(spool.fileno())
            spooled.whole = inode in (0, about.st_ino) and about.st_size >= offset
            spool.seek(offset if spooled.whole else 0)
            _count(spool, spooled)
    except FileNotFoundError:
        spooled.whole = inode == 0
    return spooled


def _count(records: Iterable[bytes], spooled: Spooled) -> None:
    time = b""
    for record in records:
        parts = record.rstrip(b"\n").split(b" ", 3)
        if len(parts) < 4 or parts[1] not in STREAMS or not record.endswith(b"\n"):
            continue
        time = parts[0]
        position = spooled.positions[STREAMS[parts[1]]]
        position.advance(parts[3] + (b"\n" if parts[2] == b"F" else b""))
        spooled.size += len(parts[3])
    if time:
        spooled.last = datetime.fromisoformat(time.decode("ascii", "replace")).timestamp()
