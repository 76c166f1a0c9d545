"""Words that every judgement uses."""

from __future__ import annotations

from collections.abc import Mapping

from supervisor.model.acts import Effect

STRICTNESS: Mapping[Effect, int] = {"allow": 0, "ask": 1, "deny": 2}

DEFAULT = "default"
"""The rule that is named when no rule matches."""

UNCLEAR = "unclear"
"""The rule that is named when a part is not understood."""
