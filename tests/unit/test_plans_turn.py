"""Turns of running plans: what follows from what happened."""

from __future__ import annotations

import random
from typing import Any

import pytest

from supervisor.engine.plans.board import Board
from supervisor.engine.plans.program import Program, program
from supervisor.engine.plans.reading import read
from supervisor.engine.plans.sheet import Start
from supervisor.engine.plans.turn import Turn
from supervisor.model.entities import Reason
from supervisor.model.errors import Refused
from supervisor.model.plans import PLAN_ENDED, TASK_ENDED, Plan, PlanStatus, Task, TaskStatus
from supervisor.store.rows import to_json

NOON = 1_795_262_400_000
WHY = Reason("person", "It was started.", NOON)
T = TaskStatus


class Running:
    """A plan that runs in memory: a step ends when the test says so."""

    def __init__(self, *tasks: dict[str, Any], advance: str = "auto", **more: Any) -> None:
        document = {"id": "plan-x", "advance": advance, "tasks": list(tasks), **more}
        planned = read(to_json(document).encode(), "plan.json").checked()
        self.program: Program = program(planned, cores=4)
        self.plan = Plan("plan-x", "prj", "x", PlanStatus.RUNNING, WHY, NOON, advance=planned.advance, started_at=NOON)
        self.tasks = {
            job.task.id: Task(
                "plan-x", 1, job.task.id, position, job.task.kind, "", "d", T.PENDING, WHY, job.task.needs
            )
            for position, job in enumerate(self.program.jobs.values())
        }
        self.now = NOON
        self.under_way: dict[str, Start] = {}
        self.asked: list[str] = []

    def turn(self) -> Turn:
        return Turn(self.program, self.plan, Board(self.tasks.values()), self.now)

    def take(self, turn: Turn) -> Turn:
        turn.finish()
        self.plan = turn.plan
        self.tasks |= turn.changed
        for task, after in turn.changed.items():
            if after.status is not T.RUNNING:
                self.under_way.pop(task, None)
        self.under_way |= {start.task: start for start in turn.starts}
        self.asked += [question.task for question in turn.questions]
        return turn

    def go(self) -> Running:
        self.take(self.turn())
        return self

    def end(self, task: str, *, ok: bool = True, why: str = "exit code 1") -> Turn:
        start, turn = self.under_way[task], self.turn()
        turn.step_ended(task, start.attempt, start.number, ok=ok, why=why)
        return self.take(turn)

    def decide(self, task: str, *, approved: bool) -> Turn:
        turn = self.turn()
        turn.decided(task, approved=approved, by="ada")
        return self.take(turn)

    @property
    def status(self) -> str:
        return self.plan.status.value

    @property
    def statuses(self) -> dict[str, str]:
        return {task: each.status.value for task, each in self.tasks.items()}


def shell(task: str, *needs: str, **more: Any) -> dict[str, Any]:
    return {"id": task, "command": f"./{task}", "needs": list(needs), **more}


def test_two_in_parallel_a_gate_and_a_join() -> None:
    plan = Running(
        shell("a"), shell("b"),
        {"id": "ok", "kind": "gate", "needs": ["a", "b"], "checks": ["test -f a.txt"], "approval": True},
        shell("c", "ok"),
    ).go()  # fmt: skip
    assert set(plan.under_way) == {"a", "b"}
    plan.end("a")
    assert plan.statuses == {"a": "completed", "b": "running", "ok": "pending", "c": "pending"}
    plan.end("b")
    assert plan.under_way["ok"].step.argv == ("sh", "-c", "test -f a.txt")
    plan.end("ok")
    assert plan.statuses["ok"] == "waiting_approval"
    assert plan.asked == ["ok"]
    assert plan.status == "running"
    plan.decide("ok", approved=True)
    plan.end("c")
    assert plan.status == "completed"
    assert plan.plan.ended_at == NOON


