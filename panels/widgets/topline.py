"""The line at the top: the panels by number, what waits, and whether what is shown is live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from panels.palette import Palette, palette
from panels.shell import shell
from panels.shown import money
from panels.view.model import Topic, ViewModel
from panels.widgets.lines import Span


class Topline(Widget):
    """Names the panels; a click shows one."""

    DEFAULT_CSS = """
    Topline { height: 1; background: $panel; }
    """
    TOPICS: ClassVar[frozenset[Topic]] = frozenset({"connection", "fleet", "approvals", "supervisor"})

    current: reactive[str] = reactive("fleet")

    @dataclass
    class Chosen(Message):
        """The name of a panel was clicked."""

        panel: str

    def __init__(self, panels: list[str], *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._panels = panels

    def on_mount(self) -> None:
        """Hear of changes from now on."""
        shell(self).changes.subscribe(self, self._heard)

    def _heard(self, topics: frozenset[Topic]) -> None:
        if topics & self.TOPICS:
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the names on the left and the state on the right; names give way where it is narrow."""
        styles: Palette = palette(self.app.theme_variables)
        width, state = self.size.width, _state(shell(self).view, self.size.width)
        room = width - sum(cell_len(text) for text, _ in state)
        names = self._names(short=self._full_width() > room)
        strip = Strip([Segment(text, styles[style]) for text, style in names]).crop(0, max(0, room))
        right = Strip([Segment(text, styles[style]) for text, style in state])
        return Strip.join([strip.extend_cell_length(room), right]).crop(0, width).apply_style(self.rich_style)

    def on_click(self, event: events.Click) -> None:
        """Choose the panel whose name is under the mouse."""
        room = self.size.width - sum(cell_len(text) for text, _ in _state(shell(self).view, self.size.width))
        at = 0
        for name, (text, _) in zip(self._panels, self._names(short=self._full_width() > room), strict=True):
            at += cell_len(text)
            if event.x < at:
                self.post_message(self.Chosen(name))
                return

    def _full_width(self) -> int:
        return sum(cell_len(text) for text, _ in self._names(short=False))

    def _names(self, *, short: bool) -> list[Span]:
        """Return the panels; where there is no room only the current one has its whole name."""
        view, spans = shell(self).view, list[Span]()
        for number, name in enumerate(self._panels, 1):
            here = name == self.current
            title = name.capitalize() if here or not short else name[:4].capitalize()
            waiting = len(view.approvals) if name == "approvals" else 0
            shown = f" {number} {title}{f' ({waiting})' if waiting else ''} "
            spans.append((shown, "title" if here else "waiting-bold" if waiting else ""))
        return spans


def _state(view: ViewModel, width: int) -> list[Span]:
    connection = view.connection
    if connection.state != "live":
        word = "connecting" if connection.state == "connecting" else "no supervisor"
        return [(f"◌ {word} ", "waiting-bold")]
    spans: list[Span] = []
    cost = money(sum(session.cost_usd for session in view.sessions.values()))
    if cost and width >= 100:
        spans.append((f"{cost}  ", "dim"))
    health = view.status.get("health", "healthy")
    if health == "healthy":
        spans.append(("● live ", "ok"))
    else:
        spans.append((f"! {health} ", "failed-bold"))
    return spans
