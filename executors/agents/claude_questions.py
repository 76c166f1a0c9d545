"""Questions that Claude, or an MCP server behind it, puts to a person: their options, and how answers return."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypedDict

QUESTION: Final = "AskUserQuestion"
ELICITATION: Final = "Elicitation"
"""The name here of what an MCP server asks for; Claude's control request for it names no tool."""


class Asked(TypedDict, total=False):
    """What a question adds to PERMISSION_ASKED."""

    question: str
    options: list[dict[str, str]]
    default: str | None


def asked_in(tool: object, given: object) -> Asked:
    """Return the question, and its options when one choice answers it; empty for a tool that would run.

    Several questions, and a form of several fields, have no options: their answer is JSON, and the text says so.
    """
    if not isinstance(given, dict):
        return {}
    if tool == QUESTION:
        return _several(_questions(given))
    if tool == ELICITATION:
        return _form(str(given.get("message") or ""), _fields(given))
    return {}


def answered(given: Mapping[str, Any], choice: str | None) -> dict[str, Any] | None:
    """Return the input of a question with its answers, as Claude takes it; None when the choice does not say them.

    ``choice`` is an option's label or any words for one question (labels separated by commas where several may be
    chosen), for several a JSON list in their order or a JSON object by question or header. Without a choice nothing
    is answered, which Claude is told.
    """
    questions = _questions(given)
    if choice is None:
        return dict(given)
    if len(questions) == 1:
        return {**given, "answers": {questions[0]["question"]: _words(_decoded(choice)) or choice}}
    known = _decoded(choice)
    if isinstance(known, list) and len(known) == len(questions):
        values = dict(zip((question["question"] for question in questions), known, strict=True))
    elif isinstance(known, dict):
        values = {
            question["question"]: known.get(question["question"], known.get(question.get("header")))
            for question in questions
        }
    else:
        return None
    answers = {name: words for name, value in values.items() if (words := _words(value))}
    return {**given, "answers": answers} if answers else None


def elicited(given: Mapping[str, Any], choice: str | None) -> dict[str, Any] | None:
    """Return the content of a form that a choice fills; None when it does not.

    ``choice`` is the value of its only field, or a JSON object by field. Without a choice its defaults are taken.
    """
    fields = _fields(given)
    if choice is None:
        values = {name: field["default"] for name, field in fields.items() if "default" in field}
    elif len(fields) == 1 and not isinstance(_decoded(choice), dict):
        values = {next(iter(fields)): choice}
    else:
        known = _decoded(choice)
        values = known if isinstance(known, dict) else {}
        if not values.keys() <= fields.keys() or (fields and not values):
            return None
    content = {name: _typed(fields[name], value) for name, value in values.items()}
    schema = given.get("requested_schema")
    required = schema.get("required", ()) if isinstance(schema, dict) else ()
    return content if None not in content.values() and set(required) <= content.keys() else None


def _questions(given: Mapping[str, Any]) -> list[dict[str, Any]]:
    questions = given.get("questions")
    return [
        question
        for question in (questions if isinstance(questions, list) else ())
        if isinstance(question, dict) and isinstance(question.get("question"), str)
    ]


def _options(question: Mapping[str, Any]) -> list[dict[str, str]]:
    options = question.get("options")
    return [
        {
            "value": str(option["label"]),
            "label": str(option["label"]),
            "description": str(option.get("description", "")),
        }
        for option in (options if isinstance(options, list) else ())
        if isinstance(option, dict) and option.get("label")
    ]


def _several(questions: list[dict[str, Any]]) -> Asked:
    if not questions:
        return {}
    if len(questions) == 1:
        (question,) = questions
        more = " (several may be chosen, separated by commas)" if question.get("multiSelect") is True else ""
        return {"question": question["question"] + more, "options": _options(question)}
    lines = []
    for number, question in enumerate(questions, 1):
        labels = ", ".join(option["label"] for option in _options(question))
        several = "; several" if question.get("multiSelect") is True else ""
        lines.append(f"{number}. {question['question']} ({labels}{several})")
    lines.append("Answer with a JSON list in this order, or a JSON object by question.")
    return {"question": "\n".join(lines)}


def _fields(given: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    schema = given.get("requested_schema")
    fields = schema.get("properties") if isinstance(schema, dict) else None
    return {name: field for name, field in (fields or {}).items() if isinstance(field, dict)}


def _form(message: str, fields: Mapping[str, Mapping[str, Any]]) -> Asked:
    if len(fields) == 1:
        (field,) = fields.values()
        default = field.get("default")
        values = _values(field)
        known = {option["value"] for option in values}
        given = _plain(default) if default is not None else None
        return {"question": message, "options": values, "default": given if given in known else None}
    if fields:
        message += f"\nAnswer with a JSON object with: {', '.join(fields)}."
    return {"question": message}


def _values(field: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return what a field may be, where that is a short list."""
    if field.get("type") == "boolean":
        return [{"value": value, "label": value, "description": ""} for value in ("true", "false")]
    if isinstance(choices := field.get("oneOf"), list):
        pairs = [(choice.get("const"), choice.get("title")) for choice in choices if isinstance(choice, dict)]
    else:
        values, names = field.get("enum"), field.get("enumNames")
        values = values if isinstance(values, list) else []
        names = names if isinstance(names, list) and len(names) == len(values) else values
        pairs = list(zip(values, names, strict=True))
    return [{"value": _plain(value), "label": _plain(name or value), "description": ""} for value, name in pairs]


def _typed(field: Mapping[str, Any], value: Any) -> Any:
    """Return a value in the type that a field wants; None when it is none."""
    kind = field.get("type")
    if not isinstance(value, str):
        return value
    if kind == "boolean":
        return {"true": True, "false": False}.get(value)
    if kind in ("integer", "number"):
        known = _decoded(value)
        is_number = isinstance(known, int if kind == "integer" else int | float) and not isinstance(known, bool)
        return known if is_number else None
    if kind == "array":
        known = _decoded(value)
        return known if isinstance(known, list) else [part.strip() for part in value.split(",")]
    allowed = [option["value"] for option in _values(field)]
    return value if not allowed or value in allowed else None


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _words(value: Any) -> str:
    """Return one answer as Claude takes it: words, or several labels separated by commas."""
    if isinstance(value, list):
        return ", ".join(_plain(part) for part in value)
    return value if isinstance(value, str) else ""
