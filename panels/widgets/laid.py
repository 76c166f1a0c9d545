"""A text that is laid out for the width there is, and can be scrolled: details and what a dialog lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from panels.widgets.lines import Line, LineView

AT_ONCE: Final = 1_000
"""Lines that are laid out before keys are looked at again."""

Make = Callable[[int], Iterator[Line]]
"""Yields the lines of a text for a width in cells."""


class LaidView(LineView):
    """Shows what a function lays out for its width; a long text comes in parts, so that keys are answered."""

    def __init__(self, make: Make | None = None, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self._make = make
        self._rows: list[Line] = []
        self._rest: Iterator[Line] = iter(())
        self._laid_for = 0

    def lay(self, make: Make | None) -> None:
        """Show another text from its beginning."""
        self._make = make
        self._lay()
        self.lines_changed(0)
        self.scroll_home(animate=False)

    def _lay(self) -> None:
        self._laid_for = self.room.width
        self._rows = []
        self._rest = iter(()) if self._make is None else self._make(max(10, self._laid_for))
        self._more()

    def _more(self) -> None:
        found = list(islice(self._rest, AT_ONCE))
        self._rows += found
        self.lines_changed()
        if len(found) == AT_ONCE:
            self.call_later(self._more)

    def fit(self) -> None:
        """Lay it out anew for another width."""
        if self.room.width != self._laid_for:
            self._lay()

    def count(self) -> int:
        """Return the number of lines that are laid out so far."""
        return len(self._rows)

    def line(self, index: int, width: int) -> Line:
        """Return a line."""
        return self._rows[index]
