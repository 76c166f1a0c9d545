"""A plan on an axis of time: a bar for each task from its start to its end, or to now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from panels import shown
from panels.palette import PLAN_GLYPHS
from panels.view.fleet import fitted
from panels.view.plan import TaskView
from panels.view.plandrawing import label

Span = tuple[str, str]

DAY_S: Final = 86_400

TICK: Final = 14
"""Cells between two times of the axis, at least."""

STEPS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 604_800)
"""Seconds that a tick may stand for."""


@dataclass(frozen=True, slots=True)
class Axis:
    """The time that is shown, in milliseconds since the epoch, and the cells it has, behind the names."""

    first: int
    last: int
    names: int
    cells: int

    def cell(self, at: int) -> int:
        """Return the cell of a moment, from 0."""
        share = (at - self.first) / max(1, self.last - self.first)
        return min(self.cells - 1, max(0, int(share * self.cells)))


def in_time(tasks: Iterable[TaskView]) -> list[TaskView]:
    """Return the tasks in the order in which they were started; those that were not stand where they come."""
    return sorted(tasks, key=lambda task: (task.started_at is None, task.started_at or 0, task.layer))


def axis(tasks: Iterable[TaskView], now: int, width: int) -> Axis:
    """Return the axis for these tasks in so many cells."""
    first, last = None, 0
    for task in tasks:
        if task.started_at is not None:
            first = task.started_at if first is None else min(first, task.started_at)
            last = max(last, task.ended_at or now)
    names = max(12, min(34, width // 3))
    first = now if first is None else first
    return Axis(first, max(last, first + 1_000), names, max(8, width - names - 6))


def ticks(axis: Axis) -> list[Span]:
    """Return the times above the bars: the first as the time of day, the others from there on."""
    seconds = (axis.last - axis.first) / 1000
    fewest = seconds * TICK / axis.cells
    step = next((each for each in STEPS_S if each >= fewest), STEPS_S[-1] * (1 + int(fewest) // STEPS_S[-1]))
    text = f"╷{shown.clock(axis.first) if seconds < DAY_S else shown.date_and_clock(axis.first)}"
    at = step
    while at < seconds and (cell := axis.cell(axis.first + int(at * 1000))) < axis.cells - 8:
        if cell > len(text):
            text += " " * (cell - len(text)) + f"╷+{shown.exact_span(at)}"
        at += step
    return [(" " * axis.names, ""), (text[: axis.cells], "dim")]


def line(task: TaskView, axis: Axis, now: int) -> list[Span]:
    """Return the line of a task."""
    sign, style = PLAN_GLYPHS.get(task.status, ("·", ""))
    name: list[Span] = [(f"{sign} ", style), (f"{fitted(label(task), axis.names - 3)} ", "")]
    if task.started_at is None:
        return [*name, (fitted(task.status.replace("_", " "), axis.cells), "dim")]
    start, end = axis.cell(task.started_at), axis.cell(task.ended_at or now)
    is_open = task.ended_at is None
    bar = "━" * (end - start) + ("╸" if is_open and end > start else "━")
    took = shown.age(task.started_at, task.ended_at or now)
    return [*name, (" " * start, ""), (bar, style), (" " * (axis.cells - end - 1), ""), (took.rjust(6), "dim")]
