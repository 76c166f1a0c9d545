"""The runner inside a terminal window: the child has a terminal of its own, relayed to the window's."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import sys
import termios
import time

from executors.runner.launch import Launch
from executors.runner.loop import READ
from executors.runner.pipes import CHUNK, Input
from executors.runner.session import Session
from executors.runner.spawn import Streams

# More than this waiting for a slow window makes the child wait too.
WINDOW_BYTES = 1 << 18
LAST_WORDS_S = 2.0


class Window(Session):
    """One attempt, with this process' terminal as its window."""

    has_terminal = True

    def __init__(self, run: str, launch: Launch) -> None:
        super().__init__(run, launch)
        self._master, self._slave = os.openpty()
        self._mode = termios.tcgetattr(0)
        termios.tcsetattr(self._slave, termios.TCSANOW, self._mode)
        self._copy_size()
        self._screen = Input(self.loop, os.dup(1), drained=self._screen_drained, lost=self._window_gone)
        self._throttled = False
        self.loop.on_signal(signal.SIGHUP, self._window_gone)
        self.loop.on_signal(signal.SIGWINCH, self._copy_size)

    def open_streams(self) -> Streams:
        """Connect the child to the inner terminal."""
        child = os.dup(self._slave)
        return Streams((child, child, child), {b"tty": self._master}, os.dup(self._master))

    def serve(self) -> int:
        """Relay until the end is recorded; returns the child's exit code."""
        raw = termios.tcgetattr(0)
        raw[0] &= ~(termios.BRKINT | termios.ICRNL | termios.INPCK | termios.ISTRIP | termios.IXON)
        raw[1] &= ~termios.OPOST
        raw[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
        with contextlib.suppress(termios.error):
            termios.tcsetattr(0, termios.TCSANOW, raw)
        self.loop.watch(0, READ, self._typed)
        try:
            return super().serve()
        finally:
            self._last_words()

    def relay(self, data: bytes) -> None:
        """Show output in the window."""
        if self._screen.is_open:
            self._screen.write(data)
            if self._screen.held > WINDOW_BYTES and not self._throttled:
                self._throttled = True
                self.child.throttle(True)

    def all_ended(self) -> None:
        """Let the inner terminal end, so that its last output is followed by its end."""
        if self._slave >= 0:
            os.close(self._slave)
            self._slave = -1

    def _screen_drained(self) -> None:
        if self._throttled:
            self._throttled = False
            self.child.throttle(False)

    def _typed(self) -> None:
        try:
            data = os.read(0, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.child.write(data, False)
        else:
            self._window_gone()

    def _window_gone(self) -> None:
        self.loop.unwatch(0)
        self._screen.close()
        self._screen_drained()
        self.child.stop(self.launch.stop_grace_s, message="Its terminal window went away.")

    def _copy_size(self) -> None:
        with contextlib.suppress(OSError):
            size = fcntl.ioctl(0, termios.TIOCGWINSZ, b"\0" * 8)
            fcntl.ioctl(self._slave, termios.TIOCSWINSZ, size)

    def _last_words(self) -> None:
        """Give a slow window a moment to take what is left, and its own mode back."""
        deadline = time.monotonic() + LAST_WORDS_S
        while self._screen.held and (left := deadline - time.monotonic()) > 0:
            select.select([], [1], [], left)
            self._screen.write(b"")
        with contextlib.suppress(OSError, termios.error):
            os.set_blocking(1, True)
            termios.tcsetattr(0, termios.TCSADRAIN, self._mode)


def run_window(path: str) -> int:
    """Be the runner of the launch file at ``path``, which is removed; returns the child's exit code."""
    with open(path, "rb") as source:
        launch = Launch(json.load(source))
    os.unlink(path)
    # What runs in a window sees this terminal, not the one that the session was asked for in.
    launch.env["TERM"] = os.environ.get("TERM", "dumb")
    window = Window(os.path.dirname(path), launch)
    answer = window.start()
    if answer["ok"] and answer["pid"] == window.child.pid:
        return window.serve()
    sys.stderr.write(f"{answer.get('message', 'It runs already.')}\r\n")
    return 126
