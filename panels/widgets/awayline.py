"""What stays on the screen while the supervisor is gone: what happened, what the app does, and what the person can do."""

from __future__ import annotations

from textual.widgets import Static

from panels.shell import shell
from panels.shown import clock
from panels.view.model import Topic
from supervisor.model.plain import clean


class AwayLine(Static):
    """As many lines as it takes, below the line of the panels; none while the supervisor answers."""

    DEFAULT_CSS = """
    AwayLine { height: auto; max-height: 5; padding: 0 1; display: none; background: $warning 30%; }
    AwayLine:ansi { background: ansi_default; text-style: bold; }
    """

    def __init__(self) -> None:
        super().__init__(markup=False)

    def on_mount(self) -> None:
        """Hear of the connection from now on."""
        shell(self).changes.subscribe(self, self._heard)
        self._show()

    def _heard(self, topics: frozenset[Topic]) -> None:
        if "connection" in topics:
            self._show()

    def _show(self) -> None:
        connection = shell(self).view.connection
        self.display = connection.state == "away"
        since = f"since {clock(connection.since)}: " if connection.since is not None else ""
        self.update(f"◌ No supervisor {since}{clean(connection.problem)}")
