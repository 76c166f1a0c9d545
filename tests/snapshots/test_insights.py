"""Pictures of Insights: what work costs, budgets, and when something is wrong."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from textual.pilot import Pilot

from panels.screens.insights import InsightsPanel
from panels.view.connecting import STARTING
from supervisor.model.times import from_rfc3339
from tests.support.app import Json, StillApp, StillClient, becomes, shows, snapshot
from tests.unit.test_panels_budgets import DAY, HELD_PLAN, NOON, PLAN, SHOP
from tests.unit.test_panels_view import session

Compare = Callable[..., bool]
SIZES = pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
HOSTILE = "[bold red]x[/] \x1b[2J\x1b]0;t\x07 \u202eevil\u2066 你好 a\u200bb"
SILENT = ("cost_usd", "tokens", "api_calls")


def figures(
    cost: float, read: int, seconds: float, calls: int, unknown: tuple[str, ...] = (), attempts: int = 1
) -> Json:
    return {
        "cost_usd": cost, "tokens": {"input": read, "output": read // 10, "cached": read // 2}, "api_calls": calls,
        "seconds": seconds, "attempts": attempts, "unknown": list(unknown),
    }  # fmt: skip


DAYS = [
    {"key": f"2026-11-{29 - back:02}", **figures(12.4 / (back + 1), 900_000 // (back + 1), 9_000 - 400 * back, 80)}
    for back in (0, 1, 2, 5, 6, 9, 20)
]
TASKS = [
    {"key": "plan-shop/unit", **figures(8.2, 700_000, 5_400, 61, attempts=3)},
    {"key": f"plan-shop/{HOSTILE}", **figures(2.1, 90_000, 720, 14)},
    {"key": None, **figures(1.4, 40_000, 600, 8, SILENT)},
    {"key": "plan-shop/schema", **figures(0, 0, 42, 0)},
    {"key": "plan-tidy/look", **figures(0, 0, 1_900, 0, SILENT)},
]


class Costs(StillClient):
    """Answers with days where days are asked for."""

    async def get(self, path: str, **query: Any) -> Json:
        rows = DAYS if query.get("by") == "day" else TASKS
        if path == "/cost" and self._answers["/budgets"]["budgets"]:
            return {"rows": rows, "total": figures(13.8, 1_930_000, 60_000, 420, SILENT, 14)}
        return self._answers[path]


def app(*budgets: Json, sessions: tuple[Json, ...] = ()) -> StillApp:
    still = StillApp(snapshot(list(sessions)))
    still._answers = Costs(
        {
            "/budgets": {"budgets": list(budgets)},
            "/plans": {"plans": [HELD_PLAN]},
            "/cost": {"rows": [], "total": figures(0, 0, 0, 0)},
            "/projects": {"projects": [{"id": "prj_1", "name": "shop"}, {"id": "prj_2", "name": HOSTILE}]},
        }
    )
    return still


def busy() -> StillApp:
    def one(name: str, status: str, signal: str, text: str) -> Json:
        return session(name, status=status, status_reason={"signal": signal, "text": text, "at": NOON})

    held = one("fix-search", "paused", "budget", "The budget of $5.00 of the plan plan-x is used up: $5.20.")
    ended = "Its budget of $1.00 is used up: $1.20. quarterdeck budget resume session:ses_dear"
    stopped = one("dear", "failed", "limit", ended)
    return app(PLAN, DAY, SHOP, sessions=(held, stopped))


@pytest.fixture(autouse=True)
def _still(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    monkeypatch.setattr("panels.screens.insights.now_ms", lambda: from_rfc3339(NOON))
    yield
    monkeypatch.undo()
    time.tzset()


def pressing(*keys: str, finds: tuple[str, ...]) -> Callable[[Pilot[Any]], Awaitable[None]]:
    """Opens the panel and presses keys."""

    async def run(pilot: Pilot[Any]) -> None:
        await pilot.press("6")
        await becomes(pilot, lambda: pilot.app.screen.query(InsightsPanel), "the panel is there")
        panel = pilot.app.screen.query_one(InsightsPanel)
        await becomes(pilot, lambda: panel.is_mounted and panel.shown_view.has_focus, "it has the keys")
        await pilot.press(*keys)
        await shows(pilot, *finds)

    return run


@SIZES
class TestInsights:
    def test_empty(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        run = pressing(finds=("Nothing was used in the last 14 days.",))
        assert snap_compare(app(), terminal_size=size, run_before=run)

    def test_no_budgets(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        run = pressing("left_square_bracket", finds=("There are no budgets",))
        assert snap_compare(app(), terminal_size=size, run_before=run)

    def test_days(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        assert snap_compare(busy(), terminal_size=size, run_before=pressing(finds=("Today", "$12.40")))

    def test_tasks_by_tokens(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        run = pressing(*["right_square_bracket"] * 3, "O", finds=("[Tasks]", "▾tokens", "plan-shop/unit", "unknown"))
        assert snap_compare(busy(), terminal_size=size, run_before=run)

    def test_budgets(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        run = pressing("left_square_bracket", finds=("[Budgets]", "Used up", "‖ fix-search"))
        assert snap_compare(busy(), terminal_size=size, run_before=run)

    def test_lifting(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        run = pressing("left_square_bracket", "U", finds=("Let plan:plan-x go on?",))
        assert snap_compare(busy(), terminal_size=size, run_before=run)

    def test_narrowing(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        run = pressing("f", finds=("The last 90 days", "Only shop"))
        assert snap_compare(busy(), terminal_size=size, run_before=run)

    def test_away(self, snap_compare: Compare, size: tuple[int, int]) -> None:
        run = pressing(finds=("the app is starting one",))
        assert snap_compare(StillApp(None, problem=STARTING), terminal_size=size, run_before=run)
