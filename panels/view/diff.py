"""Reads what git says was changed: files, hunks and lines with their numbers.

It takes what `git diff` prints, with any prefixes, and never fails: what it does not know is passed over. Texts are
as git gave them, without the sign and the newline; whoever draws them cleans them.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Literal

Kind = Literal[" ", "+", "-"]
Status = Literal["modified", "added", "deleted", "renamed", "copied"]


@dataclass(slots=True)
class DiffLine:
    """A line of a hunk with its number before and after, None where it is not there.

    ``ends_bare`` says that it is the last of its file and has no newline.
    """

    kind: Kind
    old: int | None
    new: int | None
    text: str
    ends_bare: bool = False


@dataclass(slots=True)
class Hunk:
    """Lines that are together. ``section`` is what git names them after, mostly a function."""

    old_start: int
    new_start: int
    section: str
    lines: list[DiffLine] = field(default_factory=list)


@dataclass(slots=True)
class FileDiff:
    """What was changed in a file. ``digest`` is that of the diff itself: another one means another change."""

    path: str
    old_path: str
    status: Status = "modified"
    is_binary: bool = False
    old_mode: str | None = None
    new_mode: str | None = None
    similarity: int | None = None
    hunks: list[Hunk] = field(default_factory=list)
    added: int = 0
    removed: int = 0
    digest: str = ""


_HUNK: Final = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)", re.DOTALL)
_PREFIXES: Final = frozenset({("a/", "b/"), ("c/", "i/"), ("c/", "w/"), ("i/", "w/"), ("o/", "w/")})
_BARE: Final = "\\ "
NULL: Final = "/dev/null"


def parse(text: str) -> list[FileDiff]:
    """Return the files of a diff, in git's order."""
    # Only a newline ends a line: a file may hold every other character that Python takes for an end.
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return [_file(lines[start:end]) for start, end in pairwise([*_starts(lines), len(lines)])]


def _starts(lines: list[str]) -> list[int]:
    """Return where files begin; within a hunk only a sign is at the beginning of a line."""
    return [index for index, line in enumerate(lines) if line.startswith("diff --git ")]


def _file(lines: list[str]) -> FileDiff:
    old, new = _names_of_header(lines[0][len("diff --git ") :])
    found = FileDiff(new, old)
    found.digest = hashlib.sha256("\n".join(lines).encode(errors="replace")).hexdigest()
    minus = plus = None
    at = 1
    while at < len(lines) and not lines[at].startswith("@@ "):
        line = lines[at]
        if line.startswith("--- "):
            minus = _name(line[4:])
        elif line.startswith("+++ "):
            plus = _name(line[4:])
        else:
            _take_header(found, line)
        at += 1
    if minus is not None and plus is not None and found.status not in ("renamed", "copied"):
        found.old_path, found.path = _without_prefixes(minus, plus, found)
    _take_hunks(found, lines[at:])
    return found


def _take_header(found: FileDiff, line: str) -> None:
    """Take a line between the name and the hunks."""
    for words, status in _STATUS_WORDS.items():
        if line.startswith(words):
            found.status, rest = status, line[len(words) :]
            if words.endswith("from "):
                found.old_path = _name(rest)
            elif words.endswith("to "):
                found.path = _name(rest)
            elif status == "added":
                found.new_mode = rest
            else:
                found.old_mode = rest
            return
    if line.startswith("old mode "):
        found.old_mode = line[9:]
    elif line.startswith("new mode "):
        found.new_mode = line[9:]
    elif line.startswith("similarity index "):
        found.similarity = int(line[17:].rstrip("%")) if line[17:].rstrip("%").isdigit() else None
    elif line.startswith(("Binary files ", "GIT binary patch")):
        found.is_binary = True


_STATUS_WORDS: Final[dict[str, Status]] = {
    "new file mode ": "added",
    "deleted file mode ": "deleted",
    "rename from ": "renamed",
    "rename to ": "renamed",
    "copy from ": "copied",
    "copy to ": "copied",
}


def _take_hunks(found: FileDiff, lines: list[str]) -> None:
    hunk: Hunk | None = None
    old = new = 0
    for line in lines:
        sign = line[:1]
        if hunk is not None and sign == "+":
            hunk.lines.append(DiffLine("+", None, new, line[1:]))
            new += 1
            found.added += 1
        elif hunk is not None and sign == "-":
            hunk.lines.append(DiffLine("-", old, None, line[1:]))
            old += 1
            found.removed += 1
        elif hunk is not None and sign == " ":
            hunk.lines.append(DiffLine(" ", old, new, line[1:]))
            old, new = old + 1, new + 1
        elif sign == "@" and (match := _HUNK.fullmatch(line)):
            old, new = int(match[1]), int(match[3])
            hunk = Hunk(old, new, match[5])
            found.hunks.append(hunk)
        elif hunk is not None and hunk.lines and line.startswith(_BARE):
            hunk.lines[-1].ends_bare = True


def _names_of_header(rest: str) -> tuple[str, str]:
    """Return both names of ``diff --git``; they only differ where other lines say them again."""
    if rest.startswith('"'):
        first, end = _unquoted(rest)
        second = rest[end + 1 :]
        old, new = first, _name(second)
    elif rest.endswith('"') and ' "' in rest:
        first, _, second = rest.partition(' "')
        old, new = first, _name(f'"{second}')
    else:
        # Names with blanks are not marked: where both are the same, the middle is between them.
        middle = len(rest) // 2
        old, new = rest[:middle], rest[middle + 1 :]
        if (old[:2], new[:2]) not in _PREFIXES or old[2:] != new[2:]:
            if old != new:
                old, _, new = rest.partition(" ")
            return old, new
    return (old[2:], new[2:]) if (old[:2], new[:2]) in _PREFIXES else (old, new)


def _without_prefixes(minus: str, plus: str, found: FileDiff) -> tuple[str, str]:
    """Return the names of the lines with signs, as the file is called. A name alone is as the header has it."""
    if (minus[:2], plus[:2]) in _PREFIXES:
        return minus[2:], plus[2:]
    if NULL in (minus, plus):
        only = plus if minus == NULL else minus
        name = only[2:] if only[1:2] == "/" and only[2:] in (found.path, found.old_path) else only
        return name, name
    return minus, plus


def _name(text: str) -> str:
    """Return a name as it was before git quoted it; after one with blanks git puts a tab."""
    if text.startswith('"'):
        return _unquoted(text)[0]
    return text.removesuffix("\t")


_OCTAL: Final = re.compile("[0-3][0-7]{2}")
_ESCAPES: Final = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}


def _unquoted(text: str) -> tuple[str, int]:
    """Return a name that stands in quotes at the beginning, and where it ends."""
    raw, at = bytearray(), 1
    while at < len(text) and text[at] != '"':
        letter = text[at]
        if letter != "\\":
            raw += letter.encode(errors="replace")
            at += 1
        elif octal := _OCTAL.match(text, at + 1):
            raw.append(int(octal[0], 8))
            at += 4
        else:
            raw.append(_ESCAPES.get(text[at + 1 : at + 2], 63))
            at += 2
    return raw.decode(errors="replace"), at + 1
