"""What a person is shown of a question: all of it, and nothing that hides or imitates."""

from __future__ import annotations

from typing import Any

import click
import pytest

from supervisor.api.wording import headline
from supervisor.cli.approvals import _id_size
from supervisor.cli.exact import render
from supervisor.cli.output import until
from supervisor.model.plain import exact, one_line


def shown(**preview: Any) -> list[str]:
    return [click.unstyle(line) for line in render(preview)]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain – ünï 🙂\n\ttext", "plain – ünï 🙂\n\ttext"),
        ("\x1b[2K\r\x9b\x00", r"\x1b[2K\r\x9b\x00"),
        ("\u202egnp.exe\u200b\u2066\ufeff", r"\u202egnp.exe\u200b\u2066\ufeff"),
        ("a\u2028b\u00a0c", r"a\u2028b\xa0c"),
        ("\U000e0041\ud800", r"\U000e0041\ud800"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, written: str) -> None:
    assert exact(text) == written


def test_a_command_is_shown_whole_with_everything_beside_it() -> None:
    command = "echo one\necho two"
    lines = shown(tool="Bash", input={"command": command, "timeout": 5, "sandbox": False}, act={"kind": "execute"})
    assert lines == ["│ tool: Bash", "│ $ echo one", "│   echo two", "│ timeout: 5", "│ sandbox: false"]


def test_every_line_of_an_agent_stands_behind_a_bar() -> None:
    lines = shown(tool="x\nstatus: ✓ approved", input={"note": "a\nb", "deep": {"k": ["v\x1b"]}}, more="c\rd")
    assert all(line.startswith("│ ") for line in lines)
    assert not any("\n" in line or "\x1b" in line or "\r" in line for line in lines)
    assert "│   b" in lines


def test_an_edit_is_shown_as_the_change_that_it_makes() -> None:
    given = {"file_path": "a.py", "old_string": "keep\nold", "new_string": "keep\nnew\n", "replace_all": True}
    assert shown(tool="Edit", input=given, act={"paths": ["a.py"]}) == [
        "│ tool: Edit", "│ file: a.py", "│  keep", "│ -old", "│ +new", "│ +", "│ replace_all: true", "│ touches: a.py",
    ]  # fmt: skip
    several = shown(input={"file_path": "a", "edits": [{"old_string": "x", "new_string": "y"}] * 2})
    assert several == ["│ file: a", "│ -x", "│ +y", "│ -x", "│ +y"]
    assert shown(input={"edits": [{"old_string": "x"}]})[0] == "│ edits: "


def test_a_new_file_is_shown_with_its_content() -> None:
    assert shown(input={"file_path": "n", "content": "a\n"}) == ["│ file: n", "│ +a", "│ +"]


def test_a_tool_that_runs_again_is_shown_with_its_arguments_and_folder() -> None:
    assert shown(argv=["sh", "-c", "a b"], cwd="/w", details="d") == ["│ $ sh -c 'a b'", "│ cwd: /w", "│ details: d"]
    assert shown(input=["odd"]) == ["│ input: ", "│   - odd"]
    assert shown() == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"preview": {"tool": "Bash", "input": {"command": "ls"}}}, "Bash: ls"),
        ({"preview": {"input": {"command": ["ls", "a b"]}}}, "run: ls 'a b'"),
        ({"preview": {"input": "x"}}, "the subject"),
        ({"preview": {}, "options": [{"value": "a"}]}, "the question"),
        ({"preview": {}, "subject_type": "tool_run"}, "the question"),
    ],
)
def test_a_question_has_one_line(fields: dict[str, Any], expected: str) -> None:
    known = {"subject_type": "tool_call", "options": [], "question": "the question", "subject": "the subject"}
    assert headline({**known, **fields}) == expected


def test_lines_for_tables_are_single() -> None:
    assert one_line("a\n  b\x1b[1m\tc ") == "a b c"
    assert until(None) == "-"
    assert until("2000-01-01T00:00:00Z") == "0s"


def test_ids_are_cut_to_what_tells_them_apart() -> None:
    same = "app_01m8jqns0j"
    assert _id_size([f"{same}9h81nh08g9hs97gz"]) == len(same)
    assert _id_size([f"{same}9a", f"{same}9b"]) == len(same) + 2


@pytest.mark.parametrize("unseen", ["\u3164", "\u115f", "\u2800", "\u034f", "\ufe0f", "\U000e0101", "\u200b", "\u00a0"])
def test_what_shows_nothing_of_itself_is_written_out(unseen: str) -> None:
    assert exact(f"rm{unseen}x") == f"rm{ascii(unseen)[1:-1]}x"


def test_a_list_of_short_texts_is_a_list() -> None:
    assert shown(checked=["holds: a", "holds: b"]) == ["│ checked: ", "│   - holds: a", "│   - holds: b"]
    assert shown(checked=["two\nlines"])[1] == "│   ["
