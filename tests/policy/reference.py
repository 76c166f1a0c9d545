"""A second evaluator of policy, written from docs/policy.md alone.

It shares no code and no table with the supervisor's (`supervisor/engine/policy`); clarity counts, not speed. Where the
two differ on an act, one of them or the page is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.policy.parts import (
    Act,
    Candidate,
    CommandPart,
    LinePart,
    Part,
    PathPart,
    Term,
    ToolPart,
    Unclear,
    UrlPart,
    VariablePart,
    take_apart,
)
from tests.policy.patterns import Place, any_fits, fits, glob_folder, has_option, path_fits

STRICTNESS = {"allow": 0, "ask": 1, "deny": 2}

_SORTS = ("command", "path", "host", "variable", "line")
_CONDITIONS = ("tool", "kind", "agent", "mode", "project", "plan")
_KINDS = ("execute", "write", "delete", "move", "read", "search", "fetch", "mcp", "question", "other")
_WITHIN = ["./**", "/tmp/**", "/dev/null", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/tty"]
_RISKS = {"allow": "low", "ask": "medium", "deny": "high"}

_ADDRESS = r"(?:[0-9]+|\$|/E/)"
_ONCE = rf"(?:(?:{_ADDRESS}(?:,{_ADDRESS})?)?[pdq=]|(?:{_ADDRESS}(?:,{_ADDRESS})?)?s/E/E/[gpI0-9]*)"
_SED = re.compile(f"{_ONCE}(?:; ?{_ONCE})*".replace("E", r"(?:[^/\\\n\[\]]|\\[^\n]|\[\^?[^\]\[/\\\n]+\])*"))

Document = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What the reference says: the whole, and effect and rule of each part in their order."""

    effect: str
    rule: str
    risk: str | None
    parts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class Pattern:
    """A pattern of commands: the program, the words behind it, and whether no more may follow."""

    program: str
    behind: tuple[str, ...]
    whole: bool

    @staticmethod
    def of(text: str) -> Pattern:
        """Read a pattern as it is written."""
        program, *behind = text.split(" ")
        whole = bool(behind) and behind[-1] == "$"
        return Pattern(program, tuple(behind[:-1] if whole else behind), whole)


@dataclass(frozen=True, eq=False)
class Rule:
    """A rule with lists where a single value may stand, and what holds when a key is absent."""

    name: str
    effect: str
    risk: str
    sort: str
    patterns: tuple[str, ...]
    commands: tuple[Pattern, ...]
    conditions: dict[str, list[str]]
    access: list[str]
    flags: list[str]
    without: list[str]
    operands: list[str] | None
    within: list[str] | None
    text: int
    expansions: str
    instead_of: list[str]

    @staticmethod
    def of(document: Document) -> Rule:
        """Read a rule as it stands in a document."""
        effect = document["effect"]
        allows = effect == "allow"
        sort = next((name for name in _SORTS if name in document), "")
        patterns = tuple(_listed(document[sort])) if sort else ()
        within = document.get("within", _WITHIN if allows else "any")
        return Rule(
            name=document["name"],
            effect=effect,
            risk=document.get("risk", _RISKS[effect]),
            sort=sort,
            patterns=patterns,
            commands=tuple(Pattern.of(one) for one in patterns) if sort == "command" else (),
            conditions={name: _listed(document[name]) for name in _CONDITIONS if name in document},
            access=_listed(document.get("access", ["read", "write", "delete"])),
            flags=_listed(document.get("flags", [])),
            without=_listed(document.get("without", [])),
            operands=_listed(document["operands"]) if "operands" in document else None,
            within=None if within == "any" else _listed(within),
            text=document.get("text", 0),
            expansions=document.get("expansions", "globs" if allows else "all"),
            instead_of=_listed(document.get("instead_of", [])),
        )


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


class Reference:
    """Judges acts by a list of rules as they stand in a document."""

    def __init__(self, rules: Sequence[Document], home: str) -> None:
        self.rules = [Rule.of(rule) for rule in rules]
        self.home = home
        self._programs: dict[str, list[Rule]] = {}
        self._paths: dict[tuple[str, bool], list[Rule]] = {}

    def judge(self, act: Act) -> Verdict:
        """Judge one act."""
        place = Place(self.home, act.worktree)
        found: list[tuple[str, str, str]] = []
        for part in take_apart(act, self.home):
            verdict = self._judge_part(part, act, place)
            if verdict is not None:
                found.append(verdict)
        if not found:
            return Verdict("ask", "default", "medium", ())
        effect, rule, risk = max(found, key=lambda one: STRICTNESS[one[0]])
        return Verdict(effect, rule, risk, tuple((one[0], one[1]) for one in found))

    def _judge_part(self, part: Part, act: Act, place: Place) -> tuple[str, str, str] | None:
        if isinstance(part, Unclear):
            return "ask", "unclear", "high"
        seldom = isinstance(part, LinePart) or (isinstance(part, PathPart) and part.mention)
        matching = [
            rule
            for rule in self._concerned(part)
            if not (seldom and rule.effect == "allow") and _matches(rule, part, place) and _holds(rule, act)
        ]
        silenced = {name for rule in matching for name in rule.instead_of}
        matching = [rule for rule in matching if not (rule.effect == "ask" and rule.name in silenced)]
        if not matching:
            return None if seldom else ("ask", "default", "medium")
        rule = max(matching, key=lambda one: STRICTNESS[one.effect])
        return rule.effect, rule.name, rule.risk

    def _concerned(self, part: Part) -> list[Rule]:
        """The rules that may match, found once for each program and each path."""
        if isinstance(part, CommandPart) and len(part.programs) == 1:
            program = part.programs[0]
            if program not in self._programs:
                self._programs[program] = [
                    rule
                    for rule in self.rules
                    if not rule.sort or any(fits(one.program, program) for one in rule.commands)
                ]
            return self._programs[program]
        if isinstance(part, PathPart):
            key = (part.name, part.globs)
            if key not in self._paths:
                self._paths[key] = [rule for rule in self.rules if not rule.sort or _names(rule, part)]
            return self._paths[key]
        return self.rules


