"""What would happen if a question were approved: whole, and nothing of it hidden.

Text of agents and tools is data. Each of its lines stands behind a bar, so that it cannot pass for ours, and what
cannot be seen in it (control characters, bidirectional overrides, invisible ones) is written out.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from supervisor.api.wording import is_list_of_lines, words
from supervisor.cli.output import OF_DIFFS
from supervisor.model.plain import exact

_WHOLE = 1_000_000
"""Lines of context of a diff: all there are."""


def render(preview: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines that show a preview, all of it."""
    rest = dict(preview)
    act = rest.pop("act", None)
    tool, given = rest.pop("tool", None), rest.pop("input", None)
    if argv := rest.pop("argv", None):
        yield from _command(words(argv))
    if tool:
        yield _fact("tool", tool)
    if isinstance(given, dict):
        yield from _input(given)
    elif given is not None:
        yield from _value("input", given)
    for name, value in rest.items():
        yield from _value(name, value)
    if isinstance(act, dict) and (act.get("paths") or act.get("url")):
        yield _fact("touches", ", ".join(map(str, [*(act.get("paths") or ()), *filter(None, [act.get("url")])])))


def _input(given: Mapping[str, Any]) -> Iterator[str]:
    rest = dict(given)
    if command := rest.pop("command", None):
        yield from _command(words(command))
    file = rest.pop("file_path", None) or rest.pop("path", None)
    if file is not None:
        yield _fact("file", file)
    if isinstance(rest.get("old_string"), str) and isinstance(rest.get("new_string"), str):
        yield from _diff(rest.pop("old_string"), rest.pop("new_string"))
    if isinstance(edits := rest.get("edits"), list) and all(map(_is_edit, edits)):
        for edit in rest.pop("edits"):
            yield from _input(edit)
    if isinstance(rest.get("content"), str):
        yield from (_line(f"+{line}", fg="green") for line in rest.pop("content").split("\n"))
    for name, value in rest.items():
        yield from _value(name, value)


def _is_edit(edit: object) -> bool:
    return (
        isinstance(edit, dict) and isinstance(edit.get("old_string"), str) and isinstance(edit.get("new_string"), str)
    )


def _command(command: str) -> Iterator[str]:
    first, *others = command.split("\n")
    yield _line(f"$ {first}", bold=True)
    yield from (_line(f"  {line}", bold=True) for line in others)


def _diff(before: str, after: str) -> Iterator[str]:
    lines = difflib.unified_diff(before.split("\n"), after.split("\n"), n=_WHOLE, lineterm="")
    yield from (_line(line, fg=OF_DIFFS.get(line[:1])) for number, line in enumerate(lines) if number > 2)


def _value(name: str, value: object) -> Iterator[str]:
    """A value of any shape: short text beside its name, long text or structure below it."""
    if isinstance(value, str) and "\n" not in value:
        yield _fact(name, value)
        return
    if is_list_of_lines(value):
        yield _fact(name, "")
        yield from (_line(f"  - {each}") for each in value)
        return
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    if "\n" not in text:
        yield _fact(name, text)
        return
    yield _fact(name, "")
    yield from (_line(f"  {line}") for line in text.split("\n"))


def _fact(name: str, value: object) -> str:
    return _line("") + click.style(f"{exact(name)}: ", dim=True) + exact(value).replace("\n", "\\n")


def _line(text: str, **style: Any) -> str:
    return click.style("│ ", dim=True) + click.style(exact(text), **style)
