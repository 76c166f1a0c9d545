"""Agents that work in the plan's own worktree."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.model.plans import PlanStatus, TaskStatus
from supervisor.store import sessions
from tests.support.git import git
from tests.support.planruns import scripted, sh, started
from tests.support.supervised import PERSON, Home, Supervised, throwaway_home
from tests.wait import until

P, T = PlanStatus, TaskStatus
WRITE = [{"write": {"path": "x.txt", "content": "from the agent\n"}}]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with throwaway_home(tmp_path) as home:
        yield home


@pytest.fixture
async def inside(home: Home) -> AsyncIterator[Supervised]:
    async with home.supervised() as inside:
        yield inside


async def test_an_agent_sees_and_changes_what_the_plan_has_there(inside: Supervised) -> None:
    steps: list[dict[str, Any]] = [*WRITE, {"run": "cat a.txt x.txt > both.txt"}]
    plan = await started(
        inside,
        sh("a", "echo not committed > a.txt"),
        scripted("x", steps, "a", workspace="plan", success_criteria="test -f both.txt"),
        {"id": "ok", "kind": "gate", "needs": ["x"], "checks": ["test -f x.txt"]},
        sh("b", "cat both.txt > b.txt", "ok"),
    )
    await plan.reaches(P.COMPLETED, P.FAILED)
    assert await plan.statuses() == dict.fromkeys(["a", "x", "ok", "b"], "completed")
    assert await plan.file("b.txt") == "not committed\nfrom the agent\n"
    (session,) = await inside.engine.store.read(sessions.find)
    now = await plan.plan()
    assert (session.worktree, session.branch) == (now.worktree, "qd/plan-x")
    assert session.base_commit == now.base_commit
    assert await plan.git("status", "--porcelain") == ""
    subjects = (await plan.git("log", "--format=%s")).splitlines()
    assert subjects[:2] == ["chore(plan-x): ok, b", "feat(plan-x): a, x"]


async def test_archiving_its_session_leaves_the_plan_its_worktree(inside: Supervised) -> None:
    plan = await started(inside, scripted("x", [], workspace="plan"), {"id": "ok", "kind": "gate", "approval": True})
    await plan.task_is("x", T.COMPLETED)
    (session,) = await inside.engine.store.read(sessions.find)
    archived, left = await inside.engine.control.archive(session.id, PERSON)
    assert (left.exists, left.detail) == (True, "It was not made for this session, so it stays.")
    assert "It was not made for this session" in archived.reason.text
    await plan.decide(approve=True)
    await plan.reaches(P.COMPLETED)
    assert await plan.git("branch", "--show-current") == "qd/plan-x"


async def test_over_a_restart_and_one_after_the_other_they_work_in_the_same_place(home: Home, tmp_path: Path) -> None:
    go, began = tmp_path / "go", tmp_path / "began"
    wait = f"echo x >> {began}; until test -e {go}; do sleep 0.02; done; echo x >> count.txt"
    async with home.supervised() as inside:
        plan = await started(
            inside,
            scripted("x", [{"run": wait}], workspace="plan"),
            scripted("y", [{"run": "echo y >> count.txt"}], "x", workspace="plan"),
        )
        await until(began.exists, 20, what="x runs")
    go.touch()
    async with home.supervised() as inside:
        plan.inside = inside
        await plan.reaches(P.COMPLETED)
        assert await plan.file("count.txt") == "x\ny\n"
        found = await inside.engine.store.read(sessions.find)
        assert len({session.worktree for session in found}) == 1
        await inside.engine.ending.archive(plan.id, PERSON)
        assert (await plan.plan()).archived_at is not None
    assert began.read_text() == "x\n"


async def test_a_worktree_that_went_elsewhere_fails_it_with_a_reason(inside: Supervised) -> None:
    plan = await started(inside, scripted("x", WRITE, workspace="plan"), advance="manual")
    git(Path(str((await plan.plan()).worktree)), "switch", "-q", "-c", "elsewhere")
    await inside.engine.plan_runs.advance(plan.id, PERSON, level=False)
    shown = await plan.reaches(P.FAILED)
    (why,) = [task.reason.text for task in shown.tasks if task.id == "x"]
    assert "does not stand on the branch qd/plan-x" in why
