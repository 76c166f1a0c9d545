"""The line at the bottom: the keys that work here and now, the most useful first; help and quit always have room."""

from __future__ import annotations

from typing import Final, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from panels.keys import KEYS, Key
from panels.palette import palette

PINNED: Final = ("help", "quit_app")
"""Whatever the width, these are shown."""


class Shown(NamedTuple):
    """A key as it is drawn: from one cell to another."""

    key: Key
    start: int
    end: int


class Keyline(Widget):
    """Shows the keys of the screen it is on; a click does what the key does."""

    DEFAULT_CSS = """
    Keyline { height: 1; dock: bottom; background: $panel; }
    """

    def on_mount(self) -> None:
        """Hear when other keys work."""
        self.screen.bindings_updated_signal.subscribe(self, self._updated)

    def _updated(self, _: Screen[object]) -> None:
        self.refresh()

    def shown(self) -> list[Shown]:
        """Return what fits, with where it stands."""
        active = {each.binding.action for each in self.screen.active_bindings.values() if each.enabled}
        wanted = [key for key in KEYS.values() if key.footer and key.action in active and key.action not in PINNED]
        pinned = [KEYS[action] for action in PINNED if action in active]
        room = self.size.width - sum(map(_width, pinned))
        placed, at = list[Shown](), 0
        for key in wanted:
            if at + _width(key) <= room:
                placed.append(Shown(key, at, at + _width(key)))
                at += _width(key)
        at = room
        for key in pinned:
            placed.append(Shown(key, at, at + _width(key)))
            at += _width(key)
        return placed

    def render_line(self, y: int) -> Strip:
        """Draw the keys."""
        styles, base, segments, at = palette(self.app.theme_variables), self.rich_style, list[Segment](), 0
        for key, start, end in self.shown():
            segments.append(Segment(" " * (start - at)))
            segments.append(Segment(f" {_name(key)} ", styles["title"]))
            segments.append(Segment(f"{key.label} ", styles[""]))
            at = end
        return Strip(segments).adjust_cell_length(self.size.width).apply_style(base)

    async def on_click(self, event: events.Click) -> None:
        """Do what the key under the mouse does."""
        for key, start, end in self.shown():
            if start <= event.x < end:
                active = next(
                    each for each in self.screen.active_bindings.values() if each.binding.action == key.action
                )
                await self.app.run_action(key.action, active.node)
                return


def _name(key: Key) -> str:
    return key.shown or key.keys.split(",")[0]


def _width(key: Key) -> int:
    return cell_len(f" {_name(key)} {key.label} ")
