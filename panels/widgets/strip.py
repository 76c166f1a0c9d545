"""One line that shows the most severe alert nobody has acknowledged, and nothing when there is none."""

from __future__ import annotations

from rich.segment import Segment
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from panels.palette import palette
from panels.shell import shell
from panels.view.eventlines import ROOMY, alert_line
from panels.view.model import Topic
from panels.widgets.eventlists import PULSE_MS

TICK_S = 0.25
"""The countdown is drawn on this often while there is one."""


class AlertStrip(Widget):
    """A click shows the monitor, where alerts can be dismissed."""

    DEFAULT_CSS = """
    AlertStrip { height: 1; display: none; background: $surface; padding: 0 1; }
    """

    hushed: reactive[bool] = reactive(False)
    """Whether the panel that is shown has the alerts itself."""

    def on_mount(self) -> None:
        """Hear of alerts from now on."""
        self._ticks = self.set_interval(TICK_S, self._draw, pause=True)
        shell(self).changes.subscribe(self, self._heard)
        self._draw()

    def _heard(self, topics: frozenset[Topic]) -> None:
        if "alerts" in topics:
            self._draw()

    def watch_hushed(self) -> None:
        """Go where the alerts are shown anyhow."""
        if self.is_mounted:
            self._draw()

    def _draw(self) -> None:
        top = shell(self).view.alerts.top()
        self.display = top is not None and not self.hushed
        if top is None:
            self._ticks.pause()
        else:
            self._ticks.resume()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the alert, and how many more there are."""
        view, width, styles = shell(self).view, self.content_size.width, palette(self.app.theme_variables)
        alert = view.alerts.top()
        if alert is None:
            return Strip.blank(width, self.rich_style)
        waiting = sum(1 for each in view.alerts.all() if not each.is_acknowledged) - 1
        more = f" +{waiting} more, see 3" if width >= ROOMY else f" +{waiting}, see 3"
        more = more if waiting else ""
        now = view.alerts.clock()
        lit = self.app.animation_level == "none" or now // PULSE_MS % 2 == 0
        spans = [*alert_line(alert, view.sessions, width - len(more), now, lit=lit), (more, "dim")]
        strip = Strip([Segment(text, styles[style]) for text, style in spans])
        return strip.extend_cell_length(width).crop(0, width).apply_style(self.rich_style)

    def on_click(self) -> None:
        """Show the monitor."""
        shell(self).show_panel("monitor")
