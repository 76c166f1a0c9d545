"""Schedules, as lines: when next, what came of the last times, what was missed."""

from __future__ import annotations

from collections.abc import Iterator
from time import tzset
from typing import Any

import pytest

from panels.view.rows import Row
from panels.view.schedules import detail_rows, due_in, list_rows, missed, ordered, outcome, when
from panels.widgets.lines import width_of
from supervisor.model.times import from_rfc3339

Json = dict[str, Any]
NOON = "2026-11-29T12:00:00.000Z"
NOW = from_rfc3339(NOON)
TOMORROW = "2026-11-30T01:30:00.000Z"


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    tzset()
    yield
    monkeypatch.undo()
    tzset()


def run(state: str = "started", due: str = "2026-11-29T01:30:00.000Z", **more: Any) -> Json:
    return {
        "due": due, "plan": "nightly-20261129-0130", "state": state, "reason": "It was so.", "at": due,
        "approval": None, **more,
    }  # fmt: skip


def schedule(plan: str = "nightly", *runs: Json, **more: Any) -> Json:
    return {
        "id": f"sch_{plan}", "plan": plan, "project": "prj_1", "project_name": "shop", "cron": "30 1 * * *",
        "timezone": "UTC", "missed": "once", "approval": "each", "created_by": "person:mia", "created_at": NOON,
        "paused_at": None, "next": [TOMORROW], "runs": list(runs), **more,
    }  # fmt: skip


WAITS = schedule("waits", run("waiting", approval="apr_1"), next=["2026-12-24T01:30:00.000Z"])
PAUSED = schedule("paused", paused_at=NOON, next=[])


def lines(rows: list[Row], width: int = 78) -> list[str]:
    assert all(width_of(row.line) <= width for row in rows)
    return ["".join(text for text, _ in row.line).rstrip() for row in rows]


def test_one_that_waits_for_a_person_is_first_and_a_paused_one_last() -> None:
    found = ordered([PAUSED, schedule(), WAITS])
    assert [each["plan"] for each in found] == ["waits", "nightly", "paused"]
    said = lines(list_rows(found, {}, {}, 78, NOW))
    assert said[0].startswith("◐ waits")
    assert said[0].endswith("◐ a run waits for you: a")
    assert "in 13h, Mon 30 Nov 01:30" in said[1]
    assert said[1].endswith("never ran yet")
    assert "‖ paused" in said[2]


def test_of_a_run_that_was_started_it_says_how_its_plan_stands() -> None:
    plan = {"status": "failed", "task_counts": {"completed": 1, "failed": 2}}
    assert outcome(run(), {}) == ("●", "running", "was started")
    assert outcome(run(), {"nightly-20261129-0130": plan}) == ("✕", "failed", "failed 1/3")
    assert outcome(run("declined"), {"nightly-20261129-0130": plan})[2] == "was not allowed"
    assert outcome(run("elsewhere"), {})[2] == "elsewhere"


def test_what_was_missed_since_the_last_run_stands_in_the_list() -> None:
    def event(last: str) -> Json:
        payload = {"schedule": "sch_nightly", "times": 3, "first": "2026-11-20T01:30:00Z", "last": last}
        return {"payload": payload}

    lost = missed([event("2026-11-22T01:30:00Z"), event("2026-11-29T01:31:00Z")])
    assert [each.times for each in lost["sch_nightly"]] == [3, 3]
    assert lost["sch_nightly"][0].last > lost["sch_nightly"][1].last
    assert lines(list_rows([schedule("nightly", run())], lost, {}, 78, NOW))[0].endswith("! 3 missed")
    older = missed([event("2026-11-22T01:30:00Z")])
    assert lines(list_rows([schedule("nightly", run())], older, {}, 78, NOW))[0].endswith("was started")
    said = "\n".join(lines(detail_rows(schedule(), lost["sch_nightly"], {}, 78, NOW)))
    assert "! 3 times: Fri 20 Nov 01:30 to 01:31. No supervisor ran then" in said


def test_the_details_say_everything_and_lead_to_the_plans_of_runs() -> None:
    found = schedule("nightly", run("waiting", approval="apr_1"), run("failed"), next=[TOMORROW] * 5)
    rows = detail_rows(found, [], {}, 78, NOW)
    said = "\n".join(lines(rows))
    assert "30 1 * * * (UTC) · each run waits for your approval · shop" in said
    assert "made by mia 0s ago" in said
    assert said.count("Mon 30 Nov 01:30 (in 13h)") == 5
    assert "◐ nightly-20261129-0130" in said
    assert "    It was so." in said
    assert "One run for all that is missed." in said
    assert [row.key for row in rows if row.key is not None] == [
        ("run", "nightly-20261129-0130", "apr_1"), ("run", "nightly-20261129-0130", None),
    ]  # fmt: skip
    assert "It is paused for 0s" in "\n".join(lines(detail_rows(PAUSED, [], {}, 78, NOW)))
    assert "None yet. b makes one now." in "\n".join(lines(detail_rows(PAUSED, [], {}, 78, NOW)))


def test_times_say_their_day_when_it_is_another_one() -> None:
    assert when(from_rfc3339("2026-11-29T18:05:00Z"), NOW) == "18:05"
    assert when(from_rfc3339("2026-12-01T18:05:00Z"), NOW) == "Tue 01 Dec 18:05"
    assert when(from_rfc3339("2027-12-01T18:05:00Z"), NOW) == "01 Dec 2027 18:05"
    assert due_in(schedule(next=[]), NOW) == ("never again", "waiting")


@pytest.mark.parametrize("width", [40, 78, 120])
def test_lines_fit(width: int) -> None:
    long = schedule("x" * 86, run(plan="y" * 100), project_name="z" * 90)
    lines(list_rows([long, WAITS], {}, {}, width, NOW), width)
    lines(detail_rows(long, [], {}, width, NOW), width)
