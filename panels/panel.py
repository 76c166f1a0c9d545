"""What every panel of the main screen has in common."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.containers import Container
from textual.widget import Widget

from panels.shell import Shell, shell
from panels.view.model import Topic


class Panel(Container):
    """Draws from the view model when what it shows has changed, and only while it can be seen."""

    DEFAULT_CSS = """
    Panel { width: 1fr; height: 1fr; }
    """
    TOPICS: ClassVar[frozenset[Topic]] = frozenset()
    """What it draws; a change of another topic does not concern it."""

    _missed = True

    @property
    def shell(self) -> Shell:
        """The app."""
        return shell(self)

    def on_mount(self) -> None:
        """Hear of changes from now on."""
        self.shell.changes.subscribe(self, self._heard)

    def _heard(self, topics: frozenset[Topic]) -> None:
        if not topics & self.TOPICS:
            return
        if self.is_on_screen:
            self.view_changed(topics)
        else:
            self._missed = True

    def on_show(self, _: events.Show) -> None:
        """Catch up on what changed while it was hidden."""
        self.catch_up()

    def catch_up(self) -> None:
        """Draw what changed while it could not be seen, if anything did."""
        if self._missed and self.is_mounted:
            self._missed = False
            self.view_changed(self.TOPICS)

    @property
    def is_on_screen(self) -> bool:
        """Whether it can be seen: another panel may be shown, or a screen lie over it."""
        return self.display and self.screen.is_current

    def view_changed(self, topics: frozenset[Topic]) -> None:
        """Draw what has changed."""
        raise NotImplementedError

    def focus_first(self) -> None:
        """Put the keys where they are wanted first."""
        for widget in self.query(Widget):
            if widget.can_focus and widget.display:
                widget.focus()
                return
