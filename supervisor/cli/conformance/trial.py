"""One run of a tool that is checked: started without a supervisor, watched, and ended with all that it started."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from executors.agents.protocol_events import Emitted, Malformed, read
from executors.runner.tree import Tree, descendants, family
from supervisor.model.errors import Unavailable
from supervisor.model.protocol import LINE_LIMIT, ApprovalNeeded
from supervisor.model.times import now_ms

CHUNK: Final = 256 * 1024
POLL_S: Final = 0.02
LEFT_S: Final = 0.5
"""How long what a tool started may need to end after it, before it counts as left behind."""
DRAIN_S: Final = 2.0
CLAIMS_LIMIT: Final = 1000
KINDS_LIMIT: Final = 200


@dataclass(slots=True)
class Trial:
    """What one run showed. ``answer`` and ``key`` are what it was given; times are in seconds."""

    answer: str | None
    key: str | None
    by_flag: bool = False
    exit_code: int | None = None
    """As of a shell: 128 + the signal; None when it had to be ended."""
    seconds: float = 0.0
    silence: float = 0.0
    after_asking: float = 0.0
    left_behind: int = 0
    claims: deque[Emitted | Malformed] = field(default_factory=lambda: deque(maxlen=CLAIMS_LIMIT))
    """Its questions and whatever was malformed, in order; of very many the last ones."""
    kinds: Counter[str] = field(default_factory=Counter)
    """How often it emitted which type; of very many types the first ones."""
    too_long: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)

    @property
    def timed_out(self) -> bool:
        """Whether it was ended because it did not end."""
        return self.exit_code is None

    @property
    def questions(self) -> list[ApprovalNeeded]:
        """What it asked, in order."""
        return [event.asks for event in self.claims if isinstance(event, Emitted) and event.asks]

    @property
    def asked(self) -> ApprovalNeeded | None:
        """The question that counts: the last one, when it ended with 90 because of it."""
        told = [e for e in self.claims if (e.kind if isinstance(e, Emitted) else e.of) == "approval_needed"]
        last = told[-1] if told else None
        return last.asks if self.exit_code == 90 and isinstance(last, Emitted) else None


def run(argv: Sequence[str], folder: Path, environment: Mapping[str, str], trial: Trial, *, timeout_s: float) -> Trial:
    """Run a tool to its end, or end it after ``timeout_s``; fills ``trial`` and returns it.

    Raises Unavailable when it cannot be started.
    """
    others = set(descendants())
    began = time.monotonic()
    try:
        child = subprocess.Popen(
            argv, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise Unavailable(f"{argv[0]} cannot be started: {reason}.", hint="Check its name and PATH.") from error

    def started() -> list[int]:
        return list({*family(child.pid), *(pid for pid in descendants() if pid not in others)})

    tree = Tree(started)
    watch = _Watch(trial, child, began)
    try:
        code = watch.until_it_ends(began + timeout_s)
        if code is not None:
            trial.exit_code = code if code >= 0 else 128 - code
            trial.left_behind = _left(started)
    finally:
        tree.kill()
        watch.drain()
        # What was started as another user may be out of reach: it is not waited for either.
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(DRAIN_S)
    trial.seconds = watch.ended - began
    if watch.asked_at is not None:
        trial.after_asking = max(0.0, watch.ended - watch.asked_at)
    return trial


def _left(started: Callable[[], list[int]]) -> int:
    """Return how many processes go on after the tool has ended."""
    deadline = time.monotonic() + LEFT_S
    while (count := len(started())) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return count


class _Watch:
    """Reads what a tool prints as it prints it; keeps its events, not its output."""

    def __init__(self, trial: Trial, child: subprocess.Popen[bytes], began: float) -> None:
        self.trial = trial
        self.child = child
        self.heard_at = began
        self.asked_at: float | None = None
        self.ended = began
        self.selector = selectors.DefaultSelector()
        for pipe in (child.stdout, child.stderr):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                self.selector.register(pipe, selectors.EVENT_READ, Lines())

    def until_it_ends(self, deadline: float) -> int | None:
        """Return the exit code, None when the deadline passed."""
        while (code := self.child.poll()) is None and time.monotonic() < deadline:
            self._read(min(POLL_S, max(0.0, deadline - time.monotonic())))
        self.ended = time.monotonic()
        self._quiet(self.ended)
        return code

    def drain(self) -> None:
        """Read what is still in the pipes; what holds them open longer is not waited for."""
        deadline = time.monotonic() + DRAIN_S
        while self.selector.get_map() and time.monotonic() < deadline:
            self._read(POLL_S)
        for key in list(self.selector.get_map().values()):
            self._close(key)
        self.selector.close()

    def _read(self, wait_s: float) -> None:
        if not self.selector.get_map():
            time.sleep(wait_s)
            return
        for key, _ in self.selector.select(wait_s):
            data = os.read(key.fd, CHUNK)
            if not data:
                self._close(key)
                continue
            self._quiet(time.monotonic())
            for line, size in key.data.cut(data):
                self._line(line, size)

    def _close(self, key: selectors.SelectorKey) -> None:
        self.selector.unregister(key.fileobj)
        if hasattr(key.fileobj, "close"):
            key.fileobj.close()
        rest, _ = key.data.rest()
        if isinstance(read(rest, now_ms()), Emitted | Malformed):
            self.trial.torn.append(_start(rest))

    def _line(self, line: bytes, size: int) -> None:
        if size > LINE_LIMIT and _is_event(line):
            self.trial.too_long.append(f"{_start(line)} ({size} bytes)")
            return
        found = read(line, now_ms()) if size <= LINE_LIMIT else None
        if isinstance(found, Malformed):
            self.trial.claims.append(found)
        elif found is not None:
            if not _is_utf8(line):
                self.trial.claims.append(Malformed(_start(line), "It is not in UTF-8.", found.kind))
            if found.kind in self.trial.kinds or len(self.trial.kinds) < KINDS_LIMIT:
                self.trial.kinds[found.kind] += 1
            if found.asks:
                self.trial.claims.append(found)
                self.asked_at = time.monotonic()

    def _quiet(self, now: float) -> None:
        self.trial.silence = max(self.trial.silence, now - self.heard_at)
        self.heard_at = now


class Lines:
    """Cuts a stream into lines; keeps of each no more than shows that it is too long."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._size = 0

    def cut(self, data: bytes) -> Iterator[tuple[bytes, int]]:
        """Yield each line that ends in ``data``, without its newline, and its size in bytes."""
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            self._add(data, start, end)
            yield bytes(self._kept), self._size
            self._kept.clear()
            self._size = 0
            start = end + 1
        self._add(data, start, len(data))

    def rest(self) -> tuple[bytes, int]:
        """Return the line that has not ended."""
        return bytes(self._kept), self._size

    def _add(self, data: bytes, start: int, end: int) -> None:
        room = max(0, LINE_LIMIT + 1 - len(self._kept))
        self._kept += data[start : min(end, start + room)]
        self._size += end - start


def _is_event(start: bytes) -> bool:
    """Whether a line that was cut began as an event."""
    return isinstance(read(start, 0), Malformed)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _start(line: bytes) -> str:
    return line[:80].decode(errors="replace")
