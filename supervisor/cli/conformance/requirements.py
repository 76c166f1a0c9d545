"""What docs/approval-protocol.md requires of tools, and what was found out about each of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

Result = Literal["pass", "fail", "warn", "not_seen"]

TOOLS: Final[dict[str, str]] = {
    "T1": "An event is one whole line of at most 64 KiB, ended by a newline: a JSON object with a type, in UTF-8.",
    "T2": "Its types are its own, or the protocol's for tools, with the fields of the protocol.",
    "T3": "It asks before it acts, with a valid approval_needed.",
    "T4": "Having asked, it ends with exit code 90 at once, and nothing of it goes on.",
    "T5": "It asks one question in a run.",
    "T6": "It ends with exit code 90 only when it has asked.",
    "T7": "It reads nothing from a terminal or stdin, and ends by itself.",
    "T8": "It takes the answer, and does not ask the same again.",
    "T9": "An answer that is none of its options decides nothing.",
    "T10": "An answer with another question's key decides nothing.",
    "T11": "The same question is asked in the same words, with the same key.",
    "T12": "It takes the answer from --approval-decision= too, when its profile says so.",
    "T13": "It does not pass the answer on to the programs that it starts.",
    "T14": "While it works it is not silent for longer than 30 seconds.",
}
"""One line for each numbered requirement of the specification."""

REASONS_LIMIT: Final = 20

_ORDER: Final[tuple[Result, ...]] = ("not_seen", "pass", "warn", "fail")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one requirement came to, and why."""

    requirement: str
    result: Result
    reasons: tuple[str, ...] = ()


@dataclass(slots=True)
class Findings:
    """Collects what is seen; the worst that was seen of a requirement counts."""

    _results: dict[str, Result] = field(default_factory=dict)
    _reasons: dict[str, list[str]] = field(default_factory=dict)

    def seen(self, requirement: str) -> None:
        """It was kept, as far as could be seen."""
        self._note(requirement, "pass")

    def broken(self, requirement: str, reason: str) -> None:
        """It was not kept."""
        self._note(requirement, "fail", reason)

    def doubted(self, requirement: str, reason: str) -> None:
        """It was kept, but not as it should be."""
        self._note(requirement, "warn", reason)

    def all(self) -> list[Finding]:
        """Return the findings in the order of the specification."""
        return [
            Finding(name, self._results.get(name, "not_seen"), tuple(self._reasons.get(name, ()))) for name in TOOLS
        ]

    @property
    def conforms(self) -> bool:
        """Whether nothing was broken."""
        return "fail" not in self._results.values()

    def _note(self, requirement: str, result: Result, reason: str = "") -> None:
        worst = max(self._results.get(requirement, "not_seen"), result, key=_ORDER.index)
        self._results[requirement] = worst
        reasons = self._reasons.setdefault(requirement, [])
        if reason and reason not in reasons and len(reasons) < REASONS_LIMIT:
            reasons.append(reason)
