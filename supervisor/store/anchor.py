"""The audit log's anchor: the newest entry's number and hash, in a file outside the database.

A chain alone cannot show that its end was cut off. The anchor can, as long as it is never moved over
a contradiction: it stays as it is when the log does not hold what it names, and when it is missing although
the log has entries.

It is written in place, by one call of a fixed size: a new file and a rename for each commit took an eighth of the
processor time of a decision. A kill leaves it as it was or as it is to be.
"""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from supervisor.store import queries
from supervisor.store.rows import to_json

SQL = queries.load("audit")

GENESIS: Final = "0" * 64
"""What the first entry is chained to."""

SIZE: Final = 128
"""Bytes of the file, more than a number and a hash ever take; the rest is blanks."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Mark:
    """An entry of the audit log; number 0 is before the first."""

    seq: int
    hash: str


def newest(conn: sqlite3.Connection) -> Mark:
    """Return the newest entry of the log."""
    row = conn.execute(SQL["newest"]).fetchone()
    return Mark(0, GENESIS) if row is None else Mark(row["seq"], row["hash"])


def read_anchor(path: Path) -> Mark | None:
    """Return what the anchor names; None when it is not there or cannot be read."""
    try:
        found, again = b"", path.read_bytes()
        # Half of it may be of the entry before, while it is written over.
        while found != again:
            found, again = again, path.read_bytes()
        return msgspec.json.decode(found, type=Mark)
    except (OSError, msgspec.DecodeError):
        return None


class Anchor:
    """Keeps the file in step with the log. Belongs to the writer's thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept = read_anchor(path)
        self._contradicted = False

    def keep(self, conn: sqlite3.Connection) -> None:
        """Write the newest entry down when it is a new one; OSError when the file cannot be written."""
        last = newest(conn)
        if last == self._kept or self._contradicted:
            return
        if not _agree(conn, self._kept, last):
            self._contradicted = True
            log.error("The audit log and %s contradict each other; see `quarterdeck audit verify`.", self._path)
            return
        # What stands there unread may be longer than what is written over it.
        anew = os.O_TRUNC if self._kept is None else 0
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | anew, 0o600)
        try:
            written = os.pwrite(descriptor, to_json(last).encode().ljust(SIZE), 0)
        finally:
            os.close(descriptor)
        if written < SIZE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))
        self._kept = last


def _agree(conn: sqlite3.Connection, kept: Mark | None, last: Mark) -> bool:
    if kept is None or kept.seq == 0:
        return kept is not None or last.seq == 0
    row = conn.execute(SQL["hash"], {"seq": kept.seq}).fetchone()
    return row is not None and row["hash"] == kept.hash
