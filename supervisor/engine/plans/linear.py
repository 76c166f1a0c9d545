"""The simple linear form: a list of tasks, each of which needs the one before.

::

    {"plan_id": "plan_1732419260123", "task_sequence": ["init", "process"], "next_task_index": 0,
     "agent_ids": [1], "status": "pending", "metadata": {"description": …, "priority": …, "owner": …}}

It is read as a chain. What stands before ``next_task_index`` is completed.
"""

from __future__ import annotations

import re
from typing import Any, Final

from supervisor.engine.plans.problems import Findings, quoted
from supervisor.engine.plans.shaping import Places
from supervisor.engine.plans.spelling import snake
from supervisor.model.errors import InvalidInput
from supervisor.model.plan.plan import Plan
from supervisor.model.plan.task import Task
from supervisor.model.plan.values import ID_LIMIT, RANKS, check_task_id

_KEYS: Final = {
    "plan_id": "id",
    "id": "id",
    "title": "title",
    "created_at": "created_at",
    "status": "status",
    "state": "status",
    "agent_ids": "agents",
    "agents": "agents",
    "metadata": "metadata",
    "task_sequence": "task_sequence",
    "next_task_index": "next_task_index",
}
_FROM_METADATA: Final = {"description": "objective", "priority": "priority", "owner": "owner"}
_PLAN_KEYS: Final = frozenset({*_KEYS.values(), *_FROM_METADATA.values(), "tasks"})
_TASK_KEYS: Final = frozenset({"id", "title", "status", "needs"})


def is_linear(written: dict[str, Any]) -> bool:
    """Return whether a document is in the linear form."""
    return any(snake(key) == "task_sequence" for key in written)


def unrolled(written: dict[str, Any], places: Places, findings: Findings) -> dict[str, Any]:
    """Return the canonical data of a document in the linear form."""
    data: dict[str, Any] = {}
    keys: dict[str, str] = {}
    for key, value in written.items():
        name = _KEYS.get(snake(key))
        if name is None:
            hint = findings.meant(key, _KEYS, "Free data goes under `metadata`; or write `tasks:`.")
            findings.error((key,), f"there is no such key beside `task_sequence`. {hint}")
        elif name in data:
            findings.error((key,), f"`{name}` is given a second time; {quoted(key)} is another spelling of it")
        else:
            data[name], keys[name] = value, key
    places.moved["tasks",] = ((), keys["task_sequence"])
    names, index = data.pop("task_sequence"), data.pop("next_task_index", 0)
    if not isinstance(names, list) or not all(isinstance(each, str) and each for each in names):
        findings.error((keys["task_sequence"],), "this must be a list of texts, one for each task")
        names = []
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index <= len(names):
        findings.error((keys["next_task_index"],), f"this must be a whole number from 0 to {len(names)}")
        index = 0
    if isinstance(metadata := data.get("metadata"), dict):
        data["metadata"] = {key: each for key, each in metadata.items() if not _moves(key, each)}
        data |= {_FROM_METADATA[key]: each for key, each in metadata.items() if _moves(key, each)}
    data["tasks"] = _chain(names, index)
    return data


def linear(plan: Plan) -> dict[str, Any]:
    """Return a plan in the linear form. Raises InvalidInput when it says more than that form can."""
    said = plan.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    _refuse_loss(plan, said)
    done = next((number for number, task in enumerate(plan.tasks) if task.status != "completed"), len(plan.tasks))
    metadata = {key: said[name] for key, name in _FROM_METADATA.items() if name in said}
    return {
        "plan_id": plan.id,
        **{key: said[key] for key in ("title", "created_at", "status") if key in said},
        **({"agent_ids": said["agents"]} if "agents" in said else {}),
        "task_sequence": [task.name for task in plan.tasks],
        "next_task_index": done,
        **({"metadata": metadata | said.get("metadata", {})} if metadata or "metadata" in said else {}),
    }


def _moves(key: str, value: Any) -> bool:
    """Return whether something in the metadata is a field of plans, and fit to be one."""
    if key == "priority":
        return value in RANKS if isinstance(value, str) else type(value) is int and abs(value) <= 1_000
    return key in _FROM_METADATA and isinstance(value, str) and value != "" and (key != "owner" or len(value) <= 200)


def _chain(names: list[str], completed: int) -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = []
    used: set[str] = set()
    for number, name in enumerate(names):
        own = _id(name, number, used)
        used.add(own)
        task: dict[str, Any] = {"id": own, "title": name}
        if number:
            task["needs"] = [tasks[-1]["id"]]
        if number < completed:
            task["status"] = "completed"
        tasks.append(task)
    return tasks


def _id(name: str, number: int, used: set[str]) -> str:
    """Return the name where it can be an id, else one that is made of it."""
    try:
        if len(name) <= ID_LIMIT and name not in used and not name.endswith("*"):
            return check_task_id(name)
    except ValueError:
        pass
    words = re.sub(r"[^A-Za-z0-9]+", "-", name)[:40].strip("-").lower()
    own = f"{words or 'task'}-{number + 1}"
    while own in used:
        own += "x"
    return own


def _refuse_loss(plan: Plan, said: dict[str, Any]) -> None:
    lost = sorted(said.keys() - _PLAN_KEYS)
    lost += sorted({f"tasks.{key}" for task in said["tasks"] for key in task.keys() - _TASK_KEYS})
    rebuilt = _chain([task.name for task in plan.tasks], sum(task.status == "completed" for task in plan.tasks))
    if not lost and tuple(map(Task.model_validate, rebuilt)) != plan.tasks:
        lost = ["tasks that are not a chain"]
    lost += sorted(
        f"metadata.{key}" for key in _FROM_METADATA.keys() & plan.metadata.keys() if _FROM_METADATA[key] in said
    )
    if lost:
        raise InvalidInput(
            f"The linear form has no place for: {', '.join(lost)}.", hint="Export the plan as yaml or json instead."
        )
