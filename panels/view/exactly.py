"""Foreign text exactly as it is, in lines of so many cells: nothing in it acts on the screen, and nothing hides.

What cannot be seen is written out, no blank is dropped where a line is broken, and each line stands behind a bar, so
that no text can pass for the app's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, chop_cells

from supervisor.model.plain import exact

if TYPE_CHECKING:
    from pygments.lexer import Lexer  # type: ignore[import-untyped]

Span = tuple[str, str]
Line = list[Span]

TAB: Final = 4
COLOURED_LIMIT: Final = 32 * 1024
"""Characters of a text that is coloured by its language; a longer one is shown plain: colouring it takes too long."""

_STYLES: Final = (
    ("Token.Comment", "dim"),
    ("Token.Keyword", "running"),
    ("Token.Name.Builtin", "running"),
    ("Token.Name.Function", "running"),
    ("Token.Name.Class", "running"),
    ("Token.Name.Tag", "running"),
    ("Token.Name.Variable", "accent"),
    ("Token.Literal.String", "ok"),
    ("Token.Literal.Number", "accent"),
    ("Token.Operator", "accent"),
    ("Token.Generic.Inserted", "add"),
    ("Token.Generic.Deleted", "remove"),
    ("Token.Generic.Subheading", "hunk"),
)
"""What the kinds of tokens look like; the longest beginning that fits a token's name decides."""


def plain(text: str, style: str = "") -> Iterator[Line]:
    """Yield the lines of a text in one style."""
    for line in exact(text).expandtabs(TAB).split("\n"):
        yield [(line, style)] if line else []


def coloured(text: str, language: str) -> Iterator[Line]:
    """Yield the lines of a text, coloured as a language that Pygments knows by this name; else plain."""
    lexer = _named(language) if len(text) <= COLOURED_LIMIT else None
    return _lexed(text, lexer) if lexer is not None else plain(text)


def coloured_as_file(text: str, path: str) -> Iterator[Line]:
    """Yield the lines of a file, coloured by the end of its name."""
    lexer = _of_file(PurePath(path).name) if len(text) <= COLOURED_LIMIT else None
    return _lexed(text, lexer) if lexer is not None else plain(text)


def broken(line: Iterable[Span], width: int, bar: Span = ("│ ", "dim"), more: Span = ("┆ ", "dim")) -> Iterator[Line]:
    """Yield a line in pieces of at most ``width`` cells with a bar before each; ``more`` stands before the others."""
    room = max(1, width - cell_len(bar[0]))
    row: Line = [bar]
    left = room
    for text, style in line:
        at = 0
        while at < len(text):
            piece = _fitting(text[at : at + left + 1], left)
            if not piece and left == room:
                piece = text[at]  # A letter that is wider than the room: better cut than lost.
            if piece:
                row.append((piece, style))
                left -= cell_len(piece)
                at += len(piece)
            if at < len(text):
                yield row
                room = max(1, width - cell_len(more[0]))
                row, left = [more], room
    yield row


def _fitting(text: str, room: int) -> str:
    """Return as much of the beginning of a text as fits; at least one letter more than the room is given.

    It ends after a blank where that costs less than a third of the room.
    """
    if room <= 0:
        return ""
    if len(text) <= room and (text.isascii() or cell_len(text) <= room):
        return text
    cut = text[:room] if text.isascii() else _chopped(text, room)
    blank = cut.rfind(" ") + 1
    return cut[:blank] if blank > room * 2 // 3 else cut


def _chopped(text: str, room: int) -> str:
    first = chop_cells(text, room)[0]
    return first if cell_len(first) <= room else ""


def _lexed(text: str, lexer: Lexer) -> Iterator[Line]:
    line: Line = []
    for kind, part in lexer.get_tokens(exact(text).expandtabs(TAB)):
        style = _style(str(kind))
        first, *others = part.split("\n")
        if first:
            line.append((first, style))
        for other in others:
            yield line
            line = [(other, style)] if other else []
    if line:
        yield line


def _style(kind: str) -> str:
    return next((style for start, style in _STYLES if kind.startswith(start)), "")


def _named(language: str) -> Lexer | None:
    from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]
    from pygments.util import ClassNotFound  # type: ignore[import-untyped]

    try:
        lexer: Lexer = get_lexer_by_name(language, stripnl=False, ensurenl=True)
    except ClassNotFound:
        return None
    return lexer


def _of_file(name: str) -> Lexer | None:
    from pygments.lexers import get_lexer_for_filename
    from pygments.util import ClassNotFound

    try:
        lexer: Lexer = get_lexer_for_filename(name, stripnl=False, ensurenl=True)
    except ClassNotFound:
        return None
    return lexer
