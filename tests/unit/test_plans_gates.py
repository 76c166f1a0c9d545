"""What closes a gate, worked out without running anything: measures, subjects, production, sense."""

from __future__ import annotations

import json
from typing import Any

import pytest

from supervisor.engine.plans.board import Board
from supervisor.engine.plans.comparing import Measured, compare, number_in
from supervisor.engine.plans.explaining import explain
from supervisor.engine.plans.program import Program, program
from supervisor.engine.plans.reading import read
from supervisor.engine.plans.subject import beside, counting
from supervisor.model.entities import Reason
from supervisor.model.errors import Forbidden
from supervisor.model.plan.parts import Regression
from supervisor.model.plan.task import Task as Planned
from supervisor.model.plans import Task, TaskStatus
from supervisor.model.roles import has_role, refuse_role

T = TaskStatus
BASE = "in the plan's base"


def made(*tasks: dict[str, Any], **more: Any) -> Program:
    return program(read(json.dumps({"id": "p", "tasks": list(tasks), **more}).encode(), "p.json").checked(), cores=2)


def errors(*tasks: dict[str, Any], **more: Any) -> list[str]:
    found = read(json.dumps({"id": "p", "tasks": list(tasks), **more}).encode(), "p.json").errors
    return [each.message for each in found]


@pytest.mark.parametrize(
    ("lines", "number"),
    [
        (["81.5"], 81.5),
        (["coverage: 81.5%"], 81.5),
        (["3 of 12 failed"], 12.0),
        (["7", "", "  "], 7.0),
        (["7", "done"], None),
        ([], None),
        (["-1e3"], -1000.0),
        (["1e999"], None),
        (["nan"], None),
    ],
)
def test_the_last_number_of_the_last_line_counts(lines: list[str], number: float | None) -> None:
    assert number_in(lines) == number


@pytest.mark.parametrize(
    ("better", "before", "now", "why"),
    [
        ("higher", Measured(1, 5.0), Measured(0, 5.0), "exit code 1 before"),
        ("higher", Measured(0, 5.0), Measured(2, 9.0), "exit code 2 now"),
        ("lower", Measured(0), Measured(0, 5.0), "no number in the last line that it put out before"),
        (None, Measured(0), Measured(3), "succeeded before, and ends with exit code 3 now"),
        (None, Measured(127), Measured(1), "could not be run"),
        (None, Measured(1), Measured(127), "could not be run"),
    ],
)
def test_what_cannot_be_compared_is_no_success(better: Any, before: Measured, now: Measured, why: str) -> None:
    ok, said = compare(Regression(command="x", better=better), before, now)
    assert not ok
    assert why in said


def test_a_number_may_be_worse_by_the_tolerance_and_no_more() -> None:
    regression = Regression(command="x", better="lower", tolerance=2)
    assert compare(regression, Measured(0, 10.0), Measured(0, 12.0))[0]
    assert not compare(regression, Measured(0, 10.0), Measured(0, 12.1))[0]


def test_what_looks_back_is_told_before_a_plan_starts() -> None:
    gate = {
        "id": "g", "kind": "gate", "schemas": {"a.json": "b.json"}, "invariants": ["make check"],
        "regressions": ["make test", {"command": "make size", "better": "lower", "baseline": "size"}],
        "evidence_required": ["log"], "diff_review": True, "approver_role": "lead",
    }  # fmt: skip
    (explained,) = explain(made(gate))
    assert explained.steps == (
        "must hold: a.json fits b.json",
        "must hold: evidence log",
        f"must hold: {BASE}: make check",
        f"measure {BASE}: make test",
        "remove the worktree of what the plan began with",
        "must hold: make check",
        "measure: make test",
        "must hold: no worse than before: make test",
        "recall what it was: size",
        "measure: make size",
        "must hold: no worse than before: make size",
        "a person with the role lead decides.",
    )


@pytest.mark.parametrize("key", [{"approver_role": "lead"}, {"diff_review": True}, {"approval": True}])
def test_each_of_these_means_that_a_person_is_asked(key: dict[str, Any]) -> None:
    assert [step.what for step in made({"id": "g", "kind": "gate", **key}).jobs["g"].steps] == ["ask"]


def test_an_invariant_in_prose_is_a_persons() -> None:
    gate = {"id": "g", "kind": "gate", "invariants": ["The interface is the same for its users"]}
    assert [step.judged for step in made(gate).jobs["g"].steps] == [("The interface is the same for its users",)]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"approver_role": "Agent"}, "an agent decides nothing"),
        ({"approver_role": "lead", "approval": False}, "`approver_role` means that a person approves"),
        ({"diff_review": True, "approval": False}, "`diff_review` means that a person approves"),
        ({"invariants": "true", "workspace": "own"}, "`invariants` is about the plan's worktree"),
        ({"regressions": "true", "workspace": "none"}, "`regressions` is about the plan's worktree"),
        ({}, "would stand open"),
    ],
)
def test_a_gate_that_makes_no_sense_is_an_error(more: dict[str, Any], why: str) -> None:
    assert any(why in each for each in errors({"id": "g", "kind": "gate", **more}))


