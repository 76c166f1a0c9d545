"""Colours code where that is cheap: a line by itself, with names of styles.

A line knows nothing of those before it, so what goes over several lines (a docstring) may look like code.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any, Final

Span = tuple[str, str]

LONGEST: Final = 400
"""Characters of a line that is coloured; longer ones are data."""

_STYLES: Final = (
    ("Token.Comment", "italic"),
    ("Token.Keyword", "accent"),
    ("Token.Literal.String", "ok"),
    ("Token.Literal.Number", "stalled"),
    ("Token.Name.Function", "running"),
    ("Token.Name.Class", "running"),
    ("Token.Name.Decorator", "running"),
    ("Token.Name.Tag", "accent"),
    ("Token.Name.Attribute", "running"),
)
"""By the beginning of a token's name."""


@lru_cache(maxsize=256)
def _lexer(name: str) -> Any:
    """Return what knows the language of a file with this name, None when nothing does."""
    # Slow to load, and only wanted where code is shown.
    lexers, util = import_module("pygments.lexers"), import_module("pygments.util")
    try:
        return lexers.get_lexer_for_filename(name, stripnl=False, ensurenl=False)
    except util.ClassNotFound:
        return None


@lru_cache(maxsize=8_192)
def coloured(path: str, line: str) -> tuple[Span, ...]:
    """Return a clean line of a file as spans; plain where its language is not known."""
    lexer = _lexer(path.rpartition("/")[2]) if line.strip() and len(line) <= LONGEST else None
    if lexer is None:
        return ((line, ""),)
    spans = tuple((text, _style(str(token))) for token, text in lexer.get_tokens(line) if text)
    # A lexer that changes the text is not to be believed.
    return spans if "".join(text for text, _ in spans) == line else ((line, ""),)


def coloured_text(path: str, text: str) -> list[tuple[Span, ...]]:
    """Return the lines of a clean text as spans: exact also over several lines, and slow (a second for a megabyte)."""
    lexer = _lexer(path.rpartition("/")[2])
    if lexer is None:
        return [((line, ""),) for line in text.split("\n")]
    lines: list[list[Span]] = [[]]
    for token, part in lexer.get_tokens(text):
        style = _style(str(token))
        first, *others = part.split("\n")
        lines[-1].append((first, style))
        lines += [[(other, style)] for other in others]
    return [tuple(span for span in line if span[0]) for line in lines]


@lru_cache(maxsize=512)
def _style(token: str) -> str:
    return next((style for prefix, style in _STYLES if token.startswith(prefix)), "")
