"""Words of a shell line: what is known of their text, and what their quotes and globs make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_MOST_SLASHES = 64
"""Of a word with globs."""

FOLDER = "\0"
"""Stands in a word's text for the value of $PWD, which only the judge knows."""
QUOTED = "\1"
"""Stands in a word's shape for a character that was quoted."""


class Unreadable(Exception):
    """The line is outside of the language. The message says where."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word: what is known of its text, whether all of it is known, and whether it has unquoted globs.

    ``shape`` is there while the folder of a word with globs is not filled in: its text, with what is quoted made
    unreadable.
    """

    text: str
    known: bool = True
    glob: bool = False
    shape: str = ""


PIPE = "/dev/fd/63"
"""What a process substitution becomes."""

UNKNOWN = Word("…", known=False)


def check_quoted(text: str) -> None:
    """Raise Unreadable when what is quoted holds something that a person does not see."""
    if not text.isascii() and not all(char.isprintable() or char in "\t\n" for char in text):
        raise Unreadable("it holds a character that cannot be seen")


def finished(text: str, shape: str, known: bool, tilde: bool | None, home: str) -> Word:
    """Return the word, with what its shape tells: globs, braces, a leading tilde (None: the value of an assignment)."""
    if tilde is None:
        return Word(text, known)
    if tilde:
        if len(shape) > 1 and shape[1] != "/":
            known = False
        else:
            text, shape = home + text[1:], QUOTED * len(home) + shape[1:]
    inside = shape[shape.find("{") : shape.rfind("}") + 1]
    if "{" in shape and ("," in inside or ".." in inside):
        known = False
    glob = shape != "[" and any(char in shape for char in "*?[")
    if not known:
        return Word(text.replace(QUOTED, "…"), known=False)
    if not glob:
        return Word(text)
    return Word(text, glob=True, shape=shape) if FOLDER in text else globbed(text, shape)


def globbed(text: str, shape: str) -> Word:
    """Return a word with globs: unknown when they may lead to hidden files or upwards."""
    if text.count("/") > _MOST_SLASHES:
        return Word(text, known=False)
    at, magic = 0, False
    for segment in text.split("/"):
        part = shape[at : at + len(segment)]
        has = any(char in part for char in "*?[")
        if (has and segment.startswith(".")) or (magic and segment == ".."):
            return Word(text, known=False)
        magic = magic or has
        at += len(segment) + 1
    return Word(text, glob=True)


def placed(word: Word, folders: Sequence[str]) -> Word:
    """Fill the folder in where the word holds $PWD; with several possible ones the word is unknown."""
    if FOLDER not in word.text:
        return word
    if len(folders) > 1 or not word.known:
        return Word(word.text.replace(FOLDER, "…"), known=False)
    text = word.text.replace(FOLDER, folders[0])
    if not word.glob:
        return Word(text)
    marks = zip(word.text, word.shape, strict=True)
    return globbed(text, "".join(QUOTED * len(folders[0]) if char == FOLDER else mark for char, mark in marks))
