"""A program in a pseudo-terminal, watched from outside: what it has drawn since, and when."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self


class Screen:
    """Runs ``command`` in a terminal of ``columns`` x ``rows``; use it as a context."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], columns: int = 160, rows: int = 48) -> None:
        self._drawn = b""
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], list(command), dict(env))  # noqa: S606 - the program itself is wanted
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._terminal)

    def press(self, keys: bytes) -> float:
        """Send keys; returns when. What was drawn before is forgotten."""
        self.read()
        self._drawn = b""
        os.write(self._terminal, keys)
        return time.perf_counter()

    def wait(self, text: bytes, timeout_s: float = 30.0, *, after: bytes = b"") -> float:
        """Return the moment at which a text has been drawn, behind another one if that is given."""
        deadline = time.monotonic() + timeout_s
        while after not in self._drawn or text not in self._drawn[self._drawn.index(after) :]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{text!r} was not drawn; the last that was: {self._drawn[-2000:]!r}")
            self.read(0.05)
        return time.perf_counter()

    def drawn(self) -> bytes:
        """Return what has been drawn since the last key."""
        return self._drawn

    def read(self, patience_s: float = 0.0) -> bytes:
        """Take what has been drawn meanwhile, and return it."""
        taken = b""
        while select.select([self._terminal], [], [], 0 if taken else patience_s)[0]:
            try:
                chunk = os.read(self._terminal, 1 << 16)
            except OSError:
                break
            if not chunk:
                break
            taken += chunk
        self._drawn += taken
        return taken
