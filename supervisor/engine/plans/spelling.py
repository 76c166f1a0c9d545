"""Which keys each part of a document may hold, and how else they may be written.

``dependsOn``, ``depends_on`` and ``needs`` are the same key; so are ``timeMin: 30`` and ``time: 1800``.
"""

from __future__ import annotations

import re
import types
import typing
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydantic import BaseModel

from supervisor.model.plan.parts import Artifact, Budget, FailureMode, FanOut, Retry
from supervisor.model.plan.plan import Hypothesis, Milestone, Plan
from supervisor.model.plan.runners import Db, Git, Http
from supervisor.model.plan.task import Subplan, Task
from supervisor.model.plan.values import Duration, Shape

_TASK: Final = {
    "name": "title",
    "depends_on": "needs",
    "state": "status",
    "env": "environment",
    "runner": "using",
    "cmd": "command",
    "retry_policy": "retry",
    "no_output_timeout": "no_output",
    "heartbeat_timeout": "heartbeat",
    "foreach": "fan_out",
    "for_each": "fan_out",
}

OTHERS: Final[dict[type[Shape], dict[str, str]]] = {
    Plan: {
        "plan_id": "id",
        "name": "title",
        "nodes": "tasks",
        "version": "revision",
        "state": "status",
        "agent_ids": "agents",
        "resources": "pools",
    },
    Subplan: {"nodes": "tasks", "name": "title"},
    Task: _TASK,
    Budget: {"cost": "cost_usd", "calls": "api_calls"},
    Artifact: {"source": "from"},
    FailureMode: {"id": "name"},
    Hypothesis: {"title": "statement"},
    Milestone: {"name": "title", "depends_on": "needs", "tasks": "needs"},
    Retry: {"max_attempts": "attempts"},
    FanOut: {"from": "over", "max": "limit"},
    Http: {"expected_status": "expect_status"},
    Db: {"query": "sql", "queries": "sql"},
    Git: {"command": "arguments", "args": "arguments"},
}
"""Other names of keys, in snake case; camelCase of each is read, too."""

_UNITS: Final = {"_s": 1, "_sec": 1, "_seconds": 1, "_min": 60, "_minutes": 60, "_h": 3_600, "_hours": 3_600}
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True, slots=True)
class Spelling:
    """The key that is meant, and the number that its value is multiplied with (a unit in the name)."""

    name: str
    factor: int = 1


@dataclass(frozen=True, slots=True)
class Part:
    """What one shape may hold: every spelling, and which values are shapes themselves."""

    spellings: dict[str, Spelling]
    shapes: dict[str, type[Shape]]

    def meaning(self, key: str) -> Spelling | None:
        """Return which key is meant, or None when there is no such key."""
        return self.spellings.get(key) or self.spellings.get(snake(key))


def snake(key: str) -> str:
    """Return a key in snake case: ``costUSD`` is ``cost_usd``."""
    return _HUMP.sub("_", key).lower() if len(key) <= 100 else key


@cache
def part(shape: type[Shape]) -> Part:
    """Return what a shape may hold."""
    spellings: dict[str, Spelling] = {}
    shapes: dict[str, type[Shape]] = {}
    for attribute, field in shape.model_fields.items():
        name = field.alias or attribute
        spellings[name] = Spelling(name)
        if _holds(field, Duration):
            spellings |= {name + suffix: Spelling(name, factor) for suffix, factor in _UNITS.items()}
        if inner := _shape(field.annotation):
            shapes[name] = inner
    spellings |= {other: spellings[name] for other, name in OTHERS.get(shape, {}).items()}
    return Part(spellings, shapes)


def _holds(field: Any, marker: type) -> bool:
    if any(isinstance(each, marker) for each in field.metadata):
        return True
    return any(
        isinstance(each, marker)
        for inner in typing.get_args(field.annotation)
        for each in getattr(inner, "__metadata__", ())
    )


def _shape(annotation: Any) -> type[Shape] | None:
    """Return the shape that a field holds, alone or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation if issubclass(annotation, Shape) else None
    if typing.get_origin(annotation) in (types.UnionType, typing.Union, tuple, typing.Annotated):
        return next(filter(None, map(_shape, typing.get_args(annotation))), None)
    return None
