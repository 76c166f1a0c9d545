"""Draws what a session is, above its screen."""

from __future__ import annotations

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from panels.palette import palette
from panels.view.head import head
from panels.view.sessions import SessionView
from supervisor.model.times import now_ms


class Head(Widget):
    """Two lines about a session, or why there is none."""

    DEFAULT_CSS = """
    Head { height: 2; background: $surface; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.session: SessionView | None = None
        self.note = ""

    def show(self, session: SessionView | None, note: str = "") -> None:
        """Show a session; without one what is to be said instead."""
        self.session, self.note = session, note
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one of the lines."""
        styles, width = palette(self.app.theme_variables), self.size.width
        if self.session is None:
            spans = [(f" {self.note}" if y == 0 else "", "dim")]
        else:
            spans = head(self.session, width, now_ms())[y]
        strip = Strip([Segment(text, styles[style]) for text, style in spans])
        return strip.adjust_cell_length(width).apply_style(self.rich_style)
