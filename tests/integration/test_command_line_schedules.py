"""`quarterdeck plan schedule` and `quarterdeck schedule`, over the command line and the API."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.commandline import CommandLine, supervisor_thread
from tests.support.git import repository
from tests.wait import wait_until

PLAN = """\
id: nightly
schedule: {cron: "30 2 * * 1-5", timezone: Europe/Berlin}
tasks: [{id: a, command: "true"}]
"""


@pytest.fixture
def quarterdeck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[CommandLine]:
    where = repository(tmp_path / "shop")
    monkeypatch.chdir(where)
    (where / "nightly.yaml").write_text(PLAN)
    with supervisor_thread(tmp_path / "home"):
        quarterdeck = CommandLine(tmp_path / "home", monkeypatch, capsys)
        quarterdeck("plan", "create", "nightly.yaml")
        yield quarterdeck


def test_a_schedule_is_made_shown_paused_resumed_and_removed(quarterdeck: CommandLine) -> None:
    made = quarterdeck(
        "plan", "schedule", "night", "--cron", "0 0 1 1 *", "--tz", "America/New_York", "--missed", "once", "--auto",
        "--json",
    ).json["schedule"]  # fmt: skip
    assert {key: made[key] for key in ("plan", "project_name", "cron", "timezone", "missed", "approval", "runs")} == {
        "plan": "nightly", "project_name": "shop", "cron": "0 0 1 1 *", "timezone": "America/New_York",
        "missed": "once", "approval": "auto", "runs": [],
    }  # fmt: skip
    year = datetime.now(UTC).year + 1
    assert made["next"] == [f"{each}-01-01T05:00:00.000Z" for each in range(year, year + 5)]
    (listed,) = quarterdeck("schedule", "list", "--json").json["schedules"]
    assert listed == made
    ten = quarterdeck("schedule", "next", "nightly", "-n", "10", "--json").json["schedule"]
    assert len(ten["next"]) == 10
    assert quarterdeck("schedule", "pause", "nightly", "--json").json["schedule"]["next"] == []
    assert "‖ paused" in quarterdeck("schedule", "list").out
    assert "It is paused. quarterdeck schedule resume" in quarterdeck("schedule", "next", "nightly").out
    assert quarterdeck("schedule", "pause", "nightly").code == 4
    assert "goes on, due next" in quarterdeck("schedule", "resume", "nightly").out
    assert "not run by itself any more" in quarterdeck("schedule", "remove", made["id"][:20]).out
    assert quarterdeck("schedule", "list", "--json").json == {"schedules": []}
    assert quarterdeck("schedule", "next", "nightly").code == 3
    audit = quarterdeck("audit", "list").out
    assert all(f"schedule.{what}" in audit for what in ("create", "pause", "resume", "remove"))
    events = quarterdeck("events", "--plan", "nightly", "--json").json["events"]
    assert [event["type"] for event in events][1:] == [
        "schedule_created", "schedule_paused", "schedule_resumed", "schedule_removed",
    ]  # fmt: skip


def test_what_the_document_says_is_taken(quarterdeck: CommandLine) -> None:
    assert "plan schedule ID --cron" in quarterdeck("schedule", "list").out
    said = quarterdeck("plan", "schedule", "nightly").out
    assert "each run starts when you approve it" in said
    (listed,) = quarterdeck("schedule", "list", "--project", "shop", "--json").json["schedules"]
    assert (listed["cron"], listed["timezone"], listed["approval"]) == ("30 2 * * 1-5", "Europe/Berlin", "each")
    assert listed["missed"] == "skip"
    printed = quarterdeck("schedule", "list").out
    assert "30 2 * * 1-5  Europe/Berlin  in " in printed
    assert "starts    when you approve it" in quarterdeck("schedule", "next", "nightly").out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--cron", "0 25 * * *"), 2, "this is no hour"),
        (("--cron", "0 0 30 2 *"), 2, "this is no day-of-month"),
        (("--cron", "0 0 * * *", "--tz", "Mars/Olympus"), 2, "There is no time zone 'Mars/Olympus'"),
        (("--cron", "0 0 * * *", "--missed", "some"), 2, "--missed"),
    ],
)
def test_what_is_wrong_is_said(quarterdeck: CommandLine, arguments: tuple[str, ...], code: int, says: str) -> None:
    refused = quarterdeck("plan", "schedule", "nightly", *arguments)
    assert refused.code == code
    assert says in refused.err
    assert quarterdeck("plan", "schedule", "weekly", "--cron", "0 0 * * *").code == 3
    assert quarterdeck("schedule", "list", "--json").json == {"schedules": []}


def test_a_session_schedules_nothing(quarterdeck: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUARTERDECK_TOKEN", "x")
    for arguments in (("plan", "schedule", "nightly"), ("schedule", "remove", "x"), ("schedule", "pause", "x")):
        refused = quarterdeck(*arguments)
        assert (refused.code, "A session cannot" in refused.err) == (4, True)


def test_a_run_is_made_now(quarterdeck: CommandLine) -> None:
    quarterdeck("plan", "schedule", "nightly", "--cron", "0 0 1 1 *")
    out = quarterdeck("schedule", "run", "nightly").out
    assert out.startswith("nightly-")
    assert "it starts when you approve it" in out
    wait_until(lambda: "◐ waiting nightly-" in quarterdeck("schedule", "list").out)
    assert quarterdeck("schedule", "run", "elsewhere").code == 3
