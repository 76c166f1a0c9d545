"""A second evaluator of policy, written from docs/policy.md alone.

It shares no code and no table with the supervisor's (`supervisor/engine/policy`); clarity counts, not speed. Where the
two differ on an act, one of them or the page is wrong.
"""

from __future__ import annotations

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

Rule = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What the reference says: the whole, and effect and rule of each part in their order."""

    effect: str
    rule: str
    risk: str
    parts: tuple[tuple[str, str], ...]


class Reference:
    """Judges acts by a list of rules as they stand in a document."""

    def __init__(self, rules: Sequence[Rule], home: str) -> None:
        self.rules = list(rules)
        self.home = home

    def judge(self, act: Act) -> Verdict:
        """Judge one act."""
        place = Place(self.home, act.worktree)
        holding = [rule for rule in self.rules if _holds(rule, act)]
        found: list[tuple[str, str, str]] = []
        for part in take_apart(act, self.home):
            verdict = _judge_part(part, holding, place)
            if verdict is not None:
                found.append(verdict)
        if not found:
            return Verdict("ask", "default", "medium", ())
        effect, rule, risk = max(found, key=lambda one: STRICTNESS[one[0]])
        return Verdict(effect, rule, risk, tuple((one[0], one[1]) for one in found))


def _judge_part(part: Part, rules: list[Rule], place: Place) -> tuple[str, str, str] | None:
    if isinstance(part, Unclear):
        return "ask", "unclear", "high"
    seldom = isinstance(part, LinePart) or (isinstance(part, PathPart) and part.mention)
    matching = [rule for rule in rules if not (seldom and rule["effect"] == "allow") and _matches(rule, part, place)]
    if not matching:
        return None if seldom else ("ask", "default", "medium")
    rule = max(matching, key=lambda one: STRICTNESS[one["effect"]])
    return rule["effect"], rule["name"], rule.get("risk", _RISKS[rule["effect"]])


def _listed(value: Any) -> list[str]:
    return [] if value is None else [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _holds(rule: Rule, act: Act) -> bool:
    kind = act.kind if act.kind in _KINDS else "other"
    values = {"kind": kind, "plan": act.plan} | {
        "tool": act.tool,
        "agent": act.agent,
        "mode": act.mode,
        "project": act.project,
    }
    return all(any_fits(_listed(rule[name]), values[name]) for name in _CONDITIONS if name in rule)


def _matches(rule: Rule, part: Part, place: Place) -> bool:
    sort = next((name for name in _SORTS if name in rule), None)
    if sort is None:
        if rule["effect"] == "allow":
            return isinstance(part, ToolPart)
        return not isinstance(part, LinePart) and not (isinstance(part, PathPart) and part.mention)
    patterns = _listed(rule[sort])
    if sort == "line":
        return isinstance(part, LinePart) and any_fits(patterns, part.text)
    if sort == "host":
        return isinstance(part, UrlPart) and any_fits([pattern.lower() for pattern in patterns], part.host)
    if sort == "variable":
        return isinstance(part, VariablePart) and any(_sets(pattern, part) for pattern in patterns)
    if sort == "path":
        return (
            isinstance(part, PathPart)
            and part.access in _listed(rule.get("access", ["read", "write", "delete"]))
            and any(path_fits(pattern, part.name, part.globs) for pattern in patterns)
        )
    return isinstance(part, CommandPart) and any(_runs(rule, pattern, part, place) for pattern in patterns)


def _sets(pattern: str, part: VariablePart) -> bool:
    name, sign, value = pattern.partition("=")
    return fits(name, part.name) and (not sign or (part.value is not None and fits(value, part.value)))


def _runs(rule: Rule, pattern: str, part: CommandPart, place: Place) -> bool:
    allows = rule["effect"] == "allow"
    program, *behind = pattern.split(" ")
    whole = bool(behind) and behind[-1] == "$"
    behind = behind[:-1] if whole else behind
    if allows and part.locked:
        return False
    if not (all if allows else any)(fits(program, name) for name in part.programs):
        return False
    if len(part.words) < len(behind) or (whole and len(part.words) != len(behind)):
        return False
    if not all(word is not None and fits(one, word.text) for one, word in zip(behind, part.words, strict=False)):
        return False
    options = [word.text for word in part.words if word is not None]
    if not all(has_option(entry, options, strict=allows) for entry in _listed(rule.get("flags"))):
        return False
    if any(has_option(entry, options, strict=False) for entry in _listed(rule.get("without"))):
        return False
    expansions = rule.get("expansions", "globs" if allows else "all")
    if expansions != "all" and None in part.words:
        return False
    if expansions == "none" and any(word is not None and word.glob for word in part.words):
        return False
    operands = rule.get("operands")
    if operands is not None and not any(
        one.absolute is not None and path_fits(wanted, place.name(one.absolute), one.globs)
        for one in part.candidates
        for wanted in _listed(operands)
    ):
        return False
    within = rule.get("within", _WITHIN if allows else "any")
    return within == "any" or _lies(part, _listed(within), len(behind), int(rule.get("text", 0)), place)


def _lies(part: CommandPart, within: list[str], begin: int, texts: int, place: Place) -> bool:
    """Whether all that the command names, and where it runs, lies in `within`."""
    spared: set[int] = set()
    for at, word in enumerate(part.words):
        if at >= begin and len(spared) < texts and word is not None and not word.text.startswith("-"):
            spared.add(at)
    return all(any(path_fits(wanted, place.name(folder)) for wanted in within) for folder in part.folders) and all(
        _inside(one, within, place) for one in part.candidates if one.word not in spared
    )


def _inside(one: Candidate, within: list[str], place: Place) -> bool:
    if one.absolute is None:
        return False
    if one.globs:
        folder = place.name(glob_folder(one.absolute))
        return any(wanted == "**" or (wanted.endswith("/**") and path_fits(wanted, folder)) for wanted in within)
    return any(path_fits(wanted, place.name(one.absolute)) for wanted in within)
