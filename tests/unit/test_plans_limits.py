"""Limits of tasks: what is used of each, and what happens when one is near or used up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from supervisor.engine.planruns.watching import Wall
from supervisor.engine.plans import escalating
from supervisor.engine.plans.board import Board
from supervisor.engine.plans.limits import SILENCES, WATCH, Signs, bounds, next_look, used, watch_of
from supervisor.engine.plans.spelled import spelled
from supervisor.engine.plans.turn import Turn
from supervisor.model.plans import TaskStatus
from supervisor.store.rows import to_json
from tests.unit.test_plans_turn import NOON, Running, shell

T = TaskStatus


class Watched(Running):
    """A plan in memory whose time passes when the test says so."""

    def __init__(self, *tasks: dict[str, Any], **more: Any) -> None:
        super().__init__(*tasks, **more)
        self.signs: dict[str, Signs] = {}
        self.told: list[str] = []
        self.questions: list[escalating.LimitQuestion] = []
        self.stops: list[str] = []
        self.go()

    def turn(self) -> Turn:
        return Turn(self.program, self.plan, Board(self.tasks.values()), self.now, self.signs)

    def take(self, turn: Turn) -> Turn:
        super().take(turn)
        # Kept as it is stored: what is read after a crash is the same.
        self.told = [f"{notice.type}: {notice.said['text']}" for notice in turn.notices]
        self.questions = turn.limit_questions
        self.stops = turn.stops
        for task in self.tasks.values():
            assert to_json(task.result)
        return turn

    def after(self, seconds: float) -> Turn:
        """Look at it after some time."""
        self.now += round(seconds * 1_000)
        return self.take(self.turn())

    def says(self, task: str, choice: str) -> Turn:
        watch = watch_of(self.tasks[task])
        assert watch is not None
        turn = self.turn()
        assert escalating.decided(turn, task, watch.questions, choice, "ada")
        return self.take(turn)

    def works(self, task: str, *, runs: bool) -> Turn:
        start, turn = self.under_way[task], self.turn()
        escalating.working(turn, task, start.attempt, start.number, runs=runs)
        return self.take(turn)

    def looks_in(self, task: str) -> float | None:
        now, job = self.tasks[task], self.program.jobs[task]
        watch = watch_of(now)
        assert watch is not None
        step = job.steps[now.step] if now.status is T.RUNNING else None
        due = next_look(job.task, watch, step, self.signs.get(task, Signs()), self.now)
        return None if due is None else (due - self.now) / 1_000


def test_a_timeout_bounds_all_steps_of_an_attempt_together() -> None:
    plan = Watched(shell("a", timeout=10, success_criteria=["test -f a", "test -f b"]))
    plan.after(4)
    plan.end("a")
    plan.after(4)
    plan.end("a")
    assert plan.looks_in("a") == 2
    plan.after(1.9)
    assert plan.stops == []
    plan.after(0.1)
    assert plan.stops == ["a"]
    assert plan.told == [
        "limit_passed: plan-x/a: It took longer than its timeout of 10 s (start_to_close).",
    ]
    assert plan.tasks["a"].status is T.RUNNING, "nothing follows before what runs has ended"
    assert plan.tasks["a"].reason.text.startswith("It is being ended. It took longer")
    assert plan.looks_in("a") is None
    plan.end("a", ok=False)
    task = plan.tasks["a"]
    assert (task.status, task.reason.signal) == (T.FAILED, "watchdog")
    assert task.reason.text == (
        "It took longer than its timeout of 10 s (start_to_close): `test -f b` was stopped. "
        "If it needs longer, raise its `timeout`."
    )


def test_an_attempt_that_took_too_long_is_tried_again_with_all_its_time() -> None:
    plan = Watched(shell("a", timeout=10, retry={"attempts": 2}))
    plan.after(10)
    plan.end("a", ok=False)
    assert plan.under_way["a"].attempt == 2
    plan.after(9.9)
    assert plan.stops == []
    plan.after(0.1)
    plan.end("a", ok=False)
    assert plan.statuses == {"a": "failed"}


def test_the_last_step_that_has_ended_well_counts_however_late() -> None:
    plan = Watched(shell("a", timeout=10))
    plan.after(10)
    assert plan.stops == ["a"]
    plan.end("a", ok=True)
    assert plan.statuses == {"a": "completed"}


def test_a_step_that_ended_well_and_late_does_not_let_the_next_one_begin() -> None:
    plan = Watched(shell("a", timeout=10, success_criteria=["test -f a"]))
    plan.after(10)
    plan.end("a", ok=True)
    assert plan.statuses == {"a": "failed"}


def test_a_timebox_bounds_all_attempts_and_what_lies_between() -> None:
    plan = Watched(shell("a", timebox=60, retry={"attempts": 9, "delay": 30}))
    plan.after(20)
    plan.end("a", ok=False)
    assert plan.tasks["a"].status is T.READY
    assert plan.looks_in("a") == 28, "from four fifths on it is near"
    plan.after(30)
    assert plan.under_way["a"].attempt == 2
    plan.after(5)
    plan.end("a", ok=False)
    plan.after(5)
    task = plan.tasks["a"]
    assert (task.status, task.attempts) == (T.FAILED, 2)
    assert task.reason.text.startswith("The timebox of 1 min for all its attempts is used up.")


def test_a_timebox_stops_what_runs_and_nothing_is_tried_again() -> None:
    plan = Watched(shell("a", timebox=60, retry={"attempts": 9}))
    plan.after(60)
    assert plan.stops == ["a"]
    plan.end("a", ok=False)
    assert plan.statuses == {"a": "failed"}
    assert plan.tasks["a"].attempts == 1


def test_at_the_end_of_a_timebox_the_checks_decide_about_what_there_is() -> None:
    plan = Watched(shell("a", timebox=60, success_criteria=["test -s report.md"], retry={"attempts": 3}))
    plan.after(60)
    plan.end("a", ok=False)
    assert (plan.under_way["a"].step.text, plan.tasks["a"].attempts) == ("test -s report.md", 1)
    plan.after(100)
    assert plan.stops == [], "the timebox is over once"
    plan.end("a")
    assert plan.statuses == {"a": "completed"}
    assert plan.tasks["a"].reason.text == (
        "Its timebox ended the work; what there was by then is enough: 1 checks succeeded."
    )


def test_what_is_not_enough_at_the_end_of_a_timebox_is_not_tried_again() -> None:
    plan = Watched(shell("a", timebox=60, success_criteria=["test -s report.md"], retry={"attempts": 3}))
    plan.after(60)
    plan.end("a", ok=False)
    plan.end("a", ok=False, why="there is none")
    assert plan.statuses == {"a": "failed"}
    assert plan.tasks["a"].reason.text.endswith("what there was by then is not enough: there is none")


def test_who_has_a_task_done_once_more_gives_it_a_new_timebox() -> None:
    plan = Watched(shell("a", timebox=60))
    plan.after(60)
    plan.end("a", ok=False)
    turn = plan.turn()
    turn.run_again("a", "ada")
    plan.take(turn)
    plan.after(59)
    assert plan.stops == []
    plan.after(1)
    assert plan.stops == ["a"]


def test_the_time_that_a_person_takes_does_not_count() -> None:
    plan = Watched(
        shell("a", timeout=10, timebox=20, preconditions=["The harbour is free"], success_criteria=["./check"])
    )
    assert plan.statuses == {"a": "waiting_approval"}
    plan.after(1_000)
    plan.decide("a", approved=True)
    plan.after(9)
    assert plan.stops == []
    plan.after(1)
    assert plan.stops == ["a"]


def test_an_agents_time_begins_when_its_session_works_and_rests_when_that_waits() -> None:
    plan = Watched({"id": "a", "agent": "scripted", "prompt": "[]", "timeout": 10, "timebox": 20})
    assert plan.looks_in("a") is None, "it waits in the queue"
    plan.after(1_000)
    plan.works("a", runs=True)
    plan.after(6)
    plan.works("a", runs=False)
    plan.after(1_000)
    plan.works("a", runs=True)
    assert plan.looks_in("a") == 2, "four fifths of it"
    plan.after(4)
    assert plan.stops == ["a"]


def test_news_of_a_session_that_is_over_changes_nothing() -> None:
    plan = Watched({"id": "a", "agent": "scripted", "prompt": "[]", "timeout": 10})
    before = plan.tasks["a"]
    turn = plan.turn()
    escalating.working(turn, "a", 7, 0, runs=True)
    plan.take(turn)
    assert plan.tasks["a"] == before


@pytest.mark.parametrize(
    ("limit", "signs"), [("no_output", Signs(output=NOON + 5_000)), ("heartbeat", Signs(0, NOON + 5_000))]
)
def test_a_silence_begins_anew_with_each_sign(limit: str, signs: Signs) -> None:
    plan = Watched(shell("a", **{limit: 10}))
    plan.after(5)
    plan.signs["a"] = signs
    plan.after(9)
    assert plan.stops == []
    plan.after(1)
    assert plan.stops == ["a"]
    plan.end("a", ok=False)
    assert limit in plan.tasks["a"].reason.text


def test_output_is_a_sign_of_life_but_life_is_no_output() -> None:
    assert Signs(output=5).of("heartbeat") == 5
    assert Signs(life=5).of("no_output") == 0


def test_a_silence_is_looked_at_again_before_it_is_too_long() -> None:
    plan = Watched(shell("a", no_output=10))
    assert plan.looks_in("a") == 5


def test_a_warning_is_given_once_and_nothing_is_stopped() -> None:
    plan = Watched(shell("a", timeout=10, escalation={"near": "warn", "passed": "warn"}))
    plan.after(8)
    assert plan.told == ["limit_near: plan-x/a: It has nearly taken its timeout of 10 s (start_to_close)."]
    plan.after(1)
    assert plan.told == []
    plan.after(1)
    assert plan.told == ["limit_passed: plan-x/a: It took longer than its timeout of 10 s (start_to_close)."]
    plan.after(100)
    assert (plan.told, plan.stops, plan.looks_in("a")) == ([], [], None)
    plan.end("a")
    assert plan.statuses == {"a": "completed"}


def test_nothing_is_said_about_what_is_near_unless_the_document_says_so() -> None:
    plan = Watched(shell("a", timeout=10))
    plan.after(9)
    assert plan.told == []


def test_a_new_silence_is_told_of_again() -> None:
    plan = Watched(shell("a", no_output=10, escalation="warn"))
    plan.after(10)
    assert len(plan.told) == 1
    plan.signs["a"] = Signs(output=plan.now + 1_000)
    plan.after(10)
    assert plan.told == []
    plan.after(1)
    assert len(plan.told) == 1


def test_a_person_is_asked_once_and_gives_it_more_time() -> None:
    plan = Watched(shell("a", timeout=10, escalation="ask"))
    plan.after(10)
    (asked,) = plan.questions
    assert (asked.task, asked.limit, asked.more_s) == ("a", "timeout", 10)
    assert plan.stops == []
    plan.after(2)
    assert plan.questions == [], "it goes on meanwhile"
    plan.says("a", escalating.MORE)
    plan.after(7)
    assert (plan.questions, plan.stops) == ([], [])
    plan.after(1)
    (again,) = plan.questions
    assert again.number > asked.number
    assert "20 s" in plan.questions[0].text


def test_a_person_has_it_stopped_and_it_is_tried_again_as_after_any_failure() -> None:
    plan = Watched(shell("a", timeout=10, escalation="ask", retry={"attempts": 2}))
    plan.after(10)
    plan.says("a", escalating.STOP)
    assert plan.stops == ["a"]
    plan.end("a", ok=False)
    assert plan.under_way["a"].attempt == 2
    plan.after(10)
    plan.says("a", escalating.STOP)
    plan.end("a", ok=False)
    assert plan.tasks["a"].reason.text == (
        "ada had it stopped: It took longer than its timeout of 10 s (start_to_close)."
    )


def test_a_person_has_it_skipped_with_what_needs_it() -> None:
    plan = Watched(shell("a", timeout=10, escalation="ask", retry={"attempts": 2}), shell("b", "a"), shell("c"))
    plan.after(10)
    plan.says("a", escalating.SKIP)
    plan.end("a", ok=False)
    plan.end("c")
    assert plan.statuses == {"a": "skipped", "b": "skipped", "c": "completed"}
    assert plan.status == "completed"


def test_what_is_asked_when_a_limit_is_near_is_stopped_when_it_is_used_up() -> None:
    plan = Watched(shell("a", timeout=10, escalation={"near": "ask"}))
    plan.after(8)
    assert len(plan.questions) == 1
    plan.after(2)
    assert plan.stops == ["a"]
    watch = watch_of(plan.tasks["a"])
    assert watch is not None
    assert watch.asked is None, "there is nothing left to be asked"


def test_more_patience_with_a_silence_is_counted_from_the_answer() -> None:
    plan = Watched(shell("a", no_output=10, escalation="ask"))
    plan.after(15)
    assert len(plan.questions) == 1
    plan.says("a", escalating.MORE)
    plan.after(9)
    assert plan.questions == []
    plan.after(1)
    assert len(plan.questions) == 1


def test_an_answer_to_a_question_that_is_over_means_nothing() -> None:
    plan = Watched(shell("a", timeout=10, escalation="ask"))
    plan.after(10)
    plan.end("a")
    turn = plan.turn()
    assert not escalating.decided(turn, "a", 1, escalating.STOP, "ada")
    assert turn.changed == {}


def test_there_is_one_question_at_a_time_and_the_next_one_follows_its_answer() -> None:
    plan = Watched(shell("a", timeout=10, timebox=15, escalation="ask"))
    plan.after(10)
    assert [each.limit for each in plan.questions] == ["timeout"]
    plan.after(10)
    assert plan.questions == []
    plan.says("a", escalating.MORE)
    assert [each.limit for each in plan.questions] == ["timebox"]


def test_a_question_about_the_timebox_stays_while_it_waits_to_be_tried_again() -> None:
    plan = Watched(shell("a", timebox=100, escalation={"near": "ask"}, retry={"attempts": 3, "delay": 50}))
    plan.after(80)
    plan.end("a", ok=False)
    plan.says("a", escalating.MORE)
    plan.after(50)
    assert plan.under_way["a"].attempt == 2
    plan.after(70)
    assert plan.stops == ["a"]


def test_a_timebox_of_a_task_with_parts_ends_them_with_it() -> None:
    inner = {"tasks": [shell("one"), shell("two", "one"), {"id": "ok", "kind": "gate", "approval": True}]}
    plan = Watched({"id": "all", "subplan": inner, "timebox": 10, "retry": {"attempts": 2}}, shell("b", "all"))
    assert plan.statuses["all/ok"] == "waiting_approval"
    plan.after(10)
    assert set(plan.stops) == {"all", "all/one"}
    plan.end("all/one", ok=False)
    assert plan.statuses == {
        "all": "failed", "all/one": "failed", "all/two": "skipped", "all/ok": "skipped", "b": "skipped",
    }  # fmt: skip
    assert "It is a part of all." in plan.tasks["all/one"].reason.text


def test_a_timeout_of_a_task_with_parts_lets_it_be_tried_again() -> None:
    plan = Watched({"id": "all", "subplan": {"tasks": [shell("one")]}, "timeout": 10, "retry": {"attempts": 2}})
    plan.after(10)
    plan.end("all/one", ok=False)
    assert plan.under_way["all/one"].attempt == 2
    plan.end("all/one")
    assert plan.statuses == {"all": "completed", "all/one": "completed"}


def test_the_limits_of_a_repeated_task_are_those_of_each_part() -> None:
    plan = Watched(shell("a-*", timeout=10, fan_out={"items": ["x", "y"]}))
    assert WATCH not in plan.tasks["a-*"].result
    plan.after(10)
    assert len(plan.stops) == 2


def test_what_the_supervisor_does_itself_is_never_cut_off() -> None:
    plan = Watched(shell("a", timeout=10, artifacts=[{"name": "x", "path": "x"}]))
    plan.after(9)
    plan.end("a")
    assert plan.under_way["a"].step.what == "keep"
    plan.after(5)
    assert plan.stops == []
    plan.end("a")
    assert plan.statuses == {"a": "completed"}


def test_a_command_whose_host_went_away_while_it_was_being_ended_has_run_into_its_limit() -> None:
    plan = Watched(shell("a", timeout=10))
    plan.after(10)
    start, turn = plan.under_way["a"], plan.turn()
    turn.step_lost("a", start.attempt, start.number)
    plan.take(turn)
    assert plan.statuses == {"a": "failed"}


def test_what_its_runner_ended_counts_like_what_was_ended_here() -> None:
    plan = Watched(shell("a", no_output=10))
    turn, start = plan.turn(), plan.under_way["a"]
    escalating.ended_by_runner(turn, "a", "no_output")
    turn.step_ended("a", start.attempt, start.number, ok=False, why="stopped")
    plan.take(turn)
    assert plan.told == ["limit_passed: plan-x/a: It was silent for longer than its no_output limit of 10 s."]
    assert plan.tasks["a"].reason.signal == "watchdog"


def test_a_task_without_limits_is_not_watched() -> None:
    plan = Watched(shell("a"))
    assert plan.tasks["a"].result == {}
    assert not plan.turn().watched


def test_a_clock_that_goes_backwards_gives_no_time_back_below_nothing() -> None:
    plan = Watched(shell("a", timeout=10))
    watch = watch_of(plan.tasks["a"])
    assert watch is not None
    assert used("timeout", watch, Signs(), NOON - 60_000) == 0


def test_the_time_that_the_machine_sleeps_does_not_count() -> None:
    plan = Watched(shell("a", timeout=10, no_output=6))
    plan.after(5)
    plan.now += 8 * 3_600_000
    turn = plan.turn()
    escalating.jumped(turn, 8 * 3_600_000)
    plan.take(turn)
    assert plan.stops == []
    plan.after(4.9)
    assert plan.stops == []
    plan.after(0.1)
    assert plan.stops == ["a"]
    watch = watch_of(plan.tasks["a"])
    assert watch is not None
    assert watch.cut is not None
    assert watch.cut.limit == "timeout"


def test_a_jump_of_the_clock_is_told_from_the_time_that_passes() -> None:
    steady = [100.0]
    wall = Wall(NOON, lambda: steady[0])
    steady[0] += 60
    assert wall.gap(NOON + 61_000) == 0, "clocks differ a little"
    assert wall.gap(NOON + 3_660_000) == 3_600_000
    assert wall.gap(NOON + 3_660_000) == 3_600_000, "it was not taken into account yet"
    wall.seen()
    assert wall.gap(NOON + 3_660_000) == 0
    assert wall.gap(NOON) == -3_660_000


def test_which_limits_hold_depends_on_what_runs() -> None:
    plan = Watched(shell("a", timeout=1, timebox=1, no_output=1, heartbeat=1))
    job, watch = plan.program.jobs["a"], watch_of(plan.tasks["a"])
    assert watch is not None
    work = job.steps[0]
    assert set(bounds(job.task, watch, work)) == {"timeout", "timebox", "no_output", "heartbeat"}
    assert not SILENCES & set(bounds(job.task, watch, replace(work, what="expression")))
    assert bounds(job.task, watch, replace(work, what="merge")) == {}
    assert set(bounds(job.task, watch, None)) == {"timebox"}


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (0, "0 s"),
        (500, "0.5 s"),
        (1_500, "1.5 s"),
        (90_000, "1 min 30 s"),
        (5_400_000, "1 h 30 min"),
        (86_400_000, "1 d"),
    ],
)
def test_durations_are_read_at_a_glance(ms: int, words: str) -> None:
    assert spelled(ms) == words
