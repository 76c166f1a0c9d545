"""Approvals when something goes wrong beside them: each of these was a bug."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from functools import partial
from typing import Any

import pytest

from supervisor.engine import reactions
from supervisor.engine.absorb import absorb, observe
from supervisor.engine.broker import Question
from supervisor.engine.deciding import Decision
from supervisor.engine.delivery import Delivery
from supervisor.engine.launching import Launcher
from supervisor.engine.ledger import Transaction
from supervisor.engine.ports.processes import AttemptRef, Started
from supervisor.model.approvals import Approval
from supervisor.model.entities import Attempt, Session
from supervisor.model.errors import QuarterdeckError, StoreError
from supervisor.model.events import EventType, NewEvent
from supervisor.model.statuses import ApprovalStatus, AttemptStatus, SessionStatus
from supervisor.store import approvals, outbox
from tests.support.supervised import PERSON, Home, Supervised, eventually

S = SessionStatus
Q = ApprovalStatus

ASKS = {"ask": {"run": "./strange-tool --now"}}
ASKING = 'echo \'{"type":"approval_needed","question":"Deploy?"}\'; exit 90'


async def pending(supervised: Supervised) -> Approval:
    found: list[Approval] = []

    async def look() -> bool:
        found[:] = await supervised.engine.store.read(approvals.pending)
        return len(found) == 1

    await eventually(look, what=lambda: f"one question waits, not {len(found)}")
    return found[0]


async def now(supervised: Supervised, approval: Approval) -> ApprovalStatus:
    return (await supervised.engine.store.read(approvals.get, approval.id)).status


async def approve(supervised: Supervised, approval: Approval) -> None:
    await supervised.engine.broker.decide([Decision(approval.id, approve=True)], PERSON)


async def ask(supervised: Supervised, session: Session) -> Approval:
    """Let something in a session ask and go on to wait."""
    return await supervised.engine.broker.ask(Question("Hi?"), "k", 0, session_id=session.id, actor="session")


async def passed(seconds: float) -> None:
    """Return when so much time has passed: what must not happen in it is looked at afterwards."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds

    async def over() -> bool:
        return loop.time() >= end

    await eventually(over, what=lambda: "time passes")


async def test_a_question_that_expires_while_nobody_is_there_does_not_keep_the_clocks(home: Home) -> None:
    home.configure(approvals={"expires_s": 2})
    async with home.supervised() as supervised:
        session = await supervised.script(ASKS, {"sleep": 60}, timeout_s=3)
        await supervised.reaches(session, S.WAITING)
        await pending(supervised)
    await passed(2)
    async with home.supervised() as supervised:
        session = await supervised.ended(session)
        assert (session.status, session.reason.signal) == (S.FAILED, "watchdog")


async def test_a_disk_that_is_full_for_a_moment_loses_no_answer(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reactions, "TRY_AGAIN_S", 0.05)
    found, failed = reactions._found, list[str]()

    def full(transaction: Transaction, session: str) -> tuple[Session, Attempt | None]:
        if not failed:
            failed.append(session)
            raise StoreError("The disk is full.")
        return found(transaction, session)

    monkeypatch.setattr(reactions, "_found", full)
    async with home.supervised() as supervised:
        session = await supervised.script(ASKS, {"say": "Done."})
        await approve(supervised, await pending(supervised))
        assert (await supervised.ended(session)).status is S.COMPLETED
        assert failed


