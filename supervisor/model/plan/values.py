"""The kinds of values in a plan document: texts, ids, durations, moments, priorities.

What can be written in several ways is turned into one here: a single text into a list of one, `30m` into seconds.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PlainSerializer,
    StrictInt,
)

TEXT_LIMIT: Final = 100_000
"""Characters of a command, a prompt or a description."""

TITLE_LIMIT: Final = 500
"""Characters of what stands on one line."""

ID_LIMIT: Final = 100
"""Characters of an id: `qd/<plan>--<task>` must be a file name for git (at most 255 bytes, `.lock` included)."""

ITEM_LIMIT: Final = 10_000
"""Entries of a list or map."""

LONGEST_S: Final = 10 * 366 * 86_400.0
"""Seconds of the longest duration: ten years."""

_CONTROL: Final = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
_BREAK: Final = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
_PRINTABLE: Final = rf"^[^{_CONTROL}]*$"
_ONE_LINE: Final = rf"^[^{_BREAK}]*$"
_SAYS_SOMETHING: Final = rf"^[^{_CONTROL}]*[^\s{_CONTROL}][^{_CONTROL}]*$"
_NAMES_SOMETHING: Final = rf"^[^{_BREAK}]*[^\s{_BREAK}][^{_BREAK}]*$"
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_DURATION: Final = re.compile(r"(?:(\d+(?:\.\d+)?)(ms|s|m|min|h|d|w))+", re.ASCII)
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|min|s|m|h|d|w)", re.ASCII)
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}

Priorities = Literal["low", "normal", "high", "critical"]
RANKS: Final[dict[str, int]] = {"low": -10, "normal": 0, "high": 10, "critical": 20}
"""What the words for priorities are as numbers."""

T = TypeVar("T")


class Shape(BaseModel):
    """A part of a plan document. It cannot be changed and takes only the keys it knows."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)


class Duration:
    """Marks a field that holds seconds and may be written as a duration."""


def seconds(value: Any) -> Any:
    """Return seconds from a number or from text such as `90`, `30m`, `1h30m`. Raises ValueError."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if _DURATION.fullmatch(text):
        return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    try:
        return float(text)
    except ValueError:
        raise ValueError("this is no duration: write seconds, or a number with ms, s, m, h, d or w (`1h30m`)") from None


def listed(value: Any) -> Any:
    """Return a list of one for a single text."""
    return [value] if isinstance(value, str) else value


def named(key: str) -> Callable[[Any], Any]:
    """Return a validator that reads a text as a map with only this key."""
    return lambda value: {key: value} if isinstance(value, str) else value


def by_name(value: Any) -> Any:
    """Return a list of texts as a map from each to itself."""
    if isinstance(value, list | tuple) and all(isinstance(each, str) for each in value):
        if len(set(value)) < len(value):
            raise ValueError("the same name stands here twice")
        return {each: each for each in value}
    return value


def check_id(text: str) -> str:
    """Return an id that git takes as a part of a branch's name. Raises ValueError that says why it does not."""
    if _ID.fullmatch(text) is None:
        raise ValueError(
            "an id begins with a letter or digit and holds only letters, digits, `.`, `_` and `-`: it names a branch"
        )
    if ".." in text or text.endswith((".", ".lock")):
        raise ValueError("git takes no branch whose name holds `..` or ends with `.` or `.lock`")
    return text


def check_plan_id(text: str) -> str:
    """Return a plan's id: `--` separates plan and task in a branch's name, so it cannot stand in it."""
    if "--" in text or text.endswith("-"):
        raise ValueError("a plan's id holds no `--` and does not end with `-`: `--` stands before the task in branches")
    return check_id(text)


def check_task_id(text: str) -> str:
    """Return a task's id; `name-*` is a task that fans out."""
    check_id(text.removesuffix("-*") if text.endswith("-*") else text)
    return text


def _moment(text: str) -> str:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("this is no date or time: write 2026-12-24 or 2026-12-24T18:00:00Z") from None
    return text


def rank(priority: int | str) -> int:
    """Return a priority as a number; higher goes first."""
    return RANKS[priority] if isinstance(priority, str) else priority


def _checked_free(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Return free data that can be shown and written: no control characters, no endless numbers."""
    waiting: list[Any] = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting += [*each.keys(), *each.values()]
        elif isinstance(each, list):
            waiting += each
        elif isinstance(each, str) and (len(each) > TEXT_LIMIT or re.fullmatch(_PRINTABLE, each) is None):
            raise ValueError(f"a text here is longer than {TEXT_LIMIT:,} characters or holds a control character")
        elif isinstance(each, float) and not math.isfinite(each):
            raise ValueError("a number here is too large")
    return value


def _short(number: float) -> int | float:
    """Return a number without a fraction where it has none."""
    return int(number) if number.is_integer() else number


def _scalar_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


_READ = BeforeValidator(seconds, json_schema_input_type=float | str)
_WRITTEN = PlainSerializer(_short, return_type=int | float, when_used="json")

Text = Annotated[str, Field(min_length=1, max_length=TEXT_LIMIT, pattern=_SAYS_SOMETHING)]
MaybeText = Annotated[str, Field(max_length=TEXT_LIMIT, pattern=_PRINTABLE)]
Title = Annotated[str, Field(max_length=TITLE_LIMIT, pattern=_ONE_LINE)]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=_NAMES_SOMETHING)]
PlanId = Annotated[str, Field(min_length=1, max_length=ID_LIMIT), AfterValidator(check_plan_id)]
TaskId = Annotated[str, Field(min_length=1, max_length=ID_LIMIT), AfterValidator(check_task_id)]
Seconds = Annotated[float, Duration(), _READ, _WRITTEN, Field(strict=True, gt=0, le=LONGEST_S)]
Wait = Annotated[float, Duration(), _READ, _WRITTEN, Field(strict=True, ge=0, le=LONGEST_S)]
Amount = Annotated[float, _WRITTEN, Field(strict=True, gt=0, le=1e9)]
Moment = Annotated[str, Field(max_length=40), AfterValidator(_moment)]
Priority = Annotated[StrictInt, Field(ge=-1_000, le=1_000)] | Priorities
Texts = Annotated[
    tuple[Text, ...],
    BeforeValidator(listed, json_schema_input_type=Text | tuple[Text, ...]),
    Field(max_length=ITEM_LIMIT),
]
Names = Annotated[
    tuple[Name, ...],
    BeforeValidator(listed, json_schema_input_type=Name | tuple[Name, ...]),
    Field(max_length=ITEM_LIMIT),
]
TaskIds = Annotated[
    tuple[TaskId, ...],
    BeforeValidator(listed, json_schema_input_type=TaskId | tuple[TaskId, ...]),
    Field(max_length=ITEM_LIMIT),
]
Scalar = str | bool | StrictInt | float | None
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=200)]
Environment = Annotated[
    dict[
        Variable, Annotated[MaybeText, BeforeValidator(_scalar_text, json_schema_input_type=MaybeText | float | bool)]
    ],
    Field(max_length=ITEM_LIMIT),
]
Free = Annotated[dict[Name, JsonValue], Field(max_length=ITEM_LIMIT), AfterValidator(_checked_free)]
