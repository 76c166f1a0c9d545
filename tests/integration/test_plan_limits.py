"""Limits of tasks that run for real: what is stopped, who is asked, and what goes on counting over a crash."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from supervisor.api.client import Client
from supervisor.engine.deciding import Decision
from supervisor.model.approvals import Approval
from supervisor.model.plans import PlanStatus, TaskStatus
from supervisor.model.statuses import ApprovalStatus, AttemptStatus, SessionStatus
from supervisor.store import approvals, attempts, sessions
from tests.support.git import repository
from tests.support.planruns import RunningPlan, scripted, sh, started
from tests.support.supervised import PERSON, Home, Supervised, eventually, throwaway_home
from tests.support.victims import a_victim
from tests.wait import until

A, P, T = AttemptStatus, PlanStatus, TaskStatus


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with throwaway_home(tmp_path) as home:
        yield home


@pytest.fixture
async def inside(home: Home) -> AsyncIterator[Supervised]:
    async with home.supervised() as inside:
        yield inside


async def told(inside: Supervised, *types: str) -> list[str]:
    """What was told of limits, in words."""
    return [said["text"] for said in await inside.payloads(None, *types)]


async def asked(inside: Supervised) -> Approval:
    """The one question that waits, once it does."""
    found: list[Approval] = []

    async def look() -> bool:
        found[:] = await inside.engine.store.read(approvals.pending)
        return bool(found)

    await eventually(look, what=lambda: "a question")
    (approval,) = found
    return approval


async def choose(inside: Supervised, choice: str) -> Approval:
    """Answer the one question that waits."""
    approval = await asked(inside)
    await inside.engine.broker.decide([Decision(approval.id, approve=True, choice=choice)], PERSON)
    return approval


async def now_is(inside: Supervised, approval: Approval, status: ApprovalStatus) -> Approval:
    """A question once it has a status."""
    found = approval

    async def look() -> bool:
        nonlocal found
        found = await inside.engine.store.read(approvals.get, approval.id)
        return found.status is status

    await eventually(look, what=lambda: f"{status}; it is {found.status}: {found.reason}")
    return found


async def test_a_timeout_bounds_all_commands_of_an_attempt(inside: Supervised) -> None:
    plan = await started(
        inside,
        {"id": "a", "commands": ["sleep 0.4", "sleep 0.4; touch second", "sleep 60"], "timeout": 1.5},
    )
    await plan.reaches(P.FAILED)
    assert (await plan.task("a")).reason.text.startswith(
        "It took longer than its timeout of 1.5 s (start_to_close): `sleep 60` was stopped."
    )
    made = await inside.engine.store.read(attempts.of_task, "plan-x", "a")
    assert [each.status for each in made] == [A.COMPLETED, A.COMPLETED, A.FAILED_TIMEOUT]
    last = made[-1]
    assert last.started_at is not None
    assert last.ended_at is not None
    assert last.ended_at - last.started_at < 1_200, "the last command had what the others had left"
    assert await told(inside, "limit_passed") == [
        "plan-x/a: It took longer than its timeout of 1.5 s (start_to_close)."
    ]


async def test_what_took_too_long_is_dead_before_it_is_tried_again(inside: Supervised, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    plan = await started(
        inside, sh("a", f"trap '' TERM; echo $$ >> {pids}; sleep 60 & wait; wait", timeout=0.5, retry={"attempts": 2})
    )
    await plan.when(lambda shown: shown.tasks[0].attempts == 2, "a second attempt")
    first = int(pids.read_text().split()[0])
    assert not psutil.pid_exists(first)
    await plan.reaches(P.FAILED)
    assert (await plan.task("a")).attempts == 2


async def test_at_the_end_of_its_timebox_the_checks_decide(inside: Supervised) -> None:
    plan = await started(
        inside,
        sh("a", "echo found > report.md; sleep 60", timebox=0.6, retry=5, success_criteria=["test -s report.md"]),
        sh("b", "echo nothing; sleep 60", timebox=0.6, retry=5, success_criteria=["test -s other.md"]),
        sh("c", "cat report.md", "a"),
    )
    await plan.reaches(P.FAILED)
    assert await plan.statuses() == {"a": "completed", "b": "failed", "c": "completed"}
    a, b = await plan.task("a"), await plan.task("b")
    assert a.reason.text.startswith("Its timebox ended the work; what there was by then is enough")
    assert "Its timebox ended the work, and what there was by then is not enough" in b.reason.text
    assert (a.attempts, b.attempts) == (1, 1)


async def test_a_timebox_ends_the_waiting_for_another_attempt(inside: Supervised) -> None:
    plan = await started(inside, sh("a", "false", timebox=0.5, retry={"attempts": 9, "delay": 600}))
    await plan.reaches(P.FAILED)
    assert (await plan.task("a")).reason.text.startswith("The timebox of 0.5 s for all its attempts is used up.")


async def test_the_session_of_an_agent_is_stopped_by_its_tasks_timeout(inside: Supervised) -> None:
    plan = await started(inside, scripted("a", [{"say": "hello"}, {"sleep": 600}], timeout=1))
    await plan.reaches(P.FAILED)
    task = await plan.task("a")
    assert "its timeout of 1 s (start_to_close): its session was stopped" in task.reason.text
    session = await inside.engine.store.read(sessions.get, str(task.session))
    assert session.status in (SessionStatus.CANCELLED, SessionStatus.FAILED)


async def test_agents_that_wait_in_the_queue_lose_no_time(home: Home) -> None:
    home.configure(queue={"concurrent": 1})
    async with home.supervised() as inside:
        plan = await started(
            inside, *(scripted(f"a{n}", [{"sleep": 1.2}], timeout=2.5, workspace="plan") for n in range(3))
        )
        await plan.reaches(P.COMPLETED)


async def test_a_person_gives_a_silent_task_more_time_and_it_ends_by_itself(inside: Supervised, tmp_path: Path) -> None:
    go = tmp_path / "go"
    command = f"until test -e {go}; do sleep 0.05; done; echo done"
    plan = await started(inside, sh("a", command, no_output=0.4, escalation="ask"))
    first = await choose(inside, "more")
    assert (first.task, first.subject_type) == ("a", "plan")
    assert [option.value for option in first.options] == ["more", "stop", "skip"]
    assert first.question == "a: It was silent for longer than its no_output limit of 0.4 s. What now?"
    await now_is(inside, first, ApprovalStatus.CONSUMED)
    second = await asked(inside)
    assert second.id != first.id
    go.touch()
    await plan.reaches(P.COMPLETED)
    await now_is(inside, second, ApprovalStatus.SUPERSEDED)
    assert (await plan.task("a")).attempts == 1


async def test_a_person_has_it_skipped(inside: Supervised) -> None:
    plan = await started(
        inside, sh("a", "sleep 60", timeout=0.3, escalation="ask"), sh("b", "true", "a"), sh("c", "true")
    )
    approval = await choose(inside, "skip")
    await plan.reaches(P.COMPLETED)
    assert await plan.statuses() == {"a": "skipped", "b": "skipped", "c": "completed"}
    await now_is(inside, approval, ApprovalStatus.CONSUMED)
    assert (await plan.task("a")).reason.text.startswith("person:test had it skipped: It took longer")


async def test_who_rejects_the_question_has_it_stopped_and_recovered(inside: Supervised) -> None:
    plan = await started(
        inside, sh("a", "sleep 60", timeout=0.3, escalation="ask", next={"failure": "fix"}), sh("fix", "true")
    )
    await asked(inside)
    await plan.decide(approve=False)
    await plan.reaches(P.COMPLETED)
    assert await plan.statuses() == {"a": "failed", "fix": "completed"}


async def test_a_warning_is_an_event_and_an_alert(inside: Supervised, tmp_path: Path) -> None:
    go = tmp_path / "go"
    limited = sh(
        "a", f"until test -e {go}; do sleep 0.05; done", timeout=4, escalation={"near": "warn", "passed": "warn"}
    )
    plan = await started(inside, limited)

    async def warned() -> bool:
        return len(await told(inside, "limit_near", "limit_passed")) == 2

    await eventually(warned, what=lambda: "two warnings")
    alerts = (await inside.client.get("/alerts"))["alerts"]
    assert {each["text"] for each in alerts} >= {
        "plan-x/a: It has nearly taken its timeout of 4 s (start_to_close).",
        "plan-x/a: It took longer than its timeout of 4 s (start_to_close).",
    }
    go.touch()
    await plan.reaches(P.COMPLETED)


async def test_a_stopped_process_is_found_by_its_heartbeat_limit_and_a_quiet_one_is_not(
    inside: Supervised, tmp_path: Path
) -> None:
    pid, go = tmp_path / "pid", tmp_path / "go"
    plan = await started(
        inside,
        sh("quiet", f"until test -e {go}; do sleep 0.1; done", heartbeat=0.6),
        sh("stopped", f"echo $$ > {pid}; sleep 60", heartbeat=0.6),
    )
    await until(lambda: pid.exists() and pid.read_text().strip() != "", what="a process")
    os.kill(int(pid.read_text()), signal.SIGSTOP)
    task = await plan.task_is("stopped", T.FAILED)
    assert "It gave no sign of life for longer than its heartbeat limit of 0.6 s" in task.reason.text
    assert (await plan.task("quiet")).status is T.RUNNING
    go.touch()
    assert (await plan.task_is("quiet", T.COMPLETED)).attempts == 1
    made = await inside.engine.store.read(attempts.of_task, "plan-x", "stopped")
    assert [each.status for each in made] == [A.FAILED_TIMEOUT]


async def test_a_silent_agent_is_found(inside: Supervised) -> None:
    plan = await started(inside, scripted("a", [{"say": "hello"}, {"sleep": 600}], no_output=1))
    await plan.reaches(P.FAILED)
    assert "It was silent for longer than its no_output limit of 1 s" in (await plan.task("a")).reason.text


async def test_a_question_waits_over_a_restart_and_its_answer_counts(home: Home) -> None:
    async with home.supervised() as inside:
        plan = await started(inside, sh("a", "sleep 60", timeout=0.4, escalation="ask"))
        first = await asked(inside)
    async with home.supervised() as inside:
        assert (await choose(inside, "stop")).id == first.id
        plan = RunningPlan(inside, plan.id)
        await plan.reaches(P.FAILED)
        assert len(await told(inside, "limit_passed")) == 1


async def test_the_deadline_of_a_plan_is_told_once_and_stops_nothing(home: Home, tmp_path: Path) -> None:
    go = tmp_path / "go"
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    async with home.supervised() as inside:
        plan = await started(inside, sh("a", f"until test -e {go}; do sleep 0.05; done"), deadline=soon)

        async def over() -> bool:
            return len(await told(inside, "deadline_passed")) == 1

        await eventually(over, what=lambda: "the deadline is told to be over")
        assert await told(inside, "deadline_passed") == [f"The deadline of plan-x is over, and it is running: {soon}."]
        assert (await plan.plan()).status is P.RUNNING
    async with home.supervised() as inside:
        plan = RunningPlan(inside, plan.id)
        go.touch()
        await plan.reaches(P.COMPLETED)
        assert len(await told(inside, "deadline_passed")) == 1


@pytest.mark.parametrize("escalation", ["stop", "ask"])
async def test_a_limit_goes_on_counting_while_no_supervisor_runs(tmp_path: Path, escalation: str) -> None:
    """The supervisor is killed in the middle of a limit that is over when the next one comes."""
    begun = tmp_path / "begun"
    place = repository(tmp_path / "repository")
    document = (
        '{"id": "plan-x", "advance": "auto", "tasks": [{"id": "a", "timeout": 2, '
        f'"escalation": "{escalation}", "command": "echo x >> {begun}; sleep 60"}}]}}'
    )
    with a_victim(tmp_path) as victim:
        await victim.start()
        async with Client(victim.paths.socket, victim.paths.token_file) as client:
            await client.post("/plans", {"document": document, "where": "plan.json", "cwd": str(place)})
            await client.post("/plans/plan-x/start", {"environment": {"PATH": os.environ["PATH"]}})
            await until(begun.exists, what="the task begins")
        victim.kill()
        await until(lambda: datetime.now(UTC).timestamp() - begun.stat().st_mtime > 2.2, what="the limit passes")
        await victim.start()
        async with Client(victim.paths.socket, victim.paths.token_file) as client:
            if escalation == "ask":
                found: list[dict[str, object]] = []

                async def is_asked() -> bool:
                    found[:] = (await client.get("/approvals"))["approvals"]
                    return bool(found)

                await eventually(is_asked, what=lambda: "a question")
                assert found[0]["task"] == "a"
                await client.post(f"/approvals/{found[0]['id']}/approve", {"choice": "stop"})

            async def failed() -> bool:
                return bool((await client.get("/plans/plan-x"))["plan"]["status"] == "failed")

            await eventually(failed, what=lambda: "the plan fails")
            task = (await client.get("/plans/plan-x"))["plan"]["tasks"][0]
        assert "its timeout of 2 s" in task["status_reason"]["text"]
        assert task["attempts"] == 1
        assert begun.read_text() == "x\n"
        await victim.stop()


async def test_what_a_limit_was_to_stop_is_stopped_after_a_crash(tmp_path: Path) -> None:
    """The supervisor dies when the end of the attempt is stored, and nothing was stopped yet."""
    begun = tmp_path / "begun"
    place = repository(tmp_path / "repository")
    document = (
        '{"id": "plan-x", "advance": "auto", "tasks": [{"id": "a", "timebox": 0.5, "retry": 5, '
        f'"command": "echo $$ >> {begun}; exec sleep 60"}}]}}'
    )
    with a_victim(tmp_path) as victim:
        victim.armed = "plan.after_commit@2"
        await victim.start()
        async with Client(victim.paths.socket, victim.paths.token_file) as client:
            await client.post("/plans", {"document": document, "where": "plan.json", "cwd": str(place)})
            await client.post("/plans/plan-x/start", {"environment": {"PATH": os.environ["PATH"]}})
        await until(lambda: not victim.is_running, what="it dies at its failpoint")
        assert victim.died_at_failpoint
        pid = int(begun.read_text())
        assert psutil.pid_exists(pid)
        await victim.start()
        async with Client(victim.paths.socket, victim.paths.token_file) as client:

            async def failed() -> bool:
                return bool((await client.get("/plans/plan-x"))["plan"]["status"] == "failed")

            await eventually(failed, what=lambda: "the plan fails")
            task = (await client.get("/plans/plan-x"))["plan"]["tasks"][0]
        assert task["status_reason"]["text"].startswith("The timebox of 0.5 s for all its attempts is used up")
        assert task["attempts"] == 1
        assert not psutil.pid_exists(pid)
        await victim.stop()


async def test_an_agent_whose_process_is_stopped_gives_no_sign_of_life(inside: Supervised) -> None:
    plan = await started(
        inside,
        scripted("a", [{"say": "hello"}, {"sleep": 600}], heartbeat=1.5),
        scripted("quiet", [{"say": "hello"}, {"sleep": 4}], heartbeat=1.5),
    )
    session_id = str((await plan.task_is("a", T.RUNNING)).session)

    async def began() -> bool:
        found = await inside.engine.store.read(sessions.of_plan, "plan-x")
        return any(each.id == session_id and each.status is SessionStatus.RUNNING for each in found)

    await eventually(began, what=lambda: "its session runs")
    (attempt,) = await inside.engine.store.read(attempts.of_session, session_id)
    assert attempt.pid is not None
    os.kill(attempt.pid, signal.SIGSTOP)
    assert "its heartbeat limit of 1.5 s" in (await plan.task_is("a", T.FAILED)).reason.text
    await plan.task_is("quiet", T.COMPLETED)


async def test_how_long_a_task_may_take_and_has_been_silent_is_told(inside: Supervised, tmp_path: Path) -> None:
    go = tmp_path / "go"
    command = f"echo hello; until test -e {go}; do sleep 0.05; done"
    plan = await started(
        inside,
        sh("a", command, timeout=600, timebox=1_200, no_output=60, heartbeat=60),
        sh("b", "true", "a", timeout=5),
    )
    await plan.task_is("a", T.RUNNING)
    shown = (await inside.client.get("/plans/plan-x"))["plan"]
    a, b = ({each["limit"]: each for each in task["limits"]} for task in shown["tasks"])
    assert list(a) == ["timebox", "timeout", "heartbeat", "no_output"]
    assert a["timeout"]["seconds"] == 600
    assert 590 < a["timeout"]["left_s"] <= 600
    assert a["timeout"]["ends_at"] is not None
    assert a["no_output"]["used_s"] is None, "that is looked up for one task only"
    assert (b["timeout"]["used_s"], b["timeout"]["left_s"], b["timeout"]["ends_at"]) == (0, 5, None)
    assert "watch" not in shown["tasks"][0]["result"]
    one = (await inside.client.get("/plans/plan-x/tasks/a"))["task"]["limits"]
    assert all(each["left_s"] > 50 for each in one)
    go.touch()
    await plan.reaches(P.COMPLETED)
    done = (await inside.client.get("/plans/plan-x/tasks/a"))["task"]["limits"]
    assert {each["ends_at"] for each in done} == {None}
