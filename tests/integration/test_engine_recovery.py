"""A supervisor that goes away at any moment: what the next one makes of it."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from executors.link import read_exit
from executors.local import LocalExecutor
from supervisor.engine import conducting
from supervisor.engine.ports.processes import AttemptRef
from supervisor.model.entities import Attempt, Session
from supervisor.model.errors import Unavailable
from supervisor.model.events import EventType
from supervisor.model.statuses import AttemptStatus, SessionStatus
from tests.support.runners import runner_pid
from tests.support.supervised import PERSON, Home, Supervised
from tests.wait import until

pytestmark = pytest.mark.timeout(90)

S = SessionStatus
LINES = 3000
WRITER = f"i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo line $i; [ $((i % 100)) = 0 ] && sleep 0.05; done; exit 7"
MODES = ["autonomous", pytest.param("dispatch", marks=pytest.mark.tmux)]


async def texts(supervised: Supervised, session: Session) -> list[str]:
    return [payload["text"] for payload in await supervised.payloads(session, EventType.OUTPUT)]


async def attempt_of(supervised: Supervised, session: Session) -> Attempt:
    return (await supervised.attempts(session))[-1]


@pytest.mark.parametrize("mode", MODES)
async def test_every_line_is_stored_exactly_once_across_restarts(home: Home, mode: str) -> None:
    async with home.supervised() as supervised:
        session = await supervised.run("sh", "-c", WRITER, mode=mode)
        await supervised.printed(session, "line 200")
    for mark in (900, 1800):
        async with home.supervised() as supervised:
            await supervised.printed(session, f"line {mark}")
    async with home.supervised() as supervised:
        session = await supervised.ended(session)
        assert [text for text in await texts(supervised, session) if text] == [
            f"line {number}" for number in range(1, LINES + 1)
        ]
        assert (session.status, session.exit_code) == (S.FAILED, 7)
        assert len(await supervised.attempts(session)) == 1


async def test_rounds_that_are_cut_off_in_the_middle_are_taken_again(home: Home) -> None:
    async with home.supervised() as supervised:
        session = await supervised.run("sh", "-c", WRITER)
        for mark in range(100, LINES, 700):
            await supervised.printed(session, f"line {mark}")
            for name in list(supervised.engine.services.tasks._tasks):
                supervised.engine.services.tasks.cancel(name)
            await until(lambda: not supervised.engine.services.tasks.running(f"run {session.id}"))
            await supervised.engine.conductor.recover()
        session = await supervised.ended(session)
        assert await texts(supervised, session) == [f"line {number}" for number in range(1, LINES + 1)]


@pytest.mark.parametrize("mode", MODES)
async def test_what_ended_while_nobody_looked_is_finished_with_its_exit_code(home: Home, mode: str) -> None:
    async with home.supervised() as supervised:
        gate = home.paths.state / "gate"
        script = f"until [ -e {gate} ]; do sleep 0.02; done; echo bye; exit 5"
        session = await supervised.run("sh", "-c", script, mode=mode)
        session = await supervised.reaches(session, S.RUNNING)
        ref = supervised.engine.services.ref(await attempt_of(supervised, session), session)
    gate.touch()
    await until(lambda: read_exit(ref), 20, "the exit record")
    async with home.supervised() as supervised:
        session = await supervised.ended(session)
        assert (session.status, session.exit_code) == (S.FAILED, 5)
        assert "bye" in await texts(supervised, session)
        assert [found["found"] for found in await supervised.payloads(session, EventType.RECOVERED)] == ["ended"]


async def test_what_is_gone_without_a_record_is_lost_and_not_run_again(home: Home) -> None:
    async with home.supervised() as supervised:
        session = await supervised.run("sh", "-c", "echo begun; sleep 300")
        await supervised.printed(session, "begun")
        ref = supervised.engine.services.ref(await attempt_of(supervised, session), session)
        number = (await attempt_of(supervised, session)).pid
    runner = runner_pid(ref)
    os.kill(runner, signal.SIGKILL)
    assert number is not None
    os.kill(number, signal.SIGKILL)
    await until(lambda: not lives(runner), what="the runner is gone")
    async with home.supervised() as supervised:
        session = await supervised.ended(session)
        assert (session.status, session.reason.signal) == (S.FAILED, "recovery")
        assert [attempt.status for attempt in await supervised.attempts(session)] == [AttemptStatus.LOST]
        assert await texts(supervised, session) == ["begun"]


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


async def test_a_claimed_attempt_that_never_started_is_started_as_the_same_attempt(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await _claimed(home, monkeypatch)
    async with home.supervised() as supervised:
        session = await supervised.ended(session)
        assert session.status is S.COMPLETED
        assert [attempt.number for attempt in await supervised.attempts(session)] == [1]
        found = await supervised.payloads(session, EventType.RECOVERED)
        assert [each["found"] for each in found] == ["not_started"]


async def test_a_claimed_attempt_that_was_cancelled_is_never_started(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await _claimed(home, monkeypatch, cancel=True)
    async with home.supervised() as supervised:
        session = await supervised.ended(session)
        assert session.status is S.CANCELLED
        assert [attempt.status for attempt in await supervised.attempts(session)] == [AttemptStatus.CANCELLED]
        assert await supervised.events(session, EventType.ATTEMPT_STARTED) == []


async def _claimed(home: Home, monkeypatch: pytest.MonkeyPatch, *, cancel: bool = False) -> Session:
    """A session that was claimed by a supervisor that went away before it started anything."""

    asked = asyncio.Event()

    async def never(*_: object) -> None:
        asked.set()
        await asyncio.Event().wait()

    async with home.supervised() as supervised:
        with monkeypatch.context() as patched:
            patched.setattr(supervised.engine.services.executors["local"], "start", never)
            session = await supervised.run("echo", "hi")
            await asked.wait()
            if cancel:
                await supervised.engine.control.cancel(session.id, PERSON)
    return session


@pytest.mark.parametrize("mode", MODES)
async def test_a_frozen_session_is_still_paused_after_a_restart_and_can_be_resumed(home: Home, mode: str) -> None:
    async with home.supervised() as supervised:
        session = await supervised.run("sh", "-c", WRITER, mode=mode)
        await supervised.printed(session, "line 100")
        await supervised.engine.control.pause(session.id, PERSON)
    async with home.supervised() as supervised:
        await supervised.when(session, lambda _: supervised.engine.services.tasks.running(f"run {session.id}"))
        assert (await supervised.session(session)).status is S.PAUSED
        await supervised.engine.control.resume(session.id, PERSON)
        session = await supervised.ended(session)
        assert (session.status, session.exit_code) == (S.FAILED, 7)


async def test_a_cancel_that_was_stored_but_not_sent_is_sent_after_a_restart(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with home.supervised() as supervised:
        session = await supervised.run("sh", "-c", "echo begun; sleep 300")
        await supervised.printed(session, "begun")
        await _unsent(supervised, "stop", monkeypatch)
        await supervised.engine.control.cancel(session.id, PERSON)
        assert (await attempt_of(supervised, session)).intent == "cancel"
    async with home.supervised() as supervised:
        assert (await supervised.ended(session)).status is S.CANCELLED


async def test_a_pause_and_a_resume_that_were_not_sent_are_sent_after_a_restart(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    for name in ("pause", "resume"):
        real = getattr(LocalExecutor, name)

        async def noted(self: LocalExecutor, ref: AttemptRef, name: str = name, real: Any = real) -> None:
            await real(self, ref)
            sent.append(name)

        monkeypatch.setattr(LocalExecutor, name, noted)
    async with home.supervised() as supervised:
        session = await supervised.run("sh", "-c", WRITER)
        await supervised.printed(session, "line 100")
        await _unsent(supervised, "pause", monkeypatch)
        await supervised.engine.control.pause(session.id, PERSON)
    async with home.supervised() as supervised:
        await until(lambda: sent == ["pause"], what="the pause is sent")
        await _unsent(supervised, "resume", monkeypatch)
        await supervised.engine.control.resume(session.id, PERSON)
    async with home.supervised() as supervised:
        session = await supervised.ended(session)
        assert session.exit_code == 7
        assert await texts(supervised, session) == [f"line {number}" for number in range(1, LINES + 1)]


async def _unsent(supervised: Supervised, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the supervisor die, as far as anybody can tell, just before it would ask the executor."""

    async def nothing(*_: object, **__: object) -> None:
        return

    monkeypatch.setattr(supervised.engine.services.executors["local"], what, nothing)


