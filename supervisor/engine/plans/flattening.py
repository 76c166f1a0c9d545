"""A plan's tasks with those of its subplans: one list, in which the tasks of ``build`` have ids such as ``build/test``.

What a task with a subplan says of environment, inputs, files and resources holds for its tasks, where they say nothing
themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from supervisor.model.plan.plan import Plan
from supervisor.model.plan.task import Task


def flat(plan: Plan) -> list[Task]:
    """Return all tasks of a plan, each behind the one that it is a part of. Ids and what refers to them are whole."""
    found: list[Task] = []
    waiting = list(reversed(plan.tasks))
    while waiting:
        task = waiting.pop()
        found.append(task)
        if task.subplan is not None:
            waiting += [_part(child, task) for child in reversed(task.subplan.tasks)]
    return found


def whole(task: str) -> str | None:
    """Return the id of the task that this one is a part of; None when it stands in the plan itself."""
    return task.rpartition("/")[0] or None


def branch_name(task: str) -> str:
    """Return a task's id as it stands in the names of branches and folders."""
    return task.replace("/", ".")


def confused(tasks: Sequence[Task]) -> list[tuple[str, str]]:
    """Return pairs of tasks whose branches would have the same name."""
    first: dict[str, str] = {}
    pairs = []
    for task in tasks:
        other = first.setdefault(branch_name(task.id), task.id)
        if other != task.id:
            pairs.append((other, task.id))
    return pairs


def _part(child: Task, task: Task) -> Task:
    """Return a task of a subplan as one of the plan."""
    changes: dict[str, Any] = {
        "id": f"{task.id}/{child.id}",
        "needs": tuple(f"{task.id}/{need}" for need in child.needs),
        "next": tuple(each.model_copy(update={"to": f"{task.id}/{each.to}"}) for each in child.next),
        "environment": {**task.environment, **child.environment},
        "inputs": {**task.inputs, **child.inputs},
        "resources": child.resources or task.resources,
    }
    if not (child.reads or child.writes):
        changes |= {"reads": task.reads, "writes": task.writes}
    if task.rank:
        changes["priority"] = task.rank + child.rank
    return child.model_copy(update=changes)
