"""Messages to running agents and their questions: said once, in order, and known to have arrived."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from executors.agents.program import SCRIPTED
from executors.local import LocalExecutor
from supervisor.engine import control, delivery
from supervisor.engine.ports.processes import AttemptRef, Found
from supervisor.model.entities import Session
from supervisor.model.errors import QuarterdeckError, Refused, StoreError
from supervisor.model.events import EventType
from supervisor.model.statuses import SessionStatus
from supervisor.model.times import now_ms
from supervisor.store import approvals, outbox
from tests.support.desks import OneEffect
from tests.support.supervised import PERSON, Home, Supervised, eventually
from tests.wait import until

pytestmark = pytest.mark.timeout(60)

S = SessionStatus


def said(*texts: str) -> str:
    """A message whose answer is known: it is the script of the agent's next turn."""
    return json.dumps([{"say": text} for text in texts])


async def hanging(supervised: Supervised) -> Session:
    """An agent that is in the middle of a turn."""
    session = await supervised.script({"say": "I begin."}, {"sleep": 0.7}, {"say": "I end."})
    return await supervised.when(session, lambda now: now.stats.messages)


async def states(supervised: Supervised, session: Session) -> list[str]:
    return [entry.state for entry in await supervised.engine.store.read(outbox.of_session, session.id)]


async def messages(supervised: Supervised, session: Session) -> list[str]:
    return [payload["text"] for payload in await supervised.payloads(session, EventType.MESSAGE)]


async def test_messages_arrive_once_and_in_order(supervised: Supervised) -> None:
    session = await hanging(supervised)
    send = supervised.engine.control.send
    sent = await asyncio.gather(*(send(session.id, said(text), PERSON) for text in ("One.", "Two.")))
    assert [state for _, state in sent] == ["delivered", "delivered"]
    session = await supervised.ended(session)
    assert await messages(supervised, session) == ["I begin.", "I end.", "One.", "Two."]
    assert session.status is S.COMPLETED


async def test_a_message_longer_than_an_event_keeps_is_known_to_have_arrived(supervised: Supervised) -> None:
    session = await hanging(supervised)
    _, state = await supervised.engine.control.send(session.id, said("é" * 20_000), PERSON)
    assert state == "delivered"
    assert (await supervised.ended(session)).status is S.COMPLETED


