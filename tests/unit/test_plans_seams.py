"""Where what plans can do meets: revisions, limits, rollbacks, results that are taken again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supervisor.engine.planruns.committing import key_of
from supervisor.engine.planruns.measuring import compare_noted
from supervisor.engine.plans import escalating, reusing, undoing
from supervisor.engine.plans.limits import Cut
from supervisor.engine.plans.program import UNDO
from supervisor.engine.plans.subject import beside
from supervisor.model.plans import TaskStatus
from tests.unit.test_plans_turn import NOON, Running, shell

T = TaskStatus


def rolling(plan: Running, task: str) -> None:
    """Let a task that is completed be rolled back."""
    turn = plan.turn()
    undoing.roll_back(turn, task, "ada")
    plan.take(turn)
    assert plan.tasks[task].step == UNDO


def test_a_result_that_is_taken_when_a_revision_has_ended_the_attempt_means_nothing() -> None:
    plan = Running(shell("a", idempotent=True, reads=["a.txt"])).go()
    start = plan.under_way["a"]
    assert start.step.what == "recall"
    plan.tasks["a"] = replace(plan.tasks["a"], fate="restart")
    turn = plan.turn()
    reusing.reused(turn, "a", start.attempt, start.number, "Unchanged inputs.", {"exit_code": 0}, "hash")
    plan.take(turn)
    assert plan.tasks["a"].status is not T.COMPLETED
    assert plan.tasks["a"].fate is None, "it is begun anew"


def test_a_budget_does_not_end_a_rollback_half_way() -> None:
    plan = Running(shell("a", rollback=["./undo"])).go()
    plan.end("a")
    rolling(plan, "a")
    turn = plan.turn()
    turn.overspent("a", "Its budget is used up.")
    assert (turn.stops, turn.changed) == ([], {})


def test_what_is_told_of_a_task_that_is_gone_means_nothing() -> None:
    turn = Running(shell("a")).go().turn()
    assert not turn.is_at("gone", 1, 0)
    turn.step_ended("gone", 1, 0, ok=True, why="")
    assert turn.changed == {}


def test_numbers_of_questions_about_limits_are_never_used_twice() -> None:
    numbers = []
    # A rollback, a revision or a result that is taken again forget what the clocks showed: they begin as new ones do.
    for began in (NOON, NOON + 60_000):
        plan = Running(shell("a", timeout=10, escalation="ask"))
        plan.now = began
        plan.go()
        plan.now += 10_000
        numbers += [each.number for each in plan.take(plan.turn()).limit_questions]
    assert len(set(numbers)) == len(numbers) == 2


def test_a_timebox_that_ends_the_measuring_of_a_gate_fails_it() -> None:
    gate = {"id": "ok", "kind": "gate", "regressions": ["pytest -q"], "timebox": 10}
    plan = Running(gate).go()
    start = plan.under_way["ok"]
    assert start.step.measures
    turn = plan.turn()
    escalating.cut(turn, "ok", Cut("timebox", "Its timebox is over.", None))
    plan.take(turn)
    plan.end("ok", ok=False)
    assert plan.statuses["ok"] == "failed"


def test_what_was_not_measured_is_no_crash() -> None:
    plan = Running({"id": "ok", "kind": "gate", "regressions": ["pytest -q"]}).go()
    while plan.under_way["ok"].step.what != "compare":
        plan.end("ok")
    turn = plan.turn()
    compare_noted(turn, plan.under_way["ok"])
    plan.take(turn)
    assert "not measured" in plan.tasks["ok"].reason.text


@pytest.mark.parametrize("step", [0, UNDO])
def test_others_may_be_asked_about_while_a_task_is_rolled_back(step: int) -> None:
    plan = Running({"id": "a", "agent": "claude", "prompt": "Do it.", "rollback": ["./undo"]}, shell("b")).go()
    plan.tasks["a"] = replace(plan.tasks["a"], status=T.RUNNING, step=step)
    assert isinstance(beside(plan.program, plan.tasks, "b", NOON - 1), (list, tuple))


def test_what_one_revision_asked_is_not_what_another_asks() -> None:
    plan = Running(shell("a")).plan
    assert key_of(plan, "a", 1, 0) != key_of(replace(plan, revision=plan.revision + 1), "a", 1, 0)
