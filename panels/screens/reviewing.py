"""A window that lists exactly what a yes would do, and asks for it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from panels.dialogs import Confirm
from panels.widgets.dialogkeys import DialogKey, DialogKeys
from panels.widgets.laid import LaidView, Make
from supervisor.model.plain import clean


class Review(Confirm):
    """Asks yes or no below a list that scrolls. Only y says yes: enter is too easily pressed."""

    AUTO_FOCUS = "LaidView"
    DEFAULT_CSS = """
    Review > .dialog { width: 96%; max-width: 130; height: 90%; }
    Review LaidView { height: 1fr; background: $surface; margin-bottom: 1; }
    Review .dialog-keys { color: $text; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "wait", "", show=False)]

    def __init__(self, title: str, make: Make, *, yes: str, danger: bool = False) -> None:
        super().__init__(title, "", yes=yes, danger=danger)
        self._lines = make

    def compose(self) -> ComposeResult:
        """Put in the title, the list and the keys."""
        with Vertical(classes="dialog"):
            yield Static(clean(self._title), classes="dialog-title", markup=False)
            yield LaidView(self._lines)
            yield DialogKeys(
                DialogKey("y", self._yes, "screen.yes"),
                DialogKey("n", "No", "screen.dismiss_none"),
                DialogKey("j k", "Scroll"),
            )

    def action_wait(self) -> None:
        """Do nothing: enter decides nothing here."""
