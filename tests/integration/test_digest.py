"""What a digest says, on a real supervisor: each thing once, with its command, since somebody looked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from supervisor.engine.lookback import deadline_of
from supervisor.model.errors import InvalidInput
from supervisor.model.plans import PlanStatus, TaskStatus
from supervisor.model.statuses import SessionStatus
from supervisor.model.times import from_rfc3339
from tests.support.planruns import created, sh, started
from tests.support.supervised import PERSON, Home, Supervised
from tests.support.usage import HANG, spend

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


async def said(supervised: Supervised, **query: Any) -> dict[str, Any]:
    found: dict[str, Any] = await supervised.client.get("/digest", **query)
    return found


def commands(found: dict[str, Any], section: str) -> list[str]:
    return [item["command"] for item in found[section]]


async def test_sessions_stand_where_they_matter_most(supervised: Supervised) -> None:
    good = await supervised.ended(await supervised.script({"say": "Done."}, name="good"))
    await supervised.ended(await supervised.run("false", name="bad"))
    asks = await supervised.script({"ask": {"run": "curl https://example.com"}}, name="asks")
    await supervised.reaches(asks, SessionStatus.WAITING)
    busy = await supervised.reaches(await supervised.run("sleep", "60", name="busy"), SessionStatus.RUNNING)
    found = await said(supervised)
    (asked,) = found["waits"]
    assert asked["kind"] == "approval"
    assert asked["command"] == f"quarterdeck approvals show {asked['id']}"
    assert commands(found, "failed") == ["quarterdeck sessions logs bad"]
    assert commands(found, "finished") == ["quarterdeck diff good"]
    assert commands(found, "running") == ["quarterdeck sessions show busy"]
    assert found["risks"] == []
    assert found["cost"]["cost_usd"] == pytest.approx(good.stats.cost_usd)
    assert found["cost"]["attempts"] == 4
    await supervised.engine.control.stop_all(PERSON)
    await supervised.ended(busy)
    await supervised.ended(asks)


async def test_a_digest_begins_where_the_last_one_ended_for_each_who_looks(supervised: Supervised) -> None:
    await supervised.ended(await supervised.run("true", name="old"))
    first = await said(supervised)
    assert commands(first, "finished") == ["quarterdeck diff old"]
    assert from_rfc3339(first["until"]) - from_rfc3339(first["since"]) == 86_400_000
    assert (await said(supervised))["finished"] == first["finished"]
    await supervised.client.post("/digest/seen", {"until": first["until"]})
    await supervised.ended(await supervised.run("true", name="new"))
    second = await said(supervised)
    assert second["since"] == first["until"]
    assert commands(second, "finished") == ["quarterdeck diff new"]
    whole = await said(supervised, since_s=3600)
    assert commands(whole, "finished") == ["quarterdeck diff new", "quarterdeck diff old"]
    await supervised.client.post("/digest/seen", {"until": first["since"]})
    assert (await said(supervised))["since"] == first["until"]


async def test_nobody_has_seen_what_has_not_happened(supervised: Supervised) -> None:
    before = await said(supervised)
    later = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    noted = await supervised.client.post("/digest/seen", {"until": later})
    assert from_rfc3339(noted["until"]) <= from_rfc3339((await said(supervised))["until"])
    assert from_rfc3339(noted["until"]) >= from_rfc3339(before["until"])
    with pytest.raises(InvalidInput, match="until"):
        await supervised.client.post("/digest/seen", {"until": "yesterday"})


async def test_plans_and_their_tasks(supervised: Supervised) -> None:
    await created(supervised, sh("one", "true"), plan="plan-new")
    manual = await started(supervised, sh("one", "true"), sh("two", "true"), plan="plan-manual", advance="manual")
    await manual.task_is("one", TaskStatus.READY)
    broken = await started(supervised, sh("bad", "false"), sh("slow", "sleep 60"), plan="plan-broken")
    await broken.task_is("bad", TaskStatus.FAILED)
    done = await started(supervised, sh("one", "true"), plan="plan-done")
    await done.reaches(PlanStatus.COMPLETED)
    late = await started(supervised, sh("slow", "sleep 60"), plan="plan-late", deadline="2026-01-01")
    await late.task_is("slow", TaskStatus.RUNNING)
    found = await said(supervised)
    assert commands(found, "waits") == ["quarterdeck plan start plan-new", "quarterdeck plan advance plan-manual"]
    assert commands(found, "failed") == ["quarterdeck task show plan-broken/bad"]
    assert commands(found, "finished") == ["quarterdeck plan show plan-done"]
    assert [item["text"] for item in found["running"]] == [
        "plan-broken: 0 of 2 tasks completed.",
        "plan-late: 0 of 1 tasks completed.",
    ]
    (risk,) = found["risks"]
    assert risk["text"] == "The deadline of plan-late is over: 2026-01-01."
    for plan in (broken, late):
        await supervised.engine.plan_runs.cancel(plan.id, PERSON)


async def test_budgets_wait_or_are_at_risk(home: Home) -> None:
    home.configure(budgets={"day": {"cost_usd": 1.0, "tokens": 100}})
    async with home.supervised() as supervised:
        session = await supervised.script(spend(1.0, tokens=90), HANG)
        await supervised.reaches(session, SessionStatus.PAUSED)
        found = await said(supervised)
        assert commands(found, "waits") == ["quarterdeck budget resume day"]
        assert [item["text"] for item in found["risks"]] == [
            "The budget of 100 tokens of the day is nearly used up: 90 tokens."
        ]
        await supervised.engine.control.stop_all(PERSON)
        await supervised.ended(session)


def test_a_deadline_that_is_a_day_is_over_at_its_end(far_east: None) -> None:
    assert deadline_of("2026-12-24") == from_rfc3339("2026-12-24T10:00:00Z")
    assert deadline_of("2026-12-24T12:00:00Z") == from_rfc3339("2026-12-24T12:00:00Z")
    assert deadline_of("2026-12-24T12:00:00") == from_rfc3339("2026-12-23T22:00:00Z")
