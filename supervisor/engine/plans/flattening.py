"""A plan's tasks with those of its subplans: one list, in which the tasks of ``build`` have ids such as ``build/test``.

What a task with a subplan says of environment, inputs, files and resources holds for its tasks, where they say nothing
themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from supervisor.engine.plans.repeating import NOTHING, Items, Parts, is_repeated, repetition, static_parts
from supervisor.model.plan.plan import Plan
from supervisor.model.plan.task import Task
from supervisor.model.plans import Task as Standing


class Placed(NamedTuple):
    """A task of a plan, and the one that it is a part of."""

    task: Task
    within: str | None


def placed(plan: Plan, items: Items = NOTHING) -> list[Placed]:
    """Return all tasks of a plan, each behind the one that it is a part of. Ids and what refers to them are whole.

    ``items`` are the parts of tasks that are repeated for what became known while the plan ran.
    """
    return _placed([Placed(task, None) for task in plan.tasks], items)


def placed_parts(task: Task, parts: Parts) -> list[Placed]:
    """Return the parts of a task that is repeated, with the tasks of their subplans."""
    return _placed([Placed(repetition(task, *part), task.id) for part in parts], NOTHING)


def _placed(tasks: Sequence[Placed], items: Items) -> list[Placed]:
    found: list[Placed] = []
    waiting = list(reversed(tasks))
    while waiting:
        task, within = waiting.pop()
        found.append(Placed(task, within))
        if is_repeated(task):
            parts = items.get(task.id) or static_parts(task)
            waiting += [Placed(repetition(task, *part), task.id) for part in reversed(parts)]
        elif task.subplan is not None:
            waiting += [Placed(_part(child, task), task.id) for child in reversed(task.subplan.tasks)]
    return found


def flat(plan: Plan, items: Items = NOTHING) -> list[Task]:
    """Return all tasks of a plan (`placed`)."""
    return [each.task for each in placed(plan, items)]


def whole(task: str) -> str | None:
    """Return the id of the task in whose subplan this one stands; None when it stands in the plan itself."""
    return task.rpartition("/")[0] or None


def holders(tasks: Sequence[Standing]) -> dict[str, str | None]:
    """Return for each task the one that it is a part of, from how they stand."""
    found = {task.id: whole(task.id) for task in tasks}
    # What still runs of a subplan that a revision removed stands for itself.
    found = {task: holder if holder in found else None for task, holder in found.items()}
    for task in tasks:
        if task.id.endswith("-*"):
            name = task.id.removesuffix("*")
            found |= {each.id: task.id for each in tasks if _is_numbered(each.id, name)}
    return found


def _is_numbered(task: str, name: str) -> bool:
    return task.startswith(name) and task.removeprefix(name).isdecimal()


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