def _holds(rule: Rule, act: Act) -> bool:
    """Whether the conditions on the act itself hold."""
    kind = act.kind if act.kind in _KINDS else "other"
    return all(
        any_fits(patterns, kind if name == "kind" else getattr(act, name)) for name, patterns in rule.conditions.items()
    )


def _names(rule: Rule, part: PathPart) -> bool:
    return rule.sort == "path" and any(path_fits(pattern, part.name, part.globs) for pattern in rule.patterns)


def _matches(rule: Rule, part: Part, place: Place) -> bool:
    match rule.sort:
        case "":
            if rule.effect == "allow":
                return isinstance(part, ToolPart)
            return not isinstance(part, LinePart) and not (isinstance(part, PathPart) and part.mention)
        case "line":
            return isinstance(part, LinePart) and any_fits(rule.patterns, part.text)
        case "host":
            return isinstance(part, UrlPart) and any_fits([pattern.lower() for pattern in rule.patterns], part.host)
        case "variable":
            return isinstance(part, VariablePart) and any(_sets(pattern, part) for pattern in rule.patterns)
        case "path":
            return isinstance(part, PathPart) and part.access in rule.access and _names(rule, part)
    return isinstance(part, CommandPart) and any(_runs(rule, pattern, part, place) for pattern in rule.commands)


def _sets(pattern: str, part: VariablePart) -> bool:
    name, sign, value = pattern.partition("=")
    return fits(name, part.name) and (not sign or (part.value is not None and fits(value, part.value)))


def _runs(rule: Rule, pattern: Pattern, part: CommandPart, place: Place) -> bool:
    """Whether a command rule matches by one of its patterns."""
    allows = rule.effect == "allow"
    behind, words = pattern.behind, part.words
    if allows and part.locked:
        return False
    if not (all if allows else any)(fits(pattern.program, name) for name in part.programs):
        return False
    if len(words) < len(behind) or (pattern.whole and len(words) != len(behind)):
        return False
    if not all(word is not None and _word_fits(one, word.text) for one, word in zip(behind, words, strict=False)):
        return False
    options = [word.text for word in words if word is not None]
    for entry in rule.flags:
        if not any(has_option(one, options, strict=allows) for one in entry.split("|")):
            return False
    if any(has_option(entry, options, strict=False) for entry in rule.without):
        return False
    if rule.expansions != "all" and None in words:
        return False
    if rule.expansions == "none" and any(word is not None and word.glob for word in words):
        return False
    if rule.operands is not None and not any(
        one.absolute is not None and path_fits(wanted, place.name(one.absolute), one.globs)
        for one in part.candidates
        for wanted in rule.operands
    ):
        return False
    if rule.within is None:
        return True
    texts = [at for at, word in enumerate(words) if at >= len(behind) and _is_text(word)]
    spared = {*texts[: rule.text], *(at for at, one in enumerate(behind) if one == "<sed>")}
    return _lies(part, rule.within, spared, place)


def _is_text(word: Term) -> bool:
    return word is None or not word.text.startswith("-")


def _word_fits(pattern: str, text: str) -> bool:
    return _SED.fullmatch(text) is not None if pattern == "<sed>" else fits(pattern, text)


def _lies(part: CommandPart, within: list[str], spared: set[int], place: Place) -> bool:
    """Whether all that the command names, and where it runs, lies in `within`; `spared` words are no paths."""
    return all(any(path_fits(wanted, place.name(folder)) for wanted in within) for folder in part.folders) and all(
        _inside(one, within, place) for one in part.candidates if one.word not in spared
    )


def _inside(one: Candidate, within: list[str], place: Place) -> bool:
    if one.absolute is None:
        return one.unknown
    if one.globs:
        folder = place.name(glob_folder(one.absolute))
        return any(wanted == "**" or (wanted.endswith("/**") and path_fits(wanted, folder)) for wanted in within)
    return any(path_fits(wanted, place.name(one.absolute)) for wanted in within)
