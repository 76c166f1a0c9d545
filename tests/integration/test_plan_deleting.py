"""Plans that are deleted, with their worktrees and branches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from supervisor.engine.planruns.state import folder_of
from supervisor.model.errors import NotFound, Refused
from supervisor.model.plans import PlanStatus
from supervisor.store import plans, tokens
from tests.support.git import git
from tests.support.planruns import RunningPlan, created, sh, started
from tests.support.supervised import PERSON, Home, Supervised, throwaway_home

P = PlanStatus


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with throwaway_home(tmp_path) as home:
        yield home


@pytest.fixture
async def inside(home: Home) -> AsyncIterator[Supervised]:
    async with home.supervised() as inside:
        yield inside


async def delete(plan: RunningPlan, *, force: bool = False) -> str:
    _, left = await plan.inside.engine.deleting.delete(plan.id, PERSON, force=force)
    return left.detail


async def ended(inside: Supervised, *commands: str) -> tuple[RunningPlan, Path]:
    plan = await started(inside, *(sh(f"t{number}", command) for number, command in enumerate(commands)))
    await plan.reaches(P.COMPLETED, P.FAILED)
    return plan, Path(str((await plan.plan()).worktree))


def branches(inside: Supervised) -> str:
    return git(inside.repository, "branch", "--list", "qd/*")


async def is_gone(plan: RunningPlan) -> bool:
    try:
        await plan.inside.engine.store.read(plans.get, plan.id)
    except NotFound:
        return True
    return False


async def test_nothing_is_left_of_a_plan_that_was_merged(inside: Supervised) -> None:
    plan, worktree = await ended(inside, "echo a > new.txt")
    await inside.engine.ending.merge(plan.id, None, PERSON)
    assert "Removed the branch qd/plan-x" in await delete(plan)
    assert await is_gone(plan)
    assert not worktree.exists()
    assert branches(inside) == ""
    assert (inside.repository / "new.txt").exists()
    folder = folder_of(inside.paths.state, plan.id)
    assert not (folder / "environment.json").exists()


async def test_commits_that_nobody_else_has_are_not_deleted_without_force(inside: Supervised) -> None:
    plan, worktree = await ended(inside, "echo a > new.txt")
    (worktree / "more.txt").write_text("more\n")
    (worktree / "new.txt").write_text("changed\n")
    with pytest.raises(Refused, match="1 commit that no other branch has, 1 changed file, 1 new file") as refused:
        await delete(plan)
    assert "--force" in str(refused.value.hint)
    assert not await is_gone(plan)
    assert (worktree / "more.txt").exists()
    await delete(plan, force=True)
    assert await is_gone(plan)
    assert not worktree.exists()
    assert branches(inside) == ""


async def test_an_archived_plans_branch_is_not_deleted_without_force(inside: Supervised) -> None:
    plan, _ = await ended(inside, "echo a > new.txt")
    await inside.engine.ending.archive(plan.id, PERSON)
    with pytest.raises(Refused, match="1 commit that no other branch has"):
        await delete(plan)
    assert "qd/plan-x" in branches(inside)
    git(inside.repository, "branch", "kept", "qd/plan-x")
    await delete(plan)
    assert branches(inside) == ""


async def test_what_a_failed_task_left_in_a_worktree_of_its_own_goes_too(inside: Supervised) -> None:
    commit = "git add .; git -c user.name=T -c user.email=t@example.org commit -qm a"
    plan = await started(inside, sh("a", f"echo a > a.txt; {commit}; false", workspace="own"))
    await plan.reaches(P.FAILED)
    assert "qd/plan-x--a" in branches(inside)
    with pytest.raises(Refused, match="1 commit that"):
        await delete(plan)
    await delete(plan, force=True)
    assert branches(inside) == ""
    assert list(inside.paths.worktrees.glob("*/plan-x*")) == []


async def test_a_branch_that_was_there_before_stays(inside: Supervised) -> None:
    git(inside.repository, "branch", "qd/plan-x")
    plan, worktree = await ended(inside, "true")
    assert "qd/plan-x stays: it was not made for it" in await delete(plan)
    assert not worktree.exists()
    assert "qd/plan-x" in branches(inside)


async def test_what_was_never_started_or_lost_its_repository_can_be_deleted(inside: Supervised) -> None:
    plan = await created(inside, sh("a", "true"), plan="plan-draft")
    assert await delete(plan) == ""
    plan, worktree = await ended(inside, "echo a > new.txt")
    (inside.repository / ".git").rename(inside.repository / "elsewhere")
    assert await delete(plan) != ""
    assert await is_gone(plan)
    assert worktree.exists()


async def test_a_plan_that_runs_is_not_deleted(inside: Supervised) -> None:
    plan = await started(inside, sh("a", "sleep 600"))
    with pytest.raises(Refused, match="is running"):
        await delete(plan, force=True)


async def test_a_token_of_an_earlier_version_goes_with_its_plan(inside: Supervised) -> None:
    plan, _ = await ended(inside, "true")
    (folder_of(inside.paths.state, plan.id) / "token").write_text("from-before")
    await inside.engine.services.ledger.commit(lambda t: tokens.add(t.conn, "from-before", role="agent", now=t.now))
    await delete(plan)
    assert await inside.engine.store.read(tokens.get, "from-before") is None
