"""The words of the plan language, and what texts in it may hold (dsl.py has the grammar)."""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any, Literal

ATTRIBUTES = {
    "kind": "kind",
    "using": "using",
    "agent": "agent",
    "priority": "priority",
    "timeout": "timeout",
    "approval": "approval",
}
"""What is said behind a task's title -> its field in a plan file."""

FIELDS: dict[str, tuple[str, Literal["ids", "map", "text", "lines", "list"]]] = {
    "needs": ("needs", "ids"),
    "input": ("inputs", "map"),
    "run": ("command", "text"),
    "prompt": ("prompt", "text"),
    "expect": ("success_criteria", "lines"),
    "check": ("checks", "lines"),
    "output": ("outputs", "list"),
    "reads": ("reads", "list"),
    "writes": ("writes", "list"),
}
"""What is said below a task -> its field in a plan file, and how it is said."""

VALUE_LIMIT = 100_000
"""Keys and items of a text together."""

BLANKS = " \t"

ID = re.compile(r"[\w*][\w*./-]*")
INPUT = re.compile(r"\w[\w.-]*")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufeff\ufffe\uffff]")
"""What no text of a plan holds: it cannot be seen, or is no text at all."""

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,25})?(?:[eE][-+]?[0-9]{1,3})?")
_WORDS = {"true": True, "false": False, "null": None}


def plain(text: str) -> Any:
    """Return what a word means that is not quoted: a number, true, false, null, or the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    if not _NUMBER.fullmatch(text):
        return text
    number = json.loads(text)
    return number if isfinite(number) else text
