"""The line at the top: the panels by number, what waits, and whether what is shown is live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

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
from panels.widgets.lines import Span, width_of

NARROW: Final = 40
ROOMY: Final = 100
"""Cells from which on the state has words, and what everything cost has a place."""


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

    def __init__(self, panels: list[str], current: str = "fleet", *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._panels = panels
        self.set_reactive(Topline.current, current)

    def on_mount(self) -> None:
        """Hear of changes from now on."""
        shell(self).changes.subscribe(self, self._heard)
        self.refresh()  # Something may have changed after it was drawn first.

    def _heard(self, topics: frozenset[Topic]) -> None:
        if topics & self.TOPICS:
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the names on the left and the state on the right."""
        styles: Palette = palette(self.app.theme_variables)
        names, state = self._fitting()
        width, room = self.size.width, max(0, self.size.width - width_of(state))
        strip = Strip([Segment(text, styles[style]) for text, style in names]).crop(0, room)
        right = Strip([Segment(text, styles[style]) for text, style in state])
        return Strip.join([strip.extend_cell_length(room), right]).crop(0, width).apply_style(self.rich_style)

    def on_click(self, event: events.Click) -> None:
        """Choose the panel whose name is under the mouse."""
        at = 0
        for name, (text, _) in zip(self._panels, self._fitting()[0], strict=True):
            at += cell_len(text)
            if event.x < at:
                self.post_message(self.Chosen(name))
                return

    def _fitting(self) -> tuple[list[Span], list[Span]]:
        """Return the names and the state: blanks give way first, then the state's word, then the names."""
        view, width = shell(self).view, self.size.width
        for names, state in (
            (self._names(" "), _state(view, width)),
            (self._names(""), _state(view, width)),
            (self._names(""), _state(view, 0)),
        ):
            if width_of(names) + width_of(state) <= width:
                return names, state
        return self._names("", short=True), _state(view, 0)

    def _names(self, blank: str, *, short: bool = False) -> list[Span]:
        """Return the panels; ``short``, only the current one has a name."""
        view, spans = shell(self).view, list[Span]()
        for number, name in enumerate(self._panels, 1):
            here = name == self.current
            title = f" {name.capitalize()}" if here or not short else ""
            waiting = len(view.approvals) if name == "approvals" else 0
            shown = f"{blank}{number}{title}{f' ({waiting})' if waiting else ''} "
            spans.append((shown, "title" if here else "waiting-bold" if waiting else ""))
        return spans


def _state(view: ViewModel, width: int) -> list[Span]:
    """Return whether what is shown is live; without room for words the sign alone."""
    words = width >= NARROW
    connection = view.connection
    if connection.state != "live":
        word = "connecting" if connection.state == "connecting" else "no supervisor"
        return [(f"◌ {word} " if words else "◌ ", "waiting-bold")]
    health = view.status.get("health", "healthy")
    if health != "healthy":
        return [(f"! {health} " if words else "! ", "failed-bold")]
    cost = money(sum(session.cost_usd for session in view.sessions.values())) if width >= ROOMY else ""
    return [(f"{cost}  " if cost else "", "dim"), ("● live " if words else "● ", "ok")]
