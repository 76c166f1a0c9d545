"""`cost`, `budget` and `digest`, as a person types them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.cli.cost import clock, dollars
from tests.support.commandline import CommandLine, supervisor_thread
from tests.support.git import repository
from tests.support.usage import HANG, spend
from tests.wait import wait_until

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def quarterdeck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[CommandLine]:
    monkeypatch.chdir(repository(tmp_path / "shop"))
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.yaml").write_text('{"budgets": {"day": {"cost_usd": 2.0}}, "storage": {"free_disk_floor_mb": 0}}')
    with supervisor_thread(home):
        yield CommandLine(home, monkeypatch, capsys)


def script(quarterdeck: CommandLine, name: str, cost: float, *more: str) -> int:
    prompt = json.dumps([spend(cost, tokens=1000), {"say": "Done."}])
    return quarterdeck("run", "--agent", "scripted", "--prompt", prompt, "--name", name, "--wait", *more).code


def test_empty_states_say_what_fills_them(quarterdeck: CommandLine) -> None:
    assert "Nothing was used" in quarterdeck("cost").out
    assert "Nothing happened, and nothing waits for you." in quarterdeck("digest").out
    quarterdeck.paths.config_file.write_text('{"storage": {"free_disk_floor_mb": 0}}')
    assert "There are no budgets" in quarterdeck("budget").out
    assert quarterdeck("budget", "--json").json == {"budgets": []}


def test_cost_is_a_table_or_a_document(quarterdeck: CommandLine) -> None:
    assert script(quarterdeck, "cheap", 0.02) == 0
    assert script(quarterdeck, "dear", 0.5) == 0
    headings, dear, cheap, together = quarterdeck("cost").out.splitlines()
    assert headings.split() == ["session", "cost", "tokens", "in", "out", "cached", "calls", "time", "attempts"]
    assert dear.split()[:2] == ["dear", "$0.50"]
    assert cheap.split()[:2] == ["cheap", "$0.0200"]
    assert together.split()[:2] == ["together", "$0.52"]
    document = quarterdeck("cost", "--by", "agent", "--json").json
    assert set(document) == {"rows", "total"}
    assert [row["key"] for row in document["rows"]] == ["scripted"]
    assert document["total"].keys() == {
        "cost_usd", "tokens", "api_calls", "seconds", "attempts", "unknown",
    }  # fmt: skip
    assert "(none)" in quarterdeck("cost", "--by", "plan").out
    assert quarterdeck("cost", "--by", "moon").code == 2


def test_a_budget_is_shown_tripped_and_resumed(quarterdeck: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert script(quarterdeck, "first", 0.5) == 0
    row = quarterdeck("budget").out.splitlines()[1]
    assert row.split()[:6] == ["●", "ok", "the", "day", "$0.50", "$2.00"]
    assert quarterdeck("budget", "resume", "day").code != 0
    assert script(quarterdeck, "second", 1.0, "--budget-usd", "1") == 1
    steps = json.dumps([spend(0.6), HANG])
    assert quarterdeck("run", "--agent", "scripted", "--prompt", steps, "--name", "third").code == 0
    wait_until(lambda: quarterdeck.session("third")["status"] == "paused")
    assert "The budget of $2.00 of the day is used up" in quarterdeck("sessions", "show", "third").out
    shown = quarterdeck("budget").out
    assert "▲ tripped" in shown
    assert shown.endswith("quarterdeck budget resume day\n")
    (found,) = quarterdeck("budget", "--json").json["budgets"]
    assert (found["used"], found["limit"], found["level"]) == (2.1, 2.0, "tripped")
    assert found["since"] is not None
    assert "◐ Waits for you" in quarterdeck("digest").out
    assert quarterdeck("budget", "resume", "day").out == "day goes on; its limit is $4.10 now.\n"
    assert quarterdeck("budget", "--json").json["budgets"][0]["granted"] == 2.1
    wait_until(lambda: quarterdeck.session("third")["status"] == "running")
    assert quarterdeck("cancel", "third").code == 0
    assert "budget.resume" in quarterdeck("audit", "list").out
    monkeypatch.setenv("QUARTERDECK_TOKEN", "of a session")
    refused = quarterdeck("budget", "resume", "day")
    assert "A session cannot resume budgets." in refused.err


def test_a_digest_is_read_once_and_with_since_any_time(quarterdeck: CommandLine) -> None:
    assert script(quarterdeck, "good", 0.5) == 0
    assert quarterdeck("run", "--wait", "--name", "bad", "--", "false").code == 1
    peeked = quarterdeck("digest", "--since", "60").out
    first = quarterdeck("digest").out
    for out in (peeked, first):
        assert out.index("✕ Failed or blocked") < out.index("✓ Finished") < out.index("Cost")
        assert "quarterdeck sessions logs bad" in out
        assert "quarterdeck diff good" in out
        assert "scripted $0.50" in out
    assert "Nothing happened" in quarterdeck("digest").out
    document = quarterdeck("digest", "--since", "60", "--json").json
    assert [item["id"] for item in document["failed"]] != []


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "$0.00"), (0.0234, "$0.0234"), (0.1, "$0.10"), (12.345, "$12.35"), (1e-5, "<$0.0001")]
)
def test_money(amount: float, text: str) -> None:
    assert dollars(amount) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (59.4, "59s"), (67, "1m07s"), (7500, "2h05m")])
def test_time(seconds: float, text: str) -> None:
    assert clock(seconds) == text
