"""Breaks text into lines of so many cells: at blanks where there are some, anywhere else where there are none."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len, chop_cells


def wrap(text: str, width: int) -> Iterator[str]:
    """Yield the lines of a text, none wider than ``width`` cells; an empty text is one empty line."""
    width = max(1, width)
    for line in text.expandtabs(4).split("\n"):
        if len(line) <= width and (line.isascii() or cell_len(line) <= width):
            yield line
        elif line.isascii():
            yield from _ascii(line, width)
        else:
            yield from _wide(line, width)


def _ascii(line: str, width: int) -> Iterator[str]:
    start, end = 0, len(line)
    while end - start > width:
        blank = line.rfind(" ", start + 1, start + width + 1)
        cut = blank if blank > start else start + width
        yield line[start:cut]
        start = cut + 1 if blank > start else cut
    yield line[start:]


def _wide(line: str, width: int) -> Iterator[str]:
    start, end = 0, len(line)
    while start < end:
        # A cell holds a character or a few; what is longer is cut, which costs nothing but a shorter line.
        ahead = line[start : start + 4 * width + 16]
        piece = next(iter(chop_cells(ahead, width)), ahead) or line[start]
        reach = start + len(piece)
        blank = line.rfind(" ", start + 1, reach + 1) if reach < end else -1
        if blank > start:
            yield line[start:blank]
            start = blank + 1
        else:
            yield piece
            start = reach
