"""The list of plans."""

from __future__ import annotations

from collections.abc import Sequence

from panels.shell import Json, shell
from panels.view.plans import GROUPS, Heading, Row, line, title_width
from panels.widgets.lines import Line, LineView
from supervisor.model.times import now_ms


class PlansList(LineView):
    """The plans, grouped."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.rows: Sequence[Row] = ()
        self._titles: tuple[int, int] | None = None

    def show(self, found: list[Row]) -> None:
        """Take the lines; the cursor stays on its plan, wherever that is now."""
        held = self.plan
        self.rows, self._titles = found, None
        self.lines_changed(self.index_of(held["id"]) if held is not None else None, all_of_them=False)

    def index_of(self, plan: str) -> int | None:
        """Return the line of a plan, None when it is not in the list."""
        return next((i for i, row in enumerate(self.rows) if not isinstance(row, Heading) and row["id"] == plan), None)

    @property
    def plan(self) -> Json | None:
        """The plan under the cursor."""
        row = self.rows[self.cursor] if self.cursor < len(self.rows) else None
        return None if isinstance(row, Heading) else row

    def count(self) -> int:
        """Return the number of lines."""
        return len(self.rows)

    def can_choose(self, index: int) -> bool:
        """Headings are passed over."""
        return not isinstance(self.rows[index], Heading)

    def line(self, index: int, width: int) -> Line:
        """Return a heading or a plan."""
        row = self.rows[index]
        if isinstance(row, Heading):
            style = "waiting-bold" if row.group == "needs" else "title"
            return [(f"{GROUPS[row.group]} ", style), (f"{row.count} ", "dim"), ("─" * width, "dim")]
        if self._titles is None or self._titles[0] != width:
            self._titles = (width, title_width(self.rows, width))
        return line(row, shell(self).view.approvals.values(), width, self._titles[1], now_ms())
