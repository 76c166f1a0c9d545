"""What expressions ask of values: comparing, containing, length, matching.

Nothing here raises an error: a question that makes no sense for its values is answered with ``Unknown``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import ge, gt, le, lt

from supervisor.engine.policy.patterns import matches_text
from supervisor.model.plain import one_line

_SHOWN = 60
"""Characters of a text in an explanation."""

_ORDER: dict[str, Callable[[float, float], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}
_TEXT_ORDER: dict[str, Callable[[str, str], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that is not known, or a question that makes no sense for the values that are."""

    reason: str


def compared(left: object, operator: str, right: object) -> bool | Unknown:
    """Return whether two known values are so. Values of different kinds are never equal, and have no order."""
    if operator == "in":
        return contains(right, left)
    kinds = _kind(left), _kind(right)
    if operator in ("==", "!="):
        if not {"a list", "a map", "something else"}.isdisjoint(kinds):
            return Unknown(f"{kinds[0]} and {kinds[1]} cannot be compared")
        return _same(left, right) is (operator == "==")
    if isinstance(left, str) and isinstance(right, str):
        return _TEXT_ORDER[operator](left, right)
    if kinds == ("a number", "a number"):
        return _ORDER[operator](left, right)  # type: ignore[arg-type] # both are numbers
    return Unknown(f"{kinds[0]} and {kinds[1]} have no order")


def contains(whole: object, part: object) -> bool | Unknown:
    """Return whether a list has an item, a map a key, or a text another text within it."""
    if isinstance(whole, str) and isinstance(part, str):
        return part in whole
    if isinstance(whole, Mapping | list | tuple | set | frozenset) and not isinstance(part, Mapping | list | tuple):
        return any(_same(item, part) for item in whole)
    return Unknown(f"{_kind(part)} cannot be in {_kind(whole)}")


def length(value: object) -> int | Unknown:
    """Return how many items a list or map has, or signs a text."""
    if isinstance(value, str | Mapping | list | tuple | set | frozenset):
        return len(value)
    return Unknown(f"{_kind(value)} has no length")


def matches(text: object, pattern: object) -> bool | Unknown:
    """Return whether a whole text fits a pattern, in which ``*`` stands for any text."""
    if isinstance(text, str) and isinstance(pattern, str):
        return matches_text(pattern, text)
    return Unknown("only a text can match a text")


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, Mapping):
        return "a map"
    return "a list" if isinstance(value, list | tuple | set | frozenset) else "something else"


def shown(value: object) -> str:
    """Return a value in words that are short whatever it holds."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < 10**18):
        return str(value)
    if isinstance(value, str):
        text = one_line(value[: _SHOWN + 1])
        return f'"{text}"' if len(value) <= _SHOWN else f'"{text[: _SHOWN - 1]}…"'
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return f"{_kind(value)} of {len(value)}"
    return _kind(value)


def _same(left: object, right: object) -> bool:
    kind = _kind(left)
    return kind == _kind(right) and kind in ("true or false", "a number", "a text", "null") and left == right
