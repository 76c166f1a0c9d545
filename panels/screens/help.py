"""What every key does here, from the same table as the footer."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen

from panels.keys import KEYS, KINDS, Key
from panels.view.wrapping import wrap
from panels.widgets.laid import LaidView
from panels.widgets.lines import Line

GLYPHS: Final = (
    "● running  ◐ waiting  ○ idle  ◌ queued  ‖ paused  ◍ stalled",
    "✓ done  ✕ failed  ■ stopped",
)


ELSEWHERE: Final = "Dim keys work elsewhere, or on what is selected there. All panels work with the mouse too."
KEY_WIDTH: Final = 10


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
            yield LaidView(partial(_rows, self._active), id="help")

    def on_mount(self) -> None:
        """Let keys scroll."""
        self.query_one(LaidView).focus()


def _rows(active: set[str], width: int) -> Iterator[Line]:
    for signs in GLYPHS:
        yield from ([(line, "dim")] for line in wrap(signs, width))
    for kind, title in KINDS.items():
        yield []
        yield [(title, "title")]
        for key in KEYS.values():
            if key.kind == kind:
                yield from _row(key, width, here=key.action in active or kind == "go")
    yield []
    yield from ([(line, "dim")] for line in wrap(ELSEWHERE, width))


def _row(key: Key, width: int, *, here: bool) -> Iterator[Line]:
    """Yield a key and what it does; what does not fit goes on below."""
    shown = key.shown or key.keys
    for number, line in enumerate(wrap(f"{key.label}: {key.help}", max(20, width - KEY_WIDTH))):
        name = f" {shown}" if number == 0 else ""
        yield [(name.ljust(KEY_WIDTH), "bold" if here else "dim"), (line, "" if here else "dim")]
