"""The monitor and the alerts on a real supervisor: what they show, and what their keys do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from config.paths import Paths
from panels.app import QuarterdeckApp
from panels.screens.monitor import MonitorPanel
from panels.screens.whole import WholeEvent
from panels.widgets.strip import AlertStrip
from supervisor.api.client import Client
from supervisor.daemon import Daemon
from supervisor.model.alerts import Alerts
from tests.support.app import becomes, opened, shows, text_of
from tests.support.git import repository
from tests.wait import until

Json = dict[str, Any]


class Place:
    """A supervisor with a repository."""

    def __init__(self, paths: Paths, client: Client, root: Path) -> None:
        self.paths, self.client, self.root = paths, client, root

    async def start(self, name: str, script: str, **more: Any) -> Json:
        body = {"cwd": str(self.root), "argv": ["sh", "-c", script], "name": name, **more}
        started: Json = (await self.client.post("/sessions", body))["session"]
        return started

    async def emit(self, kind: str, **payload: Any) -> None:
        await self.client.post("/emit", {"type": kind, "payload": payload})

    async def ended(self, name: str) -> None:
        found: list[Json] = []
        while not (found and found[-1]["status"] in ("completed", "failed")):
            found.append((await self.client.get(f"/sessions/{name}"))["session"])
            await until(lambda: True)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    paths = Paths.below(tmp_path / "home")
    async with Daemon(paths), Client(paths.socket, paths.token_file) as client:
        yield Place(paths, client, repository(tmp_path / "shop"))
        await client.post("/stop", {"all": True})


def app_of(pilot: Pilot[None]) -> QuarterdeckApp:
    return cast("QuarterdeckApp", pilot.app)


def alerts_of(pilot: Pilot[None]) -> Alerts:
    return app_of(pilot).view.alerts


def panel_of(pilot: Pilot[None]) -> MonitorPanel:
    return app_of(pilot).query_one(MonitorPanel)


def lines(pilot: Pilot[None]) -> list[str]:
    """The types of the events that are listed."""
    return [event["type"] for event in panel_of(pilot).events.events]


async def monitor(pilot: Pilot[None]) -> None:
    await pilot.press("3")
    await becomes(pilot, lambda: app_of(pilot).query(MonitorPanel), "the monitor is there")
    await becomes(pilot, lambda: app_of(pilot).focused is panel_of(pilot).events, "the events have the keys")


async def test_it_teaches_while_it_is_empty_and_fills(place: Place) -> None:
    async with opened(place.paths, (80, 24)) as pilot:
        await monitor(pilot)
        await shows(pilot, "No events yet.", "quarterdeck emit --test-alert high")
        await place.emit("progress", done=3, of=10)
        await shows(pilot, "progress", "3 of 10", "telemetry 1")
        await becomes(pilot, lambda: "No events yet." not in text_of(pilot.app), "the events take its place")


async def test_events_of_a_session_are_named_and_opened(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(QuarterdeckApp, "open_session", lambda self, session, tab="log": asked.append(session))
    async with opened(place.paths, (100, 30)) as pilot:
        await monitor(pilot)
        session = await place.start("talk", "echo hello there")
        await shows(pilot, "talk", "output", "hello there")
        await place.ended("talk")
        await shows(pilot, "running → completed")
        await pilot.press("enter")
        assert asked == [session["id"]]


async def test_an_event_without_a_session_is_shown_whole_and_harmless(place: Place) -> None:
    async with opened(place.paths, (100, 30)) as pilot:
        await monitor(pilot)
        await place.emit("progress", text="[red]x[/red] \u202e\x1b]0;evil\x07", long="y" * 300)
        await shows(pilot, "[red]x[/red]")
        for key in ("enter", "i"):
            await pilot.press(key)
            await becomes(pilot, lambda: isinstance(pilot.app.screen, WholeEvent), "the event is shown")
            await shows(pilot, '"type": "progress"', "\\u202e", "\\u001b]0;evil\\u0007")
            await becomes(pilot, lambda: text_of(pilot.app).count("y") >= 300, "what is long is folded")
            await pilot.press("escape")
            await becomes(pilot, lambda: not isinstance(pilot.app.screen, WholeEvent), "it is closed")
        assert "\x1b" not in text_of(pilot.app)


async def test_phases_are_chosen_by_key_and_by_mouse(place: Place) -> None:
    async with opened(place.paths, (80, 24)) as pilot:
        await monitor(pilot)
        await place.emit("progress", text="mine")
        await place.start("talk", "echo hello")
        await place.ended("talk")
        await becomes(pilot, lambda: {"progress", "output", "status_changed"} <= set(lines(pilot)))
        whole = len(lines(pilot))
        seen = []
        for _ in range(7):
            await pilot.press("f")
            seen.append(panel_of(pilot).activity.phase)
        assert seen == ["tool", "batch", "autonomy", "telemetry", "policy", "plan", None]
        await pilot.press("f")
        assert lines(pilot) == ["output"]
        await shows(pilot, "▸tool 1")
        await pilot.press(*"fffff")
        await shows(pilot, "No event in view passes.")
        await pilot.click("#activity", offset=(2, 0))
        assert panel_of(pilot).activity.phase is None
        assert len(lines(pilot)) >= whole


async def test_the_filter_takes_words_and_fields(place: Place) -> None:
    async with opened(place.paths, (80, 24)) as pilot:
        await monitor(pilot)
        await place.emit("progress", text="apples")
        await place.emit("progress", text="pears")
        await place.start("breaks", "exit 3")
        await place.ended("breaks")
        await becomes(pilot, lambda: "attempt_ended" in lines(pilot) and lines(pilot).count("status_changed") == 3)
        await pilot.press("slash", *"pears")
        assert lines(pilot) == ["progress"]
        await shows(pilot, "1 of 1")
        await pilot.press(*"zzz")
        await shows(pilot, "pearszzz", "no match")
        await pilot.press("backspace", "backspace", "backspace")
        assert lines(pilot) == ["progress"]
        await pilot.press("enter")
        assert app_of(pilot).focused is panel_of(pilot).events
        await shows(pilot, "filter: pears")
        await pilot.press("escape")
        assert len(lines(pilot)) > 4
        assert not panel_of(pilot).query_one(Input).display
        await pilot.press("slash", *"agent:command severity:error")
        await becomes(pilot, lambda: lines(pilot) == ["status_changed"], "only the failure passes")


async def test_clearing_the_view_leaves_the_history(place: Place) -> None:
    async with opened(place.paths, (80, 24)) as pilot:
        await monitor(pilot)
        await place.emit("progress", text="mine")
        await place.start("talk", "echo hello")
        await place.ended("talk")
        await becomes(pilot, lambda: "output" in lines(pilot) and "progress" in lines(pilot))
        await pilot.press("f", "L")
        await shows(pilot, "The phase tool", "All phases", "older than one hour")
        await pilot.press("enter")
        await becomes(pilot, lambda: lines(pilot) == [], "the phase is cleared")
        await pilot.press("L", "escape")
        await pilot.press(*"ffffff")
        assert "progress" in lines(pilot)
        await pilot.press("L", "down", "enter")
        await pilot.pause()
        assert "progress" in lines(pilot), "nothing is older than an hour"
        await pilot.press("L", "enter")
        await becomes(pilot, lambda: lines(pilot) == [], "all is cleared")
        stored = (await place.client.get("/events"))["events"]
        assert {"progress", "output"} <= {event["type"] for event in stored}


async def test_alerts_are_shown_dismissed_and_acknowledged(place: Place) -> None:
    async with opened(place.paths, (80, 24)) as pilot:
        await monitor(pilot)
        for text in ("one", "two", "three"):
            await place.emit("test_alert", severity="high", text=text)
        await shows(pilot, "▲ high   three", "▲ high   two", "▲ high   one")
        await pilot.press("X")
        assert [alert.text for alert in alerts_of(pilot).visible()] == ["two", "one"]
        await pilot.press("K")
        assert [alert.text for alert in alerts_of(pilot).visible()] == ["one", "two"]
        await shows(pilot, "seen")
        panel_of(pilot).alerts.focus()
        await pilot.press("j", "X")
        assert [alert.text for alert in alerts_of(pilot).visible()] == ["one"]
        await pilot.press("K")
        assert alerts_of(pilot).top() is None
        await pilot.press("X")
        await becomes(pilot, lambda: not panel_of(pilot).alerts.display, "no alert is shown")
        await becomes(pilot, lambda: app_of(pilot).focused is panel_of(pilot).events, "the keys are not lost")
        await place.emit("test_alert", severity="high", text="one")
        await becomes(pilot, lambda: alerts_of(pilot).suppressed == 1, "the same is suppressed")
        assert alerts_of(pilot).visible() == []


async def test_alerts_go_by_themselves(place: Place) -> None:
    async with opened(place.paths, (80, 24)) as pilot:
        await monitor(pilot)
        await place.emit("test_alert", severity="medium", phase="tool")
        await place.emit("test_alert", severity="high")
        await shows(pilot, "△ medium", "▲ high")
        await becomes(pilot, lambda: "△ medium" not in text_of(pilot.app), "it is gone after its time")
        await shows(pilot, "▲ high")


async def test_an_alert_opens_its_session_or_its_question(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(QuarterdeckApp, "open_session", lambda self, session, tab="log": asked.append(session))
    monkeypatch.setattr(QuarterdeckApp, "show_approval", lambda self, approval: asked.append(approval))
    ask = '{"type": "approval_needed", "question": "Deploy?", "options": [{"value": "y", "label": "Yes"}]}'
    async with opened(place.paths, (100, 30)) as pilot:
        await monitor(pilot)
        breaks = await place.start("breaks", "exit 3")
        await shows(pilot, "failed:")
        await pilot.press("shift+tab")
        panel_of(pilot).alerts.focus()
        await pilot.press("enter")
        assert asked == [breaks["id"]]
        await pilot.press("X")
        await place.start("asks", f"echo '{ask}'; exit 90")
        await shows(pilot, "asks: Deploy?")
        panel_of(pilot).alerts.focus()
        await pilot.press("enter")
        [approval] = (await place.client.get("/approvals"))["approvals"]
        assert asked[1:] == [approval["id"]]
        await place.client.post(f"/approvals/{approval['id']}/reject", {"reason": "no"})
        await becomes(pilot, lambda: "asks: Deploy?" not in text_of(pilot.app), "it is answered")


async def test_limits_are_beside_the_events_or_behind_a_key(place: Place) -> None:
    async with opened(place.paths, (80, 24)) as pilot:
        await monitor(pilot)
        await place.start("spends", "sleep 600", budget_usd=2.0)
        await becomes(pilot, lambda: app_of(pilot).view.sessions)
        assert "Queue" not in text_of(pilot.app)
        await pilot.press("right_square_bracket")
        await shows(pilot, "Queue", "of 3", "Budgets", "spends", "$0 of $2.00", "Health", "✓ store: ok")
        await pilot.press("f5")
        await shows(pilot, "running █")
        await pilot.press("left_square_bracket")
        await becomes(pilot, lambda: "Budgets" not in text_of(pilot.app), "the events are back")
        await pilot.press("right_square_bracket", "escape")
        await becomes(pilot, lambda: "Budgets" not in text_of(pilot.app), "the events are back")
        assert app_of(pilot).focused is panel_of(pilot).events
        await pilot.resize_terminal(160, 48)
        await shows(pilot, "Budgets", "events/s", "status_changed")


async def test_the_strip_shows_the_worst_alert_outside_of_the_monitor(place: Place) -> None:
    async with opened(place.paths, (80, 24)) as pilot:
        strip = app_of(pilot).screen.query_one(AlertStrip)
        assert not strip.display
        await place.emit("test_alert", severity="high", text="first")
        await place.emit("test_alert", severity="high", text="second")
        await shows(pilot, "▲ high   second", "+1 more, see 3")
        await pilot.click(AlertStrip)
        await becomes(pilot, lambda: app_of(pilot).query(MonitorPanel), "a click shows the monitor")
        await becomes(pilot, lambda: not strip.display, "the monitor has them itself")
        await pilot.press("K", "1")
        await shows(pilot, "▲ high   first")
        await pilot.press("3", "K", "1")
        await becomes(pilot, lambda: not strip.display, "all were seen")


async def test_the_strip_goes_with_an_alert_that_goes(place: Place) -> None:
    async with opened(place.paths, (80, 24)) as pilot:
        await place.emit("test_alert", severity="low")
        await shows(pilot, "▽ low    test alert, low")
        await becomes(pilot, lambda: not app_of(pilot).screen.query_one(AlertStrip).display, "its time is over")


@pytest.mark.parametrize(("level", "pulses"), [("full", True), ("none", False)])
async def test_urgent_alerts_pulse_unless_less_motion_is_asked_for(place: Place, level: Any, pulses: bool) -> None:
    async with opened(place.paths, (80, 24)) as pilot:
        app_of(pilot).animation_level = level
        await monitor(pilot)
        await place.emit("test_alert", severity="high")
        await shows(pilot, "▲ high")
        alerts_of(pilot).clock = lambda: 500_000
        styles = {panel_of(pilot).alerts.line(0, 70)[0][1]}
        alerts_of(pilot).clock = lambda: 500_500
        styles.add(panel_of(pilot).alerts.line(0, 70)[0][1])
        assert styles == ({"failed", "failed-bold"} if pulses else {"failed-bold"})


async def test_a_cursor_that_does_not_follow_stays_on_its_event(place: Place) -> None:
    async with opened(place.paths, (80, 24)) as pilot:
        await monitor(pilot)
        for number in range(5):
            await place.emit("progress", text=f"n{number}")
        await becomes(pilot, lambda: len(lines(pilot)) == 5)
        assert panel_of(pilot).events.cursor == 4
        await pilot.press("k")
        held = panel_of(pilot).events.event
        for number in range(120):
            await place.emit("progress", text=f"more {number}")
            if number == 50:
                await becomes(pilot, lambda: len(lines(pilot)) == 56)
                assert panel_of(pilot).events.event == held
        await becomes(pilot, lambda: (panel_of(pilot).events.events[-1]["payload"]["text"]) == "more 119")
        assert panel_of(pilot).events.cursor == 0, "its event has left the view"
        await pilot.press("G")
        await place.emit("progress", text="the last")
        await becomes(pilot, lambda: (panel_of(pilot).events.event or {})["payload"]["text"] == "the last")
