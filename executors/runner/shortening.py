"""Logs with a limit: of one that grew too long its beginning and its end are kept, and a line says what is missing."""

from __future__ import annotations

import contextlib
import os

LEFT_OUT = b"[quarterdeck: %d bytes of this log were left out here, it had grown to its limit of %d bytes]"
STAMP = len("2026-01-31T12:00:00.123456Z")
TRY_AGAIN = 8
"""After a failure (the disk is full) it is tried again when the log has grown by this part of the limit."""


class Shortening:
    """Keeps a log within ``limit`` bytes: an eighth of it for the beginning, and half of it for the end.

    What is between them can grow until the limit is reached again, so that little is copied.
    """

    def __init__(self, path: str, limit: int) -> None:
        self._path = path
        self._limit = limit
        self._due = limit
        self._head = 0
        self._note = 0
        self._left_out = 0

    def is_due(self, size: int) -> bool:
        """Whether a log of this size is to be shortened."""
        return size > self._due

    def shorten(self, fd: int, size: int) -> int | None:
        """Put a shorter log in the place of the one that ``fd`` has open; returns it, open, or None when that failed.

        Whoever reads the log by its name sees the one or the other, each whole.
        """
        beside = f"{self._path}.short"
        try:
            made = os.open(beside, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                head, note, left_out = self._write(made, fd, size)
                os.rename(beside, self._path)
            except BaseException:
                os.close(made)
                raise
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(beside)
            self._due = size + self._limit // TRY_AGAIN
            return None
        self._due = self._limit
        self._head, self._note, self._left_out = head, note, left_out
        return made

    def _write(self, made: int, fd: int, size: int) -> tuple[int, int, int]:
        first = os.pread(fd, self._head or self._limit // 8, 0)
        first = first[: first.rfind(b"\n") + 1]
        last = os.pread(fd, self._limit // 2, size - self._limit // 2)
        # Both ends are whole records.
        last = last[last.find(b"\n") + 1 :]
        left_out = self._left_out + size - len(first) - self._note - len(last)
        # On stderr, since it is nothing that the command has put out.
        note = _ends_line(first) + last[:STAMP] + b" stderr F " + LEFT_OUT % (left_out, self._limit) + b"\n"
        for data in (first, note, last):
            _write_all(made, data)
        return len(first), len(note), left_out


def _ends_line(first: bytes) -> bytes:
    """Return the record that ends the line that a log's beginning leaves open, if it does."""
    record = first[first.rfind(b"\n", 0, -1) + 1 :]
    stamp, stream, tag, _ = (*record.split(b" ", 3), b"", b"", b"")[:4]
    return b"%s %s F \n" % (stamp, stream) if tag == b"P" else b""


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
