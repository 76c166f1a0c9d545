"""The streams between the runner and a child: output into the spool, input from a bounded buffer."""

from __future__ import annotations

import os
import select
from collections.abc import Callable

from executors.runner.loop import READ, WRITE, Loop

CHUNK = 65536
INPUT_BYTES = 16 << 20  # what may wait for a child that does not read
# A terminal hands on its last bytes a moment after its last writer is gone.
TERMINAL_DRAIN_MS = 200
END_OF_FILE = b"\x04"  # Ctrl+D, where nobody chose another key


class Output:
    """Hands everything that comes from a descriptor to ``take``, in chunks."""

    def __init__(self, loop: Loop, fd: int, take: Callable[[bytes], None]) -> None:
        self._loop = loop
        self._fd = fd
        self._take = take
        os.set_blocking(fd, False)
        loop.watch(fd, READ, self._ready)

    def pause(self, paused: bool) -> None:
        """Read nothing for a while: the child waits when its pipe is full."""
        if self._fd >= 0:
            if paused:
                self._loop.unwatch(self._fd)
            else:
                self._loop.watch(self._fd, READ, self._ready)

    def drain(self, wait_ms: int = 0) -> None:
        """Take what is left, now that nobody writes any more, and close."""
        while self._fd >= 0:
            if self._read() is None and not (wait_ms and select.select([self._fd], [], [], wait_ms / 1000)[0]):
                self._close()

    def _ready(self) -> None:
        self._read()

    def _read(self) -> bool | None:
        """Take one chunk; False at the end of the stream, None when there is nothing now."""
        try:
            data = os.read(self._fd, CHUNK)
        except BlockingIOError:
            return None
        except OSError:  # a terminal whose other side is closed gives EIO
            data = b""
        if data:
            self._take(data)
            return True
        self._close()
        return False

    def _close(self) -> None:
        if self._fd >= 0:
            self._loop.unwatch(self._fd)
            os.close(self._fd)
            self._fd = -1


class Input:
    """Writes to a descriptor as fast as its reader takes it.

    ``drained`` is called when everything held was written, ``lost`` when the reader has gone.
    """

    def __init__(
        self,
        loop: Loop,
        fd: int,
        *,
        is_terminal: bool = False,
        drained: Callable[[], None] | None = None,
        lost: Callable[[], None] | None = None,
    ) -> None:
        self._loop = loop
        self._fd = fd
        self._is_terminal = is_terminal
        self._drained = drained
        self._lost = lost
        self._buffer = bytearray()
        self._closing = False
        os.set_blocking(fd, False)

    @property
    def is_open(self) -> bool:
        """Whether it still takes data."""
        return self._fd >= 0 and not self._closing

    @property
    def held(self) -> int:
        """How many bytes wait for the reader."""
        return len(self._buffer)

    def write(self, data: bytes, close: bool = False) -> None:
        """Write in the background; with ``close`` the reader sees the end of the stream afterwards."""
        self._buffer += data
        if close and self._is_terminal:
            self._buffer += END_OF_FILE
        else:
            self._closing = self._closing or close
        self._flush()

    def close(self) -> None:
        """Close at once; what is not written is lost."""
        if self._fd >= 0:
            self._loop.unwatch(self._fd)
            os.close(self._fd)
            self._fd = -1
            self._buffer.clear()

    def _flush(self) -> None:
        if self._fd < 0:
            return
        try:
            while self._buffer:
                del self._buffer[: os.write(self._fd, self._buffer[:CHUNK])]
        except BlockingIOError:
            self._loop.watch(self._fd, WRITE, self._flush)
            return
        except OSError:  # the reader is gone
            self.close()
            if self._lost:
                self._lost()
            return
        self._loop.unwatch(self._fd)
        if self._closing:
            self.close()
        if self._drained:
            self._drained()
