"""What is shown where there is nothing to list: what the place is for, and which key fills it."""

from __future__ import annotations

from textual.widgets import Static


class Note(Static, can_focus=True):
    """A text that has the keys as long as the list it stands for is hidden."""
