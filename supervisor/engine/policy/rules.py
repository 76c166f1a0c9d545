"""Rules as policy uses them. Their file form is in config/policy.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from supervisor.model.acts import Effect
from supervisor.model.approvals import Risk

Sort = Literal["command", "path", "host", "variable", "line", "any"]
Expansions = Literal["none", "globs", "all"]
Layer = Literal["shipped", "user", "applied", "project"]

WITHIN = ("./**", "/tmp/**", "/dev/null", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/tty")  # noqa: S108
"""Where the paths of an allowed command lie unless its rule says otherwise."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, checked and with its defaults filled in. ``within`` is None for no condition."""

    name: str
    effect: Effect
    reason: str
    risk: Risk
    sort: Sort
    patterns: tuple[str, ...]
    conditions: Mapping[str, tuple[str, ...]]
    access: frozenset[str] = frozenset({"read", "write", "delete"})
    flags: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    operands: tuple[str, ...] = ()
    within: tuple[str, ...] | None = None
    text: int = 0
    expansions: Expansions = "all"
    instead_of: frozenset[str] = frozenset()
    layer: Layer = "shipped"
    source: str = ""