def test_a_gate_that_is_not_approved_fails_what_follows() -> None:
    plan = Running({"id": "ok", "kind": "gate", "approval": True}, shell("c", "ok")).go()
    assert plan.asked == ["ok"], "a gate without checks asks at once"
    plan.decide("ok", approved=False)
    assert plan.statuses == {"ok": "failed", "c": "skipped"}
    assert plan.status == "failed"


def test_what_is_asked_anew_is_checked_again_and_not_done_again() -> None:
    work = shell(
        "a",
        preconditions=["The team agrees with what is planned here"],
        success_criteria=["test -f a", "The text reads well to a newcomer"],
    )
    plan = Running(work).go()
    plan.decide("a", approved=True)
    plan.end("a")
    plan.end("a")
    assert (plan.asked, plan.tasks["a"].step) == (["a", "a"], 3)
    turn = plan.turn()
    turn.ask_anew("a", "x has changed", ["x"], [], "app_1")
    turn.ask_anew("a", "told twice", ["x"], [], "app_1")
    plan.take(turn)
    assert turn.anew == {"a": "x has changed"}
    assert plan.under_way["a"].step.text == "test -f a", "neither the work nor the first question"
    assert plan.tasks["a"].result == {"changed": ["x"], "asked_before": ["app_1"]}, (
        "what was proven before is not shown"
    )
    plan.end("a")
    assert (plan.asked, plan.tasks["a"].attempts) == (["a", "a", "a"], 1)
    assert plan.statuses == {"a": "waiting_approval"}


def test_what_is_done_must_be_proven() -> None:
    plan = Running(shell("a", success_criteria=["test -s out", "It reads well to somebody who is new"])).go()
    plan.end("a")
    assert plan.under_way["a"].step.text == "test -s out"
    plan.end("a")
    assert plan.statuses == {"a": "waiting_approval"}, "a sentence is never met by itself"
    failed = Running(shell("a", success_criteria=["test -s out"])).go()
    failed.end("a")
    failed.end("a", ok=False)
    assert failed.statuses == {"a": "failed"}


def test_nothing_is_tried_again_but_by_policy() -> None:
    plan = Running(shell("a", retry={"attempts": 3, "delay": "10s", "backoff": 2})).go()
    plan.end("a", ok=False)
    assert plan.statuses == {"a": "ready"}
    plan.go()
    assert not plan.under_way, "it waits"
    plan.now += 10_000
    plan.go()
    assert plan.under_way["a"].attempt == 2
    plan.end("a", ok=False)
    plan.now += 19_999
    assert not plan.go().under_way
    plan.now += 1
    plan.go().end("a", ok=False)
    assert plan.statuses == {"a": "failed"}
    assert plan.status == "failed"
    once = Running(shell("a")).go()
    once.end("a", ok=False)
    assert once.statuses == {"a": "failed"}


def test_what_is_told_late_or_twice_means_nothing() -> None:
    plan = Running(shell("a", retry=2)).go()
    first = plan.under_way["a"]
    plan.end("a", ok=False)
    plan.go()
    assert plan.under_way["a"].attempt == 2
    late = plan.turn()
    late.step_ended("a", first.attempt, first.number, ok=True, why="")
    assert not plan.take(late).changed
    plan.end("a")
    again = plan.turn()
    again.step_ended("a", 2, 0, ok=False, why="")
    again.decided("a", approved=False, by="ada")
    assert not plan.take(again).changed


def test_a_person_lets_each_step_run() -> None:
    plan = Running(shell("a"), shell("b", priority="high"), shell("c", "a"), advance="manual").go()
    assert plan.statuses == {"a": "ready", "b": "ready", "c": "pending"}
    assert not plan.under_way
    turn = plan.turn()
    assert turn.release("ada", level=False) == ["b"], "the most urgent first"
    plan.take(turn)
    assert set(plan.under_way) == {"b"}
    turn = plan.turn()
    assert turn.release("ada", level=True) == ["a"]
    plan.take(turn)
    with pytest.raises(Refused, match="Nothing of plan-x is ready"):
        plan.turn().release("ada", level=True)
    plan.end("a")
    assert plan.statuses["c"] == "ready"


