"""What follows a plan, in the Plans panel: a task completed by hand, the branch merged, the plan put away."""

from __future__ import annotations

from typing import Any

from textual.pilot import Pilot

from panels.dialogs import AskLine, Confirm
from supervisor.model.plans import PlanStatus, TaskStatus
from tests.integration.test_app_plans import ROOMY, looked_at, offered, opened_plan, plans, said
from tests.support.app import becomes, opened, shows
from tests.support.git import git
from tests.support.planruns import RunningPlan, created, sh, started
from tests.support.supervised import Home, Supervised

P, T = PlanStatus, TaskStatus
WRITES = (sh("write", "echo new > new.txt"),)
STUCK = (sh("flaky", "exit 3"), sh("after", "echo after > after.txt", "flaky"))


async def read(pilot: Pilot[Any], plan: RunningPlan, task: str, status: str) -> None:
    """Open a plan, and return when this task of it is looked at, as it stands."""
    panel = await opened_plan(pilot, plan)
    await becomes(pilot, lambda: looked_at(panel) == (task, status), "it is read")


async def test_a_task_that_failed_is_completed_by_hand_and_the_plan_goes_on(supervised: Supervised) -> None:
    plan = await started(supervised, *STUCK)
    await plan.reaches(P.FAILED)
    async with opened(supervised.paths, ROOMY) as pilot:
        await read(pilot, plan, "flaky", "failed")
        await pilot.press("D")
        await becomes(pilot, lambda: isinstance(pilot.app.screen, AskLine), "it asks what shows it")
        await shows(pilot, "Is flaky done?", "It is failed, and counts as completed from then on", "goes on.")
        await pilot.press("enter")
        await shows(pilot, "Write something first.")
        await pilot.press(*"by hand", "enter")
        await said(pilot, "flaky is completed.")
        await plan.reaches(P.COMPLETED)
        assert (await plan.task("flaky")).status is T.COMPLETED
        await shows(pilot, "completed it: by hand")


async def test_a_task_can_be_completed_only_when_it_is_its_turn(supervised: Supervised) -> None:
    plan = await created(supervised, *WRITES)
    async with opened(supervised.paths, ROOMY) as pilot:
        await opened_plan(pilot, plan)
        assert offered(pilot, "D", "M", "delete") == {"D": False, "M": False, "delete": True}
    await supervised.engine.plan_runs.start("plan-x", {}, "person:mia")
    await plan.reaches(P.COMPLETED)
    async with opened(supervised.paths, ROOMY) as pilot:
        await opened_plan(pilot, plan)
        await shows(pilot, "Everything succeeded.")
        assert offered(pilot, "D", "M", "delete") == {"D": False, "M": True, "delete": True}


async def test_an_ended_plan_is_merged_and_then_archived(home: Home, supervised: Supervised) -> None:
    plan = await started(supervised, *WRITES, title="The search")
    await plan.reaches(P.COMPLETED)
    async with opened(supervised.paths, (80, 24)) as pilot:
        panel = await plans(pilot, plan)
        await pilot.press("M")
        await shows(pilot, "Merge plan-x?", "qd/plan-x", "into main", "A conflict changes nothing")
        await pilot.press("n")
        assert "new.txt" not in git(home.repository, "ls-tree", "--name-only", "main")
        await pilot.press("M")
        await shows(pilot, "Merge plan-x?")
        await pilot.press("y")
        await said(pilot, "qd/plan-x was merged into main.")
        assert "new.txt" in git(home.repository, "ls-tree", "--name-only", "main")
        await pilot.press("enter")
        await becomes(pilot, lambda: panel.is_opened, "the plan has the panel")
        await pilot.press("delete")
        await shows(pilot, "Archive plan-x?", ".quarterdeck/plans/")
        assert isinstance(pilot.app.screen, Confirm)
        await pilot.press("y")
        await said(pilot, "plan-x was archived; its readme is")
        await shows(pilot, "No plans yet.")
        assert not panel.is_opened
        assert ".quarterdeck/plans/plan-x.md" in git(home.repository, "status", "--short", "--ignored", "-uall")


async def test_a_plan_that_did_not_complete_says_so_before_a_merge(supervised: Supervised) -> None:
    plan = await started(supervised, *STUCK)
    await plan.reaches(P.FAILED)
    async with opened(supervised.paths, (80, 24)) as pilot:
        await plans(pilot, plan)
        await pilot.press("M")
        await shows(pilot, "It is failed. 2 of its 2 tasks are not completed.")
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, Confirm)


async def test_a_task_is_rolled_back_after_a_look_at_what_that_runs(supervised: Supervised) -> None:
    live = {**sh("deploy", "echo live > live.txt"), "rollback": ["rm live.txt"]}
    plan = await started(supervised, live, sh("tell", "true", "deploy"))
    await plan.reaches(P.COMPLETED)
    async with opened(supervised.paths, (80, 24)) as pilot:
        await read(pilot, plan, "deploy", "completed")
        await pilot.press("u")
        await shows(pilot, "Roll deploy back?")
        await shows(pilot, "$ rm live.txt", "Built on it, and stays: tell")
        await pilot.press("enter")
        assert isinstance(pilot.app.screen, Confirm), "enter may be a slip"
        await pilot.press("y")
        await said(pilot, "deploy is being rolled back.")
        await plan.task_is("deploy", T.BLOCKED)
        assert "live.txt" not in await plan.git("ls-files")


async def test_why_a_task_cannot_be_rolled_back_is_said(supervised: Supervised) -> None:
    plan = await started(supervised, *WRITES)
    await plan.reaches(P.COMPLETED)
    async with opened(supervised.paths, (80, 24)) as pilot:
        await read(pilot, plan, "write", "completed")
        await pilot.press("u")
        await said(pilot, "The task write has no `rollback`. Its document says which commands undo it")


async def test_what_is_run_once_more_is_run_though_nothing_has_changed(home: Home, supervised: Supervised) -> None:
    counted = supervised.paths.state / "counted"
    same = {**sh("same", f"echo x >> {counted}"), "idempotent": True, "reads": ["nothing.txt"]}
    plan = await started(supervised, same)
    await plan.reaches(P.COMPLETED)
    async with opened(supervised.paths, (80, 24)) as pilot:
        await read(pilot, plan, "same", "completed")
        await pilot.press("ctrl+r")
        await shows(pilot, "once more?", "It has succeeded already.")
        await pilot.press("y")
        await becomes(pilot, lambda: counted.read_text() == "x\nx\n", "it ran again")
        await plan.reaches(P.COMPLETED)
