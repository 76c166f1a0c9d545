"""Holding rules against facts (docs/policy.md, 4)."""

from __future__ import annotations

import re
from functools import lru_cache

from supervisor.engine.policy.candidates import candidates
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
from supervisor.engine.policy.patterns import PathName, lies_within, matches_path, matches_text
from supervisor.engine.policy.rules import Rule
from supervisor.engine.policy.words import Word

_LETTERS = re.compile(r"-[A-Za-z]+")
_EXPRESSION = r"(?:[^/\\\n\[\]]|\\[^\n]|\[\^?[^\]\[/\\\n]+\])*"
_ADDRESS = rf"(?:[0-9]+|\$|/{_EXPRESSION}/)"
_SED_COMMAND = (
    rf"(?:{_ADDRESS}(?:,{_ADDRESS})?)?[pdq=]|(?:{_ADDRESS}(?:,{_ADDRESS})?)?s/{_EXPRESSION}/{_EXPRESSION}/[gpI0-9]*"
)
SED = "<sed>"
"""Stands in a pattern for such a script."""

SED_SCRIPT = re.compile(rf"(?:{_SED_COMMAND})(?:; ?(?:{_SED_COMMAND}))*")
"""Scripts for sed that print, leave out and substitute, and can neither start nor write anything."""


def matches(rule: Rule, fact: Fact) -> bool:
    """Say whether a rule matches a fact, its conditions aside. What is unclear is matched by none."""
    if isinstance(fact, Unclear):
        return False
    if rule.sort == "any":
        unseen = isinstance(fact, LineFact) or (isinstance(fact, PathFact) and fact.mention)
        return isinstance(fact, ToolFact) or (rule.effect != "allow" and not unseen)
    if isinstance(fact, CommandFact):
        return rule.sort == "command" and not (fact.locked and rule.effect == "allow") and _matches_command(rule, fact)
    if isinstance(fact, PathFact):
        return (
            rule.sort == "path"
            and fact.access in rule.access
            and not (fact.mention and rule.effect == "allow")
            and any(matches_path(pattern, fact.name) for pattern in rule.patterns)
        )
    if isinstance(fact, HostFact):
        return rule.sort == "host" and any(matches_text(pattern.lower(), fact.host) for pattern in rule.patterns)
    if isinstance(fact, VariableFact):
        return rule.sort == "variable" and any(_matches_variable(pattern, fact) for pattern in rule.patterns)
    if isinstance(fact, LineFact):
        return rule.sort == "line" and any(matches_text(pattern, fact.text) for pattern in rule.patterns)
    return False


def _matches_variable(pattern: str, fact: VariableFact) -> bool:
    name, sign, value = pattern.partition("=")
    if not matches_text(name, fact.name):
        return False
    return not sign or (fact.value is not None and matches_text(value, fact.value))


def _matches_command(rule: Rule, fact: CommandFact) -> bool:
    return any(_matches_pattern(rule, pattern, fact) for pattern in rule.patterns)


def _matches_pattern(rule: Rule, pattern: str, fact: CommandFact) -> bool:
    program, expected, exact = taken_apart(pattern)
    fits = all if rule.effect == "allow" else any
    if not fits(matches_text(program, name) for name in fact.programs):
        return False
    words = fact.words
    if len(words) < len(expected) or (exact and len(words) > len(expected)):
        return False
    if not all(word.known and _fits_word(one, word.text) for one, word in zip(expected, words, strict=False)):
        return False
    if rule.expansions != "all" and any(not word.known or (word.glob and rule.expansions == "none") for word in words):
        return False
    loose = rule.effect != "allow"
    if not all(any(_present(one, words, loose=loose) for one in entry.split("|")) for entry in rule.flags):
        return False
    if any(_present(one, words, loose=True) for one in rule.without):
        return False
    if rule.operands and not _has_operand(rule.operands, fact):
        return False
    if rule.within is None:
        return True
    scripts = [word for one, word in zip(expected, words, strict=False) if one == SED]
    return _all_within(rule, rule.within, (*scripts, *_text_words(rule.text, words[len(expected) :])), fact)


def _fits_word(pattern: str, text: str) -> bool:
    return SED_SCRIPT.fullmatch(text) is not None if pattern == SED else matches_text(pattern, text)


@lru_cache(maxsize=4096)
def taken_apart(pattern: str) -> tuple[str, tuple[str, ...], bool]:
    """Return the program of a command pattern, the words behind it, and whether there may be no more."""
    program, *words = pattern.split(" ")
    exact = bool(words) and words[-1] == "$"
    return program, tuple(words[:-1] if exact else words), exact


def _present(option: str, words: tuple[Word, ...], *, loose: bool) -> bool:
    return any(word.known and _is_option(option, word.text, loose=loose) for word in words)


def _is_option(option: str, text: str, *, loose: bool) -> bool:
    if len(option) == 2 and option[0] == "-" and option[1] != "-":
        if loose:
            return len(text) > 1 and text[0] == "-" and text[1] != "-" and option[1] in text[1:]
        return option[1] in text[1:] and _LETTERS.fullmatch(text) is not None
    if option.startswith("--") and len(option) > 2:
        if not loose:
            return text == option or text.startswith(option + "=")
        if not text.startswith("--") or len(text) < 3:
            return False
        name = text.split("=", 1)[0]
        begins = option.split("*")[0]
        return matches_text(option, name) or (len(name) > 2 and begins.startswith(name))
    return matches_text(option, text)


def _text_words(count: int, words: tuple[Word, ...]) -> tuple[Word, ...]:
    """Return the first ``count`` words that are no options: a search expression or a script, not a path."""
    plain = [word for word in words if not (word.known and word.text.startswith("-"))]
    return tuple(plain[:count])


def _has_operand(patterns: tuple[str, ...], fact: CommandFact) -> bool:
    return any(
        name is not None and matches_path(pattern, name)
        for word in fact.words
        for text, globbed in candidates(word)
        for folder in fact.folders
        for name in (fact.place.name(text, folder, globbed=globbed),)
        for pattern in patterns
    )


def _all_within(rule: Rule, patterns: tuple[str, ...], left_out: tuple[Word, ...], fact: CommandFact) -> bool:
    for folder in fact.folders:
        here = fact.place.name(folder, folder)
        if here is None or not _is_within(patterns, here):
            return False
    for word in fact.words:
        if any(word is one for one in left_out):
            continue
        if not word.known and rule.expansions != "all":
            return False
        for text, globbed in candidates(word):
            for folder in fact.folders:
                name = fact.place.name(text, folder, globbed=globbed)
                if name is None or not _is_within(patterns, name):
                    return False
    return True


def _is_within(patterns: tuple[str, ...], name: PathName) -> bool:
    return any(lies_within(pattern, name) for pattern in patterns)
