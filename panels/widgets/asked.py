"""The question of a session in a preview: what is asked and exactly what would happen, as far as there is room.

It knows whether all of it can be read where it stands: only then may a key decide it from here.
"""

from __future__ import annotations

from time import monotonic
from typing import Final

from rich.segment import Segment
from textual import events
from textual.strip import Strip
from textual.widget import Widget

from panels.palette import palette
from panels.shell import Json
from supervisor.model.times import now_ms

Line = list[tuple[str, str]]

GRACE_S: Final = 0.4
"""A question that has just come cannot be decided before: nobody can have read it."""

DECIDE: Final = "a approve  r reject  R say why"


class Asked(Widget):
    """One question, in at most ``room`` lines; the last one names the keys."""

    DEFAULT_CSS = """
    Asked { height: 0; background: $warning 20%; padding: 0 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._approval: Json | None = None
        self._others = 0
        self._lines: list[Line] = []
        self._standing_at = 0
        self._laid: tuple[str, int, int] | None = None
        self._whole = False
        self._since: float | None = None

    def show(self, approval: Json | None, others: int, room: int) -> None:
        """Show a question (None: nothing) in so many lines; ``others`` of the same session wait as well."""
        self._approval, self._others = approval, others
        laid = None if approval is None else (f"{approval['id']} {approval['digest']} {others}", self.size.width, room)
        if laid != self._laid:
            self._laid, self._since = laid, None
            self._lay(room)
        self.refresh()

    def is_seen_whole(self, approval: Json) -> bool:
        """Whether all of this question has been drawn, and nothing of it is out of sight."""
        shown = self._approval
        if shown is None or (shown["id"], shown["digest"]) != (approval["id"], approval["digest"]):
            return False
        return self._whole and self._since is not None and self._is_in_sight()

    def was_read(self) -> bool:
        """Whether it has been there long enough to be read."""
        return self._since is not None and monotonic() - self._since >= GRACE_S

    def _is_in_sight(self) -> bool:
        placed = self.screen.find_widget(self)
        return placed.visible_region == placed.region and self.size.height == len(self._lines)

    def _lay(self, room: int) -> None:
        """Lay out the question, how it stands, what would happen, and the keys."""
        self._lines, self._whole = [], False
        if self._approval is not None:
            from panels.view.approvals import question, what_happens

            width = max(10, self.size.width)
            asked = list(question(self._approval, width))
            # How it stands is drawn when it is drawn; a decision needs the line of the keys as well.
            found: list[Line] = [*asked, [], *what_happens(self._approval, width)]
            self._standing_at = len(asked)
            self._whole = len(found) < room and not self._others
            self._lines = [*found[: max(1, room - 1)], [(self._keys(len(found) - room + 1), "bold")]]
        self.styles.height = len(self._lines)

    def _keys(self, hidden: int) -> str:
        if self._whole:
            return DECIDE
        return f"a shows it and {self._others} more" if self._others else f"a shows the other {hidden} lines"

    def on_resize(self, _: events.Resize) -> None:
        """Lay it out anew for another width, and begin to count anew."""
        if self._laid is not None and self._laid[1] != self.size.width:
            self.show(self._approval, self._others, self._laid[2])

    def render_line(self, y: int) -> Strip:
        """Draw a line; the last one is drawn when all others are."""
        if y >= len(self._lines) or self._approval is None:
            return Strip.blank(self.size.width, self.rich_style)
        if y == len(self._lines) - 1 and self._since is None and self.size.height == len(self._lines):
            self._since = monotonic()
        styles, line = palette(self.app.theme_variables), self._lines[y]
        if y == self._standing_at and y < len(self._lines) - 1:
            from panels.view.approvals import standing

            (status, style), *rest = standing(self._approval, now_ms())
            line = [(status[:1], style), *rest]  # That it waits is known here.
        strip = Strip([Segment(text, styles[style]) for text, style in line])
        return strip.adjust_cell_length(self.size.width).apply_style(self.rich_style)
