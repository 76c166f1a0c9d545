"""Pictures of the schedules, with a clock that stands still."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from textual.pilot import Pilot

from panels.screens.plans import PlansPanel
from panels.screens.schedules import SchedulesScreen
from panels.view.connecting import STARTING
from supervisor.model.times import from_rfc3339
from tests.snapshots.test_plans import HOSTILE, Still
from tests.support.app import Json, StillApp, becomes, shows, snapshot
from tests.support.planviews import BUSY, SHOP, listed
from tests.unit.test_panels_schedules import NOON, PAUSED, WAITS, run, schedule

Compare = Callable[..., bool]
SIZES = pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])

NIGHTLY = schedule(
    "nightly", run(plan="plan-shop"), run("declined", reason="Rejected by mia: Not today"),
    run("failed", reason=f"Its plan could not be made: {HOSTILE}"),
    next=[f"2026-{day}T01:30:00.000Z" for day in ("11-30", "12-01", "12-02", "12-03", "12-04")],
)  # fmt: skip
MISSED = {
    "payload": {
        "schedule": "sch_nightly", "times": 3, "first": "2026-11-20T01:30:00Z", "last": "2026-11-22T01:30:00Z",
        "policy": "once",
    }
}  # fmt: skip


def app(*schedules: Json) -> StillApp:
    answers: dict[str, Json] = {
        "/plans": {"plans": [listed(SHOP, BUSY, id="plan-shop")]},
        "/schedules": {"schedules": list(schedules)},
        "/events": {"events": [MISSED]},
        **{f"/schedules/{each['id']}": {"schedule": each} for each in schedules},
    }
    return Still(snapshot(), answers)


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr("panels.screens.schedules.now_ms", lambda: from_rfc3339(NOON))
    monkeypatch.setattr("panels.widgets.planslist.now_ms", lambda: from_rfc3339(NOON))
    yield
    monkeypatch.undo()
    time.tzset()


def pressing(*keys: str, finds: tuple[str, ...]) -> Callable[[Pilot[Any]], Awaitable[None]]:
    """Opens the screen and presses keys."""

    async def go(pilot: Pilot[Any]) -> None:
        await pilot.press("4")
        await becomes(pilot, lambda: pilot.app.screen.query(PlansPanel), "the panel is there")
        panel = pilot.app.screen.query_one(PlansPanel)
        await becomes(pilot, lambda: panel.is_composed and panel.has_focus_within, "it has the keys")
        await pilot.press("z")
        await becomes(pilot, lambda: isinstance(pilot.app.screen, SchedulesScreen), "the screen is shown")
        screen = pilot.app.screen
        assert isinstance(screen, SchedulesScreen)
        await becomes(pilot, lambda: screen.listed.has_focus, "it has the keys")
        await pilot.press(*keys)
        await shows(pilot, *finds)

    return go


@SIZES
class TestSchedules:
    def test_empty(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        assert snap_compare(app(), terminal_size=size, run_before=pressing(finds=("No schedules yet.",)))

    def test_busy(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        still = app(PAUSED, NIGHTLY, WAITS)
        assert snap_compare(still, terminal_size=size, run_before=pressing("j", finds=("◐ a run waits", "Not today")))

    def test_running_one_now(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        still = app(NIGHTLY)
        assert snap_compare(still, terminal_size=size, run_before=pressing("b", finds=("Run nightly now?",)))

    def test_away(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        still = StillApp(None, problem=STARTING)
        assert snap_compare(still, terminal_size=size, run_before=pressing(finds=("the app is starting one",)))
