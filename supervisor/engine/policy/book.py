"""The rule book: all rules that are in force, arranged so that a judgement is quick, and the judging."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from supervisor.engine.policy.acts import DEFAULT, STRICTNESS, UNCLEAR, counts_as
from supervisor.engine.policy.apart import take_apart
from supervisor.engine.policy.facts import (
    CommandFact,
    Fact,
    HostFact,
    LineFact,
    PathFact,
    ToolFact,
    Unclear,
    VariableFact,
)
from supervisor.engine.policy.index import CommandIndex
from supervisor.engine.policy.matching import matches
from supervisor.engine.policy.patterns import PathFilter, matches_text
from supervisor.engine.policy.rules import Rule, Sort
from supervisor.model.acts import Act, Effect, Judgement, Part
from supervisor.model.approvals import Risk

PROBLEM = "policy-problem"
"""The rule that is named when nothing may be allowed because the rules themselves have a problem."""

_SORTS: dict[type[Fact], Sort] = {
    CommandFact: "command",
    PathFact: "path",
    HostFact: "host",
    VariableFact: "variable",
    LineFact: "line",
    ToolFact: "any",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with the rules, told with file, line and key."""

    message: str
    hint: str = ""


@dataclass(frozen=True)
class RuleBook:
    """Rules in their order, the home folder they speak of, and what is wrong with them.

    While there are problems nothing is allowed.
    """

    rules: tuple[Rule, ...]
    home: str
    problems: tuple[Problem, ...] = ()
    _by_sort: dict[Sort, tuple[Rule, ...]] = field(init=False, repr=False, compare=False)
    _commands: CommandIndex = field(init=False, repr=False, compare=False)
    _guarded: PathFilter = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        strict = [rule for rule in self.rules if rule.sort == "path" and rule.effect != "allow"]
        by_sort = {sort: tuple(rule for rule in self.rules if rule.sort in (sort, "any")) for sort in _SORTS.values()}
        object.__setattr__(self, "_by_sort", by_sort)
        object.__setattr__(self, "_commands", CommandIndex(by_sort["command"]))
        object.__setattr__(self, "_guarded", PathFilter(pattern for rule in strict for pattern in rule.patterns))

    def rules_for(self, fact: Fact) -> Sequence[Rule]:
        """Return the rules that can match a fact, in the order of the book."""
        if isinstance(fact, PathFact) and fact.mention and not self._guarded.may_match(fact.name):
            return ()
        if isinstance(fact, CommandFact):
            return self._commands.rules_for(fact)
        return self._by_sort[_SORTS[type(fact)]]

    def rule(self, name: str) -> Rule | None:
        """Return the rule of that name."""
        return next((rule for rule in self.rules if rule.name == name), None)


def judge(book: RuleBook, act: Act) -> Judgement:
    """Return the decision about an act: the strictest of what is decided about its parts."""
    facts = take_apart(act, book.home)
    parts: list[Part] = []
    risks: list[Risk] = []
    for fact in facts:
        if (decided := _decide(book, act, fact)) is not None:
            parts.append(decided[0])
            risks.append(decided[1])
    if not parts:
        return Judgement("ask", DEFAULT, "There is nothing in it that a rule could allow.", "medium", ())
    first = max(range(len(parts)), key=lambda number: (STRICTNESS[parts[number].effect], -number))
    decisive = parts[first]
    if decisive.effect == "allow" and book.problems:
        reason = f"The rules have a problem, so nothing is allowed: {book.problems[0].message}"
        return Judgement("ask", PROBLEM, reason, "medium", tuple(parts))
    return Judgement(decisive.effect, decisive.rule, decisive.reason, risks[first], tuple(parts))


def _decide(book: RuleBook, act: Act, fact: Fact) -> tuple[Part, Risk] | None:
    """Decide about one fact; None when it is no part."""
    text = described(fact)
    if isinstance(fact, Unclear):
        return Part(text, "ask", UNCLEAR, f"This is not understood: {fact.why}."), "high"
    found = [rule for rule in book.rules_for(fact) if matches(rule, fact) and conditions_hold(rule, act)]
    outdone = frozenset().union(*(rule.instead_of for rule in found))
    best = max(
        (rule for rule in found if rule.name not in outdone), key=lambda rule: STRICTNESS[rule.effect], default=None
    )
    if best is not None:
        return Part(text, best.effect, best.name, best.reason), best.risk
    if isinstance(fact, LineFact) or (isinstance(fact, PathFact) and fact.mention):
        return None
    effect: Effect = "ask"
    return Part(text, effect, DEFAULT, "No rule speaks of it."), "medium"


def conditions_hold(rule: Rule, act: Act) -> bool:
    """Say whether the conditions of a rule on tool, kind, agent, mode, project and plan hold for an act."""
    for key, patterns in rule.conditions.items():
        value = counts_as(act.kind) if key == "kind" else getattr(act, key)
        if value is None or not any(matches_text(pattern, value) for pattern in patterns):
            return False
    return True


def described(fact: Fact) -> str:
    """Return a fact in words for people."""
    match fact:
        case PathFact():
            return f"{fact.access} {fact.name.text}"
        case HostFact():
            return fact.url
        case VariableFact():
            return f"{fact.name}={'…' if fact.value is None else fact.value}"
        case ToolFact():
            return fact.tool
    return fact.text
