"""Patterns of text and of paths, and the names that paths are known by (docs/policy.md, 4)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase
from typing import NamedTuple

_MAGIC = re.compile(r"[*?\[]")
_LAST_MAGIC = re.compile(r"[*?\[\]]")
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)


class PathName(NamedTuple):
    """A path as rules name it: ``./…`` in the worktree, ``~/…`` in home, else absolute. ``globbed``: it holds globs."""

    text: str
    globbed: bool = False


@lru_cache(maxsize=4096)
def _pieces(pattern: str) -> tuple[str, tuple[str, ...], str]:
    """Return what stands before the first ``*`` of a pattern, between them, and behind the last."""
    first, *middle, last = pattern.split("*")
    return first, tuple(piece for piece in middle if piece), last


def matches_text(pattern: str, text: str) -> bool:
    """Say whether the whole text fits the pattern, whose only special character is ``*``: any text.

    Each piece is taken where it first stands, so that also a long text is gone through once.
    """
    if "*" not in pattern:
        return pattern == text
    first, middle, last = _pieces(pattern)
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for piece in middle:
        at = text.find(piece, at, end)
        if at < 0:
            return False
        at += len(piece)
    return True


def normalised(path: str) -> str:
    """Return an absolute path without ``.``, ``..`` and doubled slashes, by its text alone."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if kept:
                kept.pop()
        elif segment not in ("", "."):
            kept.append(segment)
    return "/" + "/".join(kept)


def resolved(path: str, folder: str, home: str) -> str | None:
    """Return a path as absolute and normalised text, or None when it is unknown (``~somebody``)."""
    if "\0" in path:
        return None
    if path.startswith("~"):
        if path != "~" and not path.startswith("~/"):
            return None
        return normalised(home + path[1:])
    return normalised(path if path.startswith("/") else f"{folder}/{path}")


def named(path: str, worktree: str, home: str) -> str:
    """Return the name of an absolute, normalised path."""
    for base, short in ((worktree, "."), (home, "~")):
        if not base:
            continue
        base = normalised(base)
        if path == base:
            return short
        inner = base if base == "/" else base + "/"
        if path.startswith(inner):
            return f"{short}/{path[len(inner) :]}"
    return path


@lru_cache(maxsize=4096)
def _path_expression(pattern: str) -> re.Pattern[str]:
    expression = ""
    for segment in _segments(pattern):
        # Every segment of the subject ends with a slash, so any number of them, also none, is this.
        one = "[^/]*".join(re.escape(piece) for piece in segment.split("*")) + "/"
        expression += r"(?:[^/]*/)*" if segment == "**" else one
    return re.compile(expression, re.IGNORECASE | re.ASCII | re.DOTALL)


class PathFilter:
    """Tells quickly of most paths that none of many patterns matches them."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._keys: set[str] = set()
        wild: list[str] = []
        for pattern in patterns:
            key = next((segment for segment in _segments(pattern) if segment and "*" not in segment), None)
            if key in (None, ".", "~"):
                wild.append(_path_expression(pattern).pattern)
            else:
                self._keys.add(str(key).lower())
        self._wild = re.compile("|".join(wild) or r"(?!)", re.IGNORECASE | re.ASCII | re.DOTALL)

    def may_match(self, name: PathName) -> bool:
        """Say whether a pattern may match; False is certain."""
        if name.globbed or not self._keys.isdisjoint(name.text.lower().split("/")):
            return True
        return self._wild.fullmatch("/" if name.text == "/" else name.text + "/") is not None


@lru_cache(maxsize=16384)
def matches_path(pattern: str, name: PathName) -> bool:
    """Say whether a path fits a pattern; of a path with globs, whether it may lead to one that fits."""
    if not name.globbed:
        return _path_expression(pattern).fullmatch("/" if name.text == "/" else name.text + "/") is not None
    return _may_match(_segments(pattern), _segments(name.text))


def lies_within(pattern: str, name: PathName) -> bool:
    """Say whether a path, and everything its globs can lead to, fits a pattern."""
    if not name.globbed:
        return matches_path(pattern, name)
    if pattern == "**":
        return True
    if not pattern.endswith("/**"):
        return False
    folder: list[str] = []
    for segment in name.text.split("/"):
        if _MAGIC.search(segment):
            break
        folder.append(segment)
    return matches_path(pattern, PathName("/".join(folder) or "/"))


def _segments(path: str) -> list[str]:
    return [""] if path == "/" else path.split("/")


def _may_match(pattern: list[str], path: list[str]) -> bool:
    if not pattern:
        return not path
    if pattern[0] == "**":
        return any(_may_match(pattern[1:], path[skipped:]) for skipped in range(len(path) + 1))
    return (
        bool(path)
        and _may_fit(pattern[0].translate(_LOWER), path[0].translate(_LOWER))
        and _may_match(pattern[1:], path[1:])
    )


def _may_fit(pattern: str, segment: str) -> bool:
    if not _MAGIC.search(segment):
        return matches_text(pattern, segment)
    if not segment.strip("*?"):
        return not pattern.strip("*")
    begins, ends = _MAGIC.split(segment, maxsplit=1)[0], _LAST_MAGIC.split(segment)[-1]
    if not begins and pattern.startswith("."):
        return False  # a glob at the beginning leaves hidden files out
    first, last = pattern.split("*")[0], pattern.split("*")[-1]
    fits = (begins.startswith(first) or first.startswith(begins)) and (ends.endswith(last) or last.endswith(ends))
    return fits and bool((begins and first) or (ends and last))
