"""What every key does here, from the same table as the footer."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen

from panels.keys import KEYS, KINDS
from panels.widgets.lines import Line, LineView

GLYPHS: Final = (
    "● running  ◐ waiting  ○ idle  ◌ queued  ‖ paused  ◍ stalled",
    "✓ done  ✕ failed  ■ stopped",
)


class HelpLines(LineView):
    """The keys, by what they are for."""

    def __init__(self, rows: list[Line]) -> None:
        super().__init__(id="help")
        self._rows = rows

    def count(self) -> int:
        """Return the number of lines."""
        return len(self._rows)

    def line(self, index: int, width: int) -> Line:
        """Return a line."""
        return self._rows[index]


class HelpScreen(ModalScreen[None]):
    """Lists the keys that work on the screen it was opened from, then the others."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; background: $background 60%; }
    HelpScreen > Vertical {
        width: 90%; max-width: 84; height: 90%; background: $surface; border: round $primary; padding: 0 1;
        border-title-color: $accent; border-subtitle-color: $text-muted;
    }
    HelpScreen LineView { background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q", "dismiss", "Close", show=False)]

    def __init__(self, below: Screen[Any]) -> None:
        super().__init__()
        self._active = {active.binding.action for active in below.active_bindings.values() if active.enabled}

    def compose(self) -> ComposeResult:
        """Put in the list."""
        with Vertical() as box:
            box.border_title = "Keys"
            box.border_subtitle = "esc closes"
            yield HelpLines(_rows(self._active))

    def on_mount(self) -> None:
        """Let keys scroll."""
        self.query_one(HelpLines).focus()


def _rows(active: set[str]) -> list[Line]:
    rows: list[Line] = [[(signs, "dim")] for signs in GLYPHS]
    for kind, title in KINDS.items():
        rows += [[], [(title, "title")]]
        for key in KEYS.values():
            if key.kind == kind:
                here = key.action in active or kind == "go"
                shown = key.shown or key.keys
                rows.append(
                    [(f" {shown:<8}", "bold" if here else "dim"), (f"{key.label}: {key.help}", "" if here else "dim")]
                )
    rows += [
        [],
        [("Dim keys work elsewhere, or on what is selected there. All panels work with the mouse too.", "dim")],
    ]
    return rows
