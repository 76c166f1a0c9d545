"""A slider over time: the bar above a replay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from rich.segment import Segment
from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from panels import shown
from panels.keys import bindings
from panels.palette import palette

STEPS: Final = 100
"""Presses of a key from one end to the other."""


class Slider(Widget, can_focus=True):
    """Chooses a moment between two; times in milliseconds since the epoch."""

    DEFAULT_CSS = """
    Slider { height: 1; background: $surface; }
    Slider:focus { background: $primary 30%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("left", "right", "first", "bottom")]

    step: reactive[int] = reactive(STEPS)

    @dataclass
    class Slid(Message):
        """Another moment was chosen; ``at_end`` when it is the last there is."""

        moment: int
        at_end: bool

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._first, self._last = 0, 0
        self._dragged = False

    def span(self, first: int, last: int) -> None:
        """Take the moments at both ends, and stand at the last."""
        self._first, self._last = first, max(first, last)
        self.set_reactive(Slider.step, STEPS)
        self.refresh()

    @property
    def moment(self) -> int:
        """The moment that is chosen."""
        return self._first + (self._last - self._first) * self.step // STEPS

    def validate_step(self, step: int) -> int:
        """Stay between both ends."""
        return max(0, min(step, STEPS))

    def watch_step(self) -> None:
        """Say where it is now."""
        self.post_message(self.Slid(self.moment, self.step == STEPS))

    def _ends(self) -> tuple[str, str]:
        length = shown.span((self._last - self._first) / 1000)
        return f" {shown.clock(self.moment)} ", f" {shown.span((self.moment - self._first) / 1000)} of {length} "

    def render_line(self, y: int) -> Strip:
        """Draw the time, the bar with its knob, and how far it is."""
        styles = palette(self.app.theme_variables)
        before, after = self._ends()
        room = max(2, self.size.width - len(before) - len(after))
        at = (room - 1) * self.step // STEPS
        parts = [
            (before, "bold"),
            ("━" * at, "accent"),
            ("●", "accent-bold"),
            ("─" * (room - at - 1), "dim"),
            (after, "dim"),
        ]
        strip = Strip([Segment(text, styles[style]) for text, style in parts])
        return strip.adjust_cell_length(self.size.width).apply_style(self.rich_style)

    def _slide_to(self, x: int) -> None:
        before, after = self._ends()
        room = max(2, self.size.width - len(before) - len(after))
        self.step = round((x - len(before)) * STEPS / (room - 1))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Go where the mouse is, and follow it."""
        self._dragged = True
        self.capture_mouse()
        self._slide_to(event.x)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Follow the mouse while its button is held."""
        if self._dragged:
            self._slide_to(event.x)

    def on_mouse_up(self, _: events.MouseUp) -> None:
        """Stay where it is."""
        self._dragged = False
        self.release_mouse()

    def action_left(self) -> None:
        """Go back by a step."""
        self.step -= 1

    def action_right(self) -> None:
        """Go on by a step."""
        self.step += 1

    def action_first(self) -> None:
        """Go to the beginning."""
        self.step = 0

    def action_bottom(self) -> None:
        """Go to the end."""
        self.step = STEPS
