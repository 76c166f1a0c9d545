"""What becomes of tasks, against a reference that looks at everything again and again."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from supervisor.engine.plans.progress import Node, Progress, Route
from supervisor.model.plans import TASK_ENDED, PlanStatus, TaskStatus

P, R, C, F, S, B, X = (
    TaskStatus.PENDING, TaskStatus.RUNNING, TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.SKIPPED,
    TaskStatus.BLOCKED, TaskStatus.ABANDONED,
)  # fmt: skip

DIAMOND = {"a": Node(), "b": Node(("a",)), "c": Node(("a",)), "d": Node(("b", "c"))}
RECOVERY = {
    "collect": Node(),
    "broaden": Node(routes=(Route("collect", "failure"),)),
    "design": Node(("collect",), routes=(Route("collect", "success"),)),
}


def settled(nodes: Mapping[str, Node], **statuses: TaskStatus) -> dict[str, TaskStatus]:
    now = {**dict.fromkeys(nodes, P), **statuses}
    for move in Progress(nodes).settle(now):
        now[move.task] = move.to
    return now


class TestSettle:
    def test_what_needs_nothing_is_ready(self) -> None:
        assert settled(DIAMOND) == {"a": TaskStatus.READY, "b": P, "c": P, "d": P}

    def test_a_join_waits_for_all(self) -> None:
        assert settled(DIAMOND, a=C, b=C, c=R)["d"] is P
        assert settled(DIAMOND, a=C, b=C, c=C)["d"] is TaskStatus.READY

    @pytest.mark.parametrize("end", [F, S, X])
    def test_what_depends_on_a_failure_never_runs(self, end: TaskStatus) -> None:
        assert settled(DIAMOND, a=C, b=end, c=R) == {"a": C, "b": end, "c": R, "d": S}

    def test_it_says_because_of_what(self) -> None:
        moves = Progress(DIAMOND).settle({"a": F, "b": P, "c": P, "d": P}, ["a"])
        assert [(move.task, move.why) for move in moves] == [
            ("b", "It needs a, which failed."),
            ("c", "It needs a, which failed."),
            ("d", "It needs b, which was skipped."),
        ]

    def test_a_recovery_runs_only_after_a_failure(self) -> None:
        assert settled(RECOVERY) == {"collect": TaskStatus.READY, "broaden": P, "design": P}
        assert settled(RECOVERY, collect=C) == {"collect": C, "broaden": S, "design": TaskStatus.READY}
        assert settled(RECOVERY, collect=F) == {"collect": F, "broaden": TaskStatus.READY, "design": S}

    def test_one_of_several_routes_is_enough(self) -> None:
        nodes = {"a": Node(), "b": Node(), "fix": Node(routes=(Route("a", "failure"), Route("b", "failure")))}
        assert settled(nodes, a=C, b=R)["fix"] is P
        assert settled(nodes, a=F, b=R)["fix"] is TaskStatus.READY
        assert settled(nodes, a=C, b=C)["fix"] is S

    def test_only_what_depends_on_the_change_is_looked_at(self) -> None:
        assert [move.task for move in Progress(DIAMOND).settle({"a": C, "b": P, "c": P, "d": P}, ["a"])] == ["b", "c"]
        assert Progress(DIAMOND).settle({"a": P, "b": P, "c": P, "d": P}, []) == []

    def test_a_chain_of_ten_thousand_is_skipped_without_recursion(self) -> None:
        nodes = {str(n): Node((str(n - 1),) if n else ()) for n in range(10_000)}
        moves = Progress(nodes).settle({**dict.fromkeys(nodes, P), "0": F}, ["0"])
        assert len(moves) == 9_999

    @pytest.mark.parametrize("seed", range(200))
    def test_it_agrees_with_looking_at_everything_again(self, seed: int) -> None:
        dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
        nodes = a_graph(dice)
        progress, now = Progress(nodes), dict.fromkeys(nodes, P)
        changed: list[str] | None = None
        while True:
            for move in progress.settle(now, changed):
                assert now[move.task] is P
                now[move.task] = move.to
            assert now == reference(nodes, now), "nothing more follows"
            ready = [task for task in nodes if now[task] is TaskStatus.READY]
            if not ready:
                break
            changed = dice.sample(ready, dice.randint(1, len(ready)))
            for task in changed:
                now[task] = dice.choice([C, C, C, F, X])
        assert set(now.values()) <= TASK_ENDED, "every plan comes to an end"
        assert progress.outcome(now) is not None


def a_graph(dice: random.Random) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    for number in range(dice.randint(1, 14)):
        before = list(nodes)
        needs = tuple(dice.sample(before, min(len(before), dice.choice([0, 0, 1, 1, 2, 3]))))
        routes = tuple(
            Route(source, "failure" if dice.random() < 0.5 else "success")
            for source in dice.sample(before, min(len(before), dice.choice([0, 0, 0, 1, 2])))
        )
        nodes[f"t{number}"] = Node(needs, routes)
    return nodes


def reference(nodes: Mapping[str, Node], before: Mapping[str, TaskStatus]) -> dict[str, TaskStatus]:
    """The specification, word by word."""
    now = dict(before)
    while True:
        for task, node in nodes.items():
            if now[task] is not P:
                continue
            lost = any(now[needed] in TASK_ENDED - {C} for needed in node.needs)
            met = all(now[needed] is C for needed in node.needs)
            taken = any(now[source] is (C if on == "success" else F) for source, on in node.routes)
            shut = bool(node.routes) and all(now[source] in TASK_ENDED for source, _ in node.routes) and not taken
            if lost or (met and shut):
                now[task] = S
                break
            if met and (taken or not node.routes):
                now[task] = TaskStatus.READY
                break
        else:
            return now


class TestOutcome:
    def test_it_goes_on_while_anything_can_happen(self) -> None:
        assert Progress(DIAMOND).outcome({"a": C, "b": R, "c": B, "d": P}) is None

    def test_it_is_blocked_when_only_a_person_can_help(self) -> None:
        assert Progress(DIAMOND).outcome({"a": C, "b": C, "c": B, "d": P}) == (PlanStatus.BLOCKED, "Blocked: c.")

    def test_it_fails_when_nothing_more_can_run(self) -> None:
        found = Progress(DIAMOND).outcome({"a": C, "b": F, "c": C, "d": S})
        assert found == (PlanStatus.FAILED, "Failed: b. Nothing more of it can run.")

    def test_a_failure_that_was_made_good_does_not_count(self) -> None:
        found = Progress(RECOVERY).outcome({"collect": F, "broaden": C, "design": S})
        assert found == (PlanStatus.COMPLETED, "Failed and made good: collect.")
        assert Progress(RECOVERY).outcome({"collect": F, "broaden": F, "design": S}) == (
            PlanStatus.FAILED,
            "Failed: collect, broaden. Nothing more of it can run.",
        )

    def test_it_completes(self) -> None:
        assert Progress(DIAMOND).outcome(dict.fromkeys(DIAMOND, C)) == (
            PlanStatus.COMPLETED,
            "Every task has ended, none has failed.",
        )


def test_what_was_skipped_because_of_a_task_waits_anew_with_it() -> None:
    progress = Progress({**DIAMOND, "e": Node(), "f": Node(("e", "d"))})
    statuses = {"a": C, "b": F, "c": C, "d": S, "e": F, "f": S}
    assert progress.revived_with(statuses, "b") == ["d", "f"]
    assert progress.revived_with(statuses, "c") == ["d", "f"]
    assert progress.revived_with(statuses, "f") == []
