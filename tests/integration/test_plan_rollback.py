"""Tasks that are rolled back: the commands that undo them run where they worked, and what depends on them says so."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.model.errors import NotFound, Refused
from supervisor.model.plans import PlanStatus, TaskStatus
from supervisor.model.statuses import ApprovalStatus, AttemptStatus
from supervisor.store import approvals, attempts, audit, checkpoints, tokens
from tests.support.planruns import Document, RunningPlan, created, scripted, sh, started
from tests.support.runners import host_pid
from tests.support.supervised import PERSON, Home, Supervised, eventually, throwaway_home

P, T = PlanStatus, TaskStatus


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with throwaway_home(tmp_path) as home:
        yield home


@pytest.fixture
async def inside(home: Home) -> AsyncIterator[Supervised]:
    async with home.supervised() as inside:
        yield inside


def deploy(task: str = "a", *needs: str, undo: str = "rm live.txt", **more: Any) -> Document:
    """A task that can be undone."""
    return {**sh(task, "echo live > live.txt", *needs), "rollback": [undo], **more}


async def rolled_back(plan: RunningPlan, task: str, status: TaskStatus = T.BLOCKED) -> str:
    """Roll a task back, and return the reason that it has then."""
    await plan.inside.engine.plan_runs.roll_back(plan.id, task, PERSON)
    return (await plan.task_is(task, status)).reason.text


async def test_a_completed_task_is_undone_and_can_be_done_again(inside: Supervised) -> None:
    plan = await started(
        inside,
        deploy(rollback=["echo undoing; test -f live.txt", "rm live.txt"]),
        sh("b", "true", "a"),
        sh("other", "true"),
    )
    await plan.reaches(P.COMPLETED)
    undo = await inside.engine.plan_runs.undo(plan.id, "a")
    assert (undo.commands, undo.built_on, undo.waiting, undo.refusal) == (
        ("echo undoing; test -f live.txt", "rm live.txt"), ("b",), (), ""
    )  # fmt: skip
    assert undo.place == "in the plan's worktree"
    assert (await plan.task("a")).status is T.COMPLETED, "a look changes nothing"
    (Path(str((await plan.plan()).worktree)) / "by-hand.txt").write_text("a person was here")
    why = await rolled_back(plan, "a")
    assert why == "person:test rolled it back. Have it done again: quarterdeck task run plan-x/a"
    shown = await plan.reaches(P.BLOCKED)
    assert not (Path(str(shown.plan.worktree)) / "live.txt").exists()
    made = await inside.engine.store.read(attempts.of_task, "plan-x", "a")
    assert [(each.status, each.exit_code) for each in made] == [(AttemptStatus.COMPLETED, 0)] * 3
    assert "undoing" in (inside.paths.state / "plans" / "plan-x" / f"{made[1].id}.log").read_text()
    b = await plan.task("b")
    assert (b.status, b.reason.text) == (
        T.COMPLETED, "Everything succeeded. It is built on a, which person:test rolled back."
    )  # fmt: skip
    assert (await plan.task("other")).reason.text == "Everything succeeded."
    rolled = (await plan.task("a")).result["rolled_back"]
    assert (rolled["by"], rolled["was"], rolled["ok"]) == (PERSON, "completed", True)
    assert await plan.git("status", "--porcelain") == "", "what the rollback changed is committed"
    found = await inside.engine.store.read(lambda conn: checkpoints.find(conn, plan="plan-x", limit=100))
    assert any(each.reason == "before a" for each in found), "there is a checkpoint of what was there"
    entries = await inside.engine.store.read(lambda conn: audit.entries(conn))
    assert "task.rollback" in {each.action for each in entries}
    await inside.engine.plan_runs.run_task(plan.id, "a", PERSON)
    await plan.reaches(P.COMPLETED)
    assert await plan.file("live.txt") == "live\n"
    assert "rolled_back" not in (await plan.task("a")).result


async def test_a_failed_task_is_undone_and_stays_failed(inside: Supervised) -> None:
    plan = await started(inside, deploy(command="echo half > live.txt; exit 3"), sh("b", "true", "a"))
    await plan.reaches(P.FAILED)
    await inside.engine.plan_runs.roll_back(plan.id, "a", PERSON)
    await plan.when(lambda shown: "rolled_back" in shown.tasks[0].result, "rolled back")
    assert (await plan.task("a")).reason.text == (
        "person:test rolled it back. It had failed: `echo half > live.txt; exit 3` ended with exit code 3."
    )
    shown = await plan.reaches(P.FAILED)
    assert not (Path(str(shown.plan.worktree)) / "live.txt").exists()
    assert (await plan.statuses())["b"] == "skipped"


async def test_a_rollback_that_fails_says_so_and_can_be_tried_again(inside: Supervised) -> None:
    plan = await started(inside, deploy(undo="echo no way >&2; test -e allowed"))
    await plan.reaches(P.COMPLETED)
    why = await rolled_back(plan, "a")
    assert why == (
        "Its rollback failed, and what of it is undone is not known: "
        "`echo no way >&2; test -e allowed` ended with exit code 1: no way"
    )
    (Path(str((await plan.plan()).worktree)) / "allowed").touch()
    await inside.engine.plan_runs.roll_back(plan.id, "a", PERSON)
    await plan.when(lambda shown: "rolled it back." in shown.tasks[0].reason.text, "rolled back")
    with pytest.raises(Refused, match="The task a is blocked"):
        await inside.engine.plan_runs.roll_back(plan.id, "a", PERSON)


async def test_the_limits_of_a_task_hold_for_its_rollback(inside: Supervised) -> None:
    plan = await started(inside, deploy(undo="sleep 60", timeout=0.4))
    await plan.reaches(P.COMPLETED)
    assert (await rolled_back(plan, "a")).endswith("`sleep 60` took longer than its timeout.")


async def test_what_needs_it_and_has_not_begun_waits_anew(inside: Supervised) -> None:
    gate = {"id": "ok", "kind": "gate", "needs": ["a"], "approval": True}
    plan = await started(inside, deploy(), gate, sh("b", "true", "ok"))
    await plan.task_is("ok", T.WAITING_APPROVAL)
    asked = await plan.asks()
    undo = await inside.engine.plan_runs.undo(plan.id, "a")
    assert undo.waiting == ("ok", "b")
    await rolled_back(plan, "a")
    assert await plan.statuses() == {"a": "blocked", "ok": "pending", "b": "pending"}
    await plan.reaches(P.BLOCKED)
    assert (await inside.engine.store.read(approvals.get, asked.id)).status is ApprovalStatus.SUPERSEDED
    await inside.engine.plan_runs.retry_task(plan.id, "a", PERSON)
    await plan.task_is("ok", T.WAITING_APPROVAL)


async def test_not_while_what_needs_it_runs_nor_beside_what_it_disturbs(inside: Supervised) -> None:
    plan = await started(
        inside,
        deploy(writes=["live.txt"]),
        deploy("lock", resources={"db": 1}),
        sh("b", "sleep 60", "a"),
        sh("reader", "sleep 60", "a", "lock", reads=["live.txt"]),
        sh("user", "sleep 60", resources={"db": 1}, needs=["lock"]),
    )
    for task in ("b", "reader", "user"):
        await plan.task_is(task, T.RUNNING)
    runs = inside.engine.plan_runs
    with pytest.raises(Refused, match="b, reader runs, and needs a"):
        await runs.roll_back(plan.id, "a", PERSON)
    with pytest.raises(Refused, match="needs lock"):
        await runs.roll_back(plan.id, "lock", PERSON)
    assert "runs, and needs a" in (await runs.undo(plan.id, "a")).refusal
    assert (await plan.task("a")).status is T.COMPLETED
    await runs.cancel(plan.id, PERSON)
    await plan.reaches(P.ABANDONED)


async def test_an_independent_task_that_uses_the_same_is_not_disturbed(inside: Supervised) -> None:
    plan = await started(
        inside,
        deploy(writes=["live.txt"]),
        sh("late", "test -e go && sleep 60", reads=["live.txt"], retry={"attempts": 100, "delay": 0.05}),
    )
    await plan.task_is("a", T.COMPLETED)
    (Path(str((await plan.plan()).worktree)) / "go").touch()
    await plan.when(lambda shown: shown.tasks[1].status is T.RUNNING, "late runs")

    async def is_refused() -> bool:
        return (await inside.engine.plan_runs.undo(plan.id, "a")).refusal == "late runs, and uses what a changes."

    await eventually(is_refused, what=lambda: "refused")
    await inside.engine.plan_runs.cancel(plan.id, PERSON)


@pytest.mark.parametrize(
    ("task", "more", "why"),
    [
        ("b", {}, "The task b has no `rollback`."),
        ("a", {"rollback": ["restore(backup) -> database"]}, "is prose, no command."),
        ("nobody", {}, "has no task nobody"),
    ],
)
async def test_what_cannot_be_undone_is_refused(inside: Supervised, task: str, more: dict[str, Any], why: str) -> None:
    plan = await started(inside, {**deploy(), **more}, sh("b", "true"))
    await plan.reaches(P.COMPLETED)
    with pytest.raises((Refused, NotFound), match=why):
        await inside.engine.plan_runs.roll_back(plan.id, task, PERSON)


async def test_a_task_that_never_ran_has_nothing_to_undo(inside: Supervised) -> None:
    plan = await created(inside, deploy())
    with pytest.raises(Refused, match="The task a is pending"):
        await inside.engine.plan_runs.roll_back(plan.id, "a", PERSON)


async def test_in_a_plan_that_was_given_up_it_is_undone_and_stays_given_up(inside: Supervised) -> None:
    undo = 'rm live.txt; echo "$QUARTERDECK_TOKEN" > $HOME/token'
    plan = await started(inside, deploy(undo=undo), sh("b", "sleep 60", "a"))
    await plan.task_is("b", T.RUNNING)
    await inside.engine.plan_runs.cancel(plan.id, PERSON)
    await plan.reaches(P.ABANDONED)
    assert await rolled_back(plan, "a", T.ABANDONED) == "person:test rolled it back."
    shown = await plan.reaches(P.ABANDONED)
    assert not (Path(str(shown.plan.worktree)) / "live.txt").exists()
    assert await plan.git("status", "--porcelain") == ""
    token = (inside.paths.state / "token").read_text().strip()
    assert token, "with none at all it would be taken for the person"
    assert await inside.engine.store.read(tokens.get, token) is None


async def test_what_is_put_away_has_no_place_to_be_undone_in(inside: Supervised) -> None:
    plan = await started(inside, deploy(), sh("b", "true"))
    await plan.reaches(P.COMPLETED)
    await inside.engine.ending.archive(plan.id, PERSON)
    with pytest.raises(Refused, match="The worktree of plan-x is gone"):
        await inside.engine.plan_runs.roll_back(plan.id, "a", PERSON)
    assert (await plan.task("a")).status is T.COMPLETED


async def test_one_that_is_being_undone_is_not_undone_twice_nor_run_and_ends_with_its_plan(inside: Supervised) -> None:
    plan = await started(inside, deploy(undo="sleep 60"), sh("b", "true", "a"))
    await plan.reaches(P.COMPLETED)
    runs = inside.engine.plan_runs
    both = await asyncio.gather(*(runs.roll_back(plan.id, "a", PERSON) for _ in range(2)), return_exceptions=True)
    assert sum(isinstance(each, Refused) for each in both) == 1
    assert (await plan.plan()).status is P.RUNNING
    for act in (runs.run_task, runs.retry_task, runs.roll_back):
        with pytest.raises(Refused, match="is running"):
            await act(plan.id, "a", PERSON)
    await runs.cancel(plan.id, PERSON)
    await plan.reaches(P.ABANDONED)

    async def has_ended() -> bool:
        made = await inside.engine.store.read(attempts.of_task, "plan-x", "a")
        return made[-1].status is AttemptStatus.CANCELLED

    await eventually(has_ended, what=lambda: "the command was stopped")
    assert (await plan.task("a")).status is T.ABANDONED


async def test_a_rollback_that_goes_away_with_its_host_is_not_repeated(inside: Supervised) -> None:
    plan = await started(inside, deploy(undo="echo x >> begun; sleep 60", idempotent=True))
    await plan.reaches(P.COMPLETED)
    await inside.engine.plan_runs.roll_back(plan.id, "a", PERSON)
    worktree = Path(str((await plan.plan()).worktree))

    async def has_begun() -> bool:
        return (worktree / "begun").exists()

    await eventually(has_begun, what=lambda: "begun")
    os.kill(host_pid(inside.paths.run), signal.SIGKILL)
    why = (await plan.task_is("a", T.BLOCKED)).reason.text
    assert why.endswith("It went away with the process that ran it. Whether it did its work is not known.")
    assert (worktree / "begun").read_text() == "x\n"


async def test_in_a_paused_plan_nothing_else_begins(inside: Supervised) -> None:
    plan = await started(inside, deploy(), sh("b", "test -e go", retry={"attempts": 100, "delay": 0.05}))
    await plan.task_is("a", T.COMPLETED)
    await inside.engine.plan_runs.pause(plan.id, PERSON)
    await rolled_back(plan, "a")
    assert (await plan.plan()).status is P.PAUSED
    await inside.engine.plan_runs.cancel(plan.id, PERSON)


async def test_what_an_agent_did_is_undone_where_it_was_merged(inside: Supervised) -> None:
    work = [{"write": {"path": "page.html", "content": "hello"}}]
    plan = await started(inside, scripted("w", work, rollback=["rm page.html"]))
    await plan.reaches(P.COMPLETED)
    undo = await inside.engine.plan_runs.undo(plan.id, "w")
    assert undo.place == "in the plan's worktree, where its work was merged"
    await rolled_back(plan, "w")
    await plan.reaches(P.BLOCKED)
    assert not (Path(str((await plan.plan()).worktree)) / "page.html").exists()
    assert await plan.git("status", "--porcelain") == ""


async def test_what_failed_in_a_worktree_of_its_own_is_undone_there(inside: Supervised) -> None:
    plan = await started(
        inside, deploy(command="echo half > live.txt; exit 1", workspace="own", undo="pwd > where.txt; rm live.txt")
    )
    await plan.reaches(P.FAILED)
    assert (await inside.engine.plan_runs.undo(plan.id, "a")).place == "in its own worktree"
    await inside.engine.plan_runs.roll_back(plan.id, "a", PERSON)
    await plan.when(lambda shown: "rolled_back" in shown.tasks[0].result, "rolled back")
    shown = await plan.reaches(P.FAILED)
    (where,) = inside.paths.worktrees.rglob("where.txt")
    assert where.parent != Path(str(shown.plan.worktree))
    assert not (where.parent / "live.txt").exists()


async def test_a_part_is_undone_and_what_it_is_a_part_of_says_so(inside: Supervised) -> None:
    subplan = {"tasks": [deploy("one"), sh("two", "true")]}
    plan = await started(inside, {"id": "build", "subplan": subplan}, sh("after", "true", "build"))
    await plan.reaches(P.COMPLETED)
    undo = await inside.engine.plan_runs.undo(plan.id, "build/one")
    assert undo.built_on == ("build", "after")
    await rolled_back(plan, "build/one")
    assert "It is built on build/one" in (await plan.task("build")).reason.text
    assert "It is built on" not in (await plan.task("build/two")).reason.text
    await inside.engine.plan_runs.run_task(plan.id, "build/one", PERSON)
    await plan.reaches(P.COMPLETED)
    with pytest.raises(Refused, match="build has no `rollback`"):
        await inside.engine.plan_runs.roll_back(plan.id, "build", PERSON)


async def test_what_was_undone_is_not_taken_again(inside: Supervised) -> None:
    (inside.repository / "words.txt").write_text("x")
    document = deploy(reads=["live.txt"], idempotent=True, undo="echo undone > undone.txt")
    plan = await started(inside, document)
    await plan.reaches(P.COMPLETED)
    runs = inside.engine.plan_runs
    await runs.run_task(plan.id, "a", PERSON)
    await plan.reaches(P.COMPLETED)
    await runs.run_task(plan.id, "a", PERSON)
    await plan.reaches(P.COMPLETED)
    assert (await plan.task("a")).reason.signal == "unchanged"
    await rolled_back(plan, "a")
    await runs.run_task(plan.id, "a", PERSON)
    await plan.reaches(P.COMPLETED)
    assert (await plan.task("a")).reason.text == "Everything succeeded."


async def test_a_rule_that_denies_it_keeps_a_plan_from_starting_and_a_task_from_being_undone(
    inside: Supervised,
) -> None:
    running = await started(inside, deploy(undo="dropdb shop"), plan="plan-y")
    await running.reaches(P.COMPLETED)
    rules = {
        "version": 1,
        "rules": [
            {
                "name": "no-drops",
                "effect": "deny",
                "command": ["dropdb *"],
                "reason": "It holds data.",
                "match": ["dropdb shop"],
                "no_match": ["ls"],
            }
        ],
    }
    await inside.engine.policies.apply(json.dumps(rules), PERSON, "No drops")
    with pytest.raises(Refused, match="policy does not allow this"):
        await started(inside, deploy(undo="dropdb shop"))
    with pytest.raises(Refused, match="policy does not allow this"):
        await inside.engine.plan_runs.roll_back("plan-y", "a", PERSON)
    assert (await running.task("a")).status is T.COMPLETED


async def test_a_supervisor_that_ends_meanwhile_goes_on_with_it(home: Home) -> None:
    async with home.supervised() as inside:
        plan = await started(
            inside, deploy(rollback=["touch begun; until test -e go; do sleep 0.05; done", "rm live.txt"])
        )
        await plan.reaches(P.COMPLETED)
        await inside.engine.plan_runs.roll_back(plan.id, "a", PERSON)
        worktree = Path(str((await plan.plan()).worktree))

        async def has_begun() -> bool:
            return (worktree / "begun").exists()

        await eventually(has_begun, what=lambda: "begun")
    (worktree / "go").touch()
    async with home.supervised() as inside:
        plan = RunningPlan(inside, "plan-x")
        assert "rolled it back" in (await plan.task_is("a", T.BLOCKED)).reason.text
        assert not (worktree / "live.txt").exists()
