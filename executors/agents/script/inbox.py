"""What arrives on the scripted agent's stdin."""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from typing import Any

HOOK = "hook"


class Interrupted(Exception):
    """The turn was interrupted by the control request of this id."""


class Inbox:
    """Lines of stdin, read by a thread: messages for later turns, answers and interrupts for this one."""

    def __init__(self, *, stream_json: bool) -> None:
        self._stream_json = stream_json
        self._lines: queue.Queue[Any] = queue.Queue()
        self._messages: list[str] = []
        self._asked: str | None = None
        self._answer: dict[str, Any] | None = None
        self._closed = False
        threading.Thread(target=self._read, daemon=True).start()

    def message(self) -> str | None:
        """Wait for the next message; None at the end of stdin."""
        while not self._messages and not self._closed:
            self._take(self._lines.get())
        return self._messages.pop(0) if self._messages else None

    def answer(self, request: str) -> dict[str, Any]:
        """Wait for the answer to a permission request; a closed stdin denies it.

        As with the real agent the first answer counts, and one to a question that is not open is none.
        """
        self._asked, self._answer = request, None
        try:
            while self._answer is None and not self._closed:
                self._take(self._lines.get())
        finally:
            self._asked = None
        return self._answer or {"behavior": "deny", "message": "Tool permission stream closed"}

    def choice(self) -> str | dict[str, Any] | None:
        """Wait at a dialog: for what is typed, or for a hook's decision; None at the end of stdin."""
        self._asked, self._answer = HOOK, None
        try:
            while self._answer is None and not self._messages and not self._closed:
                self._take(self._lines.get())
        finally:
            self._asked = None
        return self._answer or (self._messages.pop(0) if self._messages else None)

    def decide(self, decision: dict[str, Any]) -> None:
        """Give a hook's decision to whoever waits at the dialog; from any thread."""
        self._lines.put({"type": "control_response", "response": {"request_id": HOOK, "response": decision}})

    def sleep(self, seconds: float) -> None:
        """Sleep, unless an interrupt comes."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                self._take(self._lines.get(timeout=min(left, 3600)))
            except queue.Empty:
                continue

    def _read(self) -> None:
        for line in sys.stdin:
            if line.strip():
                self._lines.put(json.loads(line) if self._stream_json else line.strip())
        self._lines.put(None)

    def _take(self, line: Any) -> None:
        if line is None:
            self._closed = True
        elif isinstance(line, str):
            self._messages.append(line)
        elif line["type"] == "user":
            content = line["message"]["content"]
            self._messages.append(content if isinstance(content, str) else "\n".join(part["text"] for part in content))
        elif line["type"] == "control_response":
            response = line["response"]
            if response["request_id"] == self._asked and self._answer is None:
                self._answer = response["response"]
        elif line["request"]["subtype"] == "interrupt":
            raise Interrupted(line["request_id"])
