"""Acts that policy judges, and its judgements. Words that every agent's tools are put in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Effect = Literal["allow", "ask", "deny"]
Risk = Literal["low", "medium", "high"]

STRICTNESS: Mapping[Effect, int] = {"allow": 0, "ask": 1, "deny": 2}

DEFAULT = "default"
"""The rule that is named when no rule matches."""

UNCLEAR = "unclear"
"""The rule that is named when a part is not understood."""


@dataclass(frozen=True, slots=True)
class Act:
    """What an agent wants to do.

    ``kind`` is one of execute, write, delete, move, read, search, fetch, mcp, question, other.
    ``command`` is a shell line, or a list of words that no shell reads. ``cwd`` and ``worktree`` are absolute paths.
    """

    kind: str
    tool: str
    input: Mapping[str, Any] = field(repr=False)
    cwd: str
    worktree: str
    agent: str
    mode: str
    project: str
    plan: str | None = None
    command: str | tuple[str, ...] | None = None
    paths: tuple[str, ...] = ()
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One simple command, path or URL of an act, and what was decided about it."""

    text: str
    effect: Effect
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """The decision about an act, the rule and the reason that decided, and every part that was judged."""

    effect: Effect
    rule: str
    reason: str
    risk: Risk
    parts: tuple[Part, ...]
