"""`quarterdeck events clear`: it empties the views of live events, and nothing that is stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commandline import CommandLine, supervisor_thread
from tests.support.git import repository


@pytest.fixture
def quarterdeck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[CommandLine]:
    monkeypatch.chdir(repository(tmp_path / "shop"))
    with supervisor_thread(tmp_path / "home"):
        yield CommandLine(tmp_path / "home", monkeypatch, capsys)


def test_the_view_is_cleared_and_the_history_stays(quarterdeck: CommandLine) -> None:
    assert quarterdeck("emit", "test_alert", '{"severity": "high", "text": "one"}').code == 0
    assert quarterdeck("events", "clear", "--all").out == "Cleared from the view; the history stays.\n"
    assert quarterdeck("events", "clear", "--phase", "tool", "--older-than", "60", "--json").json["seq"] > 0
    stored = quarterdeck("events", "--json").json["events"]
    assert [each["type"] for each in stored] == ["test_alert", "view_cleared", "view_cleared"]
    assert [each["payload"]["phase"] for each in stored[1:]] == [None, "tool"]
    audited = [
        each for each in quarterdeck("audit", "list", "--json").json["entries"] if each["action"] == "view.clear"
    ]
    assert [each["after"]["phase"] for each in audited] == [None, "tool"]
    assert not any(each["actor"].startswith("session:") for each in audited)


@pytest.mark.parametrize("wanted", [[], ["--all", "--phase", "tool"], ["--phase", "none-such"], ["--older-than", "-1"]])
def test_what_is_to_be_cleared_is_said_plainly(quarterdeck: CommandLine, wanted: list[str]) -> None:
    assert quarterdeck("events", "clear", *wanted).code == 2
    assert quarterdeck("events", "--json").json["events"] == []
