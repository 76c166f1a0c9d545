"""The lines of a stream, and how they are quoted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from executors.agents.protocol_events import Malformed, read
from supervisor.model.protocol import LINE_LIMIT

QUOTE: Final = 100
"""Characters of what is quoted in a report."""


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


def began_as_event(start: bytes) -> bool:
    """Whether a line that was cut began as an event."""
    return isinstance(read(start, 0), Malformed)


def is_utf8(line: bytes) -> bool:
    """Whether a line is in UTF-8, as events must be."""
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def start_of(line: bytes) -> str:
    """Return as much of a line as is quoted."""
    return cut(line[: 4 * QUOTE].decode(errors="replace"))


def cut(text: str, limit: int = QUOTE) -> str:
    """Return a text that is quoted, with an ellipsis where it was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
