"""What the app has said, to be read again."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from panels.dialogs import Dialog
from panels.view.messages import Said, rows
from panels.widgets.laid import LaidView


class Messages(Dialog[None]):
    """Lists messages, the newest first; each whole."""

    DEFAULT_CSS = """
    Messages > .dialog { height: 90%; max-width: 120; }
    Messages LaidView { height: 1fr; background: $surface; }
    """
    AUTO_FOCUS = "LaidView"

    def __init__(self, said: Sequence[Said]) -> None:
        super().__init__()
        self._said = said

    def compose(self) -> ComposeResult:
        """Put in the messages."""
        with Vertical(classes="dialog"):
            yield Static("Messages", classes="dialog-title")
            yield LaidView(lambda width: rows(self._said, width), id="said")
            yield Static("j k  Scroll    esc  Close", classes="dialog-keys")
