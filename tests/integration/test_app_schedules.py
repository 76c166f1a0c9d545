"""Schedules in the app, with keys, on a real supervisor."""

from __future__ import annotations

import os
from typing import Any

from textual.pilot import Pilot

from panels.dialogs import Confirm
from panels.screens.approvals import ApprovalsPanel
from panels.screens.plans import PlansPanel
from panels.screens.schedules import SchedulesScreen
from supervisor.engine.scheduled_runs import schedule_event
from supervisor.engine.schedules import Wanted
from supervisor.model.events import EventType
from supervisor.model.plans import PlanStatus
from supervisor.store import schedules as stored
from tests.integration.test_app_plans import offered, plans, said
from tests.support.app import becomes, opened, shows, text_of
from tests.support.planruns import RunningPlan, created, sh
from tests.support.supervised import PERSON, Supervised

YEARLY = "30 2 1 1 *"


async def scheduled(supervised: Supervised, plan: str = "nightly", approval: Any = "each") -> str:
    """A schedule of a plan that is due once a year; its id."""
    await created(supervised, sh("a", "true"), plan=plan, title="Nightly checks")
    environment = {"PATH": os.environ["PATH"]}
    return (await supervised.engine.schedules.create(plan, Wanted(YEARLY, approval=approval), environment, PERSON)).id


async def schedules(pilot: Pilot[Any]) -> SchedulesScreen:
    """The screen, once it was read."""
    await plans(pilot)
    await pilot.press("z")
    await becomes(pilot, lambda: isinstance(pilot.app.screen, SchedulesScreen), "the screen is shown")
    screen = pilot.app.screen
    assert isinstance(screen, SchedulesScreen)
    await becomes(pilot, lambda: screen.listed.has_focus, "the list has the keys")
    return screen


async def test_an_empty_screen_teaches_and_escape_goes_back(supervised: Supervised) -> None:
    async with opened(supervised.paths, (80, 24)) as pilot:
        await schedules(pilot)
        await shows(pilot, "No schedules yet.", "quarterdeck plan schedule nightly --cron")
        assert offered(pilot, "p", "b", "a") == {"p": False, "b": False, "a": False}
        await pilot.press("escape")
        await becomes(pilot, lambda: pilot.app.screen.query(PlansPanel), "back at the plans")


async def test_a_schedule_is_paused_and_goes_on(supervised: Supervised) -> None:
    await scheduled(supervised)
    async with opened(supervised.paths, (80, 24)) as pilot:
        await schedules(pilot)
        await shows(pilot, "nightly", "never ran yet", f"{YEARLY} (UTC)", "each run waits for your approval", "01 Jan")
        await pilot.press("p")
        await shows(pilot, "‖ paused", "It is paused for")
        (found,) = (await supervised.client.get("/schedules"))["schedules"]
        assert found["paused_at"] is not None
        await pilot.press("p")
        await becomes(pilot, lambda: "It is paused for" not in text_of(pilot.app), "it goes on")
        (found,) = (await supervised.client.get("/schedules"))["schedules"]
        assert found["paused_at"] is None


async def test_a_run_is_made_now_decided_and_its_result_is_listed(supervised: Supervised) -> None:
    await scheduled(supervised)
    async with opened(supervised.paths, (160, 48)) as pilot:
        screen = await schedules(pilot)
        await shows(pilot, "None yet. b makes one now.")
        assert offered(pilot, "a") == {"a": False}
        await pilot.press("b")
        await becomes(pilot, lambda: isinstance(pilot.app.screen, Confirm), "it asks")
        await shows(pilot, "Run nightly now?", "for your approval before it starts.")
        await pilot.press("y")
        await said(pilot, "A run of nightly is being made.")
        await shows(pilot, "◐ a run waits for you: a", "waits for you")
        await pilot.press("a")
        await becomes(pilot, lambda: pilot.app.screen.query(ApprovalsPanel), "the whole question is shown")
        approvals = pilot.app.screen.query_one(ApprovalsPanel)
        await becomes(pilot, lambda: approvals.listed.approval is not None, "it is chosen")
        asked: Any = approvals.listed.approval
        assert asked["question"].startswith("May nightly-")
        await supervised.client.post(f"/approvals/{asked['id']}/approve", {})
        await RunningPlan(supervised, asked["plan"]).reaches(PlanStatus.COMPLETED)
        screen = await schedules(pilot)
        await shows(pilot, "✓ completed 1/1")
        await pilot.press("enter")
        await becomes(pilot, lambda: screen.detail.has_focus and screen.detail.chosen is not None, "on the run")
        await pilot.press("enter")
        await becomes(pilot, lambda: pilot.app.screen.query(PlansPanel), "the plans")
        panel = pilot.app.screen.query_one(PlansPanel)
        await becomes(pilot, lambda: panel.is_opened and panel.pane.plan_id == asked["plan"], "the plan of the run")


async def test_what_was_missed_is_said(supervised: Supervised) -> None:
    identifier = await scheduled(supervised, approval="auto")
    schedule = await supervised.engine.store.read(lambda conn: stored.get(conn, identifier))
    times = {"times": 2, "first": "2026-01-01T02:30:00.000Z", "last": "2026-02-01T02:30:00.000Z", "policy": "skip"}
    async with opened(supervised.paths, (80, 24)) as pilot:
        await schedules(pilot)
        await shows(pilot, "never ran yet", "each run starts by itself")
        commit = supervised.engine.services.ledger.commit
        await commit(lambda t: schedule_event(t, EventType.SCHEDULE_MISSED, schedule, severity="warning", **times))
        await shows(pilot, "! 2 missed", "! 2 times: ", "No supervisor ran then")


async def test_what_happens_elsewhere_is_seen(supervised: Supervised) -> None:
    identifier = await scheduled(supervised)
    async with opened(supervised.paths, (80, 24)) as pilot:
        await schedules(pilot)
        await shows(pilot, "never ran yet")
        await supervised.engine.schedules.pause(identifier, PERSON)
        await shows(pilot, "‖ paused")
        await supervised.engine.schedules.remove(identifier, PERSON)
        await shows(pilot, "No schedules yet.")
