"""The lists of the monitor: alerts, events, and what is limited."""

from __future__ import annotations

from collections.abc import Callable

from panels.shell import Json, shell
from panels.view.eventlines import alert_line, event_line
from panels.view.limits import Line as LimitLine
from panels.widgets.lines import Line, LineView
from supervisor.model.alerts import Alert

PULSE_MS = 500
"""An urgent alert is bright for so long, then not."""


class AlertLines(LineView):
    """The alerts that are shown, as many lines as there are."""

    DEFAULT_CSS = """
    AlertLines { height: auto; max-height: 5; background: $surface; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.alerts: list[Alert] = []

    def show(self, found: list[Alert]) -> None:
        """Take the alerts; the cursor stays on its own, wherever that is now."""
        held = self.alert
        self.alerts = found
        self.styles.height = len(found)
        self.display = bool(found)
        at = next((i for i, each in enumerate(found) if held is not None and each.key == held.key), None)
        self.lines_changed(at)

    @property
    def alert(self) -> Alert | None:
        """The alert under the cursor."""
        return self.alerts[self.cursor] if self.cursor < len(self.alerts) else None

    def count(self) -> int:
        """Return the number of lines."""
        return len(self.alerts)

    def line(self, index: int, width: int) -> Line:
        """Return an alert. Where the terminal asks for less motion it does not pulse, it is bright."""
        view = shell(self).view
        now = view.alerts.clock()
        lit = self.app.animation_level == "none" or now // PULSE_MS % 2 == 0
        return alert_line(self.alerts[index], view.sessions, width, now, lit=lit)


class EventLines(LineView):
    """Live events; it follows the newest as long as the cursor is there."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(follow=True, id=id)
        self.events: list[Json] = []

    def show(self, found: list[Json]) -> None:
        """Take the events; a cursor that does not follow stays on its event, or on the first that is left."""
        held = self.event
        self.events = found
        at = None
        if held is not None and not self.following:
            at = next((i for i, each in enumerate(found) if each["seq"] >= held["seq"]), len(found) - 1)
        self.lines_changed(at)

    @property
    def event(self) -> Json | None:
        """The event under the cursor."""
        return self.events[self.cursor] if self.cursor < len(self.events) else None

    def count(self) -> int:
        """Return the number of lines."""
        return len(self.events)

    def line(self, index: int, width: int) -> Line:
        """Return an event."""
        return event_line(self.events[index], shell(self).view.sessions, width)


class LimitLines(LineView):
    """What is limited; ``drawn`` makes the lines for a width."""

    def __init__(self, drawn: Callable[[int], list[LimitLine]], *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes="pane")
        self._drawn = drawn
        self._lines: list[LimitLine] = []

    def fit(self) -> None:
        """Fit the lines into another width."""
        self.show()

    def show(self) -> None:
        """Make the lines anew."""
        self._lines = self._drawn(self.room.width)
        self.lines_changed()

    def count(self) -> int:
        """Return the number of lines."""
        return len(self._lines)

    def line(self, index: int, width: int) -> Line:
        """Return a line."""
        return self._lines[index]