async def test_an_answer_that_could_not_be_written_is_written_again(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await supervised.script(ASKS, {"say": "Done."})
    approval = await pending(supervised)
    executor = supervised.engine.services.executors["local"]
    write, failed = executor.write, list[str]()

    async def busy(ref: AttemptRef, data: bytes, *, close: bool = False) -> None:
        if not failed:
            failed.append(ref.attempt)
            raise QuarterdeckError("The runner does not answer.")
        await write(ref, data, close=close)

    monkeypatch.setattr(executor, "write", busy)
    await approve(supervised, approval)
    assert (await supervised.ended(session)).status is S.COMPLETED
    assert await now(supervised, approval) is Q.CONSUMED


async def test_who_is_paused_is_not_taken_for_gone(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supervisor.engine.broker.GONE_S", 0.5)
    monkeypatch.setattr("supervisor.engine.broker.LOOK_S", 0.1)
    async with home.supervised() as supervised:
        session = await supervised.run("sleep", "60")
        await supervised.reaches(session, S.RUNNING)
        approval = await ask(supervised, session)
        await supervised.engine.control.pause(session.id, PERSON)
        await passed(1.5)
        assert await now(supervised, approval) is Q.PENDING
        await supervised.engine.control.cancel(session.id, PERSON)
        await supervised.ended(session)


async def test_a_tool_that_is_cancelled_and_exits_to_ask_leaves_no_question(supervised: Supervised) -> None:
    waits = ASKING.replace("exit 90", "while :; do sleep 0.1; done")
    session = await supervised.run("sh", "-c", f'trap "exit 90" TERM; {waits}')
    approval = await pending(supervised)
    await supervised.engine.control.cancel(session.id, PERSON)
    assert (await supervised.ended(session)).status is S.CANCELLED
    assert await now(supervised, approval) is Q.CANCELLED


async def test_a_question_before_the_start_is_stored_makes_its_session_wait(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Launcher.record_start

    async def late(self: Launcher, session: Session, attempt: Attempt, started: Started) -> Attempt:
        await ask(supervised, session)
        return await record(self, session, attempt, started)

    monkeypatch.setattr(Launcher, "record_start", late)
    session = await supervised.run("sleep", "60")
    await supervised.reaches(session, S.WAITING)
    await supervised.engine.control.cancel(session.id, PERSON)
    await supervised.ended(session)


@pytest.mark.tmux
@pytest.mark.parametrize("what", ["screen", "result"])
async def test_other_signs_of_a_terminal_do_not_end_a_question(supervised: Supervised, what: str) -> None:
    session = await supervised.run("sleep", "60", mode="dispatch")
    await supervised.reaches(session, S.RUNNING)
    approval = await ask(supervised, session)
    (attempt,) = await supervised.attempts(session)

    def seen(transaction: Transaction) -> None:
        current = transaction.session(session.id)
        if what == "screen":
            read = NewEvent(
                EventType.SCREEN_READ, "telemetry", transaction.now, payload={"state": "working", "pattern": "spinner"}
            )
            observe(transaction, current, read, attempt.id)
        else:
            services = supervised.engine.services
            adapter = supervised.engine.conductor.adapter_of(current)
            result = NewEvent(EventType.TOOL_RESULT, "tool", transaction.now, payload={"id": "other"})
            absorb(transaction, current, attempt, adapter, services.desk, [result])

    await supervised.engine.services.ledger.commit(seen)
    assert (await supervised.session(session)).status is S.WAITING
    assert await now(supervised, approval) is Q.PENDING
    await supervised.engine.control.cancel(session.id, PERSON)
    await supervised.ended(session)


async def test_an_answer_is_given_to_the_attempt_that_asked_or_to_none(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(self: Delivery, session: str) -> None:
        """Deliver nothing."""

    session = await supervised.script(ASKS, {"say": "x"})
    approval = await pending(supervised)
    with monkeypatch.context() as patched:
        patched.setattr(Delivery, "_deliver", nothing)
        await approve(supervised, approval)
        (first,) = await supervised.attempts(session)
        os.kill(first.pid or 0, signal.SIGKILL)
        await supervised.ended(session)
    await supervised.engine.control.continue_(session.id, json.dumps([{"say": "y"}]), PERSON)
    await supervised.when(session, lambda current: current.attempts == 2 and current.status is S.COMPLETED)
    entries = await supervised.engine.store.read(partial(outbox.of_session), session.id)
    assert [(entry.state, entry.attempt) for entry in entries if entry.kind == "reply"] == [("failed", first.id)]


async def test_an_answered_tool_whose_turn_never_comes_leaves_nothing_open(home: Home) -> None:
    timeouts: dict[str, Any] = {"timeouts": {"schedule_to_start": 1}}
    home.configure(queue={"concurrent": 1}, agents={"command": timeouts})
    async with home.supervised() as supervised:
        session = await supervised.run("sh", "-c", ASKING)
        approval = await pending(supervised)
        await supervised.reaches(session, S.WAITING)
        other = await supervised.run("sleep", "60")
        await supervised.reaches(other, S.RUNNING)
        await approve(supervised, approval)
        assert (await supervised.ended(session)).status is S.FAILED
        assert await now(supervised, approval) is Q.CANCELLED
        assert [attempt.status for attempt in await supervised.attempts(session)] == [AttemptStatus.FAILED]
        await supervised.engine.control.cancel(other.id, PERSON)
        await supervised.ended(other)


async def test_an_answered_tool_that_is_held_back_takes_no_place(home: Home) -> None:
    home.configure(queue={"concurrent": 1})
    async with home.supervised() as supervised:
        session = await supervised.run("sh", "-c", ASKING)
        approval = await pending(supervised)
        await supervised.reaches(session, S.WAITING)
        other = await supervised.run("sleep", "60")
        await supervised.reaches(other, S.RUNNING)
        await approve(supervised, approval)
        await supervised.engine.control.pause(session.id, PERSON)
        await supervised.engine.control.cancel(other.id, PERSON)
        await supervised.ended(other)
        assert (await supervised.ended(await supervised.run("true"))).status is S.COMPLETED
        await supervised.engine.control.cancel(session.id, PERSON)
