"""What is in a file, in colours, moved sideways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.segment import Segment
from textual.strip import Strip

from panels import shown
from panels.shell import Json
from panels.view.syntax import Span, coloured_text
from panels.widgets.lines import Line
from panels.widgets.wide import WIDEST, WideView
from supervisor.model.plain import clean


class ContentView(WideView):
    """What is in a file."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.path = ""
        self.note = ""
        self.lines: list[tuple[Span, ...]] = []

    def show(self, path: str, lines: list[tuple[Span, ...]], note: str = "") -> None:
        """Take another file."""
        self.path, self.lines, self.note, self.shift = path, lines, note, 0
        self.lines_changed(0)
        self.scroll_at(0)

    def count(self) -> int:
        """Return the number of lines, and one for what is to be said."""
        return len(self.lines) + 1

    def can_choose(self, index: int) -> bool:
        """The heading is passed over where there is something below it."""
        return index > 0 or not self.lines

    def line(self, index: int, width: int) -> Line:
        """Return the heading, or a line."""
        if index == 0:
            return [(clean(self.path).replace("\n", " "), "title"), (f"  {self.note}", "dim")]
        return self.lines[index - 1]

    def strip(self, index: int, width: int) -> Strip:
        """Return a line with its number, moved sideways."""
        if index == 0:
            return super().strip(index, width)
        styles, digits = self.styles_by_name, len(str(len(self.lines)))
        number = f"{index:>{digits}}  "
        code = Strip([Segment(text, styles[style]) for text, style in _cut(self.lines[index - 1])])
        room = max(1, width - len(number))
        return Strip.join([Strip([Segment(number, styles["dim"])]), code.crop(self.shift, self.shift + room)])


def _cut(spans: Sequence[Span]) -> list[Span]:
    """Return what of a line can be scrolled to; the size of a longer one is said."""
    size = sum(len(text) for text, _ in spans)
    if size <= WIDEST:
        return list(spans)
    found, room = list[Span](), WIDEST
    for text, style in spans:
        found.append((text[:room], style))
        room -= len(text)
        if room <= 0:
            break
    return [*found, (f" … {shown.count(size)} characters", "waiting")]


COLOURED: Final = 262_144
"""Characters of a file up to which it is coloured; more would take seconds."""


def coloured_content(found: Json) -> list[tuple[Span, ...]]:
    """Return the lines of a file as the API gives it."""
    if found["text"] is None:
        return []
    text = clean(found["text"].replace("\r\n", "\n").replace("\r", " ")).expandtabs(4)
    path = found["path"] if len(text) <= COLOURED else ""
    lines = coloured_text(path, text.removesuffix("\n"))
    return lines if text else []


def about(found: Json) -> str:
    """Return what is to be said of a file beside its text."""
    size = f"{shown.count(found['size'])}B"
    if found["binary"]:
        return f"{size}, a binary file: its content is not shown"
    if not found["text"]:
        return "empty"
    return f"{size}, of which the beginning is shown" if found["truncated"] else size
