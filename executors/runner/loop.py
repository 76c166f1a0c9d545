"""The event loop: descriptors, timers and signals in one thread. Nothing wakes it without a cause."""

from __future__ import annotations

import contextlib
import heapq
import os
import selectors
import signal
import time
from collections.abc import Callable

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE


class Timer:
    """A call that is due at a time of the monotonic clock."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Make it do nothing."""
        self.callback = None


class Loop:
    """Calls back when something is readable, writable, due or signalled."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Timer]] = []
        self._timer_count = 0
        self._deferred: list[Callable[[], None]] = []
        self._soon: list[Callable[[], None]] = []
        self._signals: dict[int, Callable[[], None]] = {}
        self._running = True
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        self.watch(self._wake_read, READ, self._signalled)

    def watch(self, fd: int, events: int, callback: Callable[[], None]) -> None:
        """Call back whenever ``fd`` is ready for any of ``events``; replaces what was asked before."""
        try:
            self._selector.modify(fd, events, callback)
        except KeyError:
            self._selector.register(fd, events, callback)

    def unwatch(self, fd: int) -> None:
        """Stop calling back for ``fd``; to be called before it is closed."""
        with contextlib.suppress(KeyError):
            self._selector.unregister(fd)

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call back once at ``when`` (``time.monotonic``)."""
        timer = Timer(callback)
        self._timer_count += 1
        heapq.heappush(self._timers, (when, self._timer_count, timer))
        return timer

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Call back once after so many seconds."""
        return self.call_at(time.monotonic() + seconds, callback)

    def defer(self, callback: Callable[[], None]) -> None:
        """Call back once at the end of this round, when everything that is ready was handled."""
        self._deferred.append(callback)

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Call back once in the next round, after what is ready by then."""
        self._soon.append(callback)

    def on_signal(self, number: int, callback: Callable[[], None]) -> None:
        """Call back in the loop after a signal, once for any number of them."""
        self._signals[number] = callback
        signal.signal(number, lambda *_: None)

    def run(self) -> None:
        """Serve until ``stop``, which may have been called before."""
        while self._running:
            self._call_deferred()
            # A callback may have closed what a later entry of the same round speaks of.
            soon, self._soon = self._soon, []
            for key, _ in self._selector.select(0 if soon else self._patience()):
                if self._selector.get_map().get(key.fd) is key:
                    key.data()
            self._call_due()
            for callback in soon:
                callback()
        self._call_deferred()

    def stop(self) -> None:
        """Make ``run`` return after this round."""
        self._running = False

    def close(self) -> None:
        """Give up the descriptors and signals, for example in a fork that is to have its own loop."""
        signal.set_wakeup_fd(-1)
        for number in self._signals:
            signal.signal(number, signal.SIG_DFL)
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _patience(self) -> float | None:
        """Return for how many seconds there is nothing to do; None is for ever."""
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None

    def _call_due(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            callback = heapq.heappop(self._timers)[2].callback
            if callback:
                callback()

    def _call_deferred(self) -> None:
        while self._deferred:
            deferred, self._deferred = self._deferred, []
            for callback in deferred:
                callback()

    def _signalled(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for number in set(os.read(self._wake_read, 4096)):
                callback = self._signals.get(number)
                if callback:
                    callback()
