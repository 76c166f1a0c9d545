"""Lines that are laid out for a width before they are drawn."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

Line = Sequence[tuple[str, str]]
"""Texts, each with the name of its style."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line. What has a ``key`` can be chosen: the cursor passes over the others, and stays on its key."""

    line: Line
    key: Hashable = None


Layout = Callable[[int], Sequence[Row]]
"""Lays lines out in so many cells."""
