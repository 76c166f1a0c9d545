"""Programs that run other programs: what is taken away to find the command inside (docs/policy.md, 5.7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from supervisor.engine.policy.lines import UNKNOWN, Word

SHELLS = frozenset({"bash", "sh", "dash", "zsh", "ksh"})
ELEVATORS = frozenset({"sudo", "doas"})
USER_SHELLS = frozenset({"su", "runuser"})

_NUMBER_OPTIONS = re.compile(r"-[0-9]+")
_SHELL_LETTERS = re.compile(r"-[ceux]+")
_SHELL_PIPEFAIL = re.compile(r"-[eux]*o")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_EXECUTIONS = frozenset({"-exec", "-execdir", "-ok", "-okdir"})


@dataclass(frozen=True, slots=True)
class _Options:
    """Options of a wrapper: alone, with a value in the next word, and beginnings that hold their value."""

    alone: frozenset[str] = frozenset()
    valued: frozenset[str] = frozenset()
    joined: tuple[str, ...] = ()
    numbers: bool = False

    def skip(self, words: tuple[Word, ...]) -> tuple[Word, ...] | None:
        """Return what follows the leading options; None when one is unknown here."""
        at = 0
        while at < len(words):
            word = words[at]
            if not word.known:
                break
            if word.text in self.alone or (self.numbers and _NUMBER_OPTIONS.fullmatch(word.text)):
                at += 1
            elif word.text in self.valued:
                if at + 1 >= len(words) or not words[at + 1].known:
                    return None
                at += 2
            elif any(word.text.startswith(begin) and len(word.text) > len(begin) for begin in self.joined):
                at += 1
            elif word.text.startswith("-"):
                return None
            else:
                break
        return words[at:]


_PLAIN: Mapping[str, _Options] = {
    **dict.fromkeys(("nohup", "builtin", "exec", "command"), _Options()),
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
    """Return the command inside of a wrapper that only starts it, or None when there is none to be seen."""
    options = _PLAIN.get(program)
    rest = options.skip(words) if options else None
    if program == "timeout" and rest:
        rest = rest[1:] if rest[0].known else None
    return rest or None


def without_environment(words: tuple[Word, ...]) -> tuple[list[tuple[str, str]], tuple[Word, ...]] | None:
    """Return what ``env`` sets and the command that it starts, or None when there is none to be seen."""
    rest = _ENV.skip(words)
    if rest is None:
        return None
    variables: list[tuple[str, str]] = []
    while rest and rest[0].known and (found := _VARIABLE.fullmatch(rest[0].text)):
        variables.append((found[1], found[2]))
        rest = rest[1:]
    return (variables, rest) if rest else None


def of_git(words: tuple[Word, ...]) -> tuple[list[str], tuple[Word, ...]]:
    """Return the folders of leading ``-C`` options of git, in order, and the words behind what is harmless."""
    folders: list[str] = []
    at = 0
    while at < len(words) and words[at].known:
        if words[at].text in ("--no-pager", "-P"):
            at += 1
        elif words[at].text == "-C" and at + 1 < len(words) and words[at + 1].known and not words[at + 1].glob:
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
    return _ELEVATION.skip(words) or ()


def of_xargs(words: tuple[Word, ...]) -> tuple[tuple[Word, ...], tuple[Word, ...]]:
    """Return the words of ``xargs`` itself and the command that it starts, which may be empty."""
    rest = _XARGS.skip(words)
    if not rest:
        return words, ()
    own = words[: len(words) - len(rest)]
    replaced = [
        own[at + 1].text if word.text == "-I" else word.text[2:]
        for at, word in enumerate(own)
        if word.text.startswith("-I") and (at == 0 or own[at - 1].text not in _XARGS.valued)
    ]
    if not replaced:
        return own, (*rest, UNKNOWN)
    return own, tuple(UNKNOWN if word.known and replaced[-1] in word.text else word for word in rest)


def of_find(words: tuple[Word, ...]) -> tuple[tuple[Word, ...], list[tuple[Word, ...]]] | None:
    """Return the words of ``find`` itself and the commands that it starts; None when one has no end."""
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
            return None
        inner.append(tuple(UNKNOWN if "{}" in word.text else word for word in words[at + 1 : end]))
        at = end + 1
    return tuple(own), inner
