"""What a policy judges, and what it says: shapes only (the meaning: docs/policy.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["execute", "write", "delete", "move", "read", "search", "fetch", "mcp", "question", "other"]
Effect = Literal["allow", "ask", "deny"]


@dataclass(frozen=True, slots=True)
class Act:
    """Something that would be done. A ``command`` is a line for a shell, or an argument list that runs without one.

    ``paths`` are as the agent gave them, relative to ``cwd``. ``worktree`` is the folder that the work is confined
    to; both are absolute.
    """

    kind: str
    tool: str
    cwd: str
    worktree: str
    agent: str
    mode: str
    project: str
    input: Mapping[str, Any] = field(default_factory=dict)
    command: str | tuple[str, ...] | None = None
    paths: tuple[str, ...] = ()
    url: str | None = None
    plan: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One simple command, path or address of an act, as it was judged."""

    text: str
    effect: Effect
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What policy says of an act: the strictest of its parts, the rule that decided, and why."""

    effect: Effect
    rule: str
    reason: str
    risk: Literal["low", "medium", "high"] = "medium"
    parts: tuple[Part, ...] = ()
