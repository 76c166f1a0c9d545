"""A plan line by line: its tree, and its bars on an axis of time."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.strip import Strip
from textual.widget import Widget

from panels.palette import palette
from panels.view import plangantt, planoutline
from panels.view.plan import PlanView, TaskView
from panels.view.plangantt import Axis
from panels.view.planoutline import Branch
from panels.widgets.lines import Line, LineView
from supervisor.model.times import now_ms


class TaskLines(LineView):
    """Lines of which some are about a task each."""

    def task_of(self, index: int) -> str | None:
        """Return the task that a line is about."""
        raise NotImplementedError

    @property
    def chosen_task(self) -> str | None:
        """The task under the cursor."""
        return self.task_of(self.cursor) if self.cursor < self.count() else None

    def can_choose(self, index: int) -> bool:
        """What is about no task is passed over."""
        return self.task_of(index) is not None

    def choose(self, task: str | None) -> None:
        """Put the cursor on a task."""
        found = next((index for index in range(self.count()) if self.task_of(index) == task), None)
        if found is not None:
            self.cursor = found

    def redraw(self) -> None:
        """Draw what looks different after statuses have changed."""
        self.lines_changed(all_of_them=False)


class OutlineView(TaskLines):
    """The tree."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._plan: PlanView | None = None
        self._branches: Sequence[Branch] = ()

    def show(self, plan: PlanView | None, branches: Sequence[Branch]) -> None:
        """Take another plan, or another revision."""
        self._plan, self._branches = plan, branches
        self.lines_changed()

    def count(self) -> int:
        """Return the number of lines."""
        return len(self._branches)

    def task_of(self, index: int) -> str | None:
        """Return the task that a line is about."""
        return self._branches[index].task

    def line(self, index: int, width: int) -> Line:
        """Return a milestone, a task, or a step of a subplan."""
        tasks = self._plan.tasks if self._plan is not None else {}
        return planoutline.line(self._branches[index], tasks, width, now_ms())


class Bars(TaskLines):
    """The bars, without the axis."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._plan: PlanView | None = None
        self._tasks: list[TaskView] = []
        self.now = 0
        self.axis: Axis | None = None

    def show(self, plan: PlanView | None) -> None:
        """Take a plan, or its tasks as they stand now; the cursor stays on its task."""
        held = self.chosen_task
        self._plan = plan
        self._tasks = plangantt.in_time(plan.tasks.values()) if plan is not None else []
        self._measure()
        at = next((index for index, task in enumerate(self._tasks) if task.id == held), None) if held else None
        self.lines_changed(at, all_of_them=False)

    def _measure(self) -> None:
        self.now = now_ms()
        self.axis = plangantt.axis(self._tasks, self.now, self.room.width)

    def fit(self) -> None:
        """Measure the time in other cells."""
        self._measure()

    def redraw(self) -> None:
        """Draw what is different by now."""
        self.show(self._plan)

    def count(self) -> int:
        """Return the number of tasks."""
        return len(self._tasks)

    def task_of(self, index: int) -> str | None:
        """Return the task of a line."""
        return self._tasks[index].id

    def line(self, index: int, width: int) -> Line:
        """Return the bar of a task."""
        return plangantt.line(self._tasks[index], self.axis, self.now) if self.axis is not None else []


class Ticks(Widget):
    """The times above the bars."""

    DEFAULT_CSS = """
    Ticks { height: 1; background: $surface; }
    """

    def render_line(self, y: int) -> Strip:
        """Draw the axis."""
        bars = self.parent.query_one(Bars) if isinstance(self.parent, GanttView) else None
        styles, spans = palette(self.app.theme_variables), plangantt.ticks(bars.axis) if bars and bars.axis else []
        strip = Strip([Segment(text, styles[style]) for text, style in spans])
        return strip.adjust_cell_length(self.size.width).apply_style(self.rich_style)


class GanttView(Vertical):
    """The bars below their axis."""

    DEFAULT_CSS = """
    GanttView Bars { height: 1fr; }
    """

    def compose(self) -> ComposeResult:
        """Put in the axis and the bars."""
        yield Ticks()
        yield Bars(id="bars")

    @property
    def bars(self) -> Bars:
        """The bars."""
        return self.query_one(Bars)

    def redraw(self) -> None:
        """Draw everything as it is now."""
        self.bars.redraw()
        self.query_one(Ticks).refresh()
