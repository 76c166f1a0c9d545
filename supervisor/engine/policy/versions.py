"""Rules as text and the difference between two versions of them. Where versions are kept is not decided here."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from config.policy import RuleDocument, plain


@dataclass(frozen=True, slots=True)
class Difference:
    """What became of one rule: for a changed one the old and the new value of each key that differs."""

    name: str
    change: Literal["added", "removed", "changed"]
    keys: dict[str, tuple[Any, Any]]


def differences(old: Sequence[RuleDocument], new: Sequence[RuleDocument]) -> list[Difference]:
    """Return what must happen to the old rules to make them the new ones, in the order of the rules' names."""
    before = {rule.name: plain(rule) for rule in old}
    after = {rule.name: plain(rule) for rule in new}
    found: list[Difference] = []
    for name in sorted({*before, *after}):
        one, other = before.get(name, {}), after.get(name, {})
        keys = {key: (one.get(key), other.get(key)) for key in {**one, **other} if one.get(key) != other.get(key)}
        if keys:
            found.append(Difference(name, "changed" if one and other else "removed" if one else "added", keys))
    return found


def as_text(rules: Sequence[RuleDocument]) -> str:
    """Return rules as a document that can be put into a file and read again."""
    document = {"version": 1, "rules": [plain(rule) for rule in rules]}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)


def text_difference(
    old: Sequence[RuleDocument], new: Sequence[RuleDocument], old_name: str = "before", new_name: str = "after"
) -> str:
    """Return the difference as a unified diff of the two documents; empty when they say the same."""
    lines = difflib.unified_diff(as_text(old).splitlines(), as_text(new).splitlines(), old_name, new_name, lineterm="")
    return "".join(f"{line}\n" for line in lines)
