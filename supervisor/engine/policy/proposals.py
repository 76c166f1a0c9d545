"""Rules proposed from what a person approves, and what they would have meant. Only a person applies them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from config.policy import RuleDocument
from supervisor.engine.policy.acts import DEFAULT
from supervisor.engine.policy.apart import take_apart
from supervisor.engine.policy.book import RuleBook, conditions_hold, described, judge
from supervisor.engine.policy.facts import CommandFact, Fact, HostFact, PathFact, ToolFact
from supervisor.engine.policy.library import compiled, failed_examples, with_rule
from supervisor.engine.policy.matching import matches
from supervisor.model.acts import Act, Effect, Judgement

_PROGRAMS = """
sudo doas su runuser env xargs ssh bash sh dash zsh ksh fish eval exec source . python python2 python3 node deno bun
perl ruby php lua awk gawk osascript tclsh expect gdb vim vi nvim emacs ed ex rm rmdir unlink dd shred mkfs truncate
kill killall pkill chown chgrp chroot mount umount crontab at systemctl nc ncat netcat socat npx bunx uvx pipx
parallel watch strace script find curl wget cd pushd popd trap alias docker podman
"""
_NEVER = frozenset(_PROGRAMS.split())
"""Programs that run what they are given, or destroy: each use is a question of its own."""

_HARMFUL = re.compile(r"-f|--force.*|--hard|-D|--delete|--mirror|--no-verify|--prune.*|-R|--recursive|--yes|-y")
_READING = frozenset({"view", "list", "ls", "get", "show", "status", "describe", "diff", "checks", "logs", "info"})
_WORD = re.compile(r"[A-Za-z0-9@._/:=+,%^-]+")
_MOST_WORDS = 8


@dataclass(frozen=True, slots=True)
class Proposal:
    """A rule that would answer such a question from now on, or why there is none."""

    rule: RuleDocument | None
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class PastAct:
    """What a rule would have meant for an act of the past."""

    act: Act
    matched: tuple[str, ...]
    before: Effect
    after: Effect


def propose(book: RuleBook, act: Act) -> Proposal:
    """Return the narrow rule that a person's "always" for this act would mean.

    It names the exact program and its words, the exact path, host or tool; never a wrapper, an interpreter, something
    that destroys, or what is not understood.
    """
    judgement = judge(book, act)
    if judgement.effect != "ask":
        return Proposal(None, f"It is not asked about: the rules say {judgement.effect}.")
    if book.problems:
        return Proposal(None, "The rules have a problem; mend it first.")
    asked = {part.text: part for part in judgement.parts if part.effect == "ask"}
    facts = {described(fact): fact for fact in take_apart(act, book.home) if described(fact) in asked}
    if len(asked) != 1 or len(facts) != 1:
        return Proposal(None, "More than one thing in it is asked about.")
    (text, fact), part = next(iter(facts.items())), next(iter(asked.values()))
    asking = (
        [
            rule
            for rule in book.rules_for(fact)
            if rule.effect == "ask" and matches(rule, fact) and conditions_hold(rule, act)
        ]
        if part.rule != "unclear"
        else []
    )
    if part.rule == "unclear" or any(rule.risk == "high" for rule in asking):
        return Proposal(None, f"Each such act is a question of its own: {part.reason}")
    keys = _narrowest(fact)
    if isinstance(keys, str):
        return Proposal(None, keys)
    document = RuleDocument.model_validate(
        {
            "name": _free_name(book, text),
            "effect": "allow",
            "reason": f"Approved for always: {text}"[:300],
            **keys,
            **({"instead_of": [rule.name for rule in asking]} if part.rule != DEFAULT else {}),
        }
    )
    changed = judge(with_rule(book, document), act)
    if failed_examples(document) or changed.effect != "allow":
        return Proposal(None, "No narrow rule would allow exactly this.")
    return Proposal(document)


def what_matches(book: RuleBook, rule: RuleDocument, acts: Iterable[Act]) -> list[PastAct]:
    """Return, for each act of the past, what the rule matches of it, and its effect without and with it."""
    after = with_rule(book, rule)
    own = compiled(rule)
    found: list[PastAct] = []
    for act in acts:
        matched = tuple(described(fact) for fact in take_apart(act, book.home) if matches(own, fact))
        matched = matched if conditions_hold(own, act) else ()
        found.append(PastAct(act, matched, judge(book, act).effect, judge(after, act).effect))
    return found


def suggestions(book: RuleBook, approved: Sequence[Act], at_least: int = 3) -> list[tuple[RuleDocument, int]]:
    """Return the rules that acts approved by a person suggest, each with the number of acts that led to it.

    A rule is suggested when ``at_least`` acts, each approved by itself, lead to the same one.
    """
    counted: dict[str, tuple[RuleDocument, int]] = {}
    for act in approved:
        rule = propose(book, act).rule
        if rule is not None:
            known = counted.get(rule.name, (rule, 0))
            counted[rule.name] = (known[0], known[1] + 1)
    often = [one for one in counted.values() if one[1] >= at_least]
    return sorted(often, key=lambda one: (-one[1], one[0].name))


def explained(judgement: Judgement) -> str:
    """Return a judgement as one sentence that names the rule and the part that decided."""
    part = next((part for part in judgement.parts if part.effect == judgement.effect), None)
    about = f" because of `{part.text}`" if part is not None and len(judgement.parts) > 1 else ""
    return f"{judgement.effect} (rule {judgement.rule}){about}: {judgement.reason}"


def _narrowest(fact: Fact) -> dict[str, object] | str:
    """Return the keys of the narrowest rule that matches a fact, or why there is none."""
    if isinstance(fact, CommandFact):
        return _command(fact)
    if isinstance(fact, HostFact):
        return {"host": [fact.host], "match": [f"https://{fact.host}/"], "no_match": ["https://x.invalid/"]}
    if isinstance(fact, ToolFact):
        return {"tool": [fact.tool]} if fact.tool and "*" not in fact.tool else "The tool has no plain name."
    if isinstance(fact, PathFact) and fact.access == "read" and not set(fact.name.text) & set("*?["):
        path = fact.name.text
        return {"path": [path], "access": ["read"], "match": [path], "no_match": [f"{path.rstrip('/')}/x"]}
    return "Writing there is a question of its own each time."


def _command(fact: CommandFact) -> dict[str, object] | str:
    program = fact.programs[0]
    words = [word.text for word in fact.words]
    if len(fact.programs) > 1 or program.rpartition("/")[2].rstrip("0123456789.") in _NEVER or program in _NEVER:
        return f"`{program}` can do anything it is told, so each use is a question of its own."
    if len(words) > _MOST_WORDS or not all(word.known and not word.glob for word in fact.words):
        return "The command is too long, or not all of it is known."
    if not all(_WORD.fullmatch(word) for word in (program, *words)):
        return "The command has words that a rule cannot name exactly."
    if any(_HARMFUL.fullmatch(word) for word in words):
        return "It forces or removes something, so each use is a question of its own."
    leading = 0
    while leading < min(3, len(words)) and not words[leading].startswith("-"):
        leading += 1
    reading = next((number for number in range(leading) if words[number] in _READING), None)
    pattern = [program, *words[: reading + 1]] if reading is not None else [program, *words, "$"]
    example = " ".join([program, *words])
    return {"command": [" ".join(pattern)], "match": [example], "no_match": [f"{program} --something-else", "true"]}


def _free_name(book: RuleBook, text: str) -> str:
    base = "always-" + (re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:48].strip("-") or "rule")
    name, number = base, 1
    while book.rule(name) is not None:
        number += 1
        name = f"{base}-{number}"
    return name
