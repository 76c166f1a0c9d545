"""Programs that run other programs: what is taken away to find the command inside (docs/policy.md, 5.7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from supervisor.engine.policy.words import UNKNOWN, Word

SHELLS = frozenset({"bash", "sh", "dash", "zsh", "ksh"})
ELEVATORS = frozenset({"sudo", "doas"})
USER_SHELLS = frozenset({"su", "runuser"})

_NUMBER_OPTIONS = re.compile(r"-[0-9]+")
_SHELL_LETTERS = re.compile(r"-[ceux]+")
_SHELL_PIPEFAIL = re.compile(r"-[eux]*o")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_EXECUTIONS = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_XARGS_COUNTING = frozenset({"-n", "-L", "--max-args=", "--max-lines="})


class Locked(Exception):
    """What a wrapper starts cannot be seen, so no rule may allow it."""


@dataclass(frozen=True, slots=True)
class _Options:
    """Options of a wrapper: alone, with a value in the next word, and beginnings that hold their value."""

    alone: frozenset[str] = frozenset()
    valued: frozenset[str] = frozenset()
    joined: tuple[str, ...] = ()
    numbers: bool = False

    def taken(self, words: tuple[Word, ...]) -> tuple[list[tuple[str, str]], tuple[Word, ...]]:
        """Return the leading options with their values, and what follows them. Raises Locked for an unknown option."""
        at, found = 0, list[tuple[str, str]]()
        while at < len(words) and words[at].known and words[at].text.startswith("-"):
            text = words[at].text
            joined = next((begin for begin in self.joined if text.startswith(begin) and text != begin), None)
            if text in self.alone or (self.numbers and _NUMBER_OPTIONS.fullmatch(text)):
                found.append((text, ""))
            elif text in self.valued:
                at += 1
                if at >= len(words) or not words[at].known:
                    raise Locked
                found.append((text, words[at].text))
            elif joined is not None:
                found.append((joined, text[len(joined) :]))
            else:
                raise Locked
            at += 1
        return found, words[at:]


_DIRECT = frozenset({"nohup", "builtin", "exec", "command"})
_PLAIN: Mapping[str, _Options] = {
    "time": _Options(frozenset({"-p"})),
    "setsid": _Options(frozenset({"-f", "-w", "-c"})),
    "nice": _Options(valued=frozenset({"-n"}), joined=("-n", "--adjustment="), numbers=True),
    "ionice": _Options(frozenset({"-t"}), frozenset({"-c", "-n"}), ("-c", "-n")),
    "stdbuf": _Options(
        valued=frozenset({"-i", "-o", "-e"}), joined=("-i", "-o", "-e", "--input=", "--output=", "--error=")
    ),
    "timeout": _Options(
        frozenset({"-v", "--verbose", "--preserve-status", "--foreground"}),
        frozenset({"-k", "-s"}),
        ("--kill-after=", "--signal="),
    ),
}
_ENV = _Options(frozenset({"-i", "-"}), frozenset({"-u"}))
_ELEVATION = _Options(frozenset({"-n", "-E", "-H", "-S", "-k", "-b", "-i", "-s"}), frozenset({"-u", "-g"}))
_XARGS = _Options(
    frozenset({"-0", "-r", "-t", "--null", "--no-run-if-empty", "--verbose"}),
    frozenset({"-n", "-P", "-L", "-d", "-I"}),
    ("-n", "-P", "-L", "-d", "-I", "--max-args=", "--max-procs=", "--max-lines=", "--delimiter="),
)


def unwrapped(program: str, words: tuple[Word, ...]) -> tuple[Word, ...] | None:
    """Return the command inside of a wrapper that only starts it; None when it is none, or starts nothing.

    Raises Locked.
    """
    if program in _DIRECT:
        return None if not words or (words[0].known and words[0].text.startswith("-")) else words
    options = _PLAIN.get(program)
    if options is None:
        return None
    rest = options.taken(words)[1]
    if program == "timeout" and rest:
        if not rest[0].known:
            raise Locked
        rest = rest[1:]
    return rest or None


def without_environment(words: tuple[Word, ...]) -> tuple[list[tuple[str, str]], tuple[Word, ...]] | None:
    """Return what ``env`` sets and the command that it starts, or None when it starts none. Raises Locked."""
    rest = _ENV.taken(words)[1]
    variables: list[tuple[str, str]] = []
    while rest and rest[0].known and (found := _VARIABLE.fullmatch(rest[0].text)):
        variables.append((found[1], found[2]))
        rest = rest[1:]
    return (variables, rest) if rest else None


def of_git(words: tuple[Word, ...]) -> tuple[list[str], tuple[Word, ...]]:
    """Return the folders of leading ``-C`` options of git, in order, and the words behind what is harmless.

    Raises Locked.
    """
    folders: list[str] = []
    at = 0
    while at < len(words) and words[at].known:
        if words[at].text in ("--no-pager", "-P"):
            at += 1
        elif words[at].text == "-C":
            if at + 1 >= len(words) or not words[at + 1].known or words[at + 1].glob:
                raise Locked
            folders.append(words[at + 1].text)
            at += 2
        else:
            break
    return folders, words[at:]


def shell_script(words: tuple[Word, ...]) -> Word | None:
    """Return the word that a shell called with ``-c`` runs; None when it is called in another way."""
    at, told = 0, False
    while at < len(words) and words[at].known:
        if _SHELL_LETTERS.fullmatch(words[at].text):
            told = told or "c" in words[at].text
            at += 1
        elif _SHELL_PIPEFAIL.fullmatch(words[at].text) and [word.text for word in words[at + 1 : at + 2]] == [
            "pipefail"
        ]:
            at += 2
        else:
            break
    return words[at] if told and at < len(words) else None


def user_script(words: tuple[Word, ...]) -> Word | None:
    """Return the word behind ``-c`` of ``su``, when it is known."""
    for number, word in enumerate(words[:-1]):
        if word.known and word.text == "-c":
            return words[number + 1] if words[number + 1].known else None
    return None


def elevated(words: tuple[Word, ...]) -> tuple[Word, ...]:
    """Return the command that ``sudo`` starts, or nothing when there is none to be seen."""
    try:
        return _ELEVATION.taken(words)[1]
    except Locked:
        return ()


def of_xargs(words: tuple[Word, ...]) -> tuple[tuple[Word, ...], tuple[Word, ...]]:
    """Return the words of ``xargs`` itself and the command that it starts, which may be empty. Raises Locked."""
    options, rest = _XARGS.taken(words)
    if not rest:
        return words, ()
    own = words[: len(words) - len(rest)]
    replaced = [value for option, value in options if option == "-I"]
    counted = any(option in _XARGS_COUNTING for option, _ in options)
    if replaced:
        rest = tuple(UNKNOWN if word.known and replaced[-1] in word.text else word for word in rest)
    # Counting and replacing cancel each other, the later one wins: both are taken to hold.
    return own, (*rest, UNKNOWN) if counted or not replaced else rest


def of_find(words: tuple[Word, ...]) -> tuple[tuple[Word, ...], list[tuple[Word, ...]]]:
    """Return the words of ``find`` itself and the commands that it starts. Raises Locked when one has no end."""
    own: list[Word] = []
    inner: list[tuple[Word, ...]] = []
    at = 0
    while at < len(words):
        if not (words[at].known and words[at].text in _EXECUTIONS):
            own.append(words[at])
            at += 1
            continue
        end = at + 1
        while end < len(words) and not (words[end].known and words[end].text in (";", "+")):
            end += 1
        if end >= len(words) or end == at + 1:
            raise Locked
        # A plus ends a command only directly behind {}; elsewhere, and for -ok, it is one of its words.
        many = words[at].text in ("-exec", "-execdir") and words[end - 1].known and words[end - 1].text == "{}"
        if words[end].text == "+" and not many:
            raise Locked
        inner.append(tuple(UNKNOWN if "{}" in word.text else word for word in words[at + 1 : end]))
        at = end + 1
    return tuple(own), inner
