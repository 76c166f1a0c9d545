"""What a decision at a gate is bound to: the content that was asked about (docs/decisions/0023)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from supervisor.engine.deciding import Decision
from supervisor.model.approvals import Approval
from supervisor.model.errors import Refused
from supervisor.model.plans import PlanStatus, TaskStatus
from supervisor.model.statuses import ApprovalStatus
from supervisor.store import approvals
from tests.support.planruns import Document, RunningPlan, scripted, sh, started
from tests.support.supervised import PERSON, Home, Supervised, eventually, throwaway_home
from tests.wait import until

P, T, Q = PlanStatus, TaskStatus, ApprovalStatus
GATE: Document = {"id": "ok", "kind": "gate", "needs": ["a"], "approval": True}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with throwaway_home(tmp_path) as home:
        yield home


@pytest.fixture
async def inside(home: Home) -> AsyncIterator[Supervised]:
    async with home.supervised() as inside:
        yield inside


async def at_gate(inside: Supervised, *more: Document, gate: Document = GATE) -> RunningPlan:
    """A plan whose gate waits, after a task that wrote a.txt."""
    plan = await started(inside, sh("a", "echo one > a.txt"), gate, *more)
    await plan.task_is("ok", T.WAITING_APPROVAL)
    return plan


async def folder(plan: RunningPlan) -> Path:
    return Path(str((await plan.plan()).worktree))


async def approval(plan: RunningPlan, approval_id: str) -> Approval:
    return await plan.inside.engine.store.read(approvals.get, approval_id)


async def asked_anew(plan: RunningPlan, before: Approval) -> Approval:
    """The question that took the place of another."""
    found: list[Approval] = []

    async def look() -> bool:
        found[:] = await plan.inside.engine.store.read(approvals.pending)
        return [each.id for each in found] not in ([], [before.id])

    await eventually(look, what=lambda: f"it is asked anew, not {found}")
    (new,) = found
    assert (await approval(plan, before.id)).status is Q.SUPERSEDED
    return new


async def refused(plan: RunningPlan, words: str) -> Approval:
    """Approve what waits, which is refused with these words; returns the question that is asked instead."""
    before = await plan.asks()
    with pytest.raises(Refused, match=words) as error:
        await plan.decide(approve=True)
    assert error.value.specific_code == "changed"
    return await asked_anew(plan, before)


async def test_what_has_changed_since_it_was_asked_is_not_approved(inside: Supervised) -> None:
    plan = await at_gate(inside, sh("c", "cat a.txt > c.txt", "ok"), gate={**GATE, "checks": ["test -s a.txt"]})
    (await folder(plan) / "a.txt").write_text("two\n")
    before = await plan.asks()
    new = await refused(plan, "has changed since it was asked: a.txt.*asked anew")
    assert new.preview["changed since it was asked before"] == ["a.txt"]
    assert new.preview["checked"] == ["holds: test -s a.txt"], "it was checked again, and only that is shown"
    assert "a.txt" in (await approval(plan, before.id)).reason
    assert (await plan.task("ok")).attempts == 1, "no attempt was used up"
    await plan.decide(approve=True)
    await plan.reaches(P.COMPLETED)
    assert await plan.file("c.txt") == "two\n"
    assert (await approval(plan, new.id)).status is Q.CONSUMED


async def test_what_does_not_hold_any_more_closes_the_gate(inside: Supervised) -> None:
    gate = {**GATE, "checks": ["grep -q one a.txt"], "next": {"failure": "recover"}}
    plan = await at_gate(inside, sh("c", "true", "ok"), sh("recover", "true"), gate=gate)
    (await folder(plan) / "a.txt").write_text("two\n")
    with pytest.raises(Refused, match=r"a\.txt"):
        await plan.decide(approve=True)
    await plan.reaches(P.COMPLETED)
    assert await plan.statuses() == {"a": "completed", "ok": "failed", "c": "skipped", "recover": "completed"}


@pytest.mark.parametrize("change", ["new", "gone", "mode"])
async def test_every_kind_of_change_counts(inside: Supervised, change: str) -> None:
    plan = await at_gate(inside)
    file = await folder(plan) / ("new.txt" if change == "new" else "a.txt")
    if change == "gone":
        file.unlink()
    elif change == "mode":
        file.chmod(0o755)
    else:
        file.write_text("new\n")
    await refused(plan, file.name)


async def test_what_was_only_touched_is_approved(inside: Supervised) -> None:
    plan = await at_gate(inside)
    (await folder(plan) / "a.txt").write_text("one\n")
    await plan.decide(approve=True)
    await plan.reaches(P.COMPLETED)


async def test_a_rejection_needs_no_look(inside: Supervised) -> None:
    plan = await at_gate(inside)
    (await folder(plan) / "a.txt").write_text("two\n")
    await plan.decide(approve=False, rationale="no")
    await plan.reaches(P.FAILED)


async def test_what_changes_between_decision_and_use_is_not_used(inside: Supervised) -> None:
    """The look before the decision finds nothing; the one before the plan goes on does."""
    plan = await at_gate(inside, sh("c", "true", "ok"))
    worktree, guard, before = await folder(plan), inside.engine.broker.guard, await plan.asks()

    async def then_changed(decision: Decision) -> None:
        await guard(decision)
        (worktree / "a.txt").write_text("two\n")

    inside.engine.broker.guard = then_changed
    await plan.decide(approve=True)
    new = await asked_anew(plan, before)
    inside.engine.broker.guard = guard
    assert (await plan.statuses())["c"] == "pending"
    assert (await approval(plan, before.id)).decided_by == PERSON
    assert new.preview["changed since it was asked before"] == ["a.txt"]
    await plan.decide(approve=True)
    await plan.reaches(P.COMPLETED)


async def test_what_changes_while_no_supervisor_runs_is_not_used(home: Home) -> None:
    async with home.supervised() as inside:
        plan = await at_gate(inside, sh("c", "true", "ok"))
        worktree, before = await folder(plan), await plan.asks()
    (worktree / "a.txt").write_text("two\n")
    async with home.supervised() as inside:
        plan = RunningPlan(inside, "plan-x")
        assert (await plan.asks()).id == before.id
        await refused(plan, r"a\.txt")
        await plan.decide(approve=True)
        await plan.reaches(P.COMPLETED)


async def test_a_gate_is_decided_once(inside: Supervised) -> None:
    plan = await at_gate(inside, sh("c", "echo once >> c.txt", "ok"))
    decision = Decision((await plan.asks()).id, approve=True)
    results = await asyncio.gather(
        *(inside.engine.broker.decide([decision], PERSON) for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(each, Refused) for each in results) == 3
    await plan.reaches(P.COMPLETED)
    assert await plan.file("c.txt") == "once\n"
    with pytest.raises(Refused, match=r"decided already|consumed"):
        await inside.engine.broker.decide([decision], PERSON)


async def test_two_who_decide_what_has_changed_are_asked_once(inside: Supervised) -> None:
    plan = await at_gate(inside)
    before = await plan.asks()
    (await folder(plan) / "a.txt").write_text("two\n")
    decision = Decision(before.id, approve=True)
    results = await asyncio.gather(
        *(inside.engine.broker.decide([decision], PERSON) for _ in range(3)), return_exceptions=True
    )
    assert all(isinstance(each, Refused) for each in results), results
    await asked_anew(plan, before)
    await plan.decide(approve=True)
    await plan.reaches(P.COMPLETED)


async def test_a_branch_that_was_moved_is_noticed_though_the_files_are_the_same(inside: Supervised) -> None:
    plan = await at_gate(inside)
    (await folder(plan) / "evil.txt").write_text("evil\n")
    await plan.git("add", "evil.txt")
    await plan.git("commit", "-qm", "evil")
    await plan.git("rm", "-q", "--cached", "evil.txt")
    (await folder(plan) / "evil.txt").unlink()
    assert await plan.git("diff", "HEAD", "--name-status") == "D\tevil.txt"
    await refused(plan, r"evil\.txt")


async def test_committing_what_was_approved_changes_nothing(inside: Supervised) -> None:
    plan = await at_gate(inside)
    await plan.git("commit", "-q", "--amend", "-m", "other words")
    await plan.decide(approve=True)
    await plan.reaches(P.COMPLETED)


async def test_evidence_that_git_ignores_is_bound_too(inside: Supervised) -> None:
    gate = {**GATE, "evidence_required": ["out/report.txt"]}
    work = "mkdir out; echo out > .gitignore; echo good > out/report.txt; echo x > out/other.txt"
    plan = await started(inside, sh("a", work), gate)
    await plan.task_is("ok", T.WAITING_APPROVAL)
    (await folder(plan) / "out" / "report.txt").write_text("bad\n")
    await refused(plan, r"out/report\.txt")
    (await folder(plan) / "out" / "other.txt").write_text("nobody named it\n")
    await plan.decide(approve=True)
    await plan.reaches(P.COMPLETED)


async def test_others_go_on_beside_a_gate(inside: Supervised, tmp_path: Path) -> None:
    """One writes new files, one is merged: both were running when it was asked, and neither is its subject."""
    go = tmp_path / "go"
    wait = f"until test -e {go}; do sleep 0.02; done"
    plan = await at_gate(
        inside,
        sh("b", f"{wait}; echo b > b.txt"),
        sh("own", f"{wait}; echo own > own.txt", workspace="own"),
        sh("c", "cat a.txt b.txt own.txt", "ok", "b", "own"),
    )
    asked = await plan.asks()
    go.touch()
    await plan.task_is("b", T.COMPLETED)
    await plan.task_is("own", T.COMPLETED)
    assert (await plan.asks()).id == asked.id
    await plan.decide(approve=True)
    await plan.reaches(P.COMPLETED)


async def test_beside_others_a_change_of_what_was_shown_counts(inside: Supervised, tmp_path: Path) -> None:
    go = tmp_path / "go"
    plan = await at_gate(inside, sh("b", f"until test -e {go}; do sleep 0.02; done", writes=["b.txt"]))
    (await folder(plan) / "a.txt").write_text("two\n")
    await refused(plan, r"a\.txt")
    go.touch()


async def test_a_file_that_somebody_writes_all_the_time_turns_a_decision_away_once(
    inside: Supervised, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    log = f"echo began > log.txt; touch {tmp_path}/began; until test -e {go}; do echo x >> log.txt; sleep 0.02; done"
    wait = f"until test -e {tmp_path}/began; do sleep 0.02; done; echo one > a.txt"
    plan = await started(inside, sh("b", log), sh("a", wait), GATE)
    await plan.task_is("ok", T.WAITING_APPROVAL)
    size = (await folder(plan) / "log.txt").stat().st_size
    await until(lambda: (Path(f"{tmp_path}") / "began").exists())
    worktree = await folder(plan)
    await until(lambda: (worktree / "log.txt").stat().st_size > size)
    new = await refused(plan, r"log\.txt\. b still works there")
    assert new.preview["not bound, others write it"] == ["log.txt"]
    size = (worktree / "log.txt").stat().st_size
    await until(lambda: (worktree / "log.txt").stat().st_size > size)
    await plan.decide(approve=True)
    await plan.task_is("ok", T.COMPLETED)
    assert (await plan.statuses())["b"] == "running"
    go.touch()
    await plan.reaches(P.COMPLETED)


async def test_what_somebody_says_that_they_write_turns_nothing_away(inside: Supervised, tmp_path: Path) -> None:
    go = tmp_path / "go"
    log = f"echo began > log.txt; touch {tmp_path}/began; until test -e {go}; do echo x >> log.txt; sleep 0.02; done"
    wait = f"until test -e {tmp_path}/began; do sleep 0.02; done; echo one > a.txt"
    plan = await started(inside, sh("b", log, writes=["log.txt"]), sh("a", wait), GATE)
    await plan.task_is("ok", T.WAITING_APPROVAL)
    worktree = await folder(plan)
    size = (worktree / "log.txt").stat().st_size
    await until(lambda: (worktree / "log.txt").stat().st_size > size)
    await plan.decide(approve=True)
    await plan.task_is("ok", T.COMPLETED)
    go.touch()
    await plan.reaches(P.COMPLETED)


async def test_what_an_agent_did_is_judged_as_it_is_and_not_done_again(inside: Supervised) -> None:
    """A criterion in prose of a task with a worktree of its own: the work stays, its checks are run again."""
    work = scripted(
        "a", [{"run": "echo one > a.txt"}],
        success_criteria=["test -s a.txt", "The text reads well to a newcomer"],
    )  # fmt: skip
    plan = await started(inside, work)
    task = await plan.task_is("a", T.WAITING_APPROVAL)
    asked = await plan.asks()
    worktree = Path(asked.asked["bound"]["worktree"])
    assert worktree != await folder(plan)
    (worktree / "a.txt").write_text("two\n")
    new = await refused(plan, r"a\.txt")
    assert new.preview["checked"] == ["holds: test -s a.txt"]
    assert (await plan.task("a")).session == task.session
    await plan.decide(approve=True)
    await plan.reaches(P.COMPLETED)
    assert await plan.file("a.txt") == "two\n"


async def test_what_must_hold_before_an_agent_is_asked_about_the_plans_worktree(
    inside: Supervised, tmp_path: Path
) -> None:
    """Where others may be at work, too."""
    go = tmp_path / "go"
    agent = scripted("a", [{"say": "Done."}], preconditions=["The interface is agreed with the team"])
    plan = await started(inside, sh("b", f"until test -e {go}; do sleep 0.02; done; echo b > b.txt"), agent)
    await plan.task_is("a", T.WAITING_APPROVAL)
    assert (await plan.asks()).asked["bound"]["worktree"] == str(await folder(plan))
    go.touch()
    await plan.task_is("b", T.COMPLETED)
    await plan.decide(approve=True)
    await plan.reaches(P.COMPLETED)


async def test_a_gate_that_needs_nothing_asks_with_the_start_and_is_bound(inside: Supervised) -> None:
    plan = await started(inside, {"id": "ok", "kind": "gate", "approval": True})
    await plan.task_is("ok", T.WAITING_APPROVAL)
    (await folder(plan) / "new.txt").write_text("new\n")
    await refused(plan, r"new\.txt")
    await plan.decide(approve=True)
    await plan.reaches(P.COMPLETED)