def test_what_must_hold_before_blocks_and_a_person_has_it_done_again() -> None:
    plan = Running(shell("a", preconditions=["test -d src"]), shell("b", "a")).go()
    plan.end("a", ok=False, why="exit code 1")
    assert plan.statuses == {"a": "blocked", "b": "pending"}
    assert plan.status == "blocked"
    turn = plan.turn()
    assert turn.run_again("a", "ada") == ["a"]
    plan.take(turn)
    assert plan.status == "running"
    plan.end("a")
    plan.end("a")
    plan.end("b")
    assert plan.status == "completed"


def test_what_failed_and_what_was_skipped_for_it_are_done_once_more() -> None:
    plan = Running(shell("a"), shell("b", "a"), shell("c", "b")).go()
    plan.end("a", ok=False)
    assert plan.status == "failed"
    turn = plan.turn()
    assert turn.run_again("a", "ada") == ["a", "b", "c"]
    plan.take(turn)
    for task in ("a", "b", "c"):
        plan.end(task)
    assert plan.status == "completed"
    assert plan.tasks["a"].attempts == 2


def test_a_paused_plan_begins_nothing_and_takes_in_what_ends() -> None:
    plan = Running(shell("a"), shell("b", "a")).go()
    plan.plan = Plan(**{**_fields(plan.plan), "status": PlanStatus.PAUSED})
    plan.end("a")
    assert plan.statuses == {"a": "completed", "b": "ready"}
    assert not plan.under_way


def _fields(plan: Plan) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in plan.__slots__}


def test_an_agents_task_is_a_session_then_its_proofs() -> None:
    plan = Running({"id": "w", "agent": "claude", "prompt": "Write it", "success_criteria": ["test -f it"]}).go()
    assert (plan.under_way["w"].step.what, plan.under_way["w"].step.text) == ("session", "Write it")
    plan.end("w")
    assert plan.statuses == {"w": "running"}, "an agent's word is not evidence"
    plan.end("w")
    assert plan.under_way["w"].step.what == "merge"
    plan.end("w")
    assert plan.statuses == {"w": "completed"}


@pytest.mark.parametrize("seed", range(150))
def test_every_plan_comes_to_an_end_and_nothing_runs_after_a_failure(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
    tasks: list[dict[str, Any]] = []
    for number in range(dice.randint(1, 12)):
        before = [each["id"] for each in tasks]
        needs = dice.sample(before, min(len(before), dice.choice([0, 1, 1, 2])))
        kind: dict[str, Any] = dice.choice([{}, {}, {"retry": 2}, {"success_criteria": ["test -f x"]}])
        gate = {"kind": "gate", "approval": True, "needs": needs}
        tasks.append({"id": f"t{number}", **gate} if dice.random() < 0.2 else shell(f"t{number}", *needs, **kind))
    plan = Running(*tasks, parallel=dice.randint(1, 3)).go()
    for _ in range(200):
        assert sum(each.status is T.RUNNING for each in plan.tasks.values()) <= plan.program.capacity["commands"]
        for task, each in plan.tasks.items():
            if each.status is T.RUNNING:
                assert all(plan.tasks[need].status is T.COMPLETED for need in plan.program.jobs[task].task.needs)
        if plan.plan.status in PLAN_ENDED:
            break
        waiting = [task for task, each in plan.tasks.items() if each.status is T.WAITING_APPROVAL]
        if waiting and dice.random() < 0.5:
            plan.decide(dice.choice(waiting), approved=dice.random() < 0.8)
        elif plan.under_way:
            plan.end(dice.choice(list(plan.under_way)), ok=dice.random() < 0.8)
        else:
            plan.go()
    assert plan.plan.status in PLAN_ENDED
    assert all(each.status in TASK_ENDED for each in plan.tasks.values())
    assert (plan.plan.status is PlanStatus.FAILED) == any(each.status is T.FAILED for each in plan.tasks.values())
