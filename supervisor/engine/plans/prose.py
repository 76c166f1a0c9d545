"""Telling commands from sentences. It is a guess from the text alone, the same on every machine.

Prose in place of a command is work for an agent (a person, at a gate), never a line for a shell. Whoever knows better
says so: what begins with ``$ `` is a command, whatever it looks like.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal

from supervisor.engine.plans.expressions import is_expression

Nature = Literal["command", "expression", "prose"]

MARK: Final = "$ "
"""In front of a line: it is a command. It is no part of what runs."""

_ARROW = re.compile(r"[\w)]\s+->\s+\w|[→⇒]")
_CALL = re.compile(r"(?:^|[\s;|&])[A-Za-z_][\w.]*\([^()\s]|(?:^|[\s;|&])[A-Za-z_][\w.]*\([^()]*[:,]")
_QUOTED = re.compile(r"'[^']*'|\"(?:[^\"\\]|\\.)*\"")
_SUBSHELL = re.compile(r"[$<>=]\(|\(\)\s*\{")
_SENTENCE = re.compile(r"[A-Z][a-z]+(?:['’][a-z]+)?[ ,]+[A-Za-z(]")
_COUNT = re.compile(r"(>=|<=|==|!=|<|>|≥|≤)\s*\d+(\.\d+)?\s+[A-Za-z]|\d+\s+[a-z]+ ")
_SHELL = re.compile(r"\s--?[A-Za-z]|[|&<>$`=*/\\]|;\s+[a-z./]|\.\w+\b|^[a-z_]+=")
_LINKING = frozenset(
    (
        "the",
        "a",
        "an",
        "of",
        "is",
        "are",
        "was",
        "has",
        "have",
        "must",
        "should",
        "be",
        "no",
        "not",
        "all",
        "each",
        "every",
        "any",
        "both",
        "without",
        "with",
        "that",
        "which",
    )
)


def criterion(text: str) -> Nature:
    """Return what a criterion, a check or a precondition is: those may be expressions, too."""
    return "expression" if not text.lstrip().startswith(MARK) and is_expression(text) else nature(text)


def line_of(text: str) -> str:
    """Return what of a command is run: all but the mark that says that it is one."""
    stripped = text.lstrip()
    return stripped.removeprefix(MARK) if stripped.startswith(MARK) else text


@lru_cache(1_000)
def nature(text: str) -> Nature:
    """Return what a command is: a line for a shell, or prose."""
    text = text.strip()
    if text.startswith(MARK):
        return "command"
    bare = _QUOTED.sub("''", text)
    if not _SUBSHELL.search(bare) and (_ARROW.search(bare) or _CALL.search(bare)):
        return "prose"
    first = bare.split("\n", 1)[0]
    if _COUNT.match(first):
        return "prose"
    if _SHELL.search(first):
        return "command"
    if _SENTENCE.match(first):
        return "prose"
    words = re.findall(r"[a-z]+", first.lower())
    return "prose" if len(words) >= 3 and _LINKING.intersection(words[1:]) else "command"
