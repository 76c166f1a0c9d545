"""What is used, by session, task, plan, agent and day: on a real supervisor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from supervisor.engine.ledger import Transaction
from supervisor.model.entities import Reason, Session
from supervisor.model.errors import NotFound
from supervisor.model.plans import PlanStatus, TaskStatus
from supervisor.model.statuses import SessionStatus
from supervisor.model.times import now_ms
from supervisor.store import usage
from tests.support.planruns import scripted, sh, started
from tests.support.supervised import PERSON, Home, Supervised

pytestmark = pytest.mark.timeout(60)


async def rows(supervised: Supervised, by: str, **query: Any) -> dict[str | None, dict[str, Any]]:
    found = await supervised.client.get("/cost", by=by, **query)
    return {row["key"]: row for row in found["rows"]}


async def test_a_sessions_row_is_its_figures(supervised: Supervised) -> None:
    session = await supervised.ended(await supervised.script({"say": "One."}, {"say": "Two."}, name="spends"))
    found = await supervised.client.get("/cost")
    (row,) = found["rows"]
    assert (row["key"], row["name"], row["attempts"]) == (session.id, "spends", 1)
    assert row["cost_usd"] == pytest.approx(session.stats.cost_usd) == 0.002
    assert row["tokens"] == {"input": session.stats.tokens_input, "output": session.stats.tokens_output, "cached": 0}
    assert 0 < row["seconds"] < 60
    assert found["total"] == {name: value for name, value in row.items() if name not in ("key", "name")}


async def test_a_continued_session_adds_up(supervised: Supervised) -> None:
    session = await supervised.ended(await supervised.script({"say": "One."}))
    await supervised.engine.control.continue_(session.id, '[{"say": "Two."}]', PERSON)
    session = await supervised.when(session, lambda now: now.attempts == 2 and now.status is SessionStatus.COMPLETED)
    (row,) = (await rows(supervised, "session")).values()
    assert (row["attempts"], row["cost_usd"]) == (2, pytest.approx(session.stats.cost_usd))


async def test_a_tasks_row_has_all_its_attempts_and_its_plans_row_has_its_commands(supervised: Supervised) -> None:
    running = await started(
        supervised,
        scripted("write", [{"say": "Trying."}, {"fail": "No."}], retry=2),
        sh("check", "true"),
        plan="plan-cost",
    )
    await running.task_is("write", TaskStatus.FAILED)
    await running.reaches(PlanStatus.FAILED)
    tasks = await rows(supervised, "task")
    assert tasks["plan-cost/write"]["attempts"] == 2
    assert tasks["plan-cost/check"]["attempts"] == 1
    assert tasks["plan-cost/check"]["cost_usd"] == 0
    sessions = await rows(supervised, "session")
    spent = [row["cost_usd"] for key, row in sessions.items() if key is not None]
    assert len(spent) == 2
    assert sum(spent) > 0
    assert tasks["plan-cost/write"]["cost_usd"] == pytest.approx(sum(spent))
    (plan,) = (await rows(supervised, "plan")).values()
    assert (plan["key"], plan["attempts"], plan["cost_usd"]) == ("plan-cost", 3, pytest.approx(sum(spent)))
    agents = await rows(supervised, "agent")
    assert set(agents) == {"scripted", "command"}
    assert agents["scripted"]["cost_usd"] == pytest.approx(sum(spent))


async def test_what_is_at_work_takes_time_now_and_what_is_paused_takes_none(supervised: Supervised) -> None:
    session = await supervised.reaches(await supervised.run("sleep", "60"), SessionStatus.RUNNING)
    read = supervised.engine.store.read
    began = session.reason.at
    (row,) = await read(lambda conn: usage.cost(conn, "session", now=began + 5_000))
    assert row.time_ms == 5_000
    paused = await supervised.engine.control.pause(session.id, PERSON)
    (row,) = await read(lambda conn: usage.cost(conn, "session", now=began + 3_600_000))
    assert row.time_ms == paused.reason.at - began
    await supervised.engine.control.cancel(session.id, PERSON)
    await supervised.ended(session)


async def test_since_and_project_narrow(home: Home, supervised: Supervised) -> None:
    await supervised.ended(await supervised.script({"say": "One."}))
    assert await rows(supervised, "day", project=home.repository.name) != {}
    later = now_ms() + 60_000
    assert not await supervised.engine.store.read(lambda conn: usage.cost(conn, "day", now=later, since=later))
    with pytest.raises(NotFound, match="no project"):
        await rows(supervised, "day", project="nowhere")


async def test_what_was_lost_worked_until_its_last_sign_of_life(supervised: Supervised) -> None:
    session = await supervised.reaches(await supervised.run("sleep", "60"), SessionStatus.RUNNING)
    began = session.reason.at
    alive = replace(session, last_output_at=began + 1_000, last_heartbeat_at=began + 2_000)
    lost = replace(session, status=SessionStatus.FAILED, reason=Reason("recovery", "It is gone.", began + 3_600_000))
    ended = replace(lost, reason=Reason("exit", "It ended.", began + 9_000), ended_at=began + 5_000)
    times = []
    for after in (lost, ended):

        def changed(transaction: Transaction, after: Session = after) -> int:
            before = usage.of_session(transaction.conn, session.id).time
            transaction.status_changed(alive, after)
            return usage.of_session(transaction.conn, session.id).time - before

        times.append(await supervised.engine.services.ledger.commit(changed))
    assert times == [2_000, 5_000]
    await supervised.engine.control.cancel(session.id, PERSON)
    await supervised.ended(session)


async def test_by_project_and_model_with_their_names_and_what_is_unknown(home: Home, supervised: Supervised) -> None:
    session = await supervised.ended(await supervised.script({"say": "One."}))
    await supervised.ended(await supervised.run("true"))
    (project,) = (await rows(supervised, "project")).values()
    assert (project["key"], project["name"]) == (session.project, home.repository.name)
    assert project["api_calls"] > 0
    assert project["unknown"] == []  # A command has nothing to tell.
    models = await rows(supervised, "model")
    assert set(models) == {"scripted/scripted", "command"}
    assert models["command"]["cost_usd"] == 0
