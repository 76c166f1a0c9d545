"""Breakers on a real supervisor: what is used up stops or pauses within one event, and goes on when it may."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from supervisor.engine.budgets.limits import subject_of
from supervisor.engine.budgets.weighing import weigh
from supervisor.engine.ledger import Transaction
from supervisor.model.entities import Session, Stats
from supervisor.model.errors import InvalidInput, Refused
from supervisor.model.plans import PlanStatus, TaskStatus
from supervisor.model.statuses import SessionStatus
from supervisor.store import sessions, usage
from tests.support.planruns import RunningPlan, scripted, sh, started
from tests.support.supervised import PERSON, Home, Supervised, eventually
from tests.support.usage import HANG, spend

pytestmark = pytest.mark.timeout(60)

S = SessionStatus


async def levels(supervised: Supervised) -> dict[str, str]:
    found = (await supervised.client.get("/budgets"))["budgets"]
    return {f"{each['scope'].partition(':')[0]} {each['measure']}": each["level"] for each in found}


async def resume(supervised: Supervised, scope: str) -> dict[str, Any]:
    found: dict[str, Any] = await supervised.client.post(f"/budgets/{scope}/resume")
    return found


async def session_of(running: RunningPlan, task: str) -> Session:
    """The session of a task, once it is stored: it is named before."""
    found: list[Session] = []

    async def look() -> bool:
        name = str((await running.task(task)).session)
        found[:] = await running.inside.engine.store.read(sessions.with_ids, [name])
        return bool(found)

    await eventually(look, what=lambda: f"{task} has a session")
    return found[0]


async def end(supervised: Supervised, *sessions: Session) -> None:
    await supervised.engine.control.stop_all(PERSON)
    for session in sessions:
        await supervised.ended(session)


async def test_a_session_is_stopped_at_its_limit_and_can_be_given_as_much_again(supervised: Supervised) -> None:
    session = await supervised.script(spend(0.5), spend(1.0), HANG, budget_usd=1.0, name="dear")
    session = await supervised.ended(session)
    assert (session.status, session.reason.signal) == (S.FAILED, "limit")
    assert session.reason.text.startswith("Its budget of $1.00 is used up: $1.00.")
    (tripped,) = await supervised.payloads(session, "budget_tripped")
    assert (tripped["scope"], tripped["used"], tripped["limit"]) == (f"session:{session.id}", 1.0, 1.0)
    with pytest.raises(Refused, match="used up"):
        await supervised.engine.control.continue_(session.id, '[{"say": "More."}]', PERSON)
    assert (await resume(supervised, "session:dear"))["allowed"] == {"cost_usd": 2.0}
    await supervised.engine.control.continue_(session.id, '[{"say": "More."}]', PERSON)
    await supervised.reaches(session, S.COMPLETED)


async def test_a_warning_is_told_once_and_stops_nothing(supervised: Supervised) -> None:
    session = await supervised.script(spend(0.85), spend(0.9), HANG, budget_usd=1.0)
    await supervised.when(session, lambda now: now.stats.cost_usd == 0.9)
    (warned,) = await supervised.payloads(session, "budget_warning")
    assert warned["used"] == 0.85
    assert await levels(supervised) == {"session cost_usd": "warning"}
    assert (await supervised.session(session)).status is S.RUNNING
    alerts = (await supervised.client.get("/alerts", all=True))["alerts"]
    assert [alert["severity"] for alert in alerts if alert["kind"] == "budget_warning"] == ["medium"]
    await end(supervised, session)


async def test_a_task_fails_for_good_at_its_limit_over_all_attempts(home: Home, tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(json.dumps([spend(0.6), {"fail": "Not yet."}]))
    program = ["{python}", "-I", "-S", "{scripted}", "--shape", "claude", "--script", str(script)]
    home.configure(agents={"spender": {"adapter": "claude", "command": program}})
    async with home.supervised() as supervised:
        write = {"id": "write", "agent": "spender", "prompt": "Write.", "retry": 5, "budget": {"cost_usd": 1.0}}
        running = await started(supervised, write, sh("other", "true"))
        task = await running.task_is("write", TaskStatus.FAILED)
        assert task.attempts == 2
        assert task.reason.text.startswith("Its budget of $1.00 is used up: $1.20.")
        assert (await running.statuses())["other"] == "completed"
        (tripped,) = await supervised.events(None, "budget_tripped")
        assert (tripped.plan, tripped.task) == ("plan-x", "write")


async def test_a_command_that_takes_more_time_than_its_task_may_is_stopped(supervised: Supervised) -> None:
    running = await started(supervised, sh("slow", "sleep 60", retry=3, budget={"time": 0.5}))
    task = await running.task_is("slow", TaskStatus.FAILED)
    assert task.attempts == 1
    assert task.reason.text.startswith("Its budget of ")
    shown = await running.reaches(PlanStatus.FAILED)
    assert shown.plan.status is PlanStatus.FAILED


async def test_a_plan_pauses_with_its_sessions_and_goes_on_when_it_is_given_more(
    supervised: Supervised, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    running = await started(
        supervised,
        scripted("write", [spend(1.2), {"run": f"until test -e {go}; do sleep 0.05; done"}, {"say": "Done."}]),
        sh("after", "true", "write"),
        budget={"cost_usd": 1.0},
    )
    shown = await running.reaches(PlanStatus.PAUSED)
    assert shown.plan.reason.signal == "budget"
    session = await supervised.reaches(await session_of(running, "write"), S.PAUSED)
    assert session.reason.signal == "budget"
    assert session.reason.text == "The budget of $1.00 of the plan plan-x is used up: $1.20."
    for ask in (
        supervised.engine.plan_runs.resume(running.id, PERSON),
        supervised.engine.control.resume(session.id, PERSON),
    ):
        with pytest.raises(Refused, match="used up") as refused:
            await ask
        assert "quarterdeck budget resume plan:plan-x" in refused.value.hint
    await resume(supervised, "plan:plan-x")
    await supervised.reaches(session, S.RUNNING)
    await running.reaches(PlanStatus.RUNNING)
    go.touch()
    await running.reaches(PlanStatus.COMPLETED)


async def test_a_plan_that_a_person_paused_stays_paused_when_its_budget_is_raised(supervised: Supervised) -> None:
    running = await started(supervised, scripted("write", [{"hang": True}]), budget={"cost_usd": 1.0})
    await running.task_is("write", TaskStatus.RUNNING)
    await supervised.engine.plan_runs.pause(running.id, PERSON)
    session = await supervised.reaches(await session_of(running, "write"), S.RUNNING)

    def spend_it(transaction: Transaction) -> None:
        after = Stats(cost_usd=1.0)
        usage.add_turn(transaction.conn, session, Stats(), after, api_calls=1, at=transaction.now)
        weigh(transaction, Settings(), subject_of(transaction.conn, session.id, session.project))

    await supervised.engine.services.ledger.commit(spend_it)
    await supervised.reaches(session, S.PAUSED)
    await resume(supervised, "plan:plan-x")
    await supervised.reaches(session, S.RUNNING)
    assert (await running.plan()).status is PlanStatus.PAUSED
    await supervised.engine.plan_runs.cancel(running.id, PERSON)
    await supervised.ended(session)


async def test_a_days_budget_holds_what_costs_money_and_nothing_else(home: Home) -> None:
    home.configure(budgets={"day": {"cost_usd": 1.0}}, queue={"concurrent": 1})
    async with home.supervised() as supervised:
        first = await supervised.script(spend(1.0), HANG)
        first = await supervised.reaches(first, S.PAUSED)
        assert first.reason.signal == "budget"
        held = await supervised.script({"say": "Later."})
        free = await supervised.run("true")
        assert (await supervised.ended(free)).status is S.COMPLETED
        assert (await supervised.session(held)).status is S.QUEUED
        assert await levels(supervised) == {"day cost_usd": "tripped"}
        waits = await supervised.client.get("/queue")
        assert waits["held_back"] == "The budget of $1.00 of the day is used up: $1.00."
        await resume(supervised, "day")
        assert (await supervised.client.get("/queue"))["held_back"] is None
        await supervised.reaches(first, S.RUNNING)
        await supervised.engine.control.cancel(first.id, PERSON, grace_s=0)
        assert (await supervised.ended(held)).status is S.COMPLETED
        assert len(await supervised.payloads(None, "budget_tripped")) == 1


async def test_a_projects_budget_is_raised_in_the_file_and_what_was_held_goes_on(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supervisor.engine.budgets.breakers.RAISED_LOOK_S", 0.05)
    home.configure(budgets={"project": {"tokens": 100}})
    async with home.supervised() as supervised:
        session = await supervised.script(spend(0.1, tokens=100), HANG)
        await supervised.reaches(session, S.PAUSED)
        home.configure(budgets={"project": {"tokens": 1000}})
        await supervised.reaches(session, S.RUNNING)
        assert await levels(supervised) == {"project tokens": "closed"}
        await end(supervised, session)


async def test_a_restart_comes_to_the_same(home: Home) -> None:
    home.configure(budgets={"day": {"cost_usd": 1.0}})
    async with home.supervised() as supervised:
        session = await supervised.script(spend(1.0), HANG)
        await supervised.reaches(session, S.PAUSED)
        held = await supervised.script({"say": "Later."})
    async with home.supervised() as supervised:
        assert await levels(supervised) == {"day cost_usd": "tripped"}
        assert (await supervised.session(session)).status is S.PAUSED
        assert (await supervised.session(held)).status is S.QUEUED
        await resume(supervised, "day")
        await supervised.reaches(session, S.RUNNING)
        assert (await supervised.ended(held)).status is S.COMPLETED
        await end(supervised, session)


async def test_what_tripped_without_being_carried_out_is_made_good_by_the_next_start(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(self: object) -> None:
        return None

    home.configure(budgets={"day": {"cost_usd": 1.0}})
    with monkeypatch.context() as patched:
        patched.setattr("supervisor.engine.budgets.breakers.Breakers.run", never)
        async with home.supervised() as supervised:
            session = await supervised.script(spend(1.0), HANG)
            await supervised.when(session, lambda now: now.stats.cost_usd == 1.0)
            assert (await supervised.session(session)).status is S.RUNNING
    async with home.supervised() as supervised:
        await supervised.reaches(session, S.PAUSED)
        await resume(supervised, "day")
        await supervised.reaches(session, S.RUNNING)
        await end(supervised, session)


async def test_what_is_not_used_up_or_no_scope_is_refused(home: Home) -> None:
    home.configure(budgets={"day": {"cost_usd": 1.0}})
    async with home.supervised() as supervised:
        with pytest.raises(Refused, match="No budget of the day is used up"):
            await resume(supervised, "day")
        for scope in ("month", "task:plan-x"):
            with pytest.raises(InvalidInput, match="no scope of a budget"):
                await resume(supervised, scope)
        assert await levels(supervised) == {"day cost_usd": "closed"}
