"""A plan as a tree: milestones with what leads to them, tasks, and the tasks of their subplans."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rich.cells import cell_len

from panels import shown
from panels.palette import PLAN_GLYPHS
from panels.view.fleet import fitted
from panels.view.plan import PlanView, TaskView
from panels.view.plandrawing import label
from supervisor.model.plain import one_line

Span = tuple[str, str]

REST: Final = "Everything else"


@dataclass(frozen=True, slots=True)
class Branch:
    """A line of the tree. ``task`` is the task it is about; ``members`` are those that a milestone waits for."""

    depth: int
    text: str
    task: str | None = None
    members: tuple[str, ...] = ()
    due: str = ""


def outline(plan: PlanView) -> list[Branch]:
    """Return the tree. A task stands below the first milestone that it leads to, in the order of the document."""
    milestones = plan.said.get("milestones") or ()
    if not milestones:
        return [branch for task in plan.tasks.values() for branch in _task(task, 0)]
    found: list[Branch] = []
    left = dict(plan.tasks)
    before = _before(plan)
    for each in milestones:
        members = tuple(need for need in each.get("needs") or () if need in plan.tasks)
        found.append(Branch(0, each.get("title") or each["id"], None, members, each.get("due") or ""))
        inside = _closure(members, before, left)
        for task in [task for task in left.values() if task.id in inside]:
            del left[task.id]
            found += _task(task, 1)
    if left:
        found.append(Branch(0, REST, None, tuple(left)))
        found += [branch for task in left.values() for branch in _task(task, 1)]
    return found


def _before(plan: PlanView) -> dict[str, list[str]]:
    before: dict[str, list[str]] = {task: [] for task in plan.tasks}
    for edge in plan.edges():
        before[edge.target].append(edge.source)
    return before


def _closure(tasks: Iterable[str], before: Mapping[str, list[str]], left: Mapping[str, TaskView]) -> set[str]:
    """Return tasks with all that comes before them, as far as they are left."""
    found: set[str] = set()
    waiting = [task for task in tasks if task in left]
    while waiting:
        task = waiting.pop()
        if task not in found:
            found.add(task)
            waiting += [each for each in before[task] if each in left]
    return found


def _task(task: TaskView, depth: int) -> Iterator[Branch]:
    yield Branch(depth, label(task), task.id)
    yield from _nested(task.said.get("subplan"), depth + 1)


def _nested(subplan: Mapping[str, Any] | None, depth: int) -> Iterator[Branch]:
    """Yield what a subplan says; it has no states of its own."""
    for each in (subplan or {}).get("tasks") or ():
        yield Branch(depth, each.get("title") or each["id"])
        yield from _nested(each.get("subplan"), depth + 1)


def line(branch: Branch, tasks: Mapping[str, TaskView], width: int, now: int) -> list[Span]:
    """Return a line of the tree in so many cells."""
    indent = "  " * min(branch.depth, 12)
    task = tasks.get(branch.task or "")
    if task is not None:
        sign, style = PLAN_GLYPHS.get(task.status, ("·", ""))
        took = shown.age(task.started_at, task.ended_at or now) if task.started_at else ""
        right = f" {task.status.replace('_', ' ')} {took:>4}"
        room = width - len(indent) - 2 - len(right)
        named = min(cell_len(branch.text), room)
        after = f"after {', '.join(task.after)}" if task.after else ""
        name_style = "bold" if task.status in ("running", "waiting_approval") else ""
        rest = f"  {fitted(after, room - named - 2)}" if room > named + 2 else " " * (room - named)
        return [
            (indent, ""),
            (f"{sign} ", style),
            (fitted(branch.text, named), name_style),
            (rest, "dim"),
            (right, style),
        ]
    if branch.members:
        done = sum(tasks[each].status == "completed" for each in branch.members if each in tasks)
        figures = f"  {done}/{len(branch.members)}" + (f"  due {one_line(branch.due)}" if branch.due else "")
        sign, style = ("◆ ", "ok") if done == len(branch.members) else ("◇ ", "accent")
        room = max(4, width - len(figures) - 2)
        named = min(cell_len(one_line(branch.text)), room)
        return [(sign, style), (fitted(branch.text, named), "title"), (figures, "dim")]
    return [(indent, ""), ("· ", "dim"), (fitted(branch.text, max(1, width - len(indent) - 2)).rstrip(), "dim")]
