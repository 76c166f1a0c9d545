"""An index of rules: which of them can match a command at all, found by its program and its first word.

A book has hundreds of rules for commands, and a judgement holds each simple command of a line against all that it
is given here. What is left out here must not match; what is not left out is still held against the command.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from supervisor.engine.policy.facts import CommandFact
from supervisor.engine.policy.matching import SED, taken_apart
from supervisor.engine.policy.patterns import matches_text
from supervisor.engine.policy.rules import Rule

PROGRAMS_KEPT = 1024
"""Programs whose rules are remembered. Agents name them, so there is no end of them."""

NAME_KEPT = 100
"""Characters of a program whose rules are remembered."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A rule that can match a program; ``firsts`` are the first words that it needs, None where any will do."""

    rule: Rule
    firsts: frozenset[str] | None


@dataclass(frozen=True)
class CommandIndex:
    """The rules that can match commands, in the order of their book. May be used from any thread."""

    rules: tuple[Rule, ...]
    _by_program: dict[str, tuple[_Candidate, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def rules_for(self, fact: CommandFact) -> Sequence[Rule]:
        """Return the rules that can match a command."""
        if len(fact.programs) != 1:
            return self.rules
        first = fact.words[0].text if fact.words and fact.words[0].known else None
        return [
            candidate.rule
            for candidate in self._candidates(fact.programs[0])
            if candidate.firsts is None or first in candidate.firsts
        ]

    def _candidates(self, program: str) -> tuple[_Candidate, ...]:
        found = self._by_program.get(program)
        if found is None:
            found = tuple(each for rule in self.rules if (each := _candidate(rule, program)) is not None)
            if len(self._by_program) >= PROGRAMS_KEPT:
                self._by_program.clear()
            if len(program) <= NAME_KEPT:
                self._by_program[program] = found
        return found


def _candidate(rule: Rule, program: str) -> _Candidate | None:
    if rule.sort != "command":
        return _Candidate(rule, None)
    patterns = [taken_apart(pattern) for pattern in rule.patterns]
    words = [expected for name, expected, _ in patterns if matches_text(name, program)]
    if not words:
        return None
    firsts = [expected[0] for expected in words if expected and expected[0] != SED and "*" not in expected[0]]
    return _Candidate(rule, frozenset(firsts) if len(firsts) == len(words) else None)
