"""Shows a plan as a drawing that scrolls both ways; keys and the mouse move from task to task."""

from __future__ import annotations

from typing import ClassVar, Final

from textual import events
from textual.binding import BindingType
from textual.strip import Strip

from panels.keys import bindings
from panels.palette import PLAN_GLYPHS
from panels.view.plan import PlanView
from panels.view.plandrawing import Drawing, Span, label, spans
from panels.view.planlayout import Item
from panels.widgets.lines import Line, LineView

STEP: Final = 8
"""Cells that the mouse moves the drawing by."""

MARGIN: Final = 3
"""Cells to the left of a task that are seen with it."""


class DrawingView(LineView):
    """The tasks from left to right. The cursor is on the row of the chosen task."""

    MARKS_LINE = False
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("left", "right")]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._plan: PlanView | None = None
        self._drawn: Drawing | None = None
        self.chosen_task: str | None = None
        self.shift = 0
        self.is_reading = False

    def show(self, plan: PlanView, drawn: Drawing, task: str | None) -> None:
        """Take another plan, or another revision."""
        self._plan, self._drawn, self.shift = plan, drawn, 0
        self.lines_changed()
        self.choose(task)

    def retake(self, plan: PlanView) -> None:
        """Take the same plan as it stands now."""
        self._plan = plan
        self.redraw()

    def clear_plan(self, *, is_reading: bool) -> None:
        """Show none; ``is_reading`` when one will come."""
        self.is_reading = is_reading
        self._plan = self._drawn = self.chosen_task = None
        self.lines_changed()

    def redraw(self) -> None:
        """Draw what looks different after statuses have changed."""
        self.lines_changed(all_of_them=False)

    def choose(self, task: str | None) -> None:
        """Put the cursor on a task."""
        if self._drawn is None or task not in self._drawn.layout.places:
            return
        self.chosen_task = task
        self._bring_in(task)
        row = self._drawn.layout.places[task][1]
        if row == self.cursor:
            self._show(row)
            self._scroll_to_cursor()
            self.post_message(self.Moved(self, row))
        else:
            self.cursor = row

    def _bring_in(self, task: str) -> None:
        """Move the drawing sideways until the task can be seen."""
        width, shift = self.room.width, self.shift
        if self._drawn is None or width <= 0:
            return  # As long as there is no room, nothing is out of sight.
        first, end = self._drawn.cells(task)
        if first < shift + MARGIN * (shift > 0) or end > shift + width:
            # In the middle, so that what comes before it and after it can be seen.
            self.shift = max(0, min((first + end - width) // 2, self._drawn.width - width))
        if self.shift != shift:
            self.refresh()

    # What it draws.

    def count(self) -> int:
        """Return the number of rows, with one that says what is not drawn."""
        return (
            int(self.is_reading)
            if self._drawn is None
            else self._drawn.layout.height + bool(self._drawn.layout.left_out)
        )

    def line(self, index: int, width: int) -> Line:
        """Return the part of a row that can be seen, from the beginning of a column on."""
        if self._drawn is None:
            return [("Reading …", "dim")]
        if index == self._drawn.layout.height:
            return [
                (
                    f"{self._drawn.layout.left_out} of the longest ways are not drawn: each task says what it needs.",
                    "dim",
                )
            ]
        return spans(self._drawn, index, self.shift, width, self._look_of)[1]

    def _look_of(self, task: str) -> tuple[Span, Span]:
        found = self._plan.tasks[task] if self._plan is not None else None
        if found is None:
            return ("", ""), ("", "")
        sign, style = PLAN_GLYPHS.get(found.status, ("·", ""))
        is_live = found.status in ("running", "waiting_approval")
        return (sign, style), (label(found), "bold" if is_live else "dim" if found.status == "skipped" else "")

    def strip(self, index: int, width: int) -> Strip:
        """Return a row, with the chosen task marked."""
        if self._drawn is None or index == self._drawn.layout.height:
            return super().strip(index, width)
        begins = spans(self._drawn, index, self.shift, 0, self._look_of)[0]
        skip = self.shift - begins
        strip = super().strip(index, width).crop(skip, skip + width).adjust_cell_length(width)
        if self.chosen_task is None or self._drawn.layout.places[self.chosen_task][1] != index:
            return strip
        first, end = (max(0, min(width, cell - self.shift)) for cell in self._drawn.cells(self.chosen_task))
        name = "lines--cursor" if self.has_focus else "lines--cursor-away"
        style = self.get_component_rich_style(name, partial=True)
        marked = strip.crop(first, end).apply_style(style)
        return Strip.join([strip.crop(0, first), marked, strip.crop(end, width)])

    def fit(self) -> None:
        """Show it from its beginning, or the chosen task where that is out of sight then."""
        self.shift = 0
        if self._drawn is not None and self.chosen_task is not None:
            self._bring_in(self.chosen_task)

    # Where keys and the mouse go.

    def standing(self) -> tuple[int, int]:
        """Return the number of the chosen task, and of all."""
        tasks = list(self._plan.tasks) if self._plan is not None else []
        return (tasks.index(self.chosen_task) + 1 if self.chosen_task in tasks else 0), len(tasks)

    def move(self, by: int) -> None:
        """Move within the column: to the next task, or to the one nearest to so many rows further."""
        if self._drawn is None or self.chosen_task is None:
            return
        column, row = self._drawn.layout.places[self.chosen_task]
        rows = [at for at, item in self._drawn.layout.columns[column].rows.items() if item.lane is None]
        at = rows.index(row)
        if abs(by) == 1:
            self._go_to(column, rows[max(0, min(at + by, len(rows) - 1))])
        else:
            self._go_to(column, min(rows, key=lambda each: abs(each - row - by)))

    def _go_to(self, column: int, row: int) -> None:
        if self._drawn is not None:
            self.choose(self._drawn.layout.columns[column].rows[row].task)

    def action_right(self) -> None:
        """Move to a task that follows, or to what is next to the right."""
        self._sideways(1)

    def action_left(self) -> None:
        """Move to a task that comes before, or to what is next to the left."""
        self._sideways(-1)

    def _sideways(self, by: int) -> None:
        if self._drawn is None or self.chosen_task is None:
            return
        found = self._drawn.layout
        number, row = found.places[self.chosen_task]
        if not 0 <= number + by < len(found.columns):
            return
        rows = {at: item for at, item in found.columns[number + by].rows.items() if item.lane is None}
        links, here = found.columns[min(number, number + by)].links, Item(self.chosen_task)
        near = {target for (source, _), targets in links.items() for target in targets if source == here}
        if by < 0:
            near = {source for (source, _), targets in links.items() if here in targets}
        linked = [at for at, item in rows.items() if item in near]
        self._go_to(number + by, min(linked or rows, key=lambda at: abs(at - row)))

    def on_click(self, event: events.Click) -> None:
        """Choose the task that was clicked; a second click opens it."""
        row = self.scroll_offset.y + event.y - self.gutter.top
        if self._drawn is None or not 0 <= row < self.count():
            return
        task = self._drawn.task_at(row, self.shift + event.x - self.gutter.left)
        if task is not None:
            self.choose(task)
            if event.chain == 2:
                self.post_message(self.Opened(self, row))

    def on_mouse_scroll_right(self, event: events.MouseScrollRight) -> None:
        """Move the drawing to the left: what is on the right comes in."""
        self._pan(STEP)

    def on_mouse_scroll_left(self, event: events.MouseScrollLeft) -> None:
        """Move the drawing back."""
        self._pan(-STEP)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """With shift, a wheel moves sideways."""
        if event.shift:
            event.prevent_default()
            self._pan(STEP)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """With shift, a wheel moves sideways."""
        if event.shift:
            event.prevent_default()
            self._pan(-STEP)

    def _pan(self, by: int) -> None:
        if self._drawn is not None:
            self.shift = max(0, min(self.shift + by, self._drawn.width - self.room.width))
            self.refresh()
