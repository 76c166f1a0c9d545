"""From a document as it was written to plain data with the canonical keys, and back from a key to its line."""

from __future__ import annotations

from typing import Any, Final

from config.documents import Document
from config.sources import Key
from supervisor.engine.plans.problems import Findings, quoted
from supervisor.engine.plans.spelling import Part, part
from supervisor.engine.plans.steps import steps
from supervisor.model.plan.parts import Artifact, Budget, FailureMode, FanOut, Next, Retry
from supervisor.model.plan.plan import Hypothesis, Memory, Milestone, Plan, Policies, Schedule
from supervisor.model.plan.runners import Db, Git, Http
from supervisor.model.plan.task import Outcomes, Subplan, Task
from supervisor.model.plan.values import Shape, seconds


def shaped(value: Any, shape: type[Shape], at: Key, findings: Findings) -> Any:
    """Return a map with the canonical keys of a shape. What is no map stays as it is: validation tells of it."""
    if not isinstance(value, dict):
        return value
    known = part(shape)
    spellings, shapes = known.spellings, known.shapes
    result: dict[str, Any] = {}
    for key, inner in value.items():
        meant = spellings.get(key) or known.meaning(key)
        if meant is None:
            findings.error((*at, key), _unknown(key, known, shape, findings))
            continue
        name = meant.name
        if name in result:
            findings.error((*at, key), f"`{name}` is given a second time; {quoted(key)} is another spelling of it")
            continue
        if inner is None and name not in _MAY_BE_NOTHING:
            continue
        if meant.factor != 1:
            inner = _scaled(inner, meant.factor)
        elif (below := shapes.get(name)) is not None:
            inner = _below(inner, below, (*at, key), findings)
        result[name] = inner
    if shape is Task and "subplan" in result:
        _inherit_kind(result)
    return result


_MAY_BE_NOTHING = frozenset({"id"})
"""Keys whose absence after the colon is told of; elsewhere it is the same as an absent key."""


def _below(value: Any, shape: type[Shape], at: Key, findings: Findings) -> Any:
    if shape is Next and isinstance(value, dict) and "on" not in value:
        return shaped(value, Outcomes, at, findings)
    if shape is Subplan and isinstance(value, str | list):
        tasks = steps([value] if isinstance(value, str) else value)
        return {"tasks": _below(tasks, Task, at, findings)}
    if isinstance(value, list):
        return [shaped(each, shape, (*at, str(number)), findings) for number, each in enumerate(value)]
    return shaped(value, shape, at, findings)


def _inherit_kind(task: dict[str, Any]) -> None:
    """Give the steps of a task its own kind: they are what it consists of."""
    kind, subplan = task.get("kind"), task["subplan"]
    tasks = subplan.get("tasks") if isinstance(subplan, dict) else None
    for each in tasks if isinstance(tasks, list) and kind not in (None, "gate") else ():
        if isinstance(each, dict):
            each.setdefault("kind", kind)


def _scaled(value: Any, factor: int) -> Any:
    try:
        value = seconds(value)
    except ValueError:
        return value  # validation says what is wrong with it
    return value * factor if isinstance(value, int | float) and not isinstance(value, bool) else value


_PARTS: Final[dict[type[Shape], str]] = {
    Plan: "a plan",
    Task: "a task",
    Subplan: "a subplan",
    Outcomes: "`next`",
    Next: "`next`",
    FailureMode: "a failure mode",
    FanOut: "`fan_out`",
    Artifact: "an artifact",
    Hypothesis: "a hypothesis",
    Milestone: "a milestone",
    Budget: "a budget",
    Retry: "`retry`",
    Policies: "`policies`",
    Memory: "`memory`",
    Schedule: "`schedule`",
    Http: "`http`",
    Db: "`db`",
    Git: "`git`",
}


def _unknown(key: str, known: Part, shape: type[Shape], findings: Findings) -> str:
    hint = findings.meant(key, known.spellings, f"Known are: {', '.join(dict.fromkeys(_names(known)))}.")
    free = " Free data goes under `metadata`." if "metadata" in known.spellings else ""
    return f"there is no such key in {_PARTS[shape]}. {hint}{free}"


def _names(known: Part) -> list[str]:
    return [spelling.name for spelling in known.spellings.values()]


Canonical = tuple[str | int, ...]
"""A path in canonical data: names of keys, and numbers in lists."""


class Places:
    """Where what stands in canonical data was written."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.moved: dict[Canonical, tuple[Key, str]] = {}
        """What stands elsewhere in the document: below this key, under a spelling of this name."""

    def line(self, key: Key) -> int:
        """Return the line of a key as it is written, or of the nearest thing that holds it."""
        lines = self._document.lines
        found = (lines.get(key[:length]) for length in range(len(key), -1, -1))
        return next((line for line in found if line), 1)

    def written(self, canonical: Canonical, shape: type[Shape] = Plan) -> Key:
        """Return the written key for a canonical path, or as much of it as is written."""
        value, known, key = self._document.value, part(shape), Key()
        below: type[Shape] | None
        for number, step in enumerate(canonical):
            if (elsewhere := self.moved.get(canonical[: number + 1])) is not None:
                key, step = elsewhere
                value = self._value(key)
            if isinstance(value, dict):
                found = _spelled(str(step), value, known)
                if found is None:
                    return key
                value, key = value[found], (*key, found)
                below = known.shapes.get(str(step))
                known = part(below) if below else _NOTHING
            elif isinstance(value, list):
                if step == "tasks":  # a subplan that is written as a list
                    known = part(Task)
                elif isinstance(step, int) and step < len(value):
                    value, key = value[step], (*key, str(step))
                else:
                    return key
            else:
                return key
        return key

    def _value(self, key: Key) -> Any:
        value = self._document.value
        for step in key:
            value = value[int(step)] if isinstance(value, list) else value[step]
        return value


_NOTHING: Final = Part({}, {})


def _spelled(name: str, value: dict[str, Any], known: Part) -> str | None:
    if name in value:
        return name
    return next((key for key in value if (meant := known.meaning(key)) is not None and meant.name == name), None)
