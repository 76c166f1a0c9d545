"""What a session's turns cost, from the events with which they ended.

Agents count differently: some give the cost of the process so far, some the tokens of the whole conversation. Here
each turn has its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from supervisor.model.times import from_rfc3339

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn. ``cost_usd`` is None when the agent does not say; ``total_usd`` is that of all turns up to it."""

    number: int
    time: int
    input: int
    output: int
    cached: int
    cost_usd: float | None
    total_usd: float
    is_error: bool


def turns(events: Iterable[Json]) -> list[Turn]:
    """Return the turns that ended, from events of the type ``turn_ended``, oldest first."""
    found: list[Turn] = []
    cost_before: dict[str | None, float] = {}
    tokens_before = {"input": 0, "output": 0, "cached": 0}
    total = 0.0
    for event in events:
        payload, attempt = event["payload"], event["attempt"]
        tokens = _tokens(payload.get("tokens"))
        if payload.get("tokens_of") == "conversation":
            # Below what it was: the conversation was begun anew, and counts from zero.
            is_new = any(tokens[key] < tokens_before[key] for key in ("input", "output"))
            own = tokens if is_new else {key: max(0, tokens[key] - tokens_before[key]) for key in tokens}
            tokens_before = tokens
        else:
            own = tokens
        so_far, cost = payload.get("process_cost_usd"), None
        if isinstance(so_far, int | float):
            before = cost_before.get(attempt, 0.0)
            cost = so_far - before if so_far >= before else float(so_far)
            cost_before[attempt] = float(so_far)
            total += cost
        found.append(
            Turn(
                len(found) + 1,
                from_rfc3339(event["time"]),
                own["input"],
                own["output"],
                own["cached"],
                cost,
                total,
                bool(payload.get("is_error")),
            )
        )
    return found


def _tokens(given: object) -> dict[str, int]:
    known = given if isinstance(given, dict) else {}
    values = {key: known.get(key) for key in ("input", "output", "cached")}
    return {key: value if isinstance(value, int) else 0 for key, value in values.items()}


def reports_nothing(found: list[Turn]) -> bool:
    """Whether the agent says neither tokens nor cost."""
    return all(turn.cost_usd is None and not (turn.input or turn.output) for turn in found)
