"""Quarterdeck's approval protocol, version 1, for tools in Python. Copy this file beside your tool.

It needs Python 3.9 and nothing else::

    import quarterdeck_tool as quarterdeck

    answer = quarterdeck.needs_approval(
        "Delete 3 old releases?",
        options=[("yes", "Delete them"), ("keep", "Keep the newest", "Deletes two of the three")],
        default="keep",
        risk="high",
        preview="rm -r releases/1.0 releases/1.1 releases/1.2",
    )
    with quarterdeck.heartbeat():
        for done, release in enumerate(releases):
            quarterdeck.progress(done, of=len(releases))
            ...

Ask before you act. The first run prints the question and ends with exit code 90; when a person has chosen, the
tool is started again and `needs_approval` returns the chosen value. Events are written to stderr, one line each.
The specification: docs/approval-protocol.md of Quarterdeck.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Union

EXIT_CODE = 90
LINE_LIMIT = 64 * 1024

Option = Union[str, tuple[str, ...]]  # noqa: UP007 - Python 3.9 has no other way

# Taken out of the environment at once: a program that this tool starts must not find an answer to its own question.
_answer = os.environ.pop("AUTO_APPROVAL", None)
_answered = os.environ.pop("AUTO_APPROVAL_KEY", None)
_lock = threading.Lock()


def needs_approval(
    question: str,
    *,
    options: Sequence[Option] = (),
    default: str | None = None,
    expires_s: float | None = None,
    risk: str | None = None,
    preview: str | None = None,
    key: str | None = None,
) -> str:
    """Return the value that was chosen; without one, ask and exit with 90.

    An option is a value, or (value, label), or (value, label, description); without options the only answer is
    "allow". ``default`` preselects one. ``risk`` is low, medium or high. ``preview`` says exactly what will happen.
    ``key`` names the question; without it everything that is shown does, so that an answer counts for what was
    shown and for nothing else. Answers are used once: a tool that asks several questions has to remember the
    earlier answers itself. Call it from the main thread.
    """
    global _answer
    choices = [_option(option) for option in options]
    if key is None:
        shown = json.dumps([question, choices, preview], sort_keys=True)
        key = hashlib.sha256(shown.encode()).hexdigest()[:16]
    answer, _answer = _answer, None
    if answer in ([choice["value"] for choice in choices] or ["allow"]) and _answered in (None, key):
        return str(answer)
    fields = {
        "options": choices, "default": default, "expires_s": expires_s, "risk": risk, "preview": preview,
    }  # fmt: skip
    emit("approval_needed", protocol=1, question=question, key=key, **{k: v for k, v in fields.items() if v})
    sys.exit(EXIT_CODE)


def emit(kind: str, **fields: Any) -> None:
    """Write one event to stderr; ValueError when its line would be too long."""
    line = json.dumps({"type": kind, **fields}, ensure_ascii=False).encode("utf-8", "replace")
    if len(line) > LINE_LIMIT:
        raise ValueError(f"The event {kind} has {len(line)} bytes; {LINE_LIMIT} are allowed.")
    with _lock:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stderr.buffer.write(line + b"\n")
        sys.stderr.buffer.flush()


def progress(done: float | None = None, of: float | None = None, text: str | None = None) -> None:
    """Say how far the work is."""
    fields = {"done": done, "of": of, "text": text}
    emit("progress", **{name: value for name, value in fields.items() if value is not None})


@contextlib.contextmanager
def heartbeat(every_s: float = 30.0) -> Iterator[None]:
    """Give signs of life from a thread while the block runs, at once and then every ``every_s`` seconds."""
    over = threading.Event()

    def beat() -> None:
        emit("heartbeat")
        while not over.wait(every_s):
            emit("heartbeat")

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _option(option: Option) -> dict[str, str]:
    given = (option,) if isinstance(option, str) else tuple(option)
    return dict(zip(("value", "label", "description"), given))  # noqa: B905 - it would need Python 3.10
