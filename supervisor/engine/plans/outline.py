"""What a plan is, in a few numbers, and its tasks as a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from supervisor.engine.plans.graph import layers
from supervisor.model.plan.plan import Plan
from supervisor.model.plan.task import Task


@dataclass(frozen=True, slots=True)
class Outline:
    """Numbers of a plan: its own tasks, gates among them, tasks in subplans, and layers that follow each other."""

    tasks: int
    gates: int
    nested: int
    layers: int


def task_graph(tasks: Sequence[Task]) -> dict[str, list[str]]:
    """Return each task with what comes before it: what it needs, and tasks that go on to it."""
    graph = {task.id: list(task.needs) for task in tasks}
    for task in tasks:
        for following in task.next:
            graph[following.to].append(task.id)
    return graph


def whole_graph(tasks: Sequence[Task], within: Mapping[str, str | None]) -> dict[str, list[str]]:
    """Return the graph of all tasks, each behind the one that it is a part of: the first parts come after what comes
    before the whole, and the whole ends after its parts."""
    graph = task_graph(tasks)
    entry: dict[str, list[str]] = {}
    for task in tasks:
        holder = within.get(task.id)
        entry[task.id] = list(graph[task.id] or (entry[holder] if holder is not None else ()))
    for task in tasks:
        holder = within.get(task.id)
        if holder is not None:
            graph[task.id] = entry[task.id]
            graph[holder].append(task.id)
    return graph


def said_before(tasks: Sequence[Task]) -> dict[str, list[str]]:
    """Return for each task what comes before it, as people read it: ``build``, or ``build (on failure)`` for a way."""
    said = {task.id: list(task.needs) for task in tasks}
    for task in tasks:
        for following in task.next:
            if not (following.on == "success" and task.id in said[following.to]):
                said[following.to].append(f"{task.id} (on {following.on})")
    return said


def outline(plan: Plan) -> Outline:
    """Return the numbers of a plan."""
    gates = sum(task.kind == "gate" for task in plan.tasks)
    return Outline(len(plan.tasks), gates, _nested(plan.tasks), len(layers(task_graph(plan.tasks))))


def _nested(tasks: Sequence[Task]) -> int:
    inner = [task.subplan.tasks for task in tasks if task.subplan is not None]
    return sum(len(each) + _nested(each) for each in inner)
