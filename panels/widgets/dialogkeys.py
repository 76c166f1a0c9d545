"""The line of keys below a dialog: where it is too narrow for all of them it has more lines, and no key is cut."""

from __future__ import annotations

from typing import NamedTuple

from rich.cells import cell_len
from textual import events
from textual.widgets import Static

GAP = "    "


class DialogKey(NamedTuple):
    """A key, what it does, and the action that a click on it starts; none where a click does nothing."""

    key: str
    label: str
    action: str = ""


class DialogKeys(Static):
    """Keys of a dialog; each can be clicked."""

    def __init__(self, *keys: DialogKey, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(arranged(keys, 0), id=id, classes="dialog-keys")
        self._keys = keys

    def on_resize(self, event: events.Resize) -> None:
        """Break the line between keys, where it must be."""
        self.update(arranged(self._keys, event.size.width))


def arranged(keys: tuple[DialogKey, ...], width: int) -> str:
    """Return keys as markup, in lines of at most so many cells; one line where the width is 0: it is not known yet."""
    lines: list[list[str]] = [[]]
    left = width
    for key, label, action in keys:
        text = f"{key}  {label}"
        if width and lines[-1] and cell_len(GAP + text) > left:
            lines.append([])
        left = (left - len(GAP) if lines[-1] else width) - cell_len(text)
        lines[-1].append(f"[@click={action}]{text}[/]" if action else text)
    return "\n".join(map(GAP.join, lines))
