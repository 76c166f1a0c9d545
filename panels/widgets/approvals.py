"""The list of approvals, and the detail of one: exactly what would happen."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

from textual.binding import BindingType

from panels.keys import bindings
from panels.shell import Json
from panels.view.approvals import Heading, Row, detail, line, question, standing
from panels.widgets.laid import LaidView
from panels.widgets.lines import Line, LineView
from supervisor.model.times import now_ms


class ApprovalsList(LineView):
    """What waits, and with it what was decided before, when that is wanted."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("mark")]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.rows: list[Row] = []
        self.marked: set[str] = set()
        self.busy: set[str] = set()
        """Those whose decision is on its way."""

    def show(self, found: list[Row]) -> None:
        """Take the lines; the cursor stays on its question, wherever that is now."""
        held = self.approval
        self.rows = found
        self.marked &= {row["id"] for row in found if not isinstance(row, Heading) and row["status"] == "pending"}
        self.lines_changed(self.index_of(held["id"]) if held is not None else None)

    def index_of(self, approval: str) -> int | None:
        """Return the line of a question, None when it is not in the list."""
        return next(
            (i for i, row in enumerate(self.rows) if not isinstance(row, Heading) and row["id"] == approval), None
        )

    @property
    def approval(self) -> Json | None:
        """The question under the cursor."""
        row = self.rows[self.cursor] if self.cursor < len(self.rows) else None
        return None if isinstance(row, Heading) else row

    def count(self) -> int:
        """Return the number of lines."""
        return len(self.rows)

    def can_choose(self, index: int) -> bool:
        """Headings are passed over."""
        return not isinstance(self.rows[index], Heading)

    def is_marked(self, index: int) -> bool:
        """Whether a question is marked."""
        row = self.rows[index]
        return not isinstance(row, Heading) and row["id"] in self.marked

    def line(self, index: int, width: int) -> Line:
        """Return a heading or a question."""
        row = self.rows[index]
        if isinstance(row, Heading):
            return [(f"{row.text} ", "title"), ("─" * width, "dim")]
        known = row["id"]
        return line(row, width, now_ms(), marked=known in self.marked, busy=known in self.busy)

    def action_mark(self) -> None:
        """Mark the question under the cursor, or take the mark off, and go to the next; only what waits can be."""
        if (approval := self.approval) is not None and approval["status"] == "pending":
            self.marked ^= {approval["id"]}
            self.move(1)
            self.refresh()


class ApprovalDetail(LaidView):
    """One question, whole: what it asks, how it stands, and exactly what would happen."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self.approval: Json | None = None
        self._standing_at = -1

    def show(self, approval: Json | None) -> None:
        """Show a question; the same one as before stays where it was scrolled to."""
        before, self.approval = self.approval, approval
        if approval is None:
            self._standing_at = -1
            self.lay(None)
        elif before is None or before["id"] != approval["id"] or before["status"] != approval["status"]:
            self.lay(partial(self._laid, approval))

    def tick(self) -> None:
        """Draw what changes with the clock."""
        if self._standing_at >= 0:
            self.refresh_line(self._standing_at - self.scroll_offset.y)

    def line(self, index: int, width: int) -> Line:
        """Return a line; how the question stands is said as of now."""
        if index == self._standing_at and self.approval is not None:
            return standing(self.approval, now_ms())
        return super().line(index, width)

    def _laid(self, approval: Json, width: int) -> Iterator[Line]:
        asked = list(question(approval, width))
        self._standing_at = len(asked)
        yield from asked
        yield []  # How it stands: drawn by `line`.
        yield from detail(approval, width)
