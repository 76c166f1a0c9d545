"""What in a command's words may be a path (docs/policy.md, 5.5)."""

from __future__ import annotations

import re

from supervisor.engine.policy.words import Word

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_MAGIC = re.compile(r"[*?\[]")
_OUTSIDE = re.compile(r"[/~]")


def candidates(word: Word) -> list[tuple[str, bool]]:
    """Return the texts in a known word that may be paths, and whether each has globs. None for an unknown word."""
    if not word.known or not word.text:
        return []
    text = word.text
    found: list[str] = []
    if not text.startswith("-"):
        found.append(text)
    elif not text.startswith("--"):
        if text[2:3] in (".", "@"):
            found.append(text[2:])
        if outside := _OUTSIDE.search(text):
            found.append(text[outside.start() :])
    if "=" in text:
        found.append(text.split("=", 1)[1])
    for one in list(found):
        if ":" in one:
            scheme = _SCHEME.match(one)
            if scheme is None:
                found.append(one.split(":", 1)[1])
            elif scheme[1].lower() == "file":
                found.append(one[scheme.end() :])
    found += [one[1:] for one in found if one.startswith("@")]
    return [(one, word.glob and _MAGIC.search(one) is not None) for one in dict.fromkeys(found) if one]