async def test_an_executor_that_does_not_answer_after_a_start_is_asked_again(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conducting, "TRY_AGAIN_S", 0.05)
    async with home.supervised() as supervised:
        session = await supervised.run("sh", "-c", WRITER)
        await supervised.printed(session, "line 100")
    find, asked = LocalExecutor.find, []

    async def away(self: LocalExecutor, ref: object) -> object:
        asked.append(ref)
        if len(asked) < 3:
            raise Unavailable("Not now.")
        return await find(self, ref)  # type: ignore[arg-type]

    monkeypatch.setattr(LocalExecutor, "find", away)
    async with home.supervised() as supervised:
        assert (await supervised.ended(session)).exit_code == 7
    assert len(asked) >= 3


async def test_a_rotated_log_is_read_to_its_end_and_then_anew(home: Home) -> None:
    async with home.supervised() as supervised:
        session = await supervised.run("sh", "-c", WRITER)
        await supervised.printed(session, "line 300")
        rotate(Path(session.log_path))
        session = await supervised.ended(session)
        assert await texts(supervised, session) == [f"line {number}" for number in range(1, LINES + 1)]
        assert len(await supervised.events(session, EventType.LOG_ROTATED)) == 1


def rotate(log: Path) -> None:
    log.rename(log.with_name("stream.log.1"))
