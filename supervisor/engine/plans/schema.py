"""The published JSON schema of plan files: every key, in every spelling, with what it means.

It is for editors and other programs. What it cannot say (ids that exist, no circles) `plan validate` checks.
"""

from __future__ import annotations

from typing import Any, Final

from supervisor.engine.plans.gates import SECTION
from supervisor.engine.plans.spelling import part
from supervisor.model.plan.plan import Plan
from supervisor.model.plan.task import Task
from supervisor.model.plan.values import Shape

_ACRONYMS: Final = frozenset({"usd", "id"})


def shapes() -> list[type[Shape]]:
    """Return every shape of a plan document, each once, from the plan downwards."""
    found: list[type[Shape]] = [Plan]
    for shape in found:
        found += [each for each in dict.fromkeys(part(shape).shapes.values()) if each not in found]
    return found


def plan_schema() -> dict[str, Any]:
    """Return the JSON schema, draft 2020-12, of plan documents in YAML or JSON."""
    schema = Plan.model_json_schema(by_alias=True, mode="validation")
    parts: dict[str, Any] = schema.pop("$defs")
    parts["Plan"] = {key: value for key, value in schema.items() if key not in ("title", "description")}
    for shape in shapes():
        _spell(parts[shape.__name__], shape)
    task, subplan = {"$ref": "#/$defs/Task"}, {"$ref": "#/$defs/Subplan"}
    parts["Task"]["properties"]["subplan"] = {
        "anyOf": [subplan, {"type": "string"}, {"type": "array", "items": {"anyOf": [{"type": "string"}, task]}}],
        "description": "A plan of its own, or a list of texts and tasks.",
    }
    parts["Plan"]["properties"][SECTION] = {
        "type": "array",
        "items": task,
        "description": "What belongs to the gate tasks of the same ids.",
    }
    parts["Linear"] = _LINEAR
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Quarterdeck plan",
        "description": "What is to be done, in which order, and how it is checked.",
        "anyOf": [{"$ref": "#/$defs/Plan"}, {"$ref": "#/$defs/Linear"}],
        "$defs": dict(sorted(parts.items())),
    }


_LINEAR: Final[dict[str, Any]] = {
    "type": "object",
    "description": "The simple linear form: each task needs the one before.",
    "properties": {
        **{key: {"type": "string"} for key in ("id", "plan_id", "title", "created_at", "status", "state")},
        **{key: {"type": "array", "items": {"type": ["integer", "string"]}} for key in ("agents", "agent_ids")},
        "task_sequence": {"type": "array", "minItems": 1, "items": {"type": "string"}},
        "next_task_index": {"type": "integer", "minimum": 0},
        "metadata": {"type": "object"},
    },
    "required": ["task_sequence"],
    "additionalProperties": False,
}


def _spell(schema: dict[str, Any], shape: type[Shape]) -> None:
    """Add every other spelling, and let a needed key be there in any of them."""
    properties: dict[str, Any] = schema["properties"]
    spellings: dict[str, set[str]] = {name: {name} for name in properties}
    for key, spelling in part(shape).spellings.items():
        for form in _forms(key):
            spellings[spelling.name].add(form)
            meaning = f"The same as `{spelling.name}`" + (f", times {spelling.factor}." if spelling.factor > 1 else ".")
            properties.setdefault(form, {**_bare(properties[spelling.name]), "description": meaning})
    needed = [name for name in schema.pop("required", ()) if not (shape is Task and name == "id")]
    if needed:
        schema["allOf"] = [{"anyOf": [{"required": [form]} for form in sorted(spellings[name])]} for name in needed]


def _bare(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in ("title", "default")}


def _forms(key: str) -> tuple[str, ...]:
    """Return a key in snake case and in both forms of camel case: ``costUsd`` and ``costUSD``."""
    first, *rest = key.split("_")
    acronyms = [word.upper() if word in _ACRONYMS else word.title() for word in rest]
    return tuple(dict.fromkeys((key, first + "".join(map(str.title, rest)), first + "".join(acronyms))))
