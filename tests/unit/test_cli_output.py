from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from supervisor.cli import output
from supervisor.cli.output import age, doing, facts, table
from supervisor.model.plain import clean


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPdevice\x1b\\x", "x"),
        ("a\x07\x00\x9b\rb", "ab"),
        ("\u202egnp.exe", "gnp.exe"),
        ("[/bold]", "[/bold]"),
    ],
)
def test_nothing_is_left_that_a_terminal_would_act_on(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0s"), (59, "59s"), (60, "1m"), (7_200, "2h"), (180_000, "2d")])
def test_ages_are_short(seconds: int, shown: str) -> None:
    assert age((datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()) == shown


def test_no_time_has_no_age() -> None:
    assert age(None) == "-"


@pytest.mark.parametrize(
    ("status", "tool", "argument", "shown"),
    [
        ("running", "Bash", "ls\x1b[1m -l", "Bash ls -l"),
        ("running", None, "3 of\x1b[1m 10", "3 of 10"),
        ("running", None, None, "thinking"),
        ("failed", None, None, "It broke badly."),
    ],
)
def test_what_a_session_does_is_said_in_one_line(
    status: str, tool: str | None, argument: str | None, shown: str
) -> None:
    activity = {"state": "thinking", "tool": tool, "argument": argument}
    session = {"status": status, "activity": activity, "status_reason": {"text": "It broke\nbadly."}}
    assert doing(session) == shown


def test_a_table_fits_its_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(output, "_width", lambda: 20)
    table(["name", "now"], [["a", "x" * 40], ["longer", "y"]])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) == 20
    assert lines[1].endswith("…")
    table(["name", "now"], [])
    assert capsys.readouterr().out == "name  now\n"


def test_what_is_not_known_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    facts({"known": 1, "empty": "", "none": None})
    assert capsys.readouterr().out == "known  1\n"
