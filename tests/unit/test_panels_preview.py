"""Previews, drawn by their kind, all of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panels.view.preview import DIFF_LIMIT, drawn


def shown(preview: dict[str, Any]) -> list[str]:
    return ["".join(text for text, _ in line) for line in drawn(preview)]


def styles(preview: dict[str, Any]) -> dict[str, str]:
    return {text: style for line in drawn(preview) for text, style in line}


def test_a_shell_command_is_shown_once_with_colours() -> None:
    act = {"kind": "execute", "command": "cd src\necho 'x'"}
    preview = {"tool": "Bash", "input": {"command": act["command"], "description": "go"}, "act": act}
    assert shown(preview) == ["tool: Bash", "$ cd src", "  echo 'x'", "description: go", "judged as: execute"]
    assert styles(preview)["'x'"] == "ok"


def test_a_command_that_policy_judged_as_another_one_is_shown_too() -> None:
    preview = {"tool": "Bash", "input": {"command": "ls"}, "act": {"kind": "execute", "command": "rm -rf /"}}
    assert "command: rm -rf /" in shown(preview)


def test_a_list_of_words_is_quoted() -> None:
    assert shown({"argv": ["rm", "a b", "$HOME"], "cwd": "/x"}) == ["$ rm 'a b' '$HOME'", "cwd: /x"]


def test_an_edit_is_a_diff_of_all_its_lines() -> None:
    given = {"file_path": "a.py", "old_string": "one\ntwo\nend", "new_string": "one\nthree\nend", "replace_all": True}
    preview = {"tool": "Edit", "input": given, "act": {"kind": "write", "paths": ["a.py"]}}
    assert shown(preview) == [
        "tool: Edit", "file: a.py", " one", "-two", "+three", " end", "replace_all: true", "judged as: write",
        "touches: a.py",
    ]  # fmt: skip
    assert (styles(preview)["-two"], styles(preview)["+three"]) == ("remove", "add")


def test_an_edit_that_changes_nothing_shows_its_text() -> None:
    assert shown({"input": {"old_string": "a\nb", "new_string": "a\nb"}}) == [" a", " b"]


def test_several_edits_and_a_large_one_are_whole() -> None:
    edits = [{"old_string": "a", "new_string": "b"}, {"old_string": "c", "new_string": "d"}]
    assert shown({"input": {"path": "f", "edits": edits}}) == ["file: f", "-a", "+b", "-c", "+d"]
    large = "\n".join(map(str, range(DIFF_LIMIT)))
    lines = shown({"input": {"old_string": large, "new_string": "new"}})
    assert (len(lines), lines[0], lines[-1]) == (DIFF_LIMIT + 1, "-0", "+new")


def test_a_new_file_is_coloured_by_its_suffix() -> None:
    preview = {"tool": "Write", "input": {"file_path": "/x/f.py", "content": "def f():\n    pass"}}
    assert shown(preview)[1:] == ["file: /x/f.py", "+ def f():", "+     pass"]
    assert styles(preview)["def"] == "running"


def test_a_patch_of_codex_is_a_diff_or_a_new_file() -> None:
    changes = [
        {"path": "a", "kind": {"type": "update"}, "diff": "@@ -1 +1 @@\n-x\n+y"},
        {"path": "b.py", "kind": {"type": "add"}, "diff": "def f(): ..."},
    ]
    preview = {"tool": "apply_patch", "input": {"changes": changes}}
    lines = shown(preview)
    assert lines[1:4] == ["file: a", "change: ", "  {"]
    assert ("@@ -1 +1 @@" in lines, "-x" in lines, "+y" in lines, "+ def f(): ..." in lines) == (True,) * 4
    assert styles(preview)["+y"] == "add"


def test_anything_else_is_json() -> None:
    preview = {"tool": "mcp__db__query", "input": {"sql": "select 1", "deep": {"a": [1, None]}, "no": None}}
    assert shown(preview) == [
        "tool: mcp__db__query", "sql: select 1", "deep: ", "  {", '    "a": [', "      1,", "      null", "    ]",
        "  }", "no: null",
    ]  # fmt: skip


def test_nothing_hides() -> None:
    preview = {"input": {"command": "ls\u202e\x1b[8m", "na\x1bme\n": "v\rw\nx"}, "act": "odd", "tool": "B\x07"}
    assert shown(preview) == [
        r"tool: B\x07", r"$ ls\u202e\x1b[8m", r"na\x1bme\n: ", r"  v\rw", "  x", "act: odd",
    ]  # fmt: skip


@pytest.mark.parametrize("preview", [{}, {"input": None}, {"input": []}, {"act": {"paths": None}}, {"act": []}])
def test_odd_previews_are_drawn(preview: dict[str, Any]) -> None:
    shown(preview)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("abc", min_size=1),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["command", "path", "content", "x"]), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["tool", "input", "act", "argv", "preview", "y"]), JSON))
def test_every_text_of_any_preview_is_there(preview: dict[str, Any]) -> None:
    lines = "\n".join(shown(preview))
    for text in _texts(preview):
        assert text in lines, json.dumps(preview)


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return [value] if isinstance(value, str) else []


def test_a_list_of_short_texts_is_a_list_and_anything_else_is_json() -> None:
    assert shown({"checked": ["holds: a", "[1]"]}) == ["checked: ", "  - holds: a", "  - [1]"]
    for odd in (["a\nb"], ["a\u2028b"], [""], [" a"], ["a", 1]):
        assert shown({"checked": odd})[1] == "  ["
