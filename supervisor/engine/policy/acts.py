"""Words that every judgement uses."""

from __future__ import annotations

from collections.abc import Mapping

from supervisor.model.acts import Effect

STRICTNESS: Mapping[Effect, int] = {"allow": 0, "ask": 1, "deny": 2}

KINDS = frozenset({"execute", "write", "delete", "move", "read", "search", "fetch", "mcp", "question", "other"})
"""What an act can be; anything else counts as ``other``."""

DEFAULT = "default"
"""The rule that is named when no rule matches."""

UNCLEAR = "unclear"
"""The rule that is named when a part is not understood."""


def counts_as(kind: str) -> str:
    """Return the kind of an act, or ``other`` for one that is not known."""
    return kind if kind in KINDS else "other"
