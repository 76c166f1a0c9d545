"""Plans that are revised while tasks run that the revision changes or removes, with real processes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from panels.view.plan import plan_view
from supervisor.engine.planruns.runs import PlanRuns
from supervisor.model.errors import Refused
from supervisor.model.events import Event
from supervisor.model.plans import PlanStatus, Running, TaskStatus
from supervisor.model.statuses import ApprovalStatus, SessionStatus
from supervisor.store import approvals, sessions
from tests.support.planruns import Document, RunningPlan, scripted, sh, started
from tests.support.supervised import PERSON, Home, Supervised, eventually, throwaway_home
from tests.wait import until

P, T = PlanStatus, TaskStatus
TOGETHER: tuple[Running, ...] = ("keep", "stop", "restart")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with throwaway_home(tmp_path) as home:
        yield home


@pytest.fixture
async def inside(home: Home) -> AsyncIterator[Supervised]:
    async with home.supervised() as inside:
        yield inside


def waits_for(go: Path) -> str:
    return f"until test -e {go}; do sleep 0.02; done"


def stubborn(log: Path, name: str) -> str:
    """A command whose tree takes its time to end: it says when it begins, and when it is really gone."""
    ends = f"sleep 0.3; echo gone {name} >> {log}; exit"
    return f"(trap '{ends}' TERM; echo begun {name} >> {log}; while :; do sleep 0.02; done) & wait; wait"


async def begun(log: Path, name: str) -> None:
    await until(lambda: log.exists() and f"begun {name}" in log.read_text(), what=f"{name} has begun")


class TestRefused:
    async def test_what_runs_is_never_touched_silently(self, inside: Supervised, tmp_path: Path) -> None:
        go = tmp_path / "go"
        plan = await started(inside, sh("a", waits_for(go)), sh("b", waits_for(go)), sh("c", "true", "a", "b"))
        await plan.task_is("b", T.RUNNING)
        with pytest.raises(Refused, match=r"touches what is under way \(changed or removed\): a, b") as caught:
            await plan.revise(sh("a", "echo other"), sh("c", "true", "a"))
        assert "--running keep" in caught.value.hint
        assert (await plan.plan()).revision == 1
        assert await plan.revise(sh("a", waits_for(go)), sh("b", waits_for(go)), sh("d", "true", "a", "b")) == []
        go.touch()
        await plan.reaches(P.COMPLETED)
        assert await plan.statuses() == {"a": "completed", "b": "completed", "d": "completed"}

    async def test_a_rehearsal_says_what_would_become_of_it_and_stores_nothing(
        self, inside: Supervised, tmp_path: Path
    ) -> None:
        plan = await started(inside, sh("a", waits_for(tmp_path / "go")), sh("b", waits_for(tmp_path / "go")))
        await plan.task_is("b", T.RUNNING)
        body = {"document": '{"id": "plan-x", "advance": "auto", "tasks": [{"id": "a", "command": "true"}]}'}
        where = "/plans/plan-x/revisions/rehearsal"
        refused = await inside.client.post(where, body)
        assert refused["refusal"].startswith("This revision touches what is under way")
        assert [(each["task"], each["change"], each["becomes"]) for each in refused["running"]] == [
            ("a", "changed", "refuse"), ("b", "removed", "refuse"),
        ]  # fmt: skip
        found = await inside.client.post(where, {**body, "running": "restart"})
        assert (found["revision"], found["refusal"]) == (2, None)
        assert "command: 'true'" in found["diff"]
        assert [(each["task"], each["becomes"]) for each in found["running"]] == [("a", "restart"), ("b", "stop")]
        assert (await plan.plan()).revision == 1
        assert await plan.statuses() == {"a": "running", "b": "running"}


class TestKept:
    async def test_it_goes_on_as_it_was_started_and_its_result_counts(self, inside: Supervised, tmp_path: Path) -> None:
        go, count = tmp_path / "go", tmp_path / "count"
        old = {"id": "a", "commands": [f"echo old >> {count}", waits_for(go), "echo old > a.txt"]}
        new = {"id": "a", "commands": [f"echo new >> {count}", "echo new > a.txt"], "success_criteria": ["false"]}
        plan = await started(inside, old, sh("b", "cat a.txt > b.txt", "a"))
        await until(count.exists, what="a runs")
        (touched,) = await plan.revise(new, sh("b", "cat a.txt > b2.txt", "a"), running="keep")
        assert (touched.task, touched.change, touched.becomes) == ("a", "changed", "keep")
        assert (await plan.task("a")).reason.text == "Revision 2 changed it; it goes on as revision 1 says."
        go.touch()
        await plan.reaches(P.COMPLETED)
        assert await plan.file("b2.txt") == "old\n"
        task = await plan.task("a")
        assert (task.attempts, task.goes_by, count.read_text()) == (1, 1, "old\n")
        assert task.reason.text.endswith("It was done as revision 1 said.")
        await plan.revise(new, sh("b", "cat a.txt > b2.txt", "a"), sh("c", "true", "a"))
        await plan.task_is("c", T.COMPLETED)
        assert count.read_text() == "old\n", "what it did counts for the revision"
        await inside.engine.plan_runs.retry_task(plan.id, "a", PERSON)
        await plan.task_is("a", T.FAILED)
        assert count.read_text() == "old\nnew\n", "once more means: as the plan says now"

    async def test_another_try_is_one_by_the_new_definition(self, inside: Supervised, tmp_path: Path) -> None:
        go = tmp_path / "go"
        plan = await started(inside, sh("a", f"{waits_for(go)}; false"))
        await plan.task_is("a", T.RUNNING)
        await plan.revise(sh("a", "echo new > a.txt", retry={"attempts": 2}), running="keep")
        go.touch()
        await plan.reaches(P.COMPLETED)
        task = await plan.task("a")
        assert (task.attempts, task.goes_by, await plan.file("a.txt")) == (2, None, "new\n")

    @pytest.mark.parametrize("ends", ["true", "false"])
    async def test_what_was_removed_ends_and_nothing_depends_on_it(
        self, inside: Supervised, tmp_path: Path, ends: str
    ) -> None:
        go = tmp_path / "go"
        plan = await started(
            inside, sh("a", f"{waits_for(go)}; echo a > a.txt; {ends}", retry={"attempts": 3}), sh("b", "true", "a")
        )
        await plan.task_is("a", T.RUNNING)
        await plan.revise(sh("b", "echo b > b.txt"), running="keep")
        await plan.task_is("b", T.COMPLETED)
        assert (await plan.plan()).status is P.RUNNING, "it has not ended while something of it runs"
        shown = {each["id"]: each for each in (await inside.client.get("/plans/plan-x"))["plan"]["tasks"]}
        assert (shown["a"]["removed"], shown["a"]["goes_by"], shown["b"]["removed"]) == (True, 1, False)
        assert (await inside.client.get("/plans/plan-x/tasks/a"))["task"]["removed"]
        go.touch()
        await plan.reaches(P.COMPLETED)
        task = await plan.task("a")
        assert (task.status.value, task.attempts) == ("completed" if ends == "true" else "failed", 1)
        assert await plan.git("show", "HEAD:a.txt") == "a"
        with pytest.raises(Refused, match="has no task a any more"):
            await inside.engine.plan_runs.run_task(plan.id, "a", PERSON)
        await plan.revise(sh("b", "echo b > b.txt"), sh("c", "true"))
        await plan.reaches(P.COMPLETED)
        assert set(await plan.statuses()) == {"b", "c"}, "what has ended is not carried on"

    async def test_a_plan_with_what_was_removed_is_drawn_and_put_away(self, inside: Supervised, tmp_path: Path) -> None:
        go = tmp_path / "go"
        parts: list[Document] = [sh("x", waits_for(go), next={"failure": "y"}), sh("y", "true")]
        plan = await started(inside, {"id": "build", "subplan": {"tasks": parts}}, sh("end", "true", "build"))
        await plan.task_is("build/x", T.RUNNING)
        await plan.revise({"id": "build", "subplan": {"tasks": [sh("y", "true")]}}, sh("z", "true"), running="keep")
        answer = (await inside.client.get("/plans/plan-x"))["plan"]
        said = json.loads((await inside.client.get("/plans/plan-x/document", form="json"))["document"])
        view = plan_view(answer, said)
        assert (view.tasks["build/x"].within, view.tasks["build/x"].needs) == ("build", ())
        assert {task["id"]: task["removed"] for task in answer["tasks"] if task["removed"]} == {"build/x": True}
        assert "z" in (await inside.client.get("/plans/plan-x/graph"))["mermaid"]
        go.touch()
        await plan.reaches(P.COMPLETED)
        _, readme, _ = await inside.engine.ending.archive(plan.id, PERSON)
        assert "x" in readme.read_text()

    async def test_what_waits_for_a_judgement_is_asked_about_anew(self, inside: Supervised) -> None:
        judged = {"success_criteria": ["It reads well, says a person of taste"]}
        plan = await started(inside, sh("a", "echo old > a.txt", **judged), sh("b", "true", "a"))
        await plan.task_is("a", T.WAITING_APPROVAL)
        first = await plan.asks()
        with pytest.raises(Refused, match="touches what is under way"):
            await plan.revise(sh("a", "echo new > a.txt", **judged))
        await plan.revise(sh("a", "echo new > a.txt", **judged), sh("b", "true", "a"), running="keep")
        assert (await inside.engine.store.read(approvals.get, first.id)).status is ApprovalStatus.SUPERSEDED
        await until_asked(plan)
        assert (await plan.asks()).id != first.id
        await plan.decide(approve=True)
        await plan.reaches(P.COMPLETED)
        assert await plan.file("a.txt") == "old\n"

    async def test_an_agent_works_on(self, inside: Supervised, tmp_path: Path) -> None:
        go = tmp_path / "go"
        steps: list[Document] = [{"run": waits_for(go)}, {"write": {"path": "w.txt", "content": "old\n"}}]
        plan = await started(inside, scripted("w", steps))
        await session_runs(plan, "w")
        await plan.revise(scripted("w", [{"write": {"path": "w.txt", "content": "new\n"}}]), running="keep")
        go.touch()
        await plan.reaches(P.COMPLETED)
        assert (await plan.file("w.txt"), (await plan.task("w")).attempts) == ("old\n", 1)


class TestStopped:
    async def test_its_whole_tree_ends_and_it_waits_for_a_person(self, inside: Supervised, tmp_path: Path) -> None:
        log = tmp_path / "log"
        plan = await started(inside, sh("a", stubborn(log, "old")), sh("b", "cat a.txt", "a"))
        await begun(log, "old")
        await plan.revise(sh("a", "echo new > a.txt"), sh("b", "cat a.txt", "a"), running="stop")
        task = await plan.task_is("a", T.BLOCKED)
        assert log.read_text().split("\n")[1] == "gone old", "it is blocked once it is gone"
        assert not processes_with(str(log))
        assert "task run" in task.reason.text
        await plan.reaches(P.BLOCKED)
        await inside.engine.plan_runs.run_task(plan.id, "a", PERSON)
        await plan.reaches(P.COMPLETED)
        assert await plan.file("a.txt") == "new\n"

    async def test_what_was_removed_is_stopped_and_its_dependents_go_on(
        self, inside: Supervised, tmp_path: Path
    ) -> None:
        log = tmp_path / "log"
        plan = await started(inside, sh("a", stubborn(log, "old")), sh("b", "true", "a"), sh("c", "true", "b"))
        await begun(log, "old")
        await plan.revise(sh("b", "echo b > b.txt"), sh("c", "true", "b"), running="stop")
        await plan.reaches(P.COMPLETED)
        assert await plan.statuses() == {"a": "abandoned", "b": "completed", "c": "completed"}
        assert "gone old" in log.read_text()
        assert not processes_with(str(log))

    async def test_an_agents_session_is_cancelled(self, inside: Supervised) -> None:
        plan = await started(inside, scripted("w", [{"sleep": 600}]))
        session = await session_runs(plan, "w")
        await plan.revise(scripted("w", [{"say": "new"}]), running="stop")
        await plan.task_is("w", T.BLOCKED)
        assert (await inside.engine.store.read(sessions.get, session)).status is SessionStatus.CANCELLED
        await inside.engine.plan_runs.run_task(plan.id, "w", PERSON)
        await plan.reaches(P.COMPLETED)
        assert (await plan.task("w")).session != session


class TestRestarted:
    async def test_there_are_never_two_and_it_is_no_failed_try(self, inside: Supervised, tmp_path: Path) -> None:
        log = tmp_path / "log"
        plan = await started(inside, sh("a", stubborn(log, "old"), retry={"attempts": 2}), sh("b", "true", "a"))
        await begun(log, "old")
        fails_once = f"echo begun new >> {log}; test $(grep -c new {log}) -ge 2"
        await plan.revise(sh("a", fails_once, retry={"attempts": 2}), sh("b", "true", "a"), running="restart")
        await plan.reaches(P.COMPLETED)
        assert log.read_text().splitlines() == ["begun old", "gone old", "begun new", "begun new"]
        assert (await plan.task("a")).attempts == 3

    async def test_what_it_needs_by_now_comes_first(self, inside: Supervised, tmp_path: Path) -> None:
        log = tmp_path / "log"
        plan = await started(inside, sh("a", stubborn(log, "old")))
        await begun(log, "old")
        await plan.revise(sh("before", "echo x > x.txt"), sh("a", "cat x.txt", "before"), running="restart")
        await plan.reaches(P.COMPLETED)
        assert await plan.statuses() == {"before": "completed", "a": "completed"}

    async def test_it_begins_by_itself_where_each_step_waits_for_a_person(
        self, inside: Supervised, tmp_path: Path
    ) -> None:
        log = tmp_path / "log"
        plan = await started(inside, sh("a", stubborn(log, "old")), sh("b", "true", "a"), advance="manual")
        await inside.engine.plan_runs.advance(plan.id, PERSON, level=False)
        await begun(log, "old")
        await plan.revise(sh("a", "true"), sh("b", "true", "a"), running="restart", advance="manual")
        await plan.task_is("a", T.COMPLETED)
        await plan.task_is("b", T.READY)

    async def test_an_agent_begins_anew_in_a_worktree_of_its_own(self, inside: Supervised) -> None:
        plan = await started(
            inside, scripted("w", [{"write": {"path": "old.txt", "content": "old\n"}}, {"sleep": 600}])
        )
        first = await session_runs(plan, "w")
        await plan.revise(scripted("w", [{"write": {"path": "w.txt", "content": "new\n"}}]), running="restart")
        await plan.reaches(P.COMPLETED)
        task = await plan.task("w")
        old = await inside.engine.store.read(sessions.get, first)
        new = await inside.engine.store.read(sessions.get, str(task.session))
        assert (old.status, task.attempts) == (SessionStatus.CANCELLED, 2)
        assert new.branch != old.branch
        assert old.ended_at is not None
        assert new.created_at >= old.ended_at, "the second began when the first was gone"
        assert await plan.git("ls-files", "old.txt", "w.txt") == "w.txt"

    async def test_what_waits_for_a_judgement_is_done_anew_at_once(self, inside: Supervised) -> None:
        judged = {"success_criteria": ["It reads well, says a person of taste"]}
        plan = await started(inside, sh("a", "echo old > a.txt", **judged))
        await plan.task_is("a", T.WAITING_APPROVAL)
        first = await plan.asks()
        await plan.revise(sh("a", "echo new > a.txt"), running="restart")
        await plan.reaches(P.COMPLETED)
        assert (await inside.engine.store.read(approvals.get, first.id)).status is ApprovalStatus.SUPERSEDED
        assert await plan.file("a.txt") == "new\n"


class TestGates:
    async def test_a_changed_gate_that_waits_asks_by_the_new_revision(self, inside: Supervised) -> None:
        plan = await started(inside, {"id": "ok", "kind": "gate", "approval": True}, sh("c", "true", "ok"))
        await plan.task_is("ok", T.WAITING_APPROVAL)
        first = await plan.asks()
        gate = {"id": "ok", "kind": "gate", "approval": True, "description": "Look twice"}
        assert await plan.revise(gate, sh("c", "true", "ok")) == [], "it runs nothing: there is nothing to decide"
        assert (await inside.engine.store.read(approvals.get, first.id)).status is ApprovalStatus.SUPERSEDED
        await until_asked(plan)
        assert (await plan.asks()).preview["description"] == "Look twice"
        await plan.decide(approve=True)
        await plan.reaches(P.COMPLETED)
        again = {**gate, "description": "Look three times"}
        await plan.revise(again, sh("c", "true", "ok"))
        await plan.task_is("ok", T.WAITING_APPROVAL)
        assert (await plan.asks()).preview["description"] == "Look three times", "an approval is for what was shown"

    async def test_an_answer_that_is_not_used_yet_is_void(self, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        task = sh("a", "true", success_criteria=["It reads well, says a person of taste"])

        async def deaf(self: PlanRuns, event: Event) -> None:
            return

        with monkeypatch.context() as patched:
            patched.setattr(PlanRuns, "decided", deaf)
            async with home.supervised() as inside:
                plan = await started(inside, task)
                await plan.task_is("a", T.WAITING_APPROVAL)
                first = await plan.asks()
                await plan.decide(approve=True)
                assert await plan.revise(task, sh("b", "true")) == []
                await plan.task_is("b", T.COMPLETED)
        async with home.supervised() as inside:
            plan.inside = inside
            assert (await plan.task("a")).status is T.WAITING_APPROVAL
            assert (await inside.engine.store.read(approvals.get, first.id)).status is ApprovalStatus.SUPERSEDED
            await until_asked(plan)
            await plan.decide(approve=True)
            await plan.reaches(P.COMPLETED)

    async def test_it_is_asked_anew_once_however_often_the_plan_is_read(self, inside: Supervised) -> None:
        task = sh("a", "true", success_criteria=["It reads well, says a person of taste"])
        plan = await started(inside, task)
        await plan.task_is("a", T.WAITING_APPROVAL)
        await plan.revise(task, sh("b", "true"))
        for _ in range(200):
            inside.engine.plan_runs.revised(plan.id)
            await asyncio.sleep(0)
        await plan.task_is("b", T.COMPLETED)
        await until_asked(plan)
        await plan.asks()
        assert await inside.payloads(None, "error") == []
        await plan.decide(approve=True)
        await plan.reaches(P.COMPLETED)


class TestParts:
    async def test_a_subplan_gets_another_part_while_one_runs(self, inside: Supervised, tmp_path: Path) -> None:
        go = tmp_path / "go"
        first = sh("x", waits_for(go))
        plan = await started(inside, {"id": "build", "subplan": {"tasks": [first]}}, sh("end", "true", "build"))
        await plan.task_is("build/x", T.RUNNING)
        more: Document = {"id": "build", "subplan": {"tasks": [first, sh("y", "echo y > y.txt")]}}
        (touched,) = await plan.revise(more, sh("end", "true", "build"), running="keep")
        assert touched.task == "build"
        await plan.task_is("build/y", T.COMPLETED)
        go.touch()
        await plan.reaches(P.COMPLETED)
        assert (await plan.task("build/x")).attempts == 1

    @pytest.mark.parametrize("running", TOGETHER)
    async def test_a_subplan_that_is_removed_with_its_parts(
        self, inside: Supervised, tmp_path: Path, running: Running
    ) -> None:
        go = tmp_path / "go"
        parts = [sh("x", waits_for(go)), sh("y", "true", "x")]
        plan = await started(inside, {"id": "build", "subplan": {"tasks": parts}}, sh("end", "true", "build"))
        await plan.task_is("build/x", T.RUNNING)
        await plan.revise(sh("end", "echo end"), running=running)
        await plan.task_is("end", T.COMPLETED)
        shown = (await inside.client.get("/plans/plan-x"))["plan"]["tasks"]
        assert {each["id"]: each["within"] for each in shown} == {"end": None, "build/x": None}
        if running == "keep":
            assert (await plan.task("build/x")).status is T.RUNNING
            go.touch()
        await plan.reaches(P.COMPLETED)
        assert (await plan.task("build/x")).status is (T.COMPLETED if running == "keep" else T.ABANDONED)

    async def test_what_is_repeated_is_found_anew_when_its_parts_are_gone(
        self, inside: Supervised, tmp_path: Path
    ) -> None:
        log = tmp_path / "log"
        plan = await started(inside, sh("list", "printf 'one\\ntwo\\n'"), sh("dive-*", stubborn(log, "$ITEM"), "list"))
        await begun(log, "one")
        await begun(log, "two")
        new = f"echo new $ITEM >> {log}"
        await plan.revise(sh("list", "printf 'one\\ntwo\\n'"), sh("dive-*", new, "list"), running="restart")
        await plan.reaches(P.COMPLETED)
        said = log.read_text().splitlines()
        for name in ("one", "two"):
            assert [line.split()[0] for line in said if line.endswith(name)] == ["begun", "gone", "new"]
        assert await plan.statuses() == dict.fromkeys(("list", "dive-*", "dive-1", "dive-2"), "completed")

    async def test_a_repeated_task_that_is_kept_keeps_its_parts(self, inside: Supervised, tmp_path: Path) -> None:
        go, log = tmp_path / "go", tmp_path / "log"
        first = sh("list", "printf 'one\\ntwo\\n'")
        plan = await started(inside, first, sh("dive-*", f"{waits_for(go)}; echo old $ITEM >> {log}", "list"))
        await plan.when(lambda shown: len(shown.tasks) == 4, "its parts are there")
        await plan.task_is("dive-2", T.RUNNING)
        await plan.revise(first, sh("dive-*", f"echo new $ITEM >> {log}", "list"), running="keep")
        go.touch()
        await plan.reaches(P.COMPLETED)
        assert sorted(log.read_text().splitlines()) == ["old one", "old two"]


class TestHostile:
    async def test_twice_fast(self, inside: Supervised, tmp_path: Path) -> None:
        log = tmp_path / "log"
        plan = await started(inside, sh("a", stubborn(log, "one")))
        await begun(log, "one")
        await plan.revise(sh("a", stubborn(log, "two")), running="restart")
        await plan.revise(sh("a", f"echo begun three >> {log}"))
        await plan.reaches(P.COMPLETED)
        assert log.read_text().splitlines() == ["begun one", "gone one", "begun three"]

    async def test_what_is_being_stopped_cannot_be_kept_and_the_last_word_counts(
        self, inside: Supervised, tmp_path: Path
    ) -> None:
        log = tmp_path / "log"
        plan = await started(inside, sh("a", stubborn(log, "one")))
        await begun(log, "one")
        await plan.revise(sh("a", "echo two"), running="restart")
        (touched,) = await plan.revise(sh("a", "echo three"), running="stop")
        assert touched.becomes == "stop"
        await plan.task_is("a", T.BLOCKED)
        await plan.revise(sh("a", f"echo begun four >> {log}"))
        await plan.reaches(P.COMPLETED)
        assert log.read_text().splitlines() == ["begun one", "gone one", "begun four"]

    async def test_kept_twice_then_taken_back(self, inside: Supervised, tmp_path: Path) -> None:
        go = tmp_path / "go"
        first = sh("a", f"{waits_for(go)}; echo one > a.txt")
        plan = await started(inside, first)
        await plan.task_is("a", T.RUNNING)
        await plan.revise(sh("a", "echo two > a.txt"), running="keep")
        await plan.revise(sh("a", "echo three > a.txt"), running="keep")
        assert (await plan.task("a")).goes_by == 1
        assert await plan.revise(first) == [], "it is what runs"
        assert (await plan.task("a")).goes_by is None
        await plan.revise(sh("a", "echo four > a.txt"), running="keep")
        assert (await plan.task("a")).goes_by == 4
        go.touch()
        await plan.reaches(P.COMPLETED)
        assert await plan.file("a.txt") == "one\n"

    async def test_what_was_kept_can_still_be_restarted(self, inside: Supervised, tmp_path: Path) -> None:
        log = tmp_path / "log"
        plan = await started(inside, sh("a", stubborn(log, "old")), sh("b", stubborn(log, "left")))
        await begun(log, "old")
        await begun(log, "left")
        await plan.revise(sh("a", f"echo begun new >> {log}"), running="keep")
        await plan.revise(sh("a", f"echo begun new >> {log}"), sh("c", "true"))
        assert (await plan.statuses()) | {"c": ""} == {"a": "running", "b": "running", "c": ""}
        await plan.revise(sh("a", f"echo begun new >> {log}"), sh("d", "true"), running="restart")
        await plan.reaches(P.COMPLETED)
        assert (await plan.task("b")).status is T.ABANDONED
        said = log.read_text().splitlines()
        assert said.index("gone old") < said.index("begun new")
        assert "gone left" in said

    async def test_removed_then_added_again_while_it_is_being_stopped(self, inside: Supervised, tmp_path: Path) -> None:
        log = tmp_path / "log"
        plan = await started(inside, sh("a", stubborn(log, "old")), sh("b", "true", "a"))
        await begun(log, "old")
        await plan.revise(sh("b", "true"), running="stop")
        await plan.revise(sh("a", f"echo begun new >> {log}"), sh("b", "true"))
        await plan.when(
            lambda shown: (shown.tasks[0].id, shown.tasks[0].status) == ("a", T.COMPLETED), "a is done anew"
        )
        assert log.read_text().splitlines() == ["begun old", "gone old", "begun new"]
        await plan.reaches(P.COMPLETED)

    async def test_many_revisions_at_once(self, inside: Supervised, tmp_path: Path) -> None:
        log = tmp_path / "log"
        plan = await started(inside, sh("a", stubborn(log, "old")), sh("b", "true", "a"))
        await begun(log, "old")

        async def one(number: int) -> object:
            fates: Running = TOGETHER[number % 3]
            command = f"echo begun {number} >> {log}"
            return await plan.revise(sh("a", command), sh("b", f"echo {number}", "a"), running=fates)

        outcomes = await asyncio.gather(*(one(number) for number in range(9)), return_exceptions=True)
        assert any(not isinstance(outcome, Exception) for outcome in outcomes)
        assert all(isinstance(outcome, list | Refused) for outcome in outcomes)
        await plan.revise(sh("a", f"echo begun last >> {log}"), sh("b", "echo last", "a"), running="restart")
        await plan.reaches(P.COMPLETED)
        said = log.read_text().splitlines()
        assert said[:2] == ["begun old", "gone old"]
        assert said[-1] == "begun last"

    async def test_a_plan_is_given_up_while_a_task_is_being_stopped(self, inside: Supervised, tmp_path: Path) -> None:
        log = tmp_path / "log"
        plan = await started(inside, sh("a", stubborn(log, "old")))
        await begun(log, "old")
        await plan.revise(sh("a", "true"), running="restart")
        await inside.engine.plan_runs.cancel(plan.id, PERSON)
        await until(lambda: "gone old" in log.read_text(), what="it is stopped")
        await until(lambda: not inside.engine.services.tasks.running("plan plan-x"), what="its loop has ended")
        assert await plan.statuses() == {"a": "abandoned"}

    async def test_a_blocked_plan_goes_on_when_what_blocks_it_is_revised(self, inside: Supervised) -> None:
        plan = await started(inside, sh("a", "true", preconditions=["false"]), sh("b", "true", "a"))
        await plan.reaches(P.BLOCKED)
        await plan.revise(sh("a", "true"), sh("b", "true", "a"))
        await plan.reaches(P.COMPLETED)


class TestDurable:
    @pytest.mark.parametrize("running", TOGETHER)
    async def test_a_supervisor_that_goes_away_right_after_the_revision(
        self, home: Home, tmp_path: Path, running: Running
    ) -> None:
        go, log = tmp_path / "go", tmp_path / "log"
        old = f"echo old >> {log}; {waits_for(go)}; echo ended >> {log}"
        async with home.supervised() as inside:
            plan = await started(inside, sh("a", old), sh("gone", old), scripted("w", [{"sleep": 600}]))
            await until(lambda: log.exists() and log.read_text() == "old\nold\n", what="both run")
            session = await session_runs(plan, "w")
            document = b'{"id": "plan-x", "advance": "auto", "tasks": [{"id": "a", "command": "echo new > a.txt"}, '
            document += b'{"id": "w", "agent": "scripted", "prompt": "[]"}]}'
            # Its loop is told nothing: the supervisor ends first.
            await inside.engine.planning.revise(plan.id, document, "plan.json", "It must change", PERSON, running)
        async with home.supervised() as inside:
            plan.inside = inside
            if running == "keep":
                await plan.task_is("a", T.RUNNING)
                go.touch()
                await inside.engine.control.cancel(session, PERSON)
                await plan.task_is("a", T.COMPLETED)
                await plan.task_is("gone", T.COMPLETED)
                await plan.task_is("w", T.FAILED)
                assert log.read_text() == "old\nold\nended\nended\n"
                return
            await plan.reaches(P.BLOCKED if running == "stop" else P.COMPLETED)
            wanted = "blocked" if running == "stop" else "completed"
            assert await plan.statuses() == {"a": wanted, "w": wanted, "gone": "abandoned"}
            assert log.read_text() == "old\nold\n", "they were stopped"
            assert (await inside.engine.store.read(sessions.get, session)).status is SessionStatus.CANCELLED

    async def test_what_ended_while_nobody_looked_is_begun_anew(self, home: Home, tmp_path: Path) -> None:
        go = tmp_path / "go"
        async with home.supervised() as inside:
            plan = await started(inside, sh("a", f"{waits_for(go)}; touch {tmp_path}/done"))
            await plan.task_is("a", T.RUNNING)
            document = b'{"id": "plan-x", "advance": "auto", "tasks": [{"id": "a", "command": "echo new > a.txt"}]}'
            await inside.engine.planning.revise(plan.id, document, "plan.json", "Anew", PERSON, "restart")
        go.touch()
        await until((tmp_path / "done").exists, what="the old one has ended by itself")
        async with home.supervised() as inside:
            plan.inside = inside
            await plan.reaches(P.COMPLETED)
            assert await plan.file("a.txt") == "new\n"

    async def test_what_was_asked_is_asked_anew_by_the_next_supervisor(self, home: Home) -> None:
        task: dict[str, Any] = {"success_criteria": ["It reads well, says a person of taste"]}
        async with home.supervised() as inside:
            plan = await started(inside, sh("a", "true", **task))
            await plan.task_is("a", T.WAITING_APPROVAL)
            document = b'{"id": "plan-x", "advance": "auto", "tasks": [{"id": "a", "command": "echo x"}]}'
            await inside.engine.planning.revise(plan.id, document, "plan.json", "Anew", PERSON, "keep")
        async with home.supervised() as inside:
            plan.inside = inside
            await until_asked(plan)
            await plan.decide(approve=True)
            await plan.reaches(P.COMPLETED)


async def until_asked(plan: RunningPlan) -> None:
    """Return once a question of the plan waits."""

    async def asked() -> bool:
        return bool(await plan.inside.engine.store.read(approvals.pending))

    await eventually(asked, what=lambda: "it asks")


async def session_runs(plan: RunningPlan, task: str) -> str:
    """Return the session of a task once its agent runs."""
    shown = await plan.when(
        lambda shown: next(each for each in shown.tasks if each.id == task).session is not None, f"{task} has a session"
    )
    session = str(next(each for each in shown.tasks if each.id == task).session)

    async def runs() -> bool:
        found = await plan.inside.engine.store.read(sessions.find)
        return any((each.id, each.status) == (session, SessionStatus.RUNNING) for each in found)

    await eventually(runs, what=lambda: f"{session} runs")
    return session


def processes_with(text: str) -> list[int]:
    """Return the processes with this text in their command line."""
    found = []
    for process in psutil.process_iter():
        try:
            if text in " ".join(process.cmdline()):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found
