"""The Insights panel, with keys, on a real supervisor: what work costs, and budgets that stop it."""

from __future__ import annotations

from typing import Any

from textual.pilot import Pilot

from panels.dialogs import Confirm
from panels.screens.insights import InsightsPanel
from panels.screens.plans import PlansPanel
from panels.screens.session import SessionScreen
from supervisor.model.plans import PlanStatus
from supervisor.model.statuses import SessionStatus
from tests.integration.test_app_plans import offered, said
from tests.support.app import becomes, opened, shows, text_of
from tests.support.planruns import scripted, sh, started
from tests.support.supervised import Home, Supervised
from tests.support.usage import HANG, spend

ROOMY = (160, 48)


async def insights(pilot: Pilot[Any], tab: str = "days") -> InsightsPanel:
    """The panel, at one of its tabs."""
    await pilot.press("6")
    await becomes(pilot, lambda: pilot.app.screen.query(InsightsPanel), "the panel is shown")
    panel = pilot.app.screen.query_one(InsightsPanel)
    await becomes(pilot, lambda: panel.is_mounted and panel.shown_view.has_focus, "it has the keys")
    while panel.tab != tab:
        await pilot.press("right_square_bracket")
    await shows(pilot, f"[{tab.capitalize()}]")
    return panel


def lines(pilot: Pilot[Any], word: str) -> list[str]:
    """The lines of the screen with a word."""
    return [line for line in text_of(pilot.app).splitlines() if word in line]


async def test_without_any_use_it_says_what_fills_it(supervised: Supervised) -> None:
    async with opened(supervised.paths, (80, 24)) as pilot:
        await insights(pilot)
        await shows(pilot, "Nothing was used in the last 14 days.", "1  n   start an agent")
        await pilot.press("left_square_bracket")
        await shows(pilot, "There are no budgets: nothing is stopped", "--budget-usd")
        assert offered(pilot, "U", "O", "f", "slash") == dict.fromkeys(("U", "O", "f", "slash"), False)


async def test_figures_by_anything_and_enter_opens_what_they_are_about(supervised: Supervised) -> None:
    await supervised.ended(await supervised.script(spend(1.25, tokens=2_000), {"say": "Done."}, name="fix-login"))
    plan = await started(
        supervised, scripted("write", [spend(0.5, tokens=100), {"say": "Done."}]), sh("check", "true"), plan="plan-shop"
    )
    await plan.reaches(PlanStatus.COMPLETED)
    async with opened(supervised.paths, (80, 24)) as pilot:
        panel = await insights(pilot)
        await shows(pilot, "The last 14 days:  cost $1.75", "▾cost")
        (today,) = lines(pilot, "Today ")
        assert "█" in today
        assert "$1.75" in today
        assert len(lines(pilot, "Yesterday")) == 1
        assert sum(row.key is not None for row in panel.figures.rows) == 14, "quiet days have a line, too"
        await insights(pilot, "models")
        await shows(pilot, "scripted/scripted", "command")
        await insights(pilot, "tasks")
        await shows(pilot, "plan-shop/write", "plan-shop/check", "(no task)")
        await pilot.press("enter")
        await becomes(pilot, lambda: pilot.app.screen.query_one(PlansPanel).is_opened, "the plan is opened")
        plans = pilot.app.screen.query_one(PlansPanel)
        await becomes(pilot, lambda: plans.task_view is not None and plans.task_view.id == "write", "at the task")
        await pilot.press("escape")
        await insights(pilot, "sessions")
        await shows(pilot, "fix-login")
        await pilot.press("enter")
        await becomes(pilot, lambda: isinstance(pilot.app.screen, SessionScreen), "the session is opened")
        await shows(pilot, "[Cost]", "fix-login")
        await pilot.press("escape")
        await becomes(pilot, lambda: panel.figures.has_focus, "back where it was")


async def test_a_plan_that_is_looked_at_already_gives_way_to_the_one_that_is_opened(supervised: Supervised) -> None:
    for name in ("plan-one", "plan-two"):
        await (await started(supervised, sh("a", "true"), plan=name)).reaches(PlanStatus.COMPLETED)
    async with opened(supervised.paths, (80, 24)) as pilot:
        await pilot.press("4")
        await becomes(pilot, lambda: pilot.app.screen.query(PlansPanel), "the plans")
        plans = pilot.app.screen.query_one(PlansPanel)
        await becomes(pilot, lambda: plans.is_composed and plans.listed.has_focus, "the list has the keys")
        await pilot.press("slash", *"two", "enter", "enter")
        await becomes(pilot, lambda: plans.is_opened and plans.pane.plan_id == "plan-two", "one is opened")
        panel = await insights(pilot, "plans")
        await shows(pilot, "plan-one", "plan-two")
        keys = [row.key for row in panel.figures.rows]
        panel.figures.cursor = keys.index("plan-one")
        await pilot.press("enter")
        await becomes(pilot, lambda: plans.is_opened and plans.pane.plan_id == "plan-one", "the other is opened")
        await supervised.client.post("/plans/plan-two/archive")
        await insights(pilot, "plans")
        panel.figures.cursor = [row.key for row in panel.figures.rows].index("plan-two")
        await pilot.press("enter")
        await said(pilot, "plan-two is in the list no more")


