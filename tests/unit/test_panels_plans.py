"""The list of plans: order, lines, and what events change; one plan: its head, tree, bars and tasks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from rich.cells import cell_len

from panels.view import plangantt, planoutline
from panels.view.model import ViewModel
from panels.view.opened import as_it_stands, opened
from panels.view.plan import absorb as absorb_in_plan
from panels.view.planhead import head
from panels.view.plans import Heading, absorb, group_of, line, rows, standing, title_width
from panels.view.plantask import detail
from supervisor.model.times import from_rfc3339
from tests.support.app import snapshot
from tests.support.planviews import BUSY, NOON, SHOP, answer, gate_approval, listed, viewed

Json = dict[str, Any]
NOW = from_rfc3339(NOON)
HOSTILE = "[bold red]x[/] \x1b[2J\x1b]0;t\x07 \u202eevil\u2066 你好\nsecond"


def a_plan(identifier: str, **fields: Any) -> Json:
    return {**listed(SHOP), "id": identifier, "title": identifier, **fields}


def text_of(spans: Any) -> str:
    return "".join(text for text, _ in spans)


def event(kind: str, payload: Json, *, plan: str = "plan-shop", task: str | None = None) -> Json:
    return {
        "seq": 5, "time": NOON, "project": "prj_1", "plan": plan, "task": task, "session": None, "attempt": None,
        "phase": "plan", "type": kind, "severity": "info", "source": "supervisor", "payload": payload,
    }  # fmt: skip


def reads_again(view: ViewModel) -> bool:
    return view.stale.plans


class TestList:
    def test_what_needs_the_person_comes_first(self) -> None:
        plans = [
            a_plan("kept", status="pending"),
            a_plan("done", status="completed"),
            a_plan("goes", task_counts={"running": 1}),
            a_plan("stuck", status="blocked"),
            a_plan("asks", task_counts={"waiting_approval": 1}),
            a_plan("steps", advance="manual", task_counts={"ready": 1}),
        ]
        found = rows(plans, [gate_approval("asks", "ok")])
        said = [row.group if isinstance(row, Heading) else row["id"] for row in found]
        assert said == ["needs", "asks", "steps", "stuck", "working", "goes", "waiting", "kept", "done", "done"]

    def test_a_step_that_is_let_run_needs_nobody(self) -> None:
        plan = a_plan("steps", advance="manual", task_counts={"ready": 1, "running": 1})
        assert group_of(plan, is_asked=False) == "working"

    def test_words_narrow_it(self) -> None:
        plans = [a_plan("plan-a", title="The Search"), a_plan("plan-b", owner="zoe")]
        assert [row["id"] for row in rows(plans, (), "SEARCH the") if isinstance(row, dict)] == ["plan-a"]
        assert [row["id"] for row in rows(plans, (), "zoe") if isinstance(row, dict)] == ["plan-b"]
        assert rows(plans, (), "nothing") == []

    @pytest.mark.parametrize("width", [24, 40, 67, 80, 160])
    def test_a_line_has_the_width_that_there_is(self, width: int) -> None:
        plan = {**listed(SHOP, BUSY), "title": HOSTILE}
        titles = title_width([plan], width)
        said = text_of(line(plan, [gate_approval("plan-shop", "ok", question=HOSTILE)], width, titles, NOW))
        assert cell_len(said) == width
        assert not re.search("[\x1b\x07\u202e\u2066\n]", said)
        assert "4/9" in said

    def test_what_waits_is_said(self) -> None:
        plan = listed(SHOP, BUSY)
        assert standing(plan, [gate_approval("plan-shop", "ok")])[0] == "ok asks: Go live?: May it go on?"
        assert standing(plan, ())[0] == "1 running, 1 failed"
        assert standing({**plan, "status": "pending"}, ())[0] == "b starts it"
        stepped = {**plan, "advance": "manual", "task_counts": {"ready": 2, "completed": 1}}
        assert standing(stepped, ())[0] == "2 ready: . lets the next run"
        assert standing({**plan, "status": "paused"}, ())[0] == "person started it."

    @pytest.mark.parametrize("width", [30, 80, 160])
    def test_the_head_fits(self, width: int) -> None:
        first, second = head({**listed(SHOP, BUSY), "title": HOSTILE}, (), width, NOW)
        assert "4/9" in text_of(first)
        if width >= 80:
            assert (cell_len(text_of(first)), "running: person started it." in text_of(second)) == (width, True)
            assert cell_len(text_of(second)) <= width


class TestEvents:
    def test_counts_follow_tasks(self) -> None:
        plans = {"plan-shop": listed(SHOP, BUSY)}
        moved = event(
            "task_status_changed", {"from": "running", "to": "completed", "reason": "", "attempt": 1}, task="unit"
        )
        assert absorb(plans, moved) is False
        assert (plans["plan-shop"]["task_counts"]["running"], plans["plan-shop"]["task_counts"]["completed"]) == (0, 5)
        assert absorb(plans, moved) is True, "what does not fit is read again"

    def test_a_status_comes_with_its_reason(self) -> None:
        plans = {"plan-shop": listed(SHOP)}
        assert not absorb(
            plans, event("plan_status_changed", {"from": "running", "to": "failed", "reason": "It fell."})
        )
        assert (plans["plan-shop"]["status"], plans["plan-shop"]["status_reason"]["text"]) == ("failed", "It fell.")
        assert plans["plan-shop"]["ended_at"] == NOON

    def test_what_is_new_or_revised_is_read_and_what_is_deleted_goes(self) -> None:
        plans = {"plan-shop": listed(SHOP)}
        assert absorb(plans, event("plan_created", {"title": "New", "tasks": 1}, plan="plan-new"))
        assert absorb(plans, event("plan_revised", {"revision": 2, "rationale": "", "author": "person"}))
        assert not absorb(plans, event("plan_deleted", {"title": ""}))
        assert plans == {}

    def test_nobody_asks_for_plans_that_nobody_looked_at(self) -> None:
        view = ViewModel()
        view.load(snapshot())
        view.apply(event("plan_created", {"title": "New", "tasks": 1}))
        assert not reads_again(view)
        view.take_plans([listed(SHOP, BUSY)])
        view.take_changes()
        view.apply(event("plan_revised", {"revision": 2, "rationale": "", "author": "person"}))
        assert reads_again(view)
        assert "plans" in view.take_changes()
        view.load(snapshot())
        assert reads_again(view), "events may have been missed while there was no connection"

    def test_what_was_asked_before_an_event_is_asked_again(self) -> None:
        view = ViewModel()
        view.load(snapshot())
        view.take_plans([listed(SHOP, BUSY)])
        moved = {"from": "running", "to": "completed"}
        view.apply(event("task_status_changed", moved, task="deploy"))
        assert not reads_again(view), "the event says enough"
        with view.reading_plans():
            view.apply(event("task_status_changed", {"from": "completed", "to": "running"}, task="deploy"))
        assert reads_again(view), "what is answered may be older than the event"

    def test_tasks_change_at_once(self) -> None:
        plan = viewed(SHOP, BUSY)
        moved = {"from": "pending", "to": "running", "attempt": 2, "session": "ses_9", "reason": "Its turn has come."}
        absorb_in_plan(plan, event("task_status_changed", moved, task="deploy"))
        task = plan.tasks["deploy"]
        assert (task.status, task.reason, task.attempts, task.session) == ("running", "Its turn has come.", 2, "ses_9")
        assert task.started_at == NOW
        absorb_in_plan(plan, event("task_status_changed", {**moved, "from": "running", "to": "failed"}, task="deploy"))
        assert (task.ended_at, plan.raw["task_counts"]["failed"]) == (NOW, 2)
        absorb_in_plan(plan, event("task_status_changed", moved, task="not-there"))

    def test_a_revision_is_laid_out_once(self) -> None:
        whole, document = answer(SHOP)
        first = opened(whole, document)
        second = as_it_stands(first, answer(SHOP, BUSY)[0])
        assert second.drawing is first.drawing
        assert second.plan.tasks["ok"].status == "waiting_approval"
        assert second.plan.tasks["ok"].said["approval"] is True


class TestTree:
    def lines(self, document: str, states: dict[str, Json] | None = None, width: int = 60) -> list[str]:
        plan = viewed(document, states)
        return [text_of(planoutline.line(each, plan.tasks, width, NOW)).rstrip() for each in planoutline.outline(plan)]

    def test_milestones_have_what_leads_to_them(self) -> None:
        found = self.lines(SHOP, BUSY)
        assert found[0] == "◇ Checked  0/1  due 2026-12-24"
        assert [each.split()[1] for each in found[1:4]] == ["Change", "Build", "◇"]
        assert found[4] == "◇ Everything else  2/6"
        assert found[6].startswith("  ● Unit tests  after schema, lint")
        assert found[6].endswith("running   9m")

    def test_subplans_are_indented(self) -> None:
        document = (
            "id: p\ntasks:\n  - {id: a, subplan: {tasks: [{id: x, command: 'true'}, {id: y, command: 'true'}]}}\n"
        )
        assert [each.split("  ")[0] for each in self.lines(document)[:1]] == ["◌ a"]
        assert self.lines(document)[1:] == ["  · x", "  · y"]

    @pytest.mark.parametrize("width", [30, 80])
    def test_hostile_text_stays_in_its_line(self, width: int) -> None:
        whole, document = answer(SHOP, BUSY)
        for task in whole["tasks"]:
            task["title"] = HOSTILE
        plan = opened(whole, document).plan
        for branch in planoutline.outline(plan):
            said = text_of(planoutline.line(branch, plan.tasks, width, NOW))
            assert cell_len(said) <= width
            assert not re.search("[\x1b\x07\u202e\n]", said)


class TestBars:
    @pytest.mark.parametrize("width", [40, 80, 160])
    def test_bars_stand_where_the_time_is(self, width: int) -> None:
        tasks = plangantt.in_time(viewed(SHOP, BUSY).tasks.values())
        assert [task.id for task in tasks] == [
            "schema", "lint", "flaky", "index", "unit", "repair", "ok", "deploy", "notify",
        ]  # fmt: skip
        axis = plangantt.axis(tasks, NOW, width)
        drawn = {task.id: text_of(plangantt.line(task, axis, NOW)) for task in tasks}
        assert {cell_len(each) for each in drawn.values() if "━" in each} == {width}
        assert drawn["schema"].index("━") == axis.names
        assert drawn["unit"].rstrip().endswith("9m")
        assert "╸" in drawn["unit"], "it goes on"
        assert drawn["deploy"].rstrip().endswith("pending")
        assert drawn["unit"].index("━") < drawn["ok"].index("━")
        assert text_of(plangantt.ticks(axis)).count("╷") == {40: 1, 80: 2, 160: 5}[width]

    def test_a_plan_that_has_not_begun(self) -> None:
        tasks = plangantt.in_time(viewed(SHOP).tasks.values())
        axis = plangantt.axis(tasks, NOW, 80)
        assert "pending" in text_of(plangantt.line(tasks[0], axis, NOW))
        assert text_of(plangantt.ticks(axis)).strip().startswith("╷")

    def test_weeks_are_shown_in_days(self) -> None:
        states = {"schema": {"status": "running", "started_at": "2026-11-01T12:00:00.000Z"}}
        tasks = list(viewed(SHOP, states).tasks.values())
        assert "╷11-01 12:00" in text_of(plangantt.ticks(plangantt.axis(tasks, NOW, 80)))


STEP: Json = {
    "attempt": "att_1", "number": 1, "step": 0, "argv": ["sh", "-c", HOSTILE], "status": "failed", "exit_code": 2,
    "reason": HOSTILE, "started_at": NOON, "ended_at": NOON, "log": "/x",
    "output": [{"stream": "stderr", "text": HOSTILE * 20}],
}  # fmt: skip


class TestTask:
    def lines(
        self,
        task: str,
        asked: Json | None = None,
        states: Json | None = None,
        steps: Sequence[Json] = (),
        width: int = 60,
    ) -> list[str]:
        plan = viewed(SHOP, {**BUSY, **(states or {})})
        return [text_of(each) for each in detail(plan, plan.tasks[task], asked, steps, lambda: NOW)(width)]

    def test_what_is_said_of_it_is_read_as_words(self) -> None:
        plan = viewed(SHOP, BUSY)
        task = plan.tasks["schema"]
        task.said = {**task.said, "retry": {"attempts": 3, "delay": 5, "max_delay": None}, "labels": ["db", "slow"]}
        found = [text_of(each) for each in detail(plan, task, None, (), lambda: NOW)(60)]
        assert any(line.split() == ["retry", "attempts", "3,", "delay", "5"] for line in found), found
        assert any(line.split() == ["labels", "db,", "slow"] for line in found), found

    def test_what_proves_it_and_what_came_of_it(self) -> None:
        found = "\n".join(self.lines("schema"))
        for text in (
            "✓ completed",
            "attempts 1",
            "took 1m",
            "make schema",
            "✓ test -f schema.sql",
            "exit code 0",
        ):
            assert text in found, found

    def test_what_does_not_hold_and_what_nobody_proved(self) -> None:
        proofs = [{"text": "test -f schema.sql", "holds": False, "why": "exit code 1"}]
        failed = {"schema": {"status": "failed", "result": {"proofs": proofs}}}
        assert "✕ test -f schema.sql  does not hold: exit code 1" in "\n".join(self.lines("schema", states=failed))
        ended = {"schema": {"status": "failed"}}
        assert "· test -f schema.sql  not proven" in "\n".join(self.lines("schema", states=ended))
        waits = {"schema": {"status": "pending"}}
        assert "· test -f schema.sql  not proven yet" in "\n".join(self.lines("schema", states=waits))

    def test_its_limits_with_what_is_left_of_them(self) -> None:
        limit = {
            "given_s": 0,
            "used_s": 0,
            "left_s": 90,
            "seconds": 90,
            "ends_at": None,
            "reached": None,
            "asked": False,
        }
        limits = [
            {**limit, "limit": "timebox", "seconds": 5_400, "given_s": 60, "left_s": 60, "used_s": 5_340},
            {**limit, "limit": "timeout", "used_s": 30, "ends_at": "2026-11-29T12:01:00.000Z", "reached": "near"},
            {**limit, "limit": "heartbeat"},
            {**limit, "limit": "no_output", "used_s": 95, "left_s": 0, "reached": "passed", "asked": True},
        ]
        found = "\n".join(self.lines("unit", states={"unit": {**BUSY["unit"], "limits": limits}}))
        assert "timebox    1h30m and 1m more  1m left" in found
        assert "timeout    1m30s  1m left, until " in found
        assert "heartbeat  1m30s\n" in found
        assert "no output  1m30s  used up  you are asked" in found

    def test_the_commands_of_the_last_attempt_with_what_they_put_out(self) -> None:
        first = {**STEP, "argv": ["sh", "-c", "make first"], "output": []}
        last = {**STEP, "number": 2, "argv": ["make", "all"], "output": [{"stream": "stdout", "text": "no rule"}]}
        found = "\n".join(self.lines("schema", steps=[first, last]))
        assert "Attempt 2\n ✕ $ make all  exit code 2\n   no rule" in found
        assert "make first" not in found

    def test_an_agent_its_session_and_what_comes_before(self) -> None:
        found = "\n".join(self.lines("unit"))
        for text in (
            "Agent claude",
            "Make all tests pass",
            "ses_1 ⏎ opens it",
            "✓ schema  Change the schema",
            "✓ lint",
        ):
            assert text in found, found
        assert "· flaky (on failure)" in "\n".join(self.lines("repair"))
        assert "on failure repair" in "\n".join(self.lines("flaky"))

    def test_a_gate_shows_what_it_asks_and_exactly_what_would_happen(self) -> None:
        found = "\n".join(self.lines("ok", gate_approval("plan-shop", "ok")))
        for text in (
            "You are asked",
            "a r R decide",
            "Go live?: May it go on?",
            "holds: test -f index.db",
            "a person approves",
        ):
            assert text in found, found
        assert "You are asked" not in "\n".join(self.lines("ok"))

    def test_what_a_gate_looks_back_at_and_whose_decision_it_is(self) -> None:
        plan = viewed(SHOP, BUSY)
        task = plan.tasks["ok"]
        task.said = {
            "schemas": {"a.json": "s.json"}, "invariants": ["make check"], "regressions": [{"command": "make size"}],
            "evidence_required": ["log"], "diff_review": True, "approver_role": "lead",
        }  # fmt: skip
        task.result = {"proofs": [{"text": "in the plan's base: make check", "holds": False, "why": "exit code 2"}]}
        found = "\n".join(text_of(each) for each in detail(plan, task, None, [], lambda: NOW)(80))
        for text in (
            "· a.json fits s.json  not proven yet",
            "· evidence log  not proven yet",
            "· make check  not proven yet",
            "✕ in the plan's base: make check  does not hold: exit code 2",
            "· no worse than before: make size",
            "· somebody with the role lead reviews the diff and approves it",
        ):
            assert text in found, found

    @pytest.mark.parametrize("width", [20, 79, 150])
    def test_hostile_text_fits_and_does_nothing(self, width: int) -> None:
        whole, document = answer(SHOP, BUSY)
        plan = opened(whole, document).plan
        task = plan.tasks["unit"]
        task.title = task.reason = HOSTILE
        task.said = {**task.said, "prompt": HOSTILE * 50, "description": HOSTILE, "owner": HOSTILE, "checks": [HOSTILE],
                     "inputs": {HOSTILE: HOSTILE}, "risks": [HOSTILE]}  # fmt: skip
        task.result = {HOSTILE: HOSTILE}
        for each in detail(plan, task, gate_approval("plan-shop", "unit", question=HOSTILE), [STEP], lambda: NOW)(
            width
        ):
            assert cell_len(text_of(each)) <= width
            assert not re.search("[\x1b\x07\u202e\u2066\n]", text_of(each))
