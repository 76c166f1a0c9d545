"""What validation found, in words for the person who wrote the document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from pydantic import ValidationError

from supervisor.engine.plans.problems import Findings, path_of, quoted
from supervisor.engine.plans.shaping import Canonical, Places
from supervisor.model.plan.values import RANKS

_CHOICES: Final = {
    "priority": f"this must be one of {', '.join(RANKS)}, or a whole number from -1000 to 1000",
    "inputs": "this must be a map from names to texts, numbers, true or false, or lists of them",
    "agents": "each agent is a name or a whole number",
}
"""Keys whose values are of more than one sort; validation tells of each sort in turn."""

_TYPES: Final = {
    "missing": "this is needed, and it is absent",
    "string_type": "this must be text; put a number in quotes",
    "bool_type": "this must be true or false",
    "bool_parsing": "this must be true or false",
    "int_type": "this must be a whole number",
    "int_parsing": "this must be a whole number",
    "int_from_float": "this must be a whole number",
    "int_parsing_size": "this number is too large",
    "float_type": "this must be a number",
    "float_parsing": "this must be a number",
    "finite_number": "this number is too large",
    "tuple_type": "this must be a list",
    "dict_type": "this must be a map of keys and values",
    "model_type": "this must be a map of keys and values",
    "model_attributes_type": "this must be a map of keys and values",
}


def explain(error: ValidationError, places: Places, findings: Findings) -> None:
    """Add each thing that validation found, at the line where it is written."""
    told = {problem.path for problem in findings.errors}
    for each in error.errors(include_url=False):
        if findings.full:
            return
        if each["type"] == "too_short" and each["input"]:
            continue  # it has entries, and they are wrong
        location = tuple(step for step in each["loc"] if step != "[key]")
        choice = next((number for number in range(len(location)) if _is_choice(location, number)), None)
        if choice is not None:
            location = location[: choice + 1]
        key = places.written(location)
        path = (*key, str(location[-1])) if each["type"] == "missing" else key
        if path_of(path) in told:
            continue
        told.add(path_of(path))
        findings.error(path, _said(each, location, findings) if choice is None else _CHOICES[str(location[-1])])


def _is_choice(location: Canonical, number: int) -> bool:
    """Return whether a step is a key of a plan or task with values of several sorts, not a name that an author gave."""
    return location[number] in _CHOICES and (number == 0 or isinstance(location[number - 1], int))


def _said(error: Any, location: Canonical, findings: Findings) -> str:
    sort, context = error["type"], error.get("ctx", {})
    if sort == "literal_error":
        return _choose(error["input"], context["expected"], findings)
    if sort == "string_pattern_mismatch":
        return _unfit(error["input"], location)
    if sort in ("string_too_long", "too_long"):
        counted = "characters" if sort == "string_too_long" else "entries"
        return f"this has more than {context['max_length']:,} {counted}"
    if sort in ("string_too_short", "too_short"):
        return "this is empty"
    if sort in ("greater_than", "greater_than_equal", "less_than", "less_than_equal"):
        bound = next(context[name] for name in ("gt", "ge", "lt", "le") if name in context)
        words = {"greater_than": "more than", "greater_than_equal": "at least", "less_than_equal": "at most"}
        return f"this must be {words.get(sort, 'less than')} {bound:,.10g}"
    text = _TYPES.get(sort) or str(error["msg"]).removeprefix("Value error, ")
    return text[:1].lower() + text[1:]


def _choose(given: Any, expected: str, findings: Findings) -> str:
    names = expected.replace("'", "").replace(" or ", ", ").split(", ")
    if not isinstance(given, str):
        return f"this must be one of {', '.join(names)}"
    return f"{quoted(given)} is none of {', '.join(names)}. {findings.meant(given, names)}".rstrip()


def _unfit(given: Any, location: Canonical) -> str:
    text = given if isinstance(given, str) else ""
    if not text.isprintable() and _controls(text):
        return "this holds a control character, or a line break where there can be none"
    if not text.strip():
        return "this is blank"
    shape = _FORMS.get(str(location[-1]))
    if shape is None and "environment" in location:
        shape = "a variable's name holds only letters, digits and `_`, and begins with no digit"
    return shape or f"{quoted(text)} has the wrong form"


_FORMS: Final = {
    "url": "this is no address that this runner takes: `https://…`, `sqlite:…` or `postgresql://…`",
    "cron": "a schedule has five fields: minute, hour, day of the month, month, day of the week",
    "retention": "this is one of task, plan, project, forever, or a time such as `30d`",
    "timezone": "this is no time zone: write `UTC` or `Europe/Berlin`",
}


def _controls(letters: Iterable[str]) -> bool:
    return any(letter < " " or "\x7f" <= letter <= "\x9f" or letter in "\u2028\u2029" for letter in letters)
