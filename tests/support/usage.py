"""Steps of the scripted agent that use things, as an agent's stream tells of it."""

from __future__ import annotations

from typing import Any, Final

HANG: Final[dict[str, Any]] = {"hang": True}


def spend(cost_usd: float, tokens: int = 0) -> dict[str, Any]:
    """A step that ends a turn: the process has cost so much until now, the turn so many tokens."""
    usage = {"input_tokens": 0, "output_tokens": tokens}
    result = {
        "type": "result", "subtype": "success", "is_error": False, "result": "", "num_turns": 1,
        "total_cost_usd": cost_usd, "usage": usage, "session_id": "spending", "permission_denials": [],
    }  # fmt: skip
    return {"print": result}