async def test_a_message_that_cannot_be_written_fails_and_that_is_an_event(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await hanging(supervised)

    async def broken(*_: object, **__: object) -> None:
        raise Refused("Its input is closed.")

    with monkeypatch.context() as patched:
        patched.setattr(supervised.engine.services.executors["local"], "write", broken)
        _, state = await supervised.engine.control.send(session.id, "Hello", PERSON)
    assert state == "failed"
    (told,) = await supervised.payloads(session, EventType.MESSAGE_UNDELIVERED)
    assert "Its input is closed" in told["text"]


async def test_a_message_that_the_agent_never_confirmed_is_said_to_be_undelivered(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "SEND_WAIT_S", 0.1)
    session = await supervised.script({"say": "I begin."}, {"hang": True})
    await supervised.when(session, lambda now: now.stats.messages)
    _, state = await supervised.engine.control.send(session.id, "Hello", PERSON)
    assert state == "sent"
    await supervised.engine.control.cancel(session.id, PERSON, grace_s=0)
    await supervised.ended(session)
    assert await states(supervised, session) == ["failed"]
    assert len(await supervised.events(session, EventType.MESSAGE_UNDELIVERED)) == 1


async def test_a_message_that_was_marked_but_not_written_is_not_said_twice(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the mark and the write the supervisor goes away: whether it was said cannot be known."""
    monkeypatch.setattr(control, "SEND_WAIT_S", 0.1)
    async with home.supervised() as supervised:
        session = await supervised.script({"say": "I begin."}, {"sleep": 1.5}, {"say": "I end."})
        await supervised.when(session, lambda now: now.stats.messages)

        async def stuck(*_: object, **__: object) -> None:
            await asyncio.Event().wait()

        with monkeypatch.context() as patched:
            patched.setattr(supervised.engine.services.executors["local"], "write", stuck)
            _, state = await supervised.engine.control.send(session.id, said("Never."), PERSON)
        assert state == "sent"
    async with home.supervised() as supervised:
        await supervised.when(session, lambda now: now.stats.turns)
        assert await messages(supervised, session) == ["I begin.", "I end."]
        assert await states(supervised, session) == ["sent"]
        await supervised.engine.control.cancel(session.id, PERSON)
        await supervised.ended(session)
        assert await states(supervised, session) == ["failed"]


async def test_a_message_that_was_not_written_before_a_restart_is_written_after_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "SEND_WAIT_S", 0.1)
    async with home.supervised() as supervised:
        session = await supervised.script({"say": "I begin."}, {"sleep": 1.5}, {"say": "I end."})
        await supervised.when(session, lambda now: now.stats.messages)
        with monkeypatch.context() as patched:
            patched.setattr(delivery.Delivery, "kick", lambda *_: None)
            _, state = await supervised.engine.control.send(session.id, said("Late."), PERSON)
        assert state == "pending"
    async with home.supervised() as supervised:
        session = await supervised.ended(session)
        assert await messages(supervised, session) == ["I begin.", "I end.", "Late."]
        assert await states(supervised, session) == ["delivered"]


@pytest.mark.tmux
async def test_what_a_terminal_shows_counts_when_nothing_else_is_said(home: Home) -> None:
    patterns = [
        {"name": "yes or no", "state": "asking", "text": r"Shall I\?"},
        {"name": "all done", "state": "idle", "text": "^Done"},
    ]
    home.configure(agents={"shy": {"adapter": "command", "screen": patterns}})
    async with home.supervised() as supervised:
        script = "echo 'Shall I?'; read answer; clear; echo Done; read forever"
        session = await supervised.run("sh", "-c", script, agent="shy", mode="dispatch")
        session = await supervised.reaches(session, S.WAITING)
        assert (session.reason.signal, session.activity.state) == ("screen", "asking")
        with pytest.raises(Refused, match="asks a question"):
            await supervised.engine.control.send(session.id, "yes", PERSON)
        (attempt,) = await supervised.attempts(session)
        ref: AttemptRef = supervised.engine.services.ref(attempt, session)
        await supervised.engine.services.executor(session).type_text(ref, "y")
        session = await supervised.when(session, lambda now: now.activity.state == "idle")
        assert session.status is S.RUNNING
        read = await supervised.payloads(session, EventType.SCREEN_READ)
        assert [payload["pattern"] for payload in read] == ["yes or no", "all done"]
        explained = await supervised.client.get(f"/sessions/{session.id}/explain")
        assert "yes or no" in json.dumps(explained)
        await supervised.engine.control.cancel(session.id, PERSON)
        await supervised.ended(session)


@pytest.mark.tmux
async def test_a_message_is_typed_into_a_terminal(supervised: Supervised) -> None:
    session = await supervised.run("sh", "-c", "read word; echo got $word", mode="dispatch")
    await supervised.reaches(session, S.RUNNING)
    _, state = await supervised.engine.control.send(session.id, "hello", PERSON)
    assert state == "delivered"
    session = await supervised.ended(session)

    async def heard() -> bool:
        return any("got hello" in payload["text"] for payload in await supervised.payloads(session, "output"))

    await eventually(heard, what=lambda: "the terminal got it")


def asking(count: int) -> list[dict[str, Any]]:
    """An agent that asks so often before it does something."""
    return [{"ask": {"run": "true"}} for _ in range(count)]


class Written:
    """Counts what is written to agents that policy answers, by every supervisor from now on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers = list[bytes]()
        really = LocalExecutor.write

        async def write(executor: LocalExecutor, ref: AttemptRef, data: bytes, *, close: bool = False) -> None:
            await really(executor, ref, data, close=close)
            if b"control_response" in data:
                self.answers.append(data)
                await self.after()

        monkeypatch.setattr(LocalExecutor, "write", write)

    async def after(self) -> None:
        """What happens then."""


async def test_that_answers_of_policy_were_written_is_stored_before_the_end_is(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "MARK_AFTER_S", 3600)
    written = Written(monkeypatch)
    async with home.supervised(OneEffect("allow")) as supervised:
        session = await supervised.ended(await supervised.script(*asking(3)))
        entries = await supervised.engine.store.read(outbox.of_session, session.id)
        assert [entry.state for entry in entries] == ["sent"] * 3
        assert all(entry.created_at <= (entry.sent_at or 0) <= now_ms() for entry in entries)
        assert sorted(written.answers) == sorted({entry.body for entry in entries}), "none was written twice"


async def test_that_an_answer_was_written_is_stored_when_the_supervisor_stops(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "MARK_AFTER_S", 3600)
    written = Written(monkeypatch)
    async with home.supervised(OneEffect("allow")) as supervised:
        session = await supervised.script(*asking(1), {"sleep": 1.5})
        await until(lambda: written.answers, 10, "it is answered")
        assert await states(supervised, session) == ["pending"]
    async with home.supervised(OneEffect("allow")) as supervised:
        await supervised.ended(session)
        assert await states(supervised, session) == ["sent"]
    assert len(written.answers) == 1


async def test_that_an_answer_was_written_is_stored_later_when_it_cannot_be_now(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "TRY_AGAIN_S", 0.05)
    failures = [StoreError("The disk is full."), StoreError("The disk is full.")]
    really = outbox.written

    def store(conn: sqlite3.Connection, times: Mapping[str, int]) -> None:
        if failures:
            raise failures.pop()
        really(conn, times)

    monkeypatch.setattr(outbox, "written", store)
    written = Written(monkeypatch)
    async with home.supervised(OneEffect("allow")) as supervised:
        session = await supervised.script(*asking(2), {"sleep": 60})

        async def stored() -> bool:
            return await states(supervised, session) == ["sent", "sent"]

        await eventually(stored, what=lambda: f"both are stored as written, {len(written.answers)} were")
        assert len(written.answers) == 2
        assert failures == []
        assert supervised.engine.services.tasks.failures == []
        await supervised.engine.control.cancel(session.id, PERSON, grace_s=0)
        await supervised.ended(session)


async def test_an_answer_of_which_it_is_just_stored_that_it_was_written_is_not_written_again_after_a_stop(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor stops while the writer, busy with others, has not come to it."""
    monkeypatch.setattr(delivery, "MARK_AFTER_S", 0)
    written, stored, holding = Written(monkeypatch), threading.Event(), list[asyncio.Future[bool]]()
    async with home.supervised(OneEffect("allow")) as supervised:

        async def hold() -> None:
            holding.append(asyncio.ensure_future(supervised.engine.store.submit(lambda _: stored.wait(10))))

        monkeypatch.setattr(written, "after", hold)
        session = await supervised.script(*asking(1), {"sleep": 1.5})
        await until(
            lambda: holding and supervised.engine.conductor.delivery._marking.locked(), 10, "it is to be stored"
        )
        tasks = supervised.engine.services.tasks
        really = tasks.close

        async def close() -> None:
            asyncio.get_running_loop().call_later(0.05, stored.set)
            await really()

        monkeypatch.setattr(tasks, "close", close)
    async with home.supervised(OneEffect("allow")) as supervised:
        await supervised.ended(session)
        assert await states(supervised, session) == ["sent"]
    assert len(written.answers) == 1


async def test_an_answer_that_waits_for_another_one_is_written_once(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked at, then stored as written while the one before it is being written."""
    monkeypatch.setattr(delivery, "TRY_AGAIN_S", 0.05)
    monkeypatch.setattr(delivery, "MARK_AFTER_S", 0.3)
    ask: dict[str, Any] = {
        "type": "control_request",
        "request": {"subtype": "can_use_tool", "tool_name": "Bash", "input": {}},
    }
    lines: list[dict[str, Any]] = [{"type": "system", "subtype": "init", "session_id": "s", "model": "m"}]
    lines += [{**ask, "request_id": name} for name in ("first", "second")]
    program = f"import sys; sys.stdin.readline(); print({chr(10).join(map(json.dumps, lines))!r}, flush=True)"
    program += "; import time; time.sleep(60)"
    asker = {"adapter": "claude", "command": [sys.executable, "-c", program, str(SCRIPTED)]}
    home.configure(agents={"asker": asker})
    refusals = [QuarterdeckError("The runner does not answer.")]
    answers = list[str]()
    async with home.supervised(OneEffect("allow")) as supervised:
        executor, store = supervised.engine.services.executors["local"], supervised.engine.store

        async def write(ref: AttemptRef, data: bytes, *, close: bool = False) -> None:
            name = "first" if b"first" in data else "second" if b"second" in data else ""
            if name == "first" and refusals:
                raise refusals.pop()
            if name == "first":
                entries = {entry.request_id: entry for entry in await store.read(outbox.pending, session.id)}
                while "second" in entries:
                    await asyncio.sleep(0.01)
                    entries = {entry.request_id: entry for entry in await store.read(outbox.pending, session.id)}
            answers.extend([name] if name else [])

        monkeypatch.setattr(executor, "write", write)
        session = await supervised.run(agent="asker", prompt="Ask.")

        async def done() -> bool:
            return await states(supervised, session) == ["sent", "sent"]

        await eventually(done, what=lambda: f"both are written, {answers} were")
        assert answers == ["second", "first"]
        await supervised.engine.control.cancel(session.id, PERSON, grace_s=0)
        await supervised.ended(session)


async def test_an_answer_that_was_decided_meanwhile_is_written_when_its_attempt_was_found_again(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then nobody may listen: of a container whose runner died, the search starts a new one."""
    home.configure(approvals={"expires_s": 0.5})
    async with home.supervised(OneEffect("ask")) as supervised:
        session = await supervised.script(*asking(1), {"say": "I go on."})
        await supervised.reaches(session, S.WAITING)
        (asked,) = await supervised.engine.store.read(approvals.find, 10)
    await until(lambda: now_ms() > (asked.expires_at or 0), 10, "its time passes while no supervisor runs")
    order = list[str]()
    really_find, really_write = LocalExecutor.find, LocalExecutor.write

    async def find(self: LocalExecutor, ref: AttemptRef) -> Found:
        found = await really_find(self, ref)
        order.append("found")
        return found

    async def write(self: LocalExecutor, ref: AttemptRef, data: bytes, *, close: bool = False) -> None:
        order.extend(["written"] if data else [])
        if "found" not in order:
            raise Refused("The attempt is not running.", code="ended")
        await really_write(self, ref, data, close=close)

    monkeypatch.setattr(LocalExecutor, "find", find)
    monkeypatch.setattr(LocalExecutor, "write", write)
    async with home.supervised(OneEffect("ask")) as supervised:
        assert (await supervised.ended(session)).status is S.COMPLETED
        assert order[:2] == ["found", "written"]
        assert await states(supervised, session) == ["sent"]


async def test_an_agent_that_asks_and_ends_before_it_is_answered_leaves_nothing_that_failed(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = {"type": "control_request", "request": {"subtype": "can_use_tool", "tool_name": "Bash", "input": {}}}
    line = json.dumps({**ask, "request_id": "last"})
    asker = {"adapter": "claude", "command": [sys.executable, "-c", f"input(); print({line!r})", str(SCRIPTED)]}
    home.configure(agents={"asker": asker})
    refused = asyncio.Event()
    async with home.supervised(OneEffect("allow")) as supervised:

        async def write(executor: LocalExecutor, ref: AttemptRef, data: bytes, *, close: bool = False) -> None:
            await supervised.ended(session)
            refused.set()
            raise Refused("The attempt is not running.", code="ended")

        monkeypatch.setattr(LocalExecutor, "write", write)
        session = await supervised.run(agent="asker", prompt="Ask.")
        await refused.wait()
        assert await states(supervised, session) == ["failed"]
        await supervised.engine.services.tasks.join(f"deliver {session.id}")
        assert supervised.engine.services.tasks.failures == []
        assert await supervised.events(session, EventType.MESSAGE_UNDELIVERED) == []
