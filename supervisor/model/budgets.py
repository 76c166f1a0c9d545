"""Budgets: a limit, what is used of it, and how far that is. Amounts are counted as `usage` counts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, cast

from supervisor.model.usage import Measure, in_words

Level = Literal["closed", "warning", "tripped"]
Kind = Literal["session", "task", "plan", "project", "day"]

BUDGET: Final = "budget"
"""The actor, and the signal, of what is done because a budget is used up."""

DAY: Final = "day"
"""The scope of what everything together uses in a day."""

RANKS: Final[dict[Level, int]] = {"closed": 0, "warning": 1, "tripped": 2}

DOES: Final[dict[Kind, str]] = {
    "session": "stops the session",
    "task": "stops the task's work; it fails and is not tried again",
    "plan": "pauses the plan and its sessions",
    "project": "pauses what costs money in the project until the day is over",
    "day": "pauses what costs money until the day is over",
}
"""What happens when one is used up."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How much of something may be used within a scope: ``day``, ``project:ID``, ``plan:ID``, ``task:PLAN/TASK`` or
    ``session:ID``. ``period`` is a day for what begins anew with each, else empty."""

    scope: str
    period: str
    measure: Measure
    amount: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a budget is, since a time in milliseconds; ``used`` is what was used then. ``granted`` is what a person
    gave beyond the limit."""

    scope: str
    period: str
    measure: Measure
    level: Level
    since: int
    used: int
    limit: int
    granted: int = 0

    @property
    def allowed(self) -> int:
        """What may be used before it trips."""
        return self.limit + self.granted

    def sentence(self, whose: str) -> str:
        """Say how far it is: ``The budget of $5.00 of the plan p is used up: $5.20.``"""
        how_far = "is used up" if self.level == "tripped" else "is nearly used up"
        amounts = in_words(self.measure, self.allowed), in_words(self.measure, self.used)
        return f"The budget of {amounts[0]} of {whose} {how_far}: {amounts[1]}."


def kind_of(scope: str) -> Kind:
    """Return what a scope is."""
    return cast("Kind", scope.partition(":")[0])


def level_of(used: int, allowed: int, warn_at: float) -> Level:
    """Return how far a budget is: tripped from its limit on, a warning from the part ``warn_at`` of it on."""
    if used >= allowed:
        return "tripped"
    return "warning" if used >= warn_at * allowed else "closed"
