"""Alerts on the command line: what a person sees and types."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.commandline import CommandLine, supervisor_thread
from tests.support.git import repository


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("qd")
    with supervisor_thread(home):
        yield home


@pytest.fixture
def quarterdeck(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[CommandLine]:
    monkeypatch.chdir(repository(tmp_path / "shop"))
    line = CommandLine(home, monkeypatch, capsys)
    yield line
    monkeypatch.delenv("QUARTERDECK_TOKEN", raising=False)
    assert line("alerts", "dismiss", "all").code == 0


def listed(quarterdeck: CommandLine) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = quarterdeck("alerts", "--json").json["alerts"]
    return found


def alert(quarterdeck: CommandLine, text: str) -> str:
    """Raise one of severity high and return its id."""
    payload = f'{{"severity": "high", "text": "{text}"}}'
    assert quarterdeck("emit", "test_alert", payload).code == 0
    return str(next(each["id"] for each in listed(quarterdeck) if each["text"] == text))


def test_when_there_is_none_it_says_what_would_be_here(quarterdeck: CommandLine) -> None:
    out = quarterdeck("alerts").out
    assert "No alerts." in out
    assert "quarterdeck emit --test-alert high" in out
    assert quarterdeck("alerts", "--all").out == "There was no alert in the last seven days.\n"
    assert quarterdeck("alerts", "--json").json == {"seq": 0, "alerts": []}
    assert quarterdeck("alerts", "dismiss", "all").out == "There are no alerts.\n"


def test_a_test_alert_is_listed_acknowledged_and_dismissed(quarterdeck: CommandLine) -> None:
    assert quarterdeck("emit", "--test-alert", "high").code == 0
    assert quarterdeck("emit", "--test-alert", "high").code == 0
    [raised] = listed(quarterdeck)
    headings, row, _, hint = quarterdeck("alerts").out.splitlines()
    assert headings.split() == ["id", "severity", "status", "age", "count", "session", "what"]
    assert row.split("  ")[0] == raised["id"]
    assert {"▲ high", "● active", "×2", "test alert, high"} <= {cell.strip() for cell in row.split("  ")}
    assert hint == f"quarterdeck alerts ack {raised['id']} | alerts dismiss {raised['id']} | alerts dismiss all"
    seen = quarterdeck("alerts", "ack", raised["id"][:7])
    assert (seen.code, seen.out) == (0, "✓ acknowledged  test alert, high\n")
    assert "✓ acknowledged" in quarterdeck("alerts").out
    gone = quarterdeck("alerts", "dismiss", raised["id"], "--json")
    assert (gone.code, gone.json["alert"]["ended"]) == (0, "dismissed")
    assert listed(quarterdeck) == []
    assert "✕ dismissed" in quarterdeck("alerts", "--all").out


def test_several_are_named_at_once_and_an_unknown_one_stops_all(quarterdeck: CommandLine) -> None:
    one, two, three = (alert(quarterdeck, text) for text in ("first", "second", "third"))
    for names in (["al_nope"], [one, "al_nope"]):
        for what in ("ack", "dismiss"):
            refused = quarterdeck("alerts", what, *names)
            assert refused.code == 3
            assert refused.err == "quarterdeck: There is no alert 'al_nope'. `quarterdeck alerts --all` lists them.\n"
    assert {each["status"] for each in listed(quarterdeck)} == {"active"}
    assert quarterdeck("alerts", "ack", one, two).out == "✓ acknowledged  first\n✓ acknowledged  second\n"
    assert quarterdeck("alerts", "dismiss", one, "all").code == 2
    assert quarterdeck("alerts", "dismiss", "al_").code == 3
    assert quarterdeck("alerts", "dismiss", "a/b").code == 3
    assert quarterdeck("alerts", "dismiss").code == 2
    gone = quarterdeck("alerts", "dismiss", "all", "--json").json["alerts"]
    assert [each["id"] for each in gone] == [three, two, one]


def test_foreign_text_does_not_act_on_the_terminal(quarterdeck: CommandLine) -> None:
    alert(quarterdeck, "a")
    assert quarterdeck("emit", "test_alert", r'{"severity": "high", "text": "b\u001b]0;evil\u0007\u202ec"}').code == 0
    out = quarterdeck("alerts").out
    assert "bc" in out
    assert "\x1b]" not in out


def test_a_session_does_not_dismiss_what_a_person_should_see(
    quarterdeck: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised = alert(quarterdeck, "mine")
    monkeypatch.setenv("QUARTERDECK_TOKEN", "of a session")
    for what in ("ack", "dismiss"):
        refused = quarterdeck("alerts", what, raised)
        assert refused.code == 4
        assert "A session cannot acknowledge or dismiss alerts." in refused.err
    assert [each["status"] for each in listed(quarterdeck)] == ["active"]
