"""What is used: money, tokens, calls of a model, time of work. Amounts are whole numbers, so that sums are exact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

NANO: Final = 1_000_000_000
"""Parts of a dollar in which money is counted."""

Measure = Literal["cost_usd", "tokens", "api_calls", "time"]
By = Literal["session", "task", "plan", "project", "agent", "model", "day"]

UNITS: Final[dict[Measure, int]] = {"cost_usd": NANO, "tokens": 1, "api_calls": 1, "time": 1_000}
"""How many of what is counted make one of the unit that people write: dollar, token, call, second."""


@dataclass(frozen=True, slots=True)
class Used:
    """What something has used: billionths of a dollar, tokens (read and written), calls, milliseconds of work."""

    cost_usd: int = 0
    tokens: int = 0
    api_calls: int = 0
    time: int = 0

    def of(self, measure: Measure) -> int:
        """Return one of the four."""
        amount: int = getattr(self, measure)
        return amount


@dataclass(frozen=True, slots=True)
class CostRow:
    """What one session, task, plan, project, agent, model or day cost; ``key`` is None for what belongs to none.

    What is ``unknown`` is told by no agent, or not by each: then there was more, and nobody knows how much.
    """

    key: str | None
    cost_nano: int = 0
    tokens_input: int = 0
    tokens_output: int = 0
    tokens_cached: int = 0
    api_calls: int = 0
    time_ms: int = 0
    attempts: int = 0
    cost_unknown: int = 0
    tokens_unknown: int = 0
    calls_unknown: int = 0

    @property
    def unknown(self) -> list[Measure]:
        """The figures that are not known, or not all of them."""
        found: list[tuple[Measure, int]] = [
            ("cost_usd", self.cost_unknown), ("tokens", self.tokens_unknown), ("api_calls", self.calls_unknown),
        ]  # fmt: skip
        return [measure for measure, unknown in found if unknown]


@dataclass(frozen=True, slots=True)
class Running:
    """Something that takes time now, since a time in milliseconds."""

    project: str | None
    plan: str | None
    task: str | None
    session: str | None
    agent: str
    since: int


def counted(measure: Measure, amount: float) -> int:
    """Return an amount that people wrote as the whole number that is counted."""
    return round(amount * UNITS[measure])


def written(measure: Measure, amount: int) -> float:
    """Return a counted amount as people write it."""
    return amount / UNITS[measure] if UNITS[measure] != 1 else amount


def in_words(measure: Measure, amount: int) -> str:
    """Return a counted amount in words: ``$0.0123``, ``1,200 tokens``, ``7 calls``, ``90 s of work``."""
    if measure == "cost_usd":
        dollars = amount / NANO
        short = f"{dollars:.2f}"
        return f"${short if float(short) == dollars else f'{dollars:.9f}'.rstrip('0')}"
    if measure == "time":
        return f"{amount / 1_000:,.0f} s of work"
    return f"{amount:,} {'tokens' if measure == 'tokens' else 'calls'}"
