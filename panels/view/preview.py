"""What would happen if a question were approved: the whole preview, drawn by what kind of thing it is.

A shell command is coloured as such, an edit is a diff, a new file is coloured by its suffix; anything else is JSON.
Nothing is left out: what no kind claims is shown by its name.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from panels.view.exactly import Line, coloured, coloured_as_file, plain
from supervisor.api.wording import is_list_of_lines, words
from supervisor.model.plain import exact

DIFF_LIMIT: Final = 4_000
"""Lines of an edit that are compared; a larger edit is shown as what goes and what comes, whole."""

_MARKS: Final = {"+": "add", "-": "remove", "@": "hunk"}


def drawn(preview: Mapping[str, Any]) -> Iterator[Line]:
    """Yield the lines of a preview, all of it, of any width."""
    rest = dict(preview)
    act = rest.pop("act", None)
    tool, given = rest.pop("tool", None), rest.pop("input", None)
    if argv := rest.pop("argv", None):
        yield from _command(words(argv))
    if tool:
        yield from _fact("tool", tool)
    if isinstance(given, dict):
        yield from _input(given)
    elif given is not None:
        yield from _value("input", given)
    for name, value in rest.items():
        yield from _value(name, value)
    yield from _act(act, given)


def _act(act: object, given: object) -> Iterator[Line]:
    """What policy takes the call for, as far as the input has not said it."""
    if not isinstance(act, dict):
        if act is not None:
            yield from _value("act", act)
        return
    rest = dict(act)
    kind = rest.pop("kind", None)
    said = given if isinstance(given, dict) else {}
    if rest.get("command") and words(rest["command"]) == words(said.get("command") or ""):
        del rest["command"]
    touched = [*(rest.pop("paths", None) or ()), *filter(None, [rest.pop("url", None)])]
    if kind:
        yield from _fact("judged as", kind)
    if touched:
        yield from _fact("touches", ", ".join(map(str, touched)))
    for name, value in rest.items():
        if value:
            yield from _value(name, value)


def _input(given: Mapping[str, Any]) -> Iterator[Line]:
    rest = dict(given)
    if command := rest.pop("command", None):
        yield from _command(words(command))
    name = next((key for key in ("file_path", "path", "notebook_path") if isinstance(rest.get(key), str)), None)
    path = ""
    if name is not None:
        path = rest.pop(name)
        yield from _fact("file", path)
    if _is_edit(rest):
        yield from _diff(rest.pop("old_string"), rest.pop("new_string"))
    if isinstance(edits := rest.get("edits"), list) and edits and all(map(_is_edit, edits)):
        for edit in rest.pop("edits"):
            yield from _input(edit)
    if isinstance(content := rest.get("content"), str) and path:
        del rest["content"]
        yield from _new_file(content, path)
    if isinstance(changes := rest.get("changes"), list) and changes and all(map(_is_change, changes)):
        for change in rest.pop("changes"):
            yield from _change(change)
    for key, value in rest.items():
        yield from _value(key, value)


def _is_edit(edit: object) -> bool:
    return (
        isinstance(edit, dict) and isinstance(edit.get("old_string"), str) and isinstance(edit.get("new_string"), str)
    )


def _is_change(change: object) -> bool:
    return isinstance(change, dict) and isinstance(change.get("path"), str) and isinstance(change.get("diff"), str)


def _command(command: str) -> Iterator[Line]:
    for number, line in enumerate(coloured(command, "bash")):
        yield [("$ " if number == 0 else "  ", "bold"), *line]


def _new_file(content: str, path: str) -> Iterator[Line]:
    for line in coloured_as_file(content, path):
        yield [("+ ", "add"), *line]


def _change(change: Mapping[str, Any]) -> Iterator[Line]:
    """One file of a patch, as Codex writes it: a diff, or the whole of a new file."""
    rest = dict(change)
    path, diff, kind = rest.pop("path"), rest.pop("diff"), rest.pop("kind", None)
    said = kind.get("type") if isinstance(kind, dict) else kind
    yield from _fact("file", path)
    if kind is not None:
        yield from _value("change", kind)
    if said == "add" and not diff.startswith(("+", "@@")):
        yield from _new_file(diff, path)
    else:
        for line in diff.split("\n"):
            yield from plain(line, _MARKS.get(line[:1], ""))
    for key, value in rest.items():
        yield from _value(key, value)


def _diff(before: str, after: str) -> Iterator[Line]:
    """All lines of both: those that stay, go and come."""
    old, new = before.split("\n"), after.split("\n")
    if len(old) + len(new) > DIFF_LIMIT:
        yield from (found for line in old for found in plain(f"-{line}", "remove"))
        yield from (found for line in new for found in plain(f"+{line}", "add"))
        return
    if old == new:
        yield from (found for line in old for found in plain(f" {line}"))
        return
    lines = difflib.unified_diff(old, new, n=DIFF_LIMIT, lineterm="")
    for number, line in enumerate(lines):
        if number > 2:  # The names of the files and the one range.
            yield from plain(line, _MARKS.get(line[0], ""))


def _value(name: str, value: object) -> Iterator[Line]:
    """A value of any shape: short text beside its name, long text or structure below it."""
    if isinstance(value, str):
        if "\n" not in value:
            yield from _fact(name, value)
            return
        yield from _fact(name, "")
        yield from ([("  ", ""), *line] for line in plain(value))
        return
    if is_list_of_lines(value):
        yield from _fact(name, "")
        yield from ([("  - ", "dim"), *line] for each in value for line in plain(each))
        return
    text = json.dumps(value, ensure_ascii=False, indent=2)
    if "\n" not in text:
        yield from _fact(name, text)
        return
    yield from _fact(name, "")
    yield from ([("  ", ""), *line] for line in coloured(text, "json"))


def _fact(name: str, value: object) -> Iterator[Line]:
    said = exact(value).replace("\n", "\\n").expandtabs(4)
    yield [(f"{exact(name)}: ".replace("\n", "\\n").expandtabs(4), "dim"), (said, "")]
