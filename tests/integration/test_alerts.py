"""Alerts of a real supervisor: over the API, over a restart, and in open apps."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from textual.pilot import Pilot

from panels.app import QuarterdeckApp
from panels.screens.monitor import MonitorPanel
from supervisor.model.alerts import HORIZON_MS
from supervisor.model.errors import InvalidInput, NotFound, QuarterdeckError
from supervisor.model.events import NewEvent
from supervisor.model.times import now_ms
from tests.support.app import becomes, opened, shows, text_of
from tests.support.supervised import Home, Supervised

Json = dict[str, Any]


async def raised(supervised: Supervised, severity: str, text: str, **more: Any) -> None:
    await supervised.client.post(
        "/emit", {"type": "test_alert", "payload": {"severity": severity, "text": text, **more}}
    )


async def listed(supervised: Supervised, **query: Any) -> list[Json]:
    found: list[Json] = (await supervised.client.get("/alerts", **query))["alerts"]
    return found


def told(alerts: list[Json]) -> list[tuple[str, str]]:
    return [(each["text"], each["ended"] or each["status"]) for each in alerts]


async def test_alerts_are_listed_acknowledged_and_dismissed(supervised: Supervised) -> None:
    assert (await listed(supervised), await listed(supervised, all=True)) == ([], [])
    for text in ("one", "two", "one"):
        await raised(supervised, "high", text)
    two, one = await listed(supervised)
    assert {**one, "id": "", "raised_at": "", "last_at": ""} == {
        "id": "", "status": "active", "severity": "high", "kind": "test_alert", "text": "one", "session": None,
        "session_name": None, "approval": None, "event": two["event"] - 1, "count": 2, "raised_at": "", "last_at": "",
        "expires_at": None, "acknowledged_by": None, "ended": None, "ended_by": None, "ended_at": None,
    }  # fmt: skip
    assert re.fullmatch(r"al_\w{8}", one["id"])
    seen = (await supervised.client.post(f"/alerts/{two['id']}/ack"))["alert"]
    assert (seen["status"], seen["acknowledged_by"]) == ("acknowledged", "person")
    assert told(await listed(supervised)) == [("one", "active"), ("two", "acknowledged")]
    gone = (await supervised.client.post(f"/alerts/{one['id'][3:8]}/dismiss"))["alert"]
    assert (gone["status"], gone["ended"], gone["ended_by"]) == ("resolved", "dismissed", "person")
    await raised(supervised, "high", "one")
    assert told(await listed(supervised)) == [("two", "acknowledged")]
    assert told(await listed(supervised, all=True)) == [("two", "acknowledged"), ("one", "dismissed")]
    assert (await listed(supervised, all=True))[1]["count"] == 3, "it is counted although it is not shown"
    again = [await supervised.client.post(f"/alerts/{one['id']}/{what}") for what in ("ack", "dismiss")]
    assert [each["alert"]["ended"] for each in again] == ["dismissed", "dismissed"]
    events = await supervised.payloads(None, "alert_acknowledged", "alert_dismissed")
    assert [(each["alert"], each["text"], each["by"]) for each in events] == [
        (two["id"], "two", "person"), (one["id"], "one", "person"),
    ]  # fmt: skip
    actions = [entry["action"] for entry in (await supervised.client.get("/audit"))["entries"]]
    assert actions == ["alert.acknowledge", "alert.dismiss"]


async def test_several_are_done_together_or_not_at_all(supervised: Supervised) -> None:
    for text in ("one", "two", "three"):
        await raised(supervised, "high", text)
    three, two, one = await listed(supervised)
    with pytest.raises(NotFound, match="There is no alert 'al_ooooo'"):
        await supervised.client.post("/alerts/dismiss", {"alerts": [one["id"], "al_ooooo"]})
    assert len(await listed(supervised)) == 3
    for nothing in ("al_", "zzzzzzzzz"):
        with pytest.raises((NotFound, InvalidInput)):
            await supervised.client.post(f"/alerts/{nothing}/ack")
    done = await supervised.client.post("/alerts/dismiss", {"alerts": [one["id"], two["id"], one["id"]]})
    assert told(done["alerts"]) == [("one", "dismissed"), ("two", "dismissed")]
    assert told((await supervised.client.post("/alerts/ack"))["alerts"]) == [("three", "acknowledged")]
    assert (await supervised.client.post("/alerts/dismiss"))["alerts"][0]["id"] == three["id"]
    assert (await supervised.client.post("/alerts/dismiss"))["alerts"] == []


async def test_a_tool_cannot_say_what_a_person_did(supervised: Supervised) -> None:
    await raised(supervised, "high", "one")
    for kind in ("alert_dismissed", "alert_acknowledged"):
        with pytest.raises(InvalidInput, match="Quarterdeck's own"):
            await supervised.client.post("/emit", {"type": kind, "payload": {"kind": "test_alert", "text": "one"}})
    line = '{"type": "alert_dismissed", "kind": "test_alert", "text": "one"}'
    session = await supervised.run("sh", "-c", f"echo '{line}'; exit 3")
    await supervised.ended(session)
    assert await supervised.events(None, "alert_dismissed") == []
    assert ("one", "active") in told(await listed(supervised))
    failed = next(each for each in await listed(supervised) if each["kind"] == "failed")
    assert (failed["session"], failed["session_name"]) == (session.id, session.name)
    gone = (await supervised.client.post(f"/alerts/{failed['id']}/dismiss"))["alert"]
    assert gone["session_name"] == session.name
    assert [event.session for event in await supervised.events(session, "alert_dismissed")] == [session.id]


async def test_a_restart_keeps_alerts_and_what_was_done_about_them(home: Home) -> None:
    async with home.supervised() as before:
        for text in ("gone", "seen", "open", "open"):
            await raised(before, "high", text)
        await raised(before, "medium", "plan", phase="plan")
        called = {each["text"]: each["id"] for each in await listed(before)}
        await before.client.post(f"/alerts/{called['seen']}/ack")
        await before.client.post(f"/alerts/{called['gone']}/dismiss")
        # What happened before alerts go back so far, and what was over before anybody looked.
        past = [
            NewEvent("test_alert", "telemetry", now_ms() - ago, payload={"severity": severity, "text": text})
            for ago, severity, text in ((HORIZON_MS + 1000, "high", "old"), (60_000, "low", "over"))
        ]
        await before.engine.services.ledger.commit(lambda t: t.record(past))
        known = await before.client.get("/alerts", all=True)
        assert told(known["alerts"])[:3] == [("open", "active"), ("seen", "acknowledged"), ("plan", "active")]
        assert ("over", "expired") in told(known["alerts"])
    async with home.supervised() as after:
        now = await after.client.get("/alerts", all=True)
        assert [each for each in now["alerts"] if each["text"] != "old"] == [
            each for each in known["alerts"] if each["text"] != "old"
        ]
        await raised(after, "high", "gone")
        await raised(after, "high", "open")
        assert [(each["text"], each["count"]) for each in await listed(after)] == [
            ("open", 3),
            ("seen", 1),
            ("plan", 1),
        ]


async def test_an_alert_ends_with_the_answer(supervised: Supervised) -> None:
    ask = '{"type": "approval_needed", "question": "Deploy?", "options": [{"value": "y", "label": "Yes"}]}'
    session = await supervised.run("sh", "-c", f"echo '{ask}'; exit 90")
    await supervised.when(session, lambda now: now.status == "waiting")
    [asked] = await listed(supervised)
    assert (asked["text"], asked["session_name"]) == ("asks: Deploy?", session.name)
    await supervised.client.post(f"/approvals/{asked['approval']}/reject", {"reason": "no"})
    assert asked["id"] not in [each["id"] for each in await listed(supervised)]
    over = await listed(supervised, all=True)
    assert next(each for each in over if each["id"] == asked["id"])["ended"] == "answered"


def texts(pilot: Pilot[None]) -> list[str]:
    return [alert.text for alert in cast("QuarterdeckApp", pilot.app).view.alerts.visible()]


@asynccontextmanager
async def monitor(supervised: Supervised) -> AsyncIterator[Pilot[None]]:
    async with opened(supervised.paths, (100, 30)) as pilot:
        await pilot.press("3")
        await becomes(pilot, lambda: pilot.app.screen.query(MonitorPanel), "the monitor is there")
        yield pilot


async def test_an_app_that_is_opened_again_shows_what_is_active(supervised: Supervised) -> None:
    async with monitor(supervised) as pilot:
        for text in ("gone", "seen", "open"):
            await raised(supervised, "high", text)
        await shows(pilot, "▲ high   open", "▲ high   seen", "▲ high   gone")
        panel = pilot.app.screen.query_one(MonitorPanel)
        panel.alerts.focus()
        await pilot.press("j", "K")
        await becomes(pilot, lambda: texts(pilot) == ["open", "gone", "seen"], "it was seen")
        await pilot.press("k", "X")
        await becomes(pilot, lambda: texts(pilot) == ["open", "seen"], "it was dismissed")
        await until_listed(pilot, supervised, [("open", "active"), ("seen", "acknowledged")])
    async with monitor(supervised) as pilot:
        await shows(pilot, "▲ high   open", "▲ high   seen")
        assert texts(pilot) == ["open", "seen"]
        assert cast("QuarterdeckApp", pilot.app).view.alerts.raised == [], "nobody is told of it again"
        await raised(supervised, "high", "gone")
        await raised(supervised, "high", "open")
        await shows(pilot, "▲ high   open", "×2")
        assert texts(pilot) == ["open", "seen"]


async def until_listed(pilot: Pilot[None], supervised: Supervised, wanted: list[tuple[str, str]]) -> None:
    while told(await listed(supervised)) != wanted:
        await pilot.pause()


async def test_two_apps_agree(supervised: Supervised) -> None:
    async with monitor(supervised) as one, opened(supervised.paths, (100, 30)) as two:
        for text in ("a", "b"):
            await raised(supervised, "high", text)
        await shows(one, "▲ high   b", "▲ high   a")
        await becomes(two, lambda: texts(two) == ["b", "a"])
        await one.press("X")
        await becomes(two, lambda: texts(two) == ["a"], "the other one heard of it")
        await one.press("K")
        await becomes(two, lambda: cast("QuarterdeckApp", two.app).view.alerts.top() is None, "it was seen there")
        [left] = await listed(supervised)
        await supervised.client.post(f"/alerts/{left['id']}/dismiss")
        await becomes(one, lambda: texts(one) == [] == texts(two), "the command line did that")
        await becomes(one, lambda: "▲ high   a" not in text_of(one.app))


async def test_what_the_supervisor_refuses_is_shown_as_it_was(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with monitor(supervised) as pilot:
        await raised(supervised, "high", "stays put")
        await shows(pilot, "▲ high   stays put")

        async def refuse(path: str, *_: object) -> Json:
            raise QuarterdeckError("The disk is full.", hint="Make room.")

        monkeypatch.setattr(cast("QuarterdeckApp", pilot.app).client, "post", refuse)
        for key in ("X", "K"):
            await pilot.press(key)
            await shows(pilot, "The disk is full. Make room.", "▲ high   stays put")
            [alert] = cast("QuarterdeckApp", pilot.app).view.alerts.visible()
            assert alert.is_urgent
