"""Plans within plans that run for real."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from supervisor.api.client import at, of_task, rests
from supervisor.model.plans import PlanStatus, TaskStatus
from supervisor.store import sessions
from tests.support.planruns import scripted, sh, started
from tests.support.supervised import PERSON, Home, Supervised, throwaway_home
from tests.wait import until

P, T = PlanStatus, TaskStatus


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with throwaway_home(tmp_path) as home:
        yield home


@pytest.fixture
async def inside(home: Home) -> AsyncIterator[Supervised]:
    async with home.supervised() as inside:
        yield inside


async def test_tasks_of_subplans_run_on_two_levels(inside: Supervised) -> None:
    write = [{"write": {"path": "x.txt", "content": "from the agent\n"}}]
    plan = await started(
        inside,
        sh("first", "echo 1 > 1.txt"),
        {"id": "build", "needs": ["first"], "environment": {"WHO": "build"}, "success_criteria": "test -f all.txt",
         "subplan": {"tasks": [
             scripted("agent", write),
             {"id": "deep", "needs": ["agent"], "subplan": {"tasks": [
                 sh("say", 'echo "$WHO $QUARTERDECK_TASK" > said.txt',
                    success_criteria="tasks.first.status == 'completed'"),
             ]}},
             sh("join", "cat 1.txt x.txt said.txt > all.txt", "deep", preconditions="tasks.deep.status == 'completed'"),
         ]}},
        sh("last", "test -s all.txt", "build"),
    )  # fmt: skip
    await plan.reaches(P.COMPLETED)
    assert await plan.file("all.txt") == "1\nfrom the agent\nbuild build/deep/say\n"
    (session,) = await inside.engine.store.read(sessions.find)
    assert (session.name, session.branch) == ("plan-x--build.agent", "qd/plan-x--build.agent")
    layers = {task["id"]: task["layer"] for task in (await inside.client.get("/plans/plan-x"))["plan"]["tasks"]}
    assert layers == {
        "first": 0, "build/agent": 1, "build/deep/say": 2, "build/deep": 3, "build/join": 4, "build": 5, "last": 6,
    }  # fmt: skip
    shown = (await inside.client.get(at("plan", "plan-x", of_task("build/deep/say"))))["task"]
    assert (shown["id"], shown["within"], shown["steps"][0]["exit_code"]) == ("build/deep/say", "build/deep", 0)


async def test_a_part_is_asked_about_looked_at_and_tried_again(inside: Supervised, tmp_path: Path) -> None:
    fixed = tmp_path / "fixed"
    plan = await started(
        inside,
        {"id": "b", "subplan": {"tasks": [
            {"id": "ok", "kind": "gate", "approval": True},
            sh("x", f"test -e {fixed}", "ok"),
        ]}},
    )  # fmt: skip
    await plan.task_is("b/ok", T.WAITING_APPROVAL)
    assert rests((await inside.client.get("/plans/plan-x"))["plan"])
    await inside.client.post("/plans/plan-x/gates/b/ok/approve", {})
    shown = await plan.reaches(P.FAILED)
    assert [task.reason.text for task in shown.tasks if task.id == "b"] == ["Failed: b/x."]
    fixed.touch()
    await inside.client.post("/plans/plan-x/tasks/b/x/retry", {})
    await plan.reaches(P.COMPLETED)
    assert await plan.statuses() == {"b": "completed", "b/ok": "completed", "b/x": "completed"}


async def test_a_supervisor_that_comes_back_goes_on_within(home: Home, tmp_path: Path) -> None:
    go, count = tmp_path / "go", tmp_path / "count"
    async with home.supervised() as inside:
        plan = await started(
            inside,
            {"id": "b", "success_criteria": "test -f y.txt", "subplan": {"tasks": [
                sh("x", f"echo x >> {count}; until test -e {go}; do sleep 0.02; done"),
                sh("y", "echo y > y.txt", "x"),
            ]}},
        )  # fmt: skip
        await until(count.exists, what="x runs")
    go.touch()
    async with home.supervised() as inside:
        plan.inside = inside
        await plan.reaches(P.COMPLETED)
    assert count.read_text() == "x\n", "nothing ran twice"


async def test_a_revision_changes_a_part_that_waits(inside: Supervised, tmp_path: Path) -> None:
    go = tmp_path / "go"
    wait = f"until test -e {go}; do sleep 0.02; done"
    plan = await started(inside, {"id": "b", "subplan": {"tasks": [sh("x", wait), sh("y", "echo old > y.txt", "x")]}})
    await plan.task_is("b/x", T.RUNNING)
    document = f"""
id: plan-x
advance: auto
tasks:
  - id: b
    subplan:
      tasks:
        - {{id: x, command: "{wait}"}}
        - {{id: y, command: "echo new > y.txt", needs: [x]}}
"""
    await inside.engine.planning.revise(plan.id, document.encode(), "plan.yaml", "It was wrong", PERSON)
    inside.engine.plan_runs.revised(plan.id)
    go.touch()
    await plan.reaches(P.COMPLETED)
    assert await plan.file("y.txt") == "new\n"
