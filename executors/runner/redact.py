"""Removes secret values from a stream of bytes, whichever way the stream is cut into chunks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

MARK = b"[redacted]"
# Shorter beginnings of a secret are let through at once, or a terminal would lag behind its typist;
# what follows is still redacted when the rest of the secret comes.
HOLD_FROM = 4


def forms(values: Iterable[str]) -> tuple[bytes, ...]:
    """Return how secret values look in output: as they are, in JSON, on a terminal; longest first."""
    found: set[str] = set()
    for value in values:
        escaped = (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1])
        found.update((value, value.replace("\n", "\r\n"), *escaped))
    encoded = {text.encode("utf-8", "surrogateescape") for text in found if text}
    return tuple(sorted(encoded, key=lambda form: (-len(form), form)))


class Redactor:
    """Redacts one stream. ``patterns`` come from ``forms``; without any, bytes pass untouched."""

    __slots__ = ("_carry", "_expression", "_patterns", "_shown")

    def __init__(self, patterns: tuple[bytes, ...]) -> None:
        self._patterns = patterns
        # Compiling touches a third of a megabyte, which every runner would have for itself.
        self._expression = re.compile(b"|".join(map(re.escape, patterns))) if patterns else None
        # The end of the stream so far that may begin a secret, and how much of it was let through.
        self._carry = b""
        self._shown = 0

    def feed(self, data: bytes) -> bytes:
        """Return what may be shown after this chunk, which may be less or more than the chunk."""
        if self._expression is None:
            return data
        text = self._carry + data
        done = self._shown
        clear = 0
        shown: list[bytes] = []
        if any(pattern in text for pattern in self._patterns):
            for hit in self._expression.finditer(text):
                shown += (text[done : hit.start()], MARK)
                done = clear = hit.end()
        begin = self._beginning(text, clear)
        self._carry = text[begin:]
        end = len(text) if len(self._carry) < HOLD_FROM else max(begin, done)
        shown.append(text[done:end])
        self._shown = end - begin
        return b"".join(shown)

    def flush(self) -> bytes:
        """Return what was held back; the stream has ended."""
        held, self._carry, self._shown = self._carry[self._shown :], b"", 0
        return held

    def _beginning(self, text: bytes, clear: int) -> int:
        """Return where the longest end of ``text[clear:]`` starts that a secret may begin with."""
        earliest = len(text)
        for pattern in self._patterns:
            at = text.find(pattern[:1], max(clear, len(text) - len(pattern) + 1))
            while 0 <= at < earliest:
                if pattern.startswith(text[at:]):
                    earliest = at
                at = text.find(pattern[:1], at + 1)
        return earliest
