"""Two lines above the events: the phases with how many are in view, and the activity of the last two minutes."""

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
from panels.shell import shell
from panels.view.monitor import sparkline
from panels.widgets.lines import Span


class Activity(Widget):
    """Shows the phase that is chosen; a click chooses another."""

    DEFAULT_CSS = """
    Activity { height: 2; padding: 0 1; background: $surface; }
    """
    phase: reactive[str | None] = reactive(None)
    filtered: reactive[str] = reactive("")
    """The filter in words, when there is one."""

    @dataclass
    class Chosen(Message):
        """A phase was clicked; None means all."""

        phase: str | None

    def render_line(self, y: int) -> Strip:
        """Draw the phases, or the activity."""
        width, styles = self.content_size.width, palette(self.app.theme_variables)
        spans = [span for _, span in self._phases()] if y == 0 else self._activity(width)
        strip = Strip([Segment(text, styles[style]) for text, style in spans])
        return strip.extend_cell_length(width).crop(0, width).apply_style(self.rich_style)

    def _phases(self) -> list[tuple[str | None, Span]]:
        counts = shell(self).view.monitor.counts()
        whole: list[tuple[str | None, int]] = [(None, sum(counts.values())), *counts.items()]
        return [
            (
                phase,
                (
                    f"{'▸' if phase == self.phase else ' '}{phase or 'all'} {count} ",
                    "title" if phase == self.phase else "" if count else "dim",
                ),
            )
            for phase, count in whole
        ]

    def _activity(self, width: int) -> list[Span]:
        monitor = shell(self).view.monitor
        rate = f" {monitor.rate():.1f} events/s "
        suffix = f" filter: {self.filtered}" if self.filtered else ""
        room = width - cell_len(rate) - cell_len(suffix)
        return [(sparkline(monitor.activity(), max(10, room)), "running"), (rate, "bold"), (suffix, "waiting")]

    def on_click(self, event: events.Click) -> None:
        """Choose the phase under the mouse."""
        at = self.gutter.left
        if event.y != self.gutter.top:
            return
        for phase, (text, _) in self._phases():
            at += cell_len(text)
            if event.x < at:
                self.post_message(self.Chosen(phase))
                return
