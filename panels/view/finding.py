"""Searching in what is drawn: the pattern of what a person typed, and lines with its matches made visible."""

from __future__ import annotations

import re
from collections.abc import Sequence

Span = tuple[str, str]
"""A text and the name of its style."""


def pattern(wanted: str) -> re.Pattern[str] | None:
    """Return what finds a text as it was typed, whatever its case; None when nothing is searched for."""
    return re.compile(re.escape(wanted), re.IGNORECASE) if wanted else None


def highlighted(line: Sequence[Span], wanted: re.Pattern[str] | None) -> Sequence[Span]:
    """Return a line with the style ``match`` where the pattern matches, also across spans."""
    if wanted is None:
        return line
    found = [match.span() for match in wanted.finditer(text_of(line))]
    if not found:
        return line
    spans, at = list[Span](), 0
    for text, style in line:
        cut = 0
        for start, end in found:
            first, last = max(start - at, cut), min(end - at, len(text))
            if first < last:
                spans += [(text[cut:first], style), (text[first:last], "match")]
                cut = last
        spans.append((text[cut:], style))
        at += len(text)
    return [span for span in spans if span[0]]


def standing_words(place: int, total: int, *, more: bool = False) -> str:
    """Return which match of how many one is at, 0 for none of them; ``more`` when not everything was read yet."""
    if not total:
        return "no match yet" if more else "no match"
    many = f"{total:,}{'+' if more else ''}"
    return f"{place:,} of {many}" if place else f"{many} found"


def text_of(line: Sequence[Span]) -> str:
    """Return a line without its styles."""
    return "".join(text for text, _ in line)
