"""A session's raw log, page by page in both directions: whole lines as the API gives them, made fit to be shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from panels import shown
from panels.shown import clock
from supervisor.model.plain import clean
from supervisor.model.times import from_rfc3339

Json = dict[str, Any]
Span = tuple[str, str]

LONGEST: Final = 4_096
"""Characters of a line that are kept to be shown; the size of a longer one is said."""

STREAMS: Final = {"stdout": ("out", ""), "stderr": ("err", "failed"), "tty": ("tty", ""), "spool": ("log", "dim")}
"""How a stream is written in its column, and the style of its lines."""

GUTTER: Final = 13
"""Cells of the columns before the text."""


@dataclass(slots=True)
class RawLine:
    """A line with its time (ms since the epoch, None when the log does not say), cut where it is too long."""

    time: int | None
    stream: str
    text: str
    note: str = ""

    def spans(self, shift: int, width: int) -> list[Span]:
        """Return it in so many cells, the text moved to the left by ``shift``."""
        word, style = STREAMS.get(self.stream, (self.stream[:3], ""))
        text = self.text[shift:]
        spans = [
            (clock(self.time) if self.time is not None else " " * 8, "dim"),
            (f" {word:<3} ", "dim"),
            (text, style),
        ]
        if self.note:
            # What was cut is said where it is seen: beside the text, or at once when the text goes on past the edge.
            room = max(0, width - GUTTER - len(self.note))
            spans = [*spans[:2], (text[:room], style), (self.note, "waiting")]
        return spans


class RawLog:
    """What was read of a log so far. ``offset`` and ``next_offset`` are where to read on, backwards and onwards."""

    def __init__(self) -> None:
        self.lines: list[RawLine] = []
        self.offset = 0
        self.next_offset = 0
        self.size = 0
        self.problem = ""
        self._partial: dict[str, str] = {}

    @property
    def open_lines(self) -> list[RawLine]:
        """The lines that have no newline yet."""
        return [_line(None, stream, text) for stream, text in sorted(self._partial.items()) if text]

    @property
    def has_older(self) -> bool:
        """Whether there is something before the first line."""
        return self.offset > 0

    def take_newest(self, page: Json) -> None:
        """Take the last page."""
        self.lines = [_read(each) for each in page["lines"]]
        self.offset, self.next_offset, self.size = page["offset"], page["next_offset"], page["size"]
        self._partial = dict(page["partial"])

    def take_older(self, page: Json) -> int:
        """Take the page before the first; returns how many lines came."""
        older = [_read(each) for each in page["lines"]]
        self.lines[:0] = older
        # A page that ends nothing would be read for ever.
        self.offset = page["offset"] if page["offset"] < self.offset else 0
        return len(older)

    def take_newer(self, page: Json) -> bool:
        """Take what was read onwards; whether there is more."""
        moved = page["next_offset"] > self.next_offset
        for each in page["lines"]:
            begun = self._partial.pop(each["stream"], "")
            self.lines.append(_read({**each, "text": begun + each["text"]} if begun else each))
        if moved:
            for stream, text in page["partial"].items():
                self._partial[stream] = self._partial.get(stream, "") + text
        self.next_offset, self.size = page["next_offset"], page["size"]
        return moved and self.next_offset < self.size


def _read(found: Json) -> RawLine:
    return _line(from_rfc3339(found["time"]) if found["time"] else None, found["stream"], found["text"])


def _line(time: int | None, stream: str, text: str) -> RawLine:
    """Return a line to be shown. A carriage return would draw over what stands before it; here both are read."""
    note = f" … {shown.count(len(text))} characters" if len(text) > LONGEST else ""
    plain = clean(text[:LONGEST].rstrip("\r").replace("\r", " ")).replace("\n", " ").expandtabs(8)
    return RawLine(time, stream, plain, note)
