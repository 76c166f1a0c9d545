"""What stands above and below the views of a plan: its head, and the task that is looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich.segment import Segment
from textual.errors import NoWidget
from textual.strip import Strip
from textual.widget import Widget

from panels.palette import palette
from panels.shell import Json, shell
from panels.view.plan import PlanView, TaskView
from panels.view.planhead import head
from panels.view.plantask import detail, question_lines
from panels.widgets.laid import LaidView
from supervisor.model.times import now_ms


class PlanHead(Widget):
    """Two lines about a plan."""

    DEFAULT_CSS = """
    PlanHead { height: 2; background: $surface; }
    """
    raw: Json | None = None
    note = ""

    def show(self, raw: Json | None, note: str = "") -> None:
        """Show a plan; without one what is to be said instead."""
        self.raw, self.note = raw, note
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one of the lines."""
        styles, width = palette(self.app.theme_variables), self.size.width
        if self.raw is None:
            spans = [(f" {self.note}" if y == 0 else "", "dim")]
        else:
            approvals = shell(self).view.approvals.values()
            spans = head(self.raw, approvals, width, now_ms())[y]
        strip = Strip([Segment(text, styles[style]) for text, style in spans])
        return strip.adjust_cell_length(width).apply_style(self.rich_style)


class TaskDetail(LaidView):
    """The task that is looked at."""

    _shown: tuple[str, str] | None = None
    _make: Callable[[int], Any] | None = None
    _asked: tuple[TaskView, Json] | None = None

    def show(self, plan: PlanView, task: TaskView | None, asked: Json | None, steps: Sequence[Json]) -> None:
        """Show a task; the same one stays where it was scrolled to."""
        self._asked = None if task is None or asked is None else (task, asked)
        if task is None:
            self._shown = None
            self.lay(None)
            return
        same = self._shown == (plan.id, task.id)
        self._shown = (plan.id, task.id)
        make = detail(plan, task, asked, steps, now_ms)
        if not same:
            self.lay(make)
            return
        top, cursor = self.scroll_offset.y, self.cursor
        self._make = make
        self._lay()
        self.lines_changed(cursor)
        self.scroll_at(top)

    def shows_whole(self, approval: Json) -> bool:
        """Whether what is asked, and all that would happen, can be read here without moving."""
        if self._asked is None or not self.is_on_screen_whole:
            return False
        task, asked = self._asked
        if (asked["id"], asked["digest"]) != (approval["id"], approval["digest"]):
            return False
        lines = question_lines(task, asked, now_ms(), self.room.width)
        top = self.scroll_offset.y
        return top <= lines.start and lines.stop <= top + self.room.height

    @property
    def is_on_screen_whole(self) -> bool:
        """Whether nothing of it is out of sight."""
        try:
            placed = self.screen.find_widget(self)
        except NoWidget:  # It has just been shown, and was not drawn yet.
            return False
        return all(node.display for node in self.ancestors_with_self) and placed.visible_region == placed.region
