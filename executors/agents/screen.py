"""What a terminal's screen says about its agent: the fallback when hooks and stream say nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from config.profiles import ScreenPattern


def read_screen(patterns: Sequence[ScreenPattern], title: str, text: str) -> tuple[str, str] | None:
    """Return (state, name) of the first pattern that matches title and last screenful, or None.

    A pattern with both parts needs both; one with neither matches nothing.
    """
    for pattern in patterns:
        wanted = [(pattern.title, title), (pattern.text, text)]
        given = [(_compiled(expression), shown) for expression, shown in wanted if expression]
        if given and all(expression.search(shown) for expression, shown in given):
            return pattern.state, pattern.name
    return None


@lru_cache(maxsize=256)
def _compiled(expression: str) -> re.Pattern[str]:
    return re.compile(expression, re.MULTILINE)
