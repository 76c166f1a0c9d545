"""A whole event, as it is stored."""

from __future__ import annotations

import json

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from panels.dialogs import Dialog
from panels.shell import Json
from panels.widgets.lines import Line, LineView
from supervisor.model.plain import clean, exact


class WholeLines(LineView):
    """The lines of a JSON document; what cannot be seen is written out."""

    def __init__(self, document: Json) -> None:
        super().__init__(id="whole")
        text = exact(json.dumps(document, indent=2, ensure_ascii=False))
        self._text = text.split("\n")
        self._lines: list[str] = []

    def count(self) -> int:
        """Return the number of lines."""
        return len(self._lines)

    def line(self, index: int, width: int) -> Line:
        """Return a line."""
        return [(self._lines[index], "")]

    def fit(self) -> None:
        """Fold what is longer than the screen is wide, so that all of it can be read."""
        width = max(10, self.room.width)
        self._lines = [text[at : at + width] for text in self._text for at in range(0, max(1, len(text)), width)]
        self.lines_changed()


class WholeEvent(Dialog[None]):
    """Shows everything that an event carries."""

    DEFAULT_CSS = """
    WholeEvent > .dialog { height: 90%; max-width: 120; }
    WholeEvent WholeLines { height: 1fr; background: $surface; }
    """
    AUTO_FOCUS = "WholeLines"

    def __init__(self, event: Json) -> None:
        super().__init__()
        self._event = event

    def compose(self) -> ComposeResult:
        """Put in its type and the document."""
        with Vertical(classes="dialog"):
            title = f"{self._event['type']}, event {self._event['seq']}"
            yield Static(clean(title), classes="dialog-title", markup=False)
            yield WholeLines(self._event)
            yield Static("j k  Scroll    esc  Close", classes="dialog-keys")
