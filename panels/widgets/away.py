"""A line that stays for as long as no supervisor answers: what happened, what goes on, and what the app does."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.containers import Container
from textual.widgets import Static

from panels.shell import shell
from panels.view.connecting import CRASHED, STOPPED
from panels.view.model import Topic

BACK: Final = "The supervisor is back: everything shown is live."


class AwayLine(Container):
    """Hidden while a supervisor answers, and before the first answer. One of them ``tells`` that it is back."""

    DEFAULT_CSS = """
    AwayLine { height: auto; background: $warning-muted; color: $text-warning; display: none; padding: 0 1; }
    AwayLine.-away { display: block; }
    """
    TOPICS: ClassVar[frozenset[Topic]] = frozenset({"connection"})

    def __init__(self, *, tells: bool = True) -> None:
        super().__init__()
        self._tells = tells
        self._was_live = False

    def compose(self) -> ComposeResult:
        """Put in the text."""
        yield Static("", markup=False)

    def on_mount(self) -> None:
        """Hear of changes from now on; a screen that is opened now may find none."""
        shell(self).changes.subscribe(self, self._heard)
        self._was_live = bool(shell(self).view.status)
        self._heard(self.TOPICS)

    def _heard(self, topics: frozenset[Topic]) -> None:
        if not topics & self.TOPICS:
            return
        connection = shell(self).view.connection
        away = connection.state == "away" and self._was_live
        if self._tells and self.has_class("-away") and connection.state == "live":
            shell(self).say(BACK)
        self._was_live |= connection.state == "live"
        self.set_class(away, "-away")
        if away:
            # One that is stopped removes its socket before it ends.
            crashed = shell(self).paths.socket.exists()
            self.query_one(Static).update(CRASHED if crashed else STOPPED)
