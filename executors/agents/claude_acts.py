"""What a call of one of Claude's tools does, in the words that policy judges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_PATH: Final = {
    "Write": ("write", "file_path"),
    "Edit": ("write", "file_path"),
    "MultiEdit": ("write", "file_path"),
    "NotebookEdit": ("write", "notebook_path"),
    "Read": ("read", "file_path"),
    "NotebookRead": ("read", "notebook_path"),
}
"""Tools that touch one file: what they do to it, and the name of the argument that says which."""

_SEARCHES: Final = ("Glob", "Grep", "LS")


def act_of(tool: object, given: object) -> dict[str, Any]:
    """Return ``{"kind", and of command, paths, url what applies}``.

    A call that lacks its telling argument, and every tool that is not known here, is ``other``: what it would
    do cannot be said, so no rule for writes, reads or commands lets it pass.
    """
    known: Mapping[str, Any] = given if isinstance(given, dict) else {}
    match tool:
        case "Bash" if isinstance(command := known.get("command"), str):
            return {"kind": "execute", "command": command}
        case str() if tool in _PATH:
            kind, name = _PATH[tool]
            if isinstance(path := known.get(name), str) and path:
                return {"kind": kind, "paths": [path]}
        case str() if tool in _SEARCHES:
            return {"kind": "search", "paths": _searched(known)}
        case "WebFetch" if isinstance(url := known.get("url"), str):
            return {"kind": "fetch", "url": url}
        case "WebSearch":
            return {"kind": "search"}
        case "AskUserQuestion":
            return {"kind": "question"}
        case "Elicitation":
            url = known.get("url")
            return {"kind": "question", "url": url} if isinstance(url, str) else {"kind": "question"}
        case str() if tool.startswith("mcp__"):
            return {"kind": "mcp"}
    return {"kind": "other"}


def _searched(given: Mapping[str, Any]) -> list[str]:
    """Return the folder that is searched, and where a pattern leads out of it."""
    folder = given.get("path")
    folder = folder if isinstance(folder, str) and folder else "."
    outside = [
        pattern if pattern.startswith("/") else f"{folder}/{pattern}"
        for name in ("pattern", "glob")
        if isinstance(pattern := given.get(name), str) and (pattern.startswith("/") or ".." in pattern.split("/"))
    ]
    return [folder, *outside]
