"""Patterns of text, paths, hosts and options for the reference evaluator, from docs/policy.md (4) alone."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_GLOB = re.compile(r"[*?\[]")


@lru_cache(maxsize=200_000)
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)


def fits(pattern: str, text: str) -> bool:
    """Whether a text pattern matches the whole text; its `*` is any text."""
    return pattern == text or ("*" in pattern and _expression(pattern).fullmatch(text) is not None)


def any_fits(patterns: Sequence[str], text: str | None) -> bool:
    """Whether one of the patterns matches; an absent text is matched by none."""
    return text is not None and any(fits(pattern, text) for pattern in patterns)


# --- paths


@dataclass(frozen=True)
class Place:
    """Where names are taken from: home and worktree, absolute; an empty worktree holds nothing."""

    home: str
    worktree: str

    def resolve(self, text: str, folder: str) -> str | None:
        """The absolute path without `.`, `..` and doubled slashes; None when it is unknown."""
        if "\0" in text:
            return None
        if text.startswith("~"):
            if text[1:2] not in ("", "/"):
                return None
            text = f"{self.home}/{text[1:]}"
        elif not text.startswith("/"):
            text = f"{folder}/{text}"
        kept: list[str] = []
        for segment in text.split("/"):
            if segment == "..":
                del kept[-1:]
            elif segment not in ("", "."):
                kept.append(segment)
        return "/" + "/".join(kept)

    def name(self, absolute: str) -> str:
        """The one name of an absolute path."""
        for root, sign in ((self.worktree and self.resolve(self.worktree, "/"), "."), (self.home, "~")):
            if not root:
                continue
            if absolute == root:
                return sign
            if absolute.startswith(root.rstrip("/") + "/"):
                return f"{sign}/{absolute[len(root.rstrip('/')) + 1 :]}"
        return absolute


def _segments(text: str) -> tuple[str, ...]:
    return ("",) if text == "/" else tuple(text.translate(_LOWER).split("/"))


@lru_cache(maxsize=200_000)
def _segment(pattern: str) -> re.Pattern[str]:
    return re.compile("[^/]*".join(re.escape(part) for part in pattern.split("*")), re.DOTALL)


def _segment_fits(pattern: str, segment: str, globs: bool) -> bool:
    if not globs or not _GLOB.search(segment):
        return _segment(pattern).fullmatch(segment) is not None
    if not segment.strip("*?"):
        return not pattern.strip("*")
    if has_glob(segment[0]) and pattern.startswith("."):
        return False
    begin, pattern_begin = _GLOB.split(segment, maxsplit=1)[0], pattern.split("*", 1)[0]
    end, pattern_end = re.split(r"[*?\[\]]", segment)[-1], pattern.rsplit("*", 1)[-1]
    return (
        (begin.startswith(pattern_begin) or pattern_begin.startswith(begin))
        and (end.endswith(pattern_end) or pattern_end.endswith(end))
        and bool((begin and pattern_begin) or (end and pattern_end))
    )


def _walk(pattern: tuple[str, ...], name: tuple[str, ...], globs: bool) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "**":
        return any(_walk(pattern[1:], name[at:], globs) for at in range(len(name) + 1))
    return bool(name) and _segment_fits(pattern[0], name[0], globs) and _walk(pattern[1:], name[1:], globs)


@lru_cache(maxsize=400_000)
def path_fits(pattern: str, name: str, globs: bool = False) -> bool:
    """Whether a path pattern matches a path's name; with `globs` the name's own globs may stand for more."""
    return _walk(_segments(pattern), _segments(name), globs)


def glob_folder(absolute: str) -> str:
    """The folder of a path with globs: what stands before its first segment that has one."""
    kept: list[str] = []
    for segment in absolute.split("/"):
        if _GLOB.search(segment):
            break
        kept.append(segment)
    return "/".join(kept) or "/"


def has_glob(text: str) -> bool:
    """Whether a text has a character that the shell takes for a glob."""
    return _GLOB.search(text) is not None


# --- URLs

_URL = re.compile(
    r"https?://([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]+)?(?:[/?#].*)?", re.IGNORECASE | re.ASCII | re.DOTALL
)


def host(url: str) -> str | None:
    """The host of a URL in lower case without a trailing dot; None when the URL is unclear."""
    found = _URL.fullmatch(url)
    if found is None or not url.isascii() or any(c in url for c in "\\ \x7f") or any(c < " " for c in url):
        return None
    return found[1].lower().removesuffix(".")


# --- options


def has_option(option: str, words: list[str], strict: bool) -> bool:
    """Whether an option is among the words.

    `strict` is the way of looking for `flags` of allow rules: only what surely is this option counts.
    """
    if len(option) == 2 and option[0] == "-" and option != "--":
        if strict:
            return any(re.fullmatch(r"-[A-Za-z]+", word) and option[1] in word[1:] for word in words)
        return any(word.startswith("-") and not word.startswith("--") and option[1] in word[1:] for word in words)
    if option.startswith("--") and option != "--":
        if strict:
            return any(word == option or word.startswith(f"{option}=") for word in words)
        names = [word.split("=", 1)[0] for word in words if word.startswith("--") and word != "--"]
        if "*" in option:
            begin = option.split("*", 1)[0]
            return any(fits(option, name) or (len(name) > 2 and begin.startswith(name)) for name in names)
        return any(name == option or (len(name) > 2 and option.startswith(name)) for name in names)
    return any(fits(option, word) for word in words)
