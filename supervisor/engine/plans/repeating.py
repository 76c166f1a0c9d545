"""Tasks that are repeated: ``dive-*`` becomes ``dive-1``, ``dive-2`` …, one for each item.

The task ``dive-*`` itself waits for them, as for the tasks of a subplan: whatever needs it, needs all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from supervisor.model.plain import one_line
from supervisor.model.plan.task import Task
from supervisor.model.plan.values import TITLE_LIMIT
from supervisor.model.plans import Task as Standing

Parts = Sequence[tuple[str, str]]
"""(Id of the part, item), in order."""

Items = Mapping[str, Parts]
"""Task that is repeated -> its parts."""

NOTHING: Final[Items] = {}

ITEMS: Final = "items"
"""In the result of a task that is repeated: its parts, as soon as they are known."""

VARIABLE: Final = "ITEM"
PLACE: Final = "{item}"
DEFAULT_LIMIT: Final = 20
LONGEST: Final = 4_000
"""Characters of an item."""


def is_repeated(task: Task) -> bool:
    """Whether a task stands for one task for each of several items."""
    return task.id.endswith("-*")


def limit_of(task: Task) -> int:
    """Return how many parts a task has at most."""
    return task.fan_out.limit if task.fan_out is not None else DEFAULT_LIMIT


def static_parts(task: Task) -> Parts:
    """Return the parts of a task whose items stand in the document; none when they become known later."""
    return named_parts(task.id, task.fan_out.items[: limit_of(task)]) if task.fan_out is not None else ()


def named_parts(task: str, items: Iterable[str]) -> Parts:
    """Return the parts that a task gets for these items."""
    return [(f"{task.removesuffix('*')}{number}", item) for number, item in enumerate(items, 1)]


def known_items(tasks: Iterable[Standing]) -> Items:
    """Return the parts that have become known, from how the tasks stand."""
    return {task.id: [(part, item) for part, item in task.result[ITEMS]] for task in tasks if ITEMS in task.result}


def repetition(task: Task, part: str, item: str) -> Task:
    """Return the part of a task for an item. It is in the environment, and in texts in the place of ``{item}``: never
    in a line for a shell, which would take an item for a command."""
    said = task.prompt or task.description
    changes: dict[str, Any] = {
        "id": part,
        "title": _title(task, item),
        "needs": (),
        "next": (),
        "preconditions": (),
        "fan_out": None,
        "environment": {**task.environment, VARIABLE: item},
        "description": task.description.replace(PLACE, item),
    }
    if task.runner == "agent":
        text = said or task.name
        changes["prompt"] = text.replace(PLACE, item) if PLACE in text else f"{text}\n\nThis is about: {item}"
    return task.model_copy(update=changes)


def _title(task: Task, item: str) -> str:
    name = task.name.removesuffix("-*")
    return one_line(name.replace(PLACE, item) if PLACE in name else f"{name}: {item}")[:TITLE_LIMIT]


def items_in(text: str) -> list[str]:
    """Return the items that a text holds: those of a JSON list, else its lines that are not empty.

    Raises ValueError for what cannot be an item.
    """
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if isinstance(found, list):
        items = [each if isinstance(each, str) else json.dumps(each, ensure_ascii=False) for each in found]
    else:
        items = text.splitlines()
    items = [item.strip() for item in items if item.strip()]
    for item in items:
        if len(item) > LONGEST:
            raise ValueError(f"an item is longer than {LONGEST:,} characters: {item[:40]!r}…")
        if "\0" in item:
            raise ValueError(f"an item holds a NUL: {item[:40]!r}")
    return items
