"""How clients put into words what the API says."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any, TypeGuard


def words(command: object) -> str:
    """Return a command as one line for a shell, whichever way it was given."""
    return shlex.join(map(str, command)) if isinstance(command, list) else str(command)


def headline(approval: Mapping[str, Any]) -> str:
    """Return the one thing that a question is about: the command that would run, or what is asked."""
    preview = approval["preview"]
    given = preview.get("input")
    command = given.get("command") if isinstance(given, dict) else None
    if approval["subject_type"] != "tool_call" or approval["options"]:
        return str(approval["question"])
    if command:
        return f"{preview.get('tool') or 'run'}: {words(command)}"
    return str(approval["subject"])


def to_prove(document: Mapping[str, Any]) -> list[str]:
    """Return what must hold when a task is done, as the proofs of it are called once they are there."""
    found = [*(document.get("success_criteria") or ()), *(document.get("checks") or ())]
    found += [f"{path} fits {schema}" for path, schema in (document.get("schemas") or {}).items()]
    found += [f"evidence {path}" for path in document.get("evidence") or ()]
    found += [f"evidence {path}" for path in document.get("evidence_required") or ()]
    found += document.get("invariants") or ()
    found += [f"no worse than before: {each['command']}" for each in document.get("regressions") or ()]
    return found


def is_list_of_lines(value: object) -> TypeGuard[list[str]]:
    """Whether a value of a preview is a list of short texts, which people read more easily without JSON."""
    return isinstance(value, list) and bool(value) and all(isinstance(each, str) and _is_line(each) for each in value)


def _is_line(text: str) -> bool:
    return text != "" and text == text.strip() and len(text.splitlines()) == 1
