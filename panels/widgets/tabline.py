"""The tabs of a screen in one line; a click shows one."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from panels.palette import palette


class Tabline(Widget):
    """Names the tabs; keys of the screen go to their neighbours."""

    DEFAULT_CSS = """
    Tabline { height: 1; background: $panel; }
    """
    current: reactive[str] = reactive("")

    @dataclass
    class Chosen(Message):
        """The name of a tab was clicked."""

        tab: str

    def __init__(self, tabs: tuple[str, ...], current: str, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._tabs = tabs
        self.set_reactive(Tabline.current, current)

    def render_line(self, y: int) -> Strip:
        """Draw the names, the current one marked without colour too."""
        styles = palette(self.app.theme_variables)
        parts = [Segment(self._shown(tab), styles["title" if tab == self.current else "dim"]) for tab in self._tabs]
        return Strip(parts).adjust_cell_length(self.size.width).apply_style(self.rich_style)

    def _shown(self, tab: str) -> str:
        return f"[{tab.capitalize()}]" if tab == self.current else f" {tab.capitalize()} "

    def on_click(self, event: events.Click) -> None:
        """Choose the tab whose name is under the mouse."""
        at = 0
        for tab in self._tabs:
            at += cell_len(self._shown(tab))
            if event.x < at:
                self.post_message(self.Chosen(tab))
                return
