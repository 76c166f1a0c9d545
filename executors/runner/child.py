"""One attempt's child, from its spawn to the end of its last descendant."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from executors.runner import identity
from executors.runner.launch import Launch
from executors.runner.loop import Loop, Timer
from executors.runner.pipes import INPUT_BYTES, TERMINAL_DRAIN_MS, Input, Output
from executors.runner.redact import Redactor, forms
from executors.runner.spawn import Streams
from executors.runner.spool import Spool
from executors.runner.tree import Tree

# What a child leaves running (`tee` behind a pipe, say) may end by itself for so long.
LINGER_S = 0.25
KILL_AGAIN_S = 0.2
WRITE_AGAIN_S = 1.0


def now_ms() -> int:
    """Return the wall clock in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class Child:
    """A process with its tree, streams and limits.

    ``is_empty`` says whether nothing of the tree is left once the child itself has ended. ``tell`` is
    given news (``grew``, ``beat``, ``stopped``, ``continued``), ``ended`` is called once, at the end.
    ``relay`` is given all output after redaction.
    """

    def __init__(
        self,
        loop: Loop,
        launch: Launch,
        spool: Spool,
        tree: Tree,
        is_empty: Callable[[], bool],
        tell: Callable[[str], None],
        ended: Callable[[Child], None],
        relay: Callable[[bytes], None] | None = None,
    ) -> None:
        self.launch = launch
        self.spool = spool
        self.pid = 0
        self.pid_started_at = 0
        self.started_at = 0
        self.ended_at = 0
        self.exit_code: int | None = None
        self.signal: int | None = None
        self.cause = "exit"
        self.message = ""
        self._loop = loop
        self._tree = tree
        self._is_empty = is_empty
        self._tell = tell
        self._ended = ended
        self._relay = relay
        self._secrets = forms(launch.secrets)
        self._streams: list[tuple[bytes, Redactor, Output]] = []
        self._input: Input | None = None
        self._timers: dict[str, Timer] = {}
        self._phase = "running"
        self._kill_at = 0.0
        self._paused = False
        self._held = False
        self._still_at: float | None = None
        self._still_s = 0.0
        self._self_stopped = False
        self._began = 0.0
        self._last_output = 0.0

    @property
    def is_stopped(self) -> bool:
        """Whether the child does nothing because it was paused or stopped."""
        return self._paused or self._self_stopped

    def begin(self, pid: int, streams: Streams) -> None:
        """Take over a process that was just spawned."""
        self.pid = pid
        self.pid_started_at = identity.started_at(pid)
        self.started_at = now_ms()
        self._began = self._last_output = self._clock()
        for stream, fd in streams.outputs.items():
            redactor = Redactor(self._secrets)
            output = Output(self._loop, fd, lambda data, s=stream, r=redactor: self._took(s, r.feed(data)))  # type: ignore[misc]
            self._streams.append((stream, redactor, output))
        if streams.stdin is not None:
            self._input = Input(self._loop, streams.stdin, is_terminal=b"tty" in streams.outputs)
            self._input.write(self.launch.first_input)
        self._watch_limits()

    # --- requests --------------------------------------------------------------------------

    def write(self, data: bytes, close: bool) -> str:
        """Write to stdin in the background; returns why not, or an empty string."""
        if self._input is None or not self._input.is_open:
            return "Its standard input is closed."
        if self._input.held + len(data) > INPUT_BYTES:
            return "It does not read its standard input, and too much waits there already."
        self._input.write(data, close)
        return ""

    def send_signal(self, number: int) -> str:
        """Send a signal to the child alone; returns why not, or an empty string."""
        if self.exit_code is not None:
            return "It has ended."
        os.kill(self.pid, number)
        return ""

    def pause(self) -> None:
        """Freeze the tree; its limits do not run on."""
        if self._phase == "running" and not self._paused:
            was_stopped = self.is_stopped
            self._tree.freeze()
            self._paused = True
            self._set_clock()
            if not was_stopped:
                self._tell("stopped")

    def resume(self) -> None:
        """Thaw the tree."""
        if self._paused:
            self._thawed()
            self._tree.thaw()
            self._self_stopped = False
            self._tell("continued")

    def hold(self, held: bool) -> None:
        """Stop the clock of the limits while a person decides something, or let it run on."""
        self._held = held
        self._set_clock()

    def stop(self, grace_s: float, cause: str = "stopped", message: str = "") -> None:
        """SIGTERM for the tree, SIGKILL after the grace; the first cause is the one that is recorded."""
        if self._phase == "ended":
            return
        if self.exit_code is None and self.cause == "exit":
            self.cause, self.message = cause, message
        due = time.monotonic() + grace_s
        if self._phase in ("running", "lingering"):
            self._terminate(grace_s)
        elif self._phase == "terminating" and due < self._kill_at:
            self._kill_in(grace_s)

    # --- what happened -----------------------------------------------------------------------

    def waited(self, status: int) -> None:
        """Take what waitpid said of the child: stopped, continued, or ended."""
        if os.WIFSTOPPED(status) or os.WIFCONTINUED(status):
            was_stopped = self.is_stopped
            self._self_stopped = os.WIFSTOPPED(status)
            if self._phase == "running" and self.is_stopped != was_stopped:
                self._tell("stopped" if self.is_stopped else "continued")
            return
        code = os.waitstatus_to_exitcode(status)
        self.signal = -code if code < 0 else None
        self.exit_code = 128 - code if code < 0 else code
        self.ended_at = now_ms()
        self._cancel("limits")
        if self._input:
            self._input.close()

    def settle(self) -> None:
        """Go on with the end when the child has ended; to be called whenever anything was reaped."""
        if self.exit_code is None or self._phase == "ended":
            return
        if self._is_empty():
            self._finish()
        elif self._phase == "running":
            self._phase = "lingering"
            if self._paused:  # killed by name while the tree was frozen
                self._thawed()
                self._tree.thaw()
            self._after("end", LINGER_S, lambda: self._terminate(self.launch.stop_grace_s))

    def beat(self) -> None:
        """Look after the spool; to be called every now and then."""
        self.spool.follow()
        self.spool.flush()

    def throttle(self, paused: bool) -> None:
        """Read no output for a while."""
        for _, _, output in self._streams:
            output.pause(paused)

    # --- the end -------------------------------------------------------------------------------

    def _terminate(self, grace_s: float) -> None:
        self._phase = "terminating"
        self._cancel("limits")
        self._thawed()
        if grace_s > 0:
            self._tree.terminate()
            self._kill_in(grace_s)
        else:
            self._kill()

    def _kill_in(self, seconds: float) -> None:
        self._kill_at = time.monotonic() + seconds
        self._after("end", seconds, self._kill)

    def _kill(self) -> None:
        self._phase = "killing"
        self._tree.kill()
        self._after("end", KILL_AGAIN_S, self._kill)
        self._loop.defer(self.settle)

    def _finish(self) -> None:
        self._phase = "ended"
        for stream, redactor, output in self._streams:
            output.drain(TERMINAL_DRAIN_MS if stream == b"tty" else 0)
            self._took(stream, redactor.flush())
        for name in list(self._timers):
            self._cancel(name)
        self.spool.end()
        self._tree.close()
        self._ended(self)

    # --- output and limits -----------------------------------------------------------------------

    def _took(self, stream: bytes, data: bytes) -> None:
        self._last_output = self._clock()
        if not data:
            return
        self.spool.write(stream, data)
        if self._relay:
            self._relay(data)
        if self.spool.behind:
            self._write_again()
        self._tell("grew")

    def _write_again(self) -> None:
        if "spool" not in self._timers:
            self._after("spool", WRITE_AGAIN_S, self._retry_spool)

    def _retry_spool(self) -> None:
        del self._timers["spool"]
        self.spool.flush()
        if self.spool.behind:
            self._write_again()
        else:
            self._tell("grew")

    def _clock(self) -> float:
        """Return a clock that stands still while the tree is paused, or a person decides something."""
        return (self._still_at or time.monotonic()) - self._still_s

    def _set_clock(self) -> None:
        if self._paused or self._held:
            self._still_at = self._still_at or time.monotonic()
            self._cancel("limits")
        elif self._still_at is not None:
            self._still_s += time.monotonic() - self._still_at
            self._still_at = None
            self._watch_limits()

    def _thawed(self) -> None:
        self._paused = False
        self._set_clock()

    def _watch_limits(self) -> None:
        limits = []
        if self.launch.start_to_close_s is not None:
            limits.append((self._began + self.launch.start_to_close_s, "start_to_close"))
        if self.launch.no_output_s is not None:
            limits.append((self._last_output + self.launch.no_output_s, "no_output"))
        if not limits or self._still_at is not None or self._phase != "running" or self.exit_code is not None:
            return
        due, cause = min(limits)
        left = due - self._clock()
        if left > 0:
            self._after("limits", left, self._watch_limits)
        else:
            self.stop(self.launch.stop_grace_s, cause)

    def _after(self, name: str, seconds: float, callback: Callable[[], None]) -> None:
        self._cancel(name)
        self._timers[name] = self._loop.call_later(seconds, callback)

    def _cancel(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer:
            timer.cancel()
