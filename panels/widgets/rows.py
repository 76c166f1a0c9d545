"""Lines that are laid out once for a width: records, facts, small tables."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from panels.view.rows import Layout, Row
from panels.widgets.lines import Line, LineView


class RowsView(LineView):
    """Shows what a layout makes of its width; without keys in it, the cursor may stand anywhere."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self.rows: Sequence[Row] = ()
        self._layout: Layout = lambda _: ()
        self._laid_for = -1
        self._has_keys = False

    def show(self, layout: Layout) -> None:
        """Take other lines; the cursor stays on what it is on, wherever that is now."""
        self._layout = layout
        self._lay_out()

    def _lay_out(self) -> None:
        held = self.chosen
        self._laid_for = self.room.width
        self.rows = self._layout(max(1, self._laid_for))
        self._has_keys = any(row.key is not None for row in self.rows)
        at = None
        if held is not None:
            at = next((index for index, row in enumerate(self.rows) if row.key == held), None)
        self.lines_changed(at)

    @property
    def chosen(self) -> Hashable:
        """The key of the line under the cursor; None when it has none."""
        return self.rows[self.cursor].key if self.cursor < len(self.rows) else None

    def count(self) -> int:
        """Return the number of lines."""
        return len(self.rows)

    def can_choose(self, index: int) -> bool:
        """Whether the cursor may stand there."""
        return not self._has_keys or self.rows[index].key is not None

    def standing(self) -> tuple[int, int]:
        """Without lines that can be chosen there is nothing to stand on: what is shown is a note."""
        return super().standing() if self._has_keys else (0, 0)

    def line(self, index: int, width: int) -> Line:
        """Return a line."""
        return self.rows[index].line

    def fit(self) -> None:
        """Lay out anew in another width."""
        if self.room.width != self._laid_for:
            self._lay_out()