async def test_order_period_search_and_project(home: Home, supervised: Supervised) -> None:
    await supervised.ended(await supervised.script(spend(1.0, tokens=10), {"say": "x"}, name="dear"))
    await supervised.ended(await supervised.script(spend(0.1, tokens=9_000), {"say": "x"}, name="wordy"))
    await supervised.ended(await supervised.run("true"))
    async with opened(supervised.paths, (80, 24)) as pilot:
        panel = await insights(pilot, "sessions")
        await shows(pilot, "dear", "wordy", "▾cost")

        def order() -> list[str]:
            return [line.split()[0] for line in text_of(pilot.app).splitlines() if line.startswith((" dear", " wordy"))]

        assert order() == ["dear", "wordy"]
        await pilot.press("O")
        await shows(pilot, "▾tokens")
        assert order() == ["wordy", "dear"]
        await pilot.press("slash", *"dea", "enter")
        assert order() == ["dear"]
        await pilot.press("escape")
        assert order() == ["wordy", "dear"]
        await pilot.press("f")
        await shows(pilot, "The last 30 days", f"Only {home.repository.name}")
        await pilot.press("down", "down", "down", "enter")
        await shows(pilot, "The last 30 days:  cost $1.10")
        await insights(pilot, "projects")
        await shows(pilot, home.repository.name)
        await pilot.press("enter")
        await shows(pilot, f"only {home.repository.name} (esc: all)")
        await pilot.press("escape")
        await becomes(pilot, lambda: panel.project is None, "all projects again")


async def test_what_no_agent_tells_is_unknown(supervised: Supervised) -> None:
    session = await supervised.reaches(await supervised.script(HANG, name="silent"), SessionStatus.RUNNING)
    async with opened(supervised.paths, ROOMY) as pilot:
        await insights(pilot, "sessions")
        await shows(pilot, "silent", "cost unknown · unknown tokens", "not every agent tells it")
        (line,) = [each for each in lines(pilot, "silent ") if "unknown" in each]
        assert "$0" not in line
    await supervised.engine.control.cancel(session.id, "person")
    await supervised.ended(session)


async def test_a_tripped_budget_says_what_it_stopped_and_is_lifted_with_a_key(supervised: Supervised) -> None:
    step = scripted("write", [spend(0.4, tokens=10), {"say": "More."}, HANG])
    plan = await started(supervised, step, plan="plan-shop", budget={"cost_usd": 0.3})
    await plan.reaches(PlanStatus.PAUSED)
    dear = await supervised.ended(await supervised.script(spend(1.2), HANG, budget_usd=1.0, name="dear"))
    async with opened(supervised.paths, (80, 40)) as pilot:
        panel = await insights(pilot, "budgets")
        await shows(pilot, "Used up", "✕ the plan plan-shop", "$0.40 of $0.30", "‖ plan-shop", "‖ plan-shop--write")
        await shows(pilot, "quarterdeck budget resume plan:plan-shop", "Stopped for good", "✕ dear")
        assert offered(pilot, "U", "p") == {"U": True, "p": False}
        await pilot.press("U")
        await becomes(pilot, lambda: isinstance(pilot.app.screen, Confirm), "it asks")
        await shows(pilot, "Let plan:plan-shop go on?", "quarterdeck budget resume plan:plan-shop")
        await pilot.press("y")
        await said(pilot, "plan:plan-shop may use as much again.")
        await plan.reaches(PlanStatus.RUNNING)
        await becomes(pilot, lambda: "Used up" not in text_of(pilot.app), "nothing is used up any more")
        await shows(pilot, "A person gave it $0.40 beyond its limit.")
        panel.limits.cursor = [row.key for row in panel.limits.rows].index(("session", dear.id, f"session:{dear.id}"))
        await pilot.press("U", "y")
        await shows(pilot, "It may use as much again: ⏎ opens it")
        assert offered(pilot, "U") == {"U": False}
        await pilot.press("enter")
        await becomes(pilot, lambda: isinstance(pilot.app.screen, SessionScreen), "its session is opened")
    await supervised.engine.plan_runs.cancel("plan-shop", "person")
    await plan.reaches(PlanStatus.ABANDONED)
