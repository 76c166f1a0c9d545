"""The spool: what a session put out, as records in the CRI log format, appended to a file.

The file may be renamed, removed or truncated at any time, and the disk may be full: the child goes on.
"""

from __future__ import annotations

import os
import time

from executors.runner.shortening import Shortening

# A whole record, with its header of less than 64 bytes, has at most 64 KiB.
LONGEST_PART = 65536 - 64
HELD_BYTES = 1 << 20
LOOK_EVERY_S = 1.0
LOST = b"[quarterdeck: %d bytes of output were lost here, the disk was full]\n"


class Spool:
    """Appends records to ``path``, which is made (0600) by the first of them or by ``open``.

    With a ``limit``, in bytes, the middle of what is longer is left out.
    """

    def __init__(self, path: str, limit: int | None = None) -> None:
        self._path = path
        self._shortening = Shortening(path, limit) if limit else None
        self._size = 0
        self._fd = -1
        self._file = (0, 0)
        self._looked_at = 0.0
        self._second = -1
        self._date = b""
        self._unwritten = bytearray()
        self._in_record = False
        self._partial: dict[bytes, bool] = {}
        self._lost: dict[bytes, int] = {}

    @property
    def behind(self) -> bool:
        """Whether something could not be written yet: the disk is full."""
        return bool(self._unwritten or self._lost)

    def write(self, stream: bytes, data: bytes) -> None:
        """Append what came from a stream, cut anywhere."""
        if len(self._unwritten) >= HELD_BYTES:
            self._lost[stream] = self._lost.get(stream, 0) + len(data)
        else:
            self._unwritten += self._records(stream, data)
        self.flush()

    def flush(self) -> None:
        """Write what is held; the rest stays held when the disk takes no more."""
        if time.monotonic() - self._looked_at >= LOOK_EVERY_S:
            self.follow()
        if self._put() and self._lost:
            for stream, count in self._lost.items():
                start = b"\n" if self._partial.get(stream) else b""
                self._unwritten += self._records(stream, start + LOST % count)
            self._lost.clear()
            self._put()

    def follow(self) -> None:
        """Open the file anew when it is not there any more under its name."""
        if self._fd < 0:
            return
        self._looked_at = time.monotonic()
        try:
            there = os.stat(self._path)
        except OSError:
            pass
        else:
            if (there.st_dev, there.st_ino) == self._file:
                return
        try:
            self.open()
        except OSError:
            # The folder is gone or the disk is full: what was opened before takes the records.
            return

    def open(self) -> None:
        """Open the file, so that the next record starts on a fresh line; OSError when it cannot be."""
        fd = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        there = os.fstat(fd)
        self.close()
        self._fd = fd
        self._size = there.st_size
        self._file = (there.st_dev, there.st_ino)
        self._looked_at = time.monotonic()
        if self._in_record:
            del self._unwritten[: self._unwritten.index(b"\n") + 1]
            self._in_record = False
        if there.st_size and os.pread(fd, 1, there.st_size - 1) not in (b"\n", b""):
            self._unwritten[:0] = b"\n"

    def end(self) -> None:
        """End the lines that have no newline, so that the next attempt's first line stands alone."""
        for stream, partial in self._partial.items():
            if partial:
                self._unwritten += self._records(stream, b"\n")
        if self.behind:
            self.flush()

    def sync(self) -> None:
        """Return when what was written is on the disk."""
        if self._fd >= 0:
            os.fsync(self._fd)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _put(self) -> bool:
        """Write as much as the disk takes; whether that was everything."""
        try:
            if self._fd < 0 and self._unwritten:
                self.open()
            while self._unwritten:
                written = os.write(self._fd, self._unwritten)
                self._in_record = self._unwritten[written - 1] != 0x0A
                del self._unwritten[:written]
                self._size += written
        except OSError:
            return False
        if self._shortening is not None and self._shortening.is_due(self._size):
            self._shorten(self._shortening)
        return True

    def _shorten(self, shortening: Shortening) -> None:
        made = shortening.shorten(self._fd, self._size)
        if made is not None:
            self.close()
            there = os.fstat(made)
            self._fd, self._size, self._file = made, there.st_size, (there.st_dev, there.st_ino)

    def _records(self, stream: bytes, data: bytes) -> bytes:
        now = time.time_ns()
        second = now // 1_000_000_000
        if second != self._second:
            self._second = second
            self._date = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()
        header = b"%s.%06dZ %s " % (self._date, now // 1000 % 1_000_000, stream)
        self._partial[stream] = not data.endswith(b"\n")
        if len(data) <= LONGEST_PART:
            return self._part(header, data)
        cuts = range(0, len(data), LONGEST_PART)
        return b"".join(self._part(header, data[at : at + LONGEST_PART]) for at in cuts)

    @staticmethod
    def _part(header: bytes, data: bytes) -> bytes:
        lines, newline, rest = data.rpartition(b"\n")
        records = b""
        if newline:
            whole = header + b"F "
            records = whole + lines.replace(b"\n", b"\n" + whole) + b"\n"
        return records + header + b"P " + rest + b"\n" if rest else records
