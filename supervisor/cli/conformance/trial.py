"""One run of a tool that is checked: started, watched, and ended with all that it started."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from executors.agents.protocol_events import Emitted, Malformed, read
from executors.agents.text import read_object
from executors.runner.tree import Tree, descendants, family
from supervisor.cli.conformance.fields import doubts
from supervisor.cli.conformance.lines import Lines, began_as_event, is_utf8, start_of
from supervisor.model.errors import Unavailable
from supervisor.model.plain import clean
from supervisor.model.protocol import LINE_LIMIT, ApprovalNeeded
from supervisor.model.times import now_ms

CHUNK: Final = 256 * 1024
POLL_S: Final = 0.02
LEFT_S: Final = 0.5
"""How long what a tool started may need to end after it, before it counts as left behind."""
DRAIN_S: Final = 2.0
CLAIMS_LIMIT: Final = 1000
KINDS_LIMIT: Final = 200
DOUBTS_LIMIT: Final = 50
SAID_LIMIT: Final = 5
"""How many of the last lines on stderr are kept."""


@dataclass(slots=True)
class Trial:
    """What one run showed. ``answer`` and ``key`` are what it was given; times are in seconds."""

    answer: str | None
    key: str | None
    by_flag: bool = False
    in_place: bool = False
    """Whether the answer was for who waits in `ask`, in the place of its environment."""
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
    waited: list[ApprovalNeeded | Malformed] = field(default_factory=list)
    """What it asked with `ask`, in order."""
    doubts: list[tuple[str, str]] = field(default_factory=list)
    """Types of events that are taken and are not what the protocol says, with the reasons."""
    too_long: list[str] = field(default_factory=list)
    unended: list[str] = field(default_factory=list)
    """Events at the end of a stream, without their newline."""
    said: deque[str] = field(default_factory=lambda: deque(maxlen=SAID_LIMIT))
    """The last lines on stderr that are no events."""

    @property
    def timed_out(self) -> bool:
        """Whether it was ended because it did not end."""
        return self.exit_code is None

    @property
    def questions(self) -> list[ApprovalNeeded]:
        """What it asked, in order."""
        return [event.asks for event in self.claims if isinstance(event, Emitted) and event.asks]

    @property
    def asked_in_place(self) -> ApprovalNeeded | None:
        """The first valid question that it waited with."""
        return next((one for one in self.waited if isinstance(one, ApprovalNeeded)), None)

    @property
    def end(self) -> str:
        """How it ended, in words, with what it said last."""
        code = "It did not end by itself" if self.exit_code is None else f"exit code {self.exit_code}"
        return code + (f": {' / '.join(self.said)}" if self.said else "")

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
        raise Unavailable(f"{argv[0]} cannot be started: {reason}.", hint=_hint(argv[0])) from error

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


def _hint(program: str) -> str:
    try:
        is_file = Path(program).is_file()
    except (OSError, ValueError):
        is_file = False
    if is_file and "/" not in program:
        return f"It is looked for in PATH; the file here is ./{program}."
    return "Make it executable, or name its interpreter." if is_file else "Check its name and PATH."


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
                self._line(line, size, key)

    def _close(self, key: selectors.SelectorKey) -> None:
        self.selector.unregister(key.fileobj)
        if hasattr(key.fileobj, "close"):
            key.fileobj.close()
        rest, size = key.data.rest()
        if rest and self._line(rest, size, key):
            self.trial.unended.append(start_of(rest))

    def _line(self, line: bytes, size: int, key: selectors.SelectorKey) -> bool:
        """Take a line; whether it is a valid event."""
        if size > LINE_LIMIT and began_as_event(line):
            self.trial.too_long.append(f"{start_of(line)} ({size} bytes)")
            return False
        found = read(line, now_ms()) if size <= LINE_LIMIT else None
        if isinstance(found, Malformed):
            self.trial.claims.append(found)
        elif found is not None:
            self._event(line, found)
        elif key.fileobj is self.child.stderr and line.strip():
            self.trial.said.append(clean(start_of(line)))
        return isinstance(found, Emitted)

    def _event(self, line: bytes, found: Emitted) -> None:
        if not is_utf8(line):
            self.trial.claims.append(Malformed(start_of(line), "It is not in UTF-8.", found.kind))
        if found.kind in self.trial.kinds or len(self.trial.kinds) < KINDS_LIMIT:
            self.trial.kinds[found.kind] += 1
        if len(self.trial.doubts) < DOUBTS_LIMIT:
            self.trial.doubts += [(found.kind, reason) for reason in doubts(found.kind, read_object(line) or {})]
        if found.asks:
            self.trial.claims.append(found)
            self.asked_at = time.monotonic()

    def _quiet(self, now: float) -> None:
        self.trial.silence = max(self.trial.silence, now - self.heard_at)
        self.heard_at = now
