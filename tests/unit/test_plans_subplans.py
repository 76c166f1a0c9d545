"""Subplans: their tasks are tasks of the plan, and run within the one that they stand in."""

from __future__ import annotations

import random
from typing import Any

import pytest

from supervisor.engine.plans.digests import digest_of_task
from supervisor.engine.plans.flattening import confused, flat
from supervisor.engine.plans.program import program
from supervisor.engine.plans.reading import read
from supervisor.model.errors import Refused
from supervisor.model.plan.plan import Plan
from supervisor.model.plans import PLAN_ENDED, TASK_ENDED, TaskStatus
from supervisor.store.rows import to_json
from tests.unit.test_plans_turn import Running, shell

T = TaskStatus


def planned(*tasks: dict[str, Any]) -> Plan:
    return read(to_json({"id": "plan-x", "tasks": list(tasks)}).encode(), "plan.json").checked()


def group(task: str, *parts: dict[str, Any], needs: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    return {"id": task, "subplan": {"tasks": list(parts)}, "needs": list(needs), **more}


def test_ids_and_what_refers_to_them_are_whole() -> None:
    inner = group("in", shell("x"), shell("y", "x", next={"failure": "z"}), shell("z"))
    tasks = flat(planned(shell("a"), group("b", inner, shell("t", "in"), needs=("a",)), shell("c", "b")))
    assert [task.id for task in tasks] == ["a", "b", "b/in", "b/in/x", "b/in/y", "b/in/z", "b/t", "c"]
    by_id = {task.id: task for task in tasks}
    assert (by_id["b"].needs, by_id["b/t"].needs, by_id["b/in/y"].needs) == (("a",), ("b/in",), ("b/in/x",))
    assert by_id["b/in/y"].next[0].to == "b/in/z"


def test_parts_are_given_what_their_task_says() -> None:
    more: dict[str, Any] = {
        "environment": {"A": "1", "B": "1"},
        "writes": ["src"],
        "resources": {"gpu": 1},
        "priority": "high",
    }
    tasks = flat(planned(group("b", shell("x", environment={"B": "2"}), shell("y", reads=["doc"], resources={"net": 1}),
                               **more)))  # fmt: skip
    _, x, y = tasks
    assert x.environment == {"A": "1", "B": "2"}
    assert (x.writes, x.resources, x.rank) == (("src",), {"gpu": 1}, 10)
    assert (y.reads, y.writes, y.resources) == (("doc",), (), {"net": 1})
    jobs = program(planned(group("b", shell("x"), **more)), 1).jobs
    assert jobs["b"].demand.takes() == {"subplans": 1}, "it is not in the way of its parts"


def test_branches_that_would_be_called_alike_are_a_problem() -> None:
    found = planned(group("b", shell("x")), shell("b.x"))
    assert confused(flat(found)) == [("b/x", "b.x")]
    assert program(found, 1).problems == ("b.x: its branch would be called like that of b/x; rename one of them",)


def test_a_task_is_what_it_is_without_what_its_parts_are() -> None:
    before, changed, added = (
        planned(group("b", *parts)).tasks[0]
        for parts in ([shell("x")], [{"id": "x", "command": "./other"}], [shell("x"), shell("y")])
    )
    assert digest_of_task(before) == digest_of_task(changed)
    assert digest_of_task(before) != digest_of_task(added)


def test_parts_run_within_their_task() -> None:
    plan = Running(
        shell("a"),
        group(
            "b", shell("x"), shell("y", "x"), needs=("a",), preconditions="test -d src", success_criteria="test -f y"
        ),
        shell("c", "b"),
        parallel=1,
    ).go()
    assert set(plan.under_way) == {"a"}
    plan.end("a")
    assert plan.statuses == {"a": "completed", "b": "running", "b/x": "pending", "b/y": "pending", "c": "pending"}
    assert plan.under_way["b"].step.text == "test -d src"
    plan.end("b")
    assert (plan.statuses["b"], plan.statuses["b/x"]) == ("running", "running")
    plan.end("b/x")
    plan.end("b/y")
    assert plan.under_way["b"].step.text == "test -f y", "its own criteria come last"
    plan.end("b")
    plan.end("c")
    assert plan.status == "completed"


def test_a_precondition_that_does_not_hold_begins_no_part() -> None:
    plan = Running(group("b", shell("x"), preconditions="test -d src")).go()
    plan.end("b", ok=False)
    assert (plan.statuses, plan.status) == ({"b": "blocked", "b/x": "pending"}, "blocked")


def test_a_part_that_fails_fails_its_task_once_all_have_ended() -> None:
    plan = Running(
        group("b", shell("x"), shell("y"), shell("z", "x"), next={"failure": "fix"}), shell("fix"), shell("c", "b")
    ).go()
    plan.end("b/x", ok=False)
    assert (plan.statuses["b"], plan.statuses["b/z"]) == ("running", "skipped")
    plan.end("b/y")
    assert plan.statuses["b"] == "failed"
    assert plan.tasks["b"].reason.text == "Failed: b/x."
    assert plan.statuses["c"] == "skipped"
    plan.end("fix")
    assert plan.status == "completed", "the recovery made good for the whole task"


def test_a_failure_that_is_made_good_within_is_none_of_the_task() -> None:
    plan = Running(group("b", shell("x", next={"failure": "fix"}), shell("fix"))).go()
    plan.end("b/x", ok=False)
    plan.end("b/fix")
    assert (plan.statuses["b"], plan.status) == ("completed", "completed")


def test_what_skips_a_task_skips_its_parts() -> None:
    plan = Running(shell("a"), group("b", group("in", shell("x")), needs=("a",))).go()
    plan.end("a", ok=False)
    assert plan.statuses == {"a": "failed", "b": "skipped", "b/in": "skipped", "b/in/x": "skipped"}
    turn = plan.turn()
    turn.run_again("a", "ada")
    plan.take(turn)
    plan.end("a")
    plan.end("b/in/x")
    assert plan.status == "completed"


def test_a_retry_does_again_what_was_not_completed() -> None:
    plan = Running(group("b", shell("x"), shell("y"), shell("z", "y"), retry=2)).go()
    plan.end("b/x")
    plan.end("b/y", ok=False)
    assert plan.statuses == {"b": "running", "b/x": "completed", "b/y": "running", "b/z": "pending"}
    assert (plan.tasks["b"].attempts, plan.tasks["b/y"].attempts) == (2, 2)
    plan.end("b/y")
    plan.end("b/z")
    assert plan.status == "completed"


def test_a_retry_does_all_again_when_all_was_completed() -> None:
    plan = Running(group("b", shell("x"), success_criteria="test -f x", retry=2)).go()
    plan.end("b/x")
    plan.end("b", ok=False)
    assert plan.tasks["b/x"].attempts == 2
    plan.end("b/x")
    plan.end("b")
    assert plan.status == "completed"


def test_a_part_that_a_person_has_done_again_takes_its_task_along() -> None:
    plan = Running(group("b", shell("x"), shell("y", "x")), shell("c", "b")).go()
    plan.end("b/x", ok=False)
    assert plan.status == "failed"
    turn = plan.turn()
    turn.run_again("b/x", "ada")
    plan.take(turn)
    assert plan.statuses == {"b": "running", "b/x": "running", "b/y": "pending", "c": "pending"}
    for task in ("b/x", "b/y", "c"):
        plan.end(task)
    assert plan.status == "completed"


def test_a_part_that_a_person_completes_takes_its_task_along() -> None:
    plan = Running(group("b", shell("x"), shell("y", "x")), shell("c", "b")).go()
    plan.end("b/x", ok=False)
    turn = plan.turn()
    turn.complete("b/x", "ada", "done by hand")
    plan.take(turn)
    assert plan.statuses == {"b": "running", "b/x": "completed", "b/y": "running", "c": "pending"}


def test_a_task_that_a_person_completes_leaves_its_parts() -> None:
    plan = Running(group("b", shell("x"), preconditions="test -d src"), shell("c", "b")).go()
    plan.end("b", ok=False)
    turn = plan.turn()
    turn.complete("b", "ada", "done by hand")
    plan.take(turn)
    assert plan.statuses == {"b": "completed", "b/x": "skipped", "c": "running"}
    with pytest.raises(Refused):
        plan.turn().complete("b", "ada", "again")


def test_a_part_that_is_blocked_blocks_the_plan() -> None:
    plan = Running(group("b", shell("x", preconditions="test -f a"))).go()
    plan.end("b/x", ok=False)
    assert (plan.statuses, plan.status) == ({"b": "running", "b/x": "blocked"}, "blocked")
    turn = plan.turn()
    turn.run_again("b/x", "ada")
    plan.take(turn)
    assert plan.status == "running"


def test_each_step_waits_for_a_person() -> None:
    plan = Running(group("b", shell("x"), shell("y")), advance="manual").go()
    for expected in (["b"], ["b/x"], ["b/y"]):
        turn = plan.turn()
        assert turn.release("ada", level=False) == expected
        plan.take(turn)


def test_giving_a_plan_up_ends_everything() -> None:
    plan = Running(group("b", shell("x"), shell("y", "x"))).go()
    turn = plan.turn()
    turn.cancel("ada")
    plan.take(turn)
    assert set(plan.statuses.values()) == {"abandoned"}


@pytest.mark.parametrize("seed", range(40))
def test_whatever_ends_how_the_plan_ends(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a repeatable test

    def some(depth: int) -> list[dict[str, Any]]:
        tasks: list[dict[str, Any]] = []
        for number in range(chance.randint(1, 4)):
            before = [task["id"] for task in tasks if chance.random() < 0.4]
            more: dict[str, Any] = {"retry": 2} if chance.random() < 0.3 else {}
            if chance.random() < 0.2:
                more["success_criteria"] = "test -f x"
            if depth and chance.random() < 0.5:
                tasks.append(group(f"t{number}", *some(depth - 1), needs=tuple(before), **more))
            else:
                tasks.append(shell(f"t{number}", *before, **more))
        return tasks

    plan = Running(*some(2), parallel=2).go()
    for _ in range(500):
        if plan.plan.status in PLAN_ENDED:
            break
        plan.end(chance.choice(sorted(plan.under_way)), ok=chance.random() < 0.8)
    assert plan.plan.status in PLAN_ENDED, plan.statuses
    for task in plan.tasks.values():
        assert task.status in TASK_ENDED
        parts = [part for part in plan.tasks.values() if part.id.rpartition("/")[0] == task.id]
        if task.status is T.COMPLETED and parts:
            assert {part.status for part in parts} == {T.COMPLETED}
        if task.status is T.SKIPPED:
            assert {part.status for part in parts} <= {T.SKIPPED}
