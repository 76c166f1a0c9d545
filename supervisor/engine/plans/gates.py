"""Gates: the section `gates:` of a document joins the tasks that it names, and no gate stands open."""

from __future__ import annotations

from typing import Any, Final

from config.sources import Key
from supervisor.engine.plans.problems import Findings, quoted
from supervisor.engine.plans.shaping import Places, shaped
from supervisor.model.plan.task import Task

SECTION: Final = "gates"


def join_gates(gates: Any, tasks: Any, places: Places, findings: Findings) -> None:
    """Merge each gate of the section into the gate task of the same id, in place."""
    at: Key = (SECTION,)
    if not isinstance(gates, list):
        findings.error(at, "this must be a list")
        return
    by_id = {
        task["id"]: (number, task)
        for number, task in enumerate(tasks if isinstance(tasks, list) else ())
        if isinstance(task, dict) and isinstance(task.get("id"), str)
    }
    gate_ids = [name for name, (_, task) in by_id.items() if task.get("kind") == "gate"]
    joined: set[str] = set()
    for number, written in enumerate(gates):
        here = (*at, str(number))
        if not isinstance(written, dict):
            findings.error(here, "this must be a map of keys and values, with the `id` of a gate task")
            continue
        gate = shaped(written, Task, here, findings)
        name = gate.get("id")
        if not isinstance(name, str):
            findings.error(here, "a gate here needs the `id` of a task of kind gate")
        elif name in joined:
            findings.error((*here, "id"), f"the gate {quoted(name)} is here a second time")
        elif name not in by_id:
            hint = findings.meant(name, gate_ids, "Add a task of kind gate with this id.")
            findings.error((*here, "id"), f"there is no task {quoted(name)}. {hint}")
        else:
            joined.add(name)
            for key in _join(gate, by_id[name][1], here, findings):
                places.moved["tasks", by_id[name][0], key] = (here, key)


def _join(gate: dict[str, Any], task: dict[str, Any], at: Key, findings: Findings) -> list[str]:
    """Put what a gate says into its task, and return the keys of it."""
    if task.get("kind") != "gate":
        findings.error((*at, "id"), f"the task {quoted(task['id'])} is no gate: give it `kind: gate`")
        return []
    joined = []
    for name, value in gate.items():
        if name in ("id", "kind"):
            continue
        if name in task:
            findings.error(at, f"`{name}` of the gate {quoted(task['id'])} stands in its task, too; keep one of them")
        else:
            task[name] = value
            joined.append(name)
    return joined
