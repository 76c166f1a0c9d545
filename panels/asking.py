"""What asks the person before it acts: with dialogs, on behalf of whatever it is mixed into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.dom import DOMNode
from textual.screen import Screen

from panels.shell import Shell, shell


class Asking(DOMNode):
    """Mixed into what opens dialogs."""

    @property
    def _shell(self) -> Shell:
        return shell(self)

    def _push(self, dialog: Screen[Any], done: Callable[[Any], None]) -> None:
        """Open a dialog; ``done`` is called with its answer, not when there is none."""
        self.app.push_screen(dialog, lambda answer: done(answer) if answer else None)
