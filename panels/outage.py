"""Tells the person when the supervisor goes away, and when it is back."""

from __future__ import annotations

from collections.abc import Callable

from panels.shown import span
from panels.view.model import ViewModel
from supervisor.model.times import now_ms


class Outage:
    """Follows the connection of the view model; ``say`` shows a message with its severity."""

    def __init__(self, view: ViewModel, say: Callable[[str, str], None]) -> None:
        self._view, self._say = view, say
        self._since: int | None = None

    def heard(self) -> None:
        """Take note that the connection may stand differently. What was never there is not missed."""
        connection = self._view.connection
        if connection.state == "away" and connection.since is not None and self._since is None:
            self._since = connection.since
            self._say(connection.problem, "warning")
        elif connection.state == "live" and self._since is not None:
            gone, self._since = span((now_ms() - self._since) / 1000), None
            self._say(f"The supervisor is back after {gone}. Everything was read again.", "information")