@pytest.mark.parametrize("key", ["invariants", "regressions", "diff_review", "approver_role"])
def test_what_belongs_to_gates_is_an_error_elsewhere(key: str) -> None:
    value = True if key == "diff_review" else "x"
    assert errors({"id": "a", "command": "true", key: value}) == [f"`{key}` belongs to a task of `kind: gate`"]


GATE = {"id": "g", "kind": "gate", "approval": True}
DEPLOY = {"id": "d", "kind": "deploy", "command": "make deploy"}


def production(*tasks: dict[str, Any]) -> list[str]:
    return errors(*tasks, policies={"requireGateForProd": True})


def test_a_deploy_that_a_gate_has_let_through_is_taken() -> None:
    assert production({**GATE, "next": {"success": "d"}}, DEPLOY) == []
    assert production(GATE, {"id": "b", "needs": ["g"], "next": [{"on": "failure", "to": "d"}]}, DEPLOY) == []


@pytest.mark.parametrize("form", [{"failure": "d"}, [{"on": "failure", "to": "d"}]])
def test_a_gate_that_failed_has_let_nothing_through(form: Any) -> None:
    """A deploy that goes on because its gate was rejected has no gate before it."""
    (error,) = production({**GATE, "next": form}, DEPLOY)
    assert "needs a gate before it" in error


def test_each_way_to_a_deploy_leads_through_a_gate() -> None:
    other = {"id": "o", "command": "true", "next": {"success": "d"}}
    (error,) = production({**GATE, "next": {"success": "d"}}, other, DEPLOY)
    assert "needs a gate before it" in error
    assert production(GATE, {**other, "needs": ["g"]}, DEPLOY) == []


def test_a_gate_before_a_subplan_is_before_what_is_in_it() -> None:
    subplan = {"id": "s", "subplan": {"tasks": [DEPLOY]}}
    assert production(GATE, {**subplan, "needs": ["g"]}) == []
    (error,) = production(GATE, subplan)
    assert "needs a gate before it" in error


def stands(name: str, status: TaskStatus, at: int, step: int = 0) -> Task:
    return Task(
        plan="p", revision=1, id=name, position=0, kind="implement", title=name, digest="", status=status,
        reason=Reason("plan", "", at), needs=(), attempts=0 if status is T.PENDING else 1, step=step,
    )  # fmt: skip


def test_who_was_at_work_beside_a_question() -> None:
    plan = made(
        GATE,
        {"id": "runs", "command": "true"},
        {"id": "ended-since", "command": "true"},
        {"id": "ended-before", "command": "true"},
        {"id": "elsewhere", "command": "true", "workspace": "none"},
        {"id": "own", "command": "true", "workspace": "own"},
        {"id": "merges", "command": "true", "workspace": "own"},
        {"id": "merged", "command": "true", "workspace": "own"},
        {"id": "other-gate", "kind": "gate", "approval": True},
        {"id": "later", "command": "true"},
    )
    board = Board([
        stands("g", T.WAITING_APPROVAL, 100),
        stands("runs", T.RUNNING, 50),
        stands("ended-since", T.FAILED, 101),
        stands("ended-before", T.COMPLETED, 100),
        stands("elsewhere", T.RUNNING, 50),
        stands("own", T.RUNNING, 101),
        stands("merges", T.RUNNING, 50, step=1),
        stands("merged", T.COMPLETED, 101),
        stands("other-gate", T.COMPLETED, 101),
        stands("later", T.PENDING, 101),
    ])  # fmt: skip
    assert [each.id for each in beside(plan, board.tasks, "g", 100)] == ["runs", "ended-since", "merges", "merged"]


def test_what_counts_while_others_are_at_work() -> None:
    changed, shown = ["a", "docs/new", "log", "old", "src/x"], {"a", "log", "old", "src/x"}
    assert counting(changed, shown, [], ["old"]) == changed, "alone everything counts"
    assert counting(changed, shown, [Planned(id="b")], []) == ["a", "log", "old", "src/x"]
    assert counting(changed, shown, [Planned(id="b", writes=("log", "src/*.py"))], ["old"]) == ["a"]
    assert counting(["loglike", "a[1]"], {"loglike", "a[1]"}, [Planned(id="b", writes=("log",))], []) == [
        "a[1]", "loglike",
    ]  # fmt: skip


def test_a_role_is_the_same_however_it_is_written() -> None:
    assert has_role("Tech  Lead", ["tech lead"])
    assert not has_role("lead", ["leader"])
    refuse_role(None, [], "x")
    with pytest.raises(
        Forbidden, match=r"x is decided by somebody with the role lead; you are approver\..*add 'lead' to `roles`"
    ):
        refuse_role("lead", ["approver"], "x")
