"""What becomes of a plan's tasks when it is revised."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from supervisor.engine.planruns.committing import Told, key_of
from supervisor.engine.planruns.recovering import answer
from supervisor.engine.plans.board import Board
from supervisor.engine.plans.flattening import flat
from supervisor.engine.plans.program import UNDO, going_by, program
from supervisor.engine.plans.reading import read
from supervisor.engine.plans.repeating import ITEMS, known_items
from supervisor.engine.plans.revising import NOTHING, Revising, Standing
from supervisor.engine.plans.turn import Turn
from supervisor.model.entities import Reason
from supervisor.model.plan.plan import Plan as Planned
from supervisor.model.plans import Plan, PlanStatus, Running, Task, TaskStatus
from supervisor.model.statuses import ApprovalStatus
from supervisor.store.rows import to_json
from tests.support.stores import an_approval

NOON = 1_795_262_400_000
T = TaskStatus
GATE = {"id": "ok", "kind": "gate", "checks": ["true"], "approval": True}
SUBPLAN = {"id": "build", "subplan": {"tasks": [{"id": "x", "command": "x"}]}}


def plan(*tasks: dict[str, Any]) -> Planned:
    return read(to_json({"id": "plan-x", "tasks": list(tasks)}).encode(), "plan.json").checked()


def revised(
    before: Planned,
    after: Planned,
    running: Running,
    *,
    live: frozenset[str] = frozenset(),
    **statuses: dict[str, Any],
) -> tuple[dict[str, Task], list[tuple[str, str, str]]]:
    """The tasks of revision 2, and those under way that it touches: (task, change, what it becomes)."""
    first = Revising("plan-x", NOTHING, 1, "refuse", "ada", NOON).made(before)
    known = {task.id: replace(task, **statuses.get(task.id, {})) for task in first}
    said = {task.id: task for task in flat(before, known_items(known.values()))}
    revising = Revising("plan-x", Standing(known, said, live), 2, running, "ada", NOON + 1)
    made = {task.id: task for task in revising.made(after)}
    assert [task.position for task in made.values()] == list(range(len(made)))
    return made, [(each.task, each.change, each.becomes) for each in revising.touched]


def test_a_gate_that_waits_needs_no_word() -> None:
    waits: dict[str, Any] = {"status": T.WAITING_APPROVAL, "attempts": 1, "step": 1}
    changed, touched = revised(plan(GATE), plan({**GATE, "checks": ["false"]}), "refuse", ok=waits)
    assert (changed["ok"].status, changed["ok"].attempts, changed["ok"].forgiven, touched) == (T.PENDING, 1, 1, [])
    removed, touched = revised(plan(GATE), plan({"id": "a", "command": "a"}), "refuse", ok=waits)
    assert (list(removed), touched) == (["a"], [])


@pytest.mark.parametrize("running", ["keep", "stop", "restart"])
def test_a_gate_that_is_removed_while_it_is_checked_is_stopped(running: Running) -> None:
    runs: dict[str, Any] = {"status": T.RUNNING, "attempts": 1}
    made, touched = revised(plan(GATE), plan({"id": "a", "command": "a"}), running, ok=runs)
    assert (made["ok"].status, made["ok"].fate, made["ok"].goes_by) == (T.RUNNING, "stop", 1)
    assert touched == [("ok", "removed", "stop")]


@pytest.mark.parametrize(
    ("running", "status"), [("keep", T.WAITING_APPROVAL), ("stop", T.ABANDONED), ("restart", T.ABANDONED)]
)
def test_what_waits_for_a_judgement_and_is_removed(running: Running, status: TaskStatus) -> None:
    judged = plan({"id": "a", "command": "a", "success_criteria": ["It reads well, says a person of taste"]})
    waits: dict[str, Any] = {"status": T.WAITING_APPROVAL, "attempts": 1, "step": 1}
    made, touched = revised(judged, plan({"id": "b", "command": "b"}), running, a=waits)
    assert (made["a"].status, made["a"].fate) == (status, None)
    assert touched == [("a", "removed", "keep" if running == "keep" else "stop")]


@pytest.mark.parametrize("running", ["keep", "stop", "restart"])
def test_what_is_being_rolled_back_goes_on_with_that(running: Running) -> None:
    undone: dict[str, Any] = {"id": "a", "command": "a", "rollback": ["undo"]}
    rolls: dict[str, Any] = {"status": T.RUNNING, "attempts": 1, "step": UNDO}
    made, touched = revised(plan(undone), plan({"id": "a", "command": "b"}), running, a=rolls)
    assert (made["a"].fate, made["a"].goes_by, made["a"].step, touched) == (None, 1, UNDO, [("a", "changed", "keep")])
    made, touched = revised(plan(undone), plan({"id": "b", "command": "b"}), running, a=rolls)
    assert (made["a"].fate, made["a"].goes_by, made["a"].step, touched) == (None, 1, UNDO, [("a", "removed", "keep")])


def test_what_waits_for_a_judgement_and_is_stopped_waits_blocked() -> None:
    judged = plan({"id": "a", "command": "a", "success_criteria": ["It reads well, says a person of taste"]})
    waits: dict[str, Any] = {"status": T.WAITING_APPROVAL, "attempts": 1, "step": 1}
    made, _ = revised(judged, plan({"id": "a", "command": "b"}), "stop", a=waits)
    assert (made["a"].status, made["a"].fate, made["a"].forgiven) == (T.BLOCKED, None, 1)


def test_what_only_waits_for_its_parts_takes_its_new_definition_at_once() -> None:
    runs: dict[str, Any] = {"status": T.RUNNING, "attempts": 1}
    after = plan({**SUBPLAN, "description": "Other"})
    both: dict[str, Any] = {"build": runs, "build/x": runs}
    made, touched = revised(plan(SUBPLAN), after, "restart", live=frozenset({"build/x"}), **both)
    assert (made["build"].status, made["build"].fate, made["build"].released_by) == (T.PENDING, None, "ada")
    assert (made["build/x"].status, made["build/x"].goes_by) == (T.RUNNING, None), "it was not changed"
    assert touched == [("build", "changed", "restart")]
    made, _ = revised(plan(SUBPLAN), after, "restart", live=frozenset({"build"}), **both)
    assert (made["build"].status, made["build"].fate) == (T.RUNNING, "restart"), "a check of it runs"
    made, _ = revised(plan(SUBPLAN), after, "stop", live=frozenset({"build/x"}), **both)
    assert made["build"].status is T.BLOCKED


@pytest.mark.parametrize("running", ["keep", "stop"])
def test_a_removed_subplan_leaves_what_runs_of_it(running: Running) -> None:
    runs: dict[str, Any] = {"status": T.RUNNING, "attempts": 1}
    both: dict[str, Any] = {"build": runs, "build/x": runs}
    made, touched = revised(plan(SUBPLAN), plan({"id": "a", "command": "a"}), running, **both)
    assert list(made) == ["a", "build/x"]
    assert made["build/x"].fate == (None if running == "keep" else "stop")
    assert touched == [("build", "removed", "stop"), ("build/x", "removed", running)]


@pytest.mark.parametrize("running", ["keep", "restart"])
def test_what_is_repeated_keeps_its_items_only_when_it_is_kept(running: Running) -> None:
    before = plan({"id": "list", "command": "l"}, {"id": "dive-*", "command": "old", "needs": ["list"]})
    after = plan({"id": "list", "command": "l"}, {"id": "dive-*", "command": "new", "needs": ["list"]})
    known = {task.id: task for task in Revising("plan-x", NOTHING, 1, "refuse", "ada", NOON).made(before)}
    known["dive-*"] = replace(known["dive-*"], status=T.RUNNING, attempts=1, result={ITEMS: [["dive-1", "one"]]})
    said = {task.id: task for task in flat(before, known_items(known.values()))}
    known["dive-1"] = replace(known["list"], id="dive-1", digest="old", status=T.RUNNING, attempts=1)
    revising = Revising("plan-x", Standing(known, said, frozenset({"dive-1"})), 2, running, "ada", NOON)
    made = {task.id: task for task in revising.made(after)}
    if running == "keep":
        assert (made["dive-*"].goes_by, made["dive-1"].goes_by, made["dive-1"].fate) == (1, 1, None)
    else:
        assert (made["dive-*"].status, made["dive-1"].fate, made["dive-1"].needs) == (T.PENDING, "stop", ())


def test_an_answer_to_an_earlier_revision_is_none() -> None:
    made = program(
        plan({"id": "a", "command": "a", "success_criteria": ["It reads well, says a person of taste"]}), cores=1
    )
    why = Reason("plan", "It asks.", NOON)
    task = Task("plan-x", 2, "a", 0, "implement", "", "d", T.WAITING_APPROVAL, why, attempts=1, step=1)
    now = Plan("plan-x", "prj", "x", PlanStatus.RUNNING, why, NOON, revision=2)
    for revision, status in ((1, T.WAITING_APPROVAL), (2, T.COMPLETED)):
        turn, told = Turn(made, now, Board([task]), NOON), Told()
        given = an_approval(
            task="a", request_key=key_of(now, "a", 1, 1), status=ApprovalStatus.APPROVED, asked={"revision": revision}
        )
        answer(given)(turn, told)
        assert (turn.task("a").status, bool(told.used)) == (status, revision == 2)


def test_a_part_that_a_revision_removed_makes_way_for_a_new_one_of_its_name() -> None:
    before = program(plan({"id": "list", "command": "l"}, {"id": "dive-*", "command": "new", "needs": ["list"]}), 1)
    why = Reason("plan", "", NOON)
    board = [
        Task("plan-x", 3, "list", 0, "implement", "", "d", T.COMPLETED, why),
        Task("plan-x", 3, "dive-*", 1, "implement", "", "d", T.RUNNING, why, attempts=2),
        Task("plan-x", 3, "dive-1", 2, "implement", "", "d", T.RUNNING, why, attempts=1, goes_by=1),
        Task("plan-x", 3, "dive-2", 3, "implement", "", "d", T.ABANDONED, why, attempts=1, goes_by=1),
    ]
    old = {name: before.jobs["list"].task.model_copy(update={"id": name}) for name in ("dive-1", "dive-2")}
    now = Plan("plan-x", "prj", "x", PlanStatus.RUNNING, why, NOON, revision=3, advance="auto")
    turn = Turn(going_by(before, old), now, Board(board), NOON)
    turn.repeat("dive-*", 2, 0, ["one", "two"])
    assert turn.stops == ["dive-1"], "it goes on from before the revision: it has to end first"
    turn.finish()
    assert (turn.task("dive-1").status, turn.task("dive-1").fate) == (T.RUNNING, "restart")
    assert [start.task for start in turn.starts] == ["dive-2"]
    assert (turn.task("dive-2").attempts, turn.task("dive-2").forgiven) == (2, 1)
    turn.step_ended("dive-1", 1, 0, ok=True, why="")
    turn.finish()
    assert (turn.task("dive-1").status, turn.task("dive-1").attempts) == (T.RUNNING, 2)
