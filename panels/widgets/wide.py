"""A list of lines that are wider than the screen: they are moved sideways, not wrapped."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.binding import BindingType

from panels.keys import bindings
from panels.widgets.lines import LineView

STEP: Final = 8
"""Cells that a key moves lines by."""

WIDEST: Final = 5_000
"""Characters of a line that can be scrolled to; the size of a longer one is said."""


class WideView(LineView):
    """Lines that keys move sideways by `shift` cells."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("left", "right")]

    def __init__(self, *, follow: bool = False, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(follow=follow, id=id)
        self.shift = 0

    def action_right(self) -> None:
        """Move the lines to the left: what is on the right comes in."""
        self.shift = min(self.shift + STEP, WIDEST)
        self.refresh()

    def action_left(self) -> None:
        """Move the lines back."""
        self.shift = max(0, self.shift - STEP)
        self.refresh()
