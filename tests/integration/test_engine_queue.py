"""The queue: who starts when, who is refused, and what holds everybody back."""

from __future__ import annotations

import asyncio
import json

import pytest

from supervisor.engine import scheduling
from supervisor.model.entities import Session
from supervisor.model.errors import InvalidInput, QueueFull, Refused, Unavailable
from supervisor.model.events import EventType
from supervisor.model.statuses import SessionStatus
from supervisor.store import pauses, sessions
from tests.support.supervised import PERSON, Home, Supervised, eventually

pytestmark = pytest.mark.timeout(60)

S = SessionStatus


async def started_in_order(supervised: Supervised) -> list[str]:
    started = await supervised.events(None, EventType.ATTEMPT_STARTED)
    return [(await supervised.engine.store.read(sessions.get, str(event.session))).name for event in started]


async def test_three_run_ten_wait_and_one_more_is_refused(supervised: Supervised) -> None:
    taken = [await supervised.run("sleep", "60") for _ in range(13)]
    with pytest.raises(QueueFull, match="The queue is full"):
        await supervised.run("sleep", "60")
    for session in taken[:3]:
        await supervised.reaches(session, S.RUNNING)
    assert [(await supervised.session(session)).status for session in taken[3:]] == [S.QUEUED] * 10
    assert await supervised.engine.control.stop_all(PERSON) == 13
    for session in taken:
        assert (await supervised.ended(session)).status is S.CANCELLED


@pytest.mark.tmux
async def test_terminal_sessions_do_not_wait(home: Home) -> None:
    home.configure(queue={"concurrent": 1, "waiting": 0})
    async with home.supervised() as supervised:
        first = await supervised.run("sleep", "60")
        second = await supervised.run("sleep", "60", mode="dispatch")
        await supervised.reaches(first, S.RUNNING)
        await supervised.reaches(second, S.RUNNING)
        await supervised.engine.control.stop_all(PERSON)
        for session in (first, second):
            await supervised.ended(session)


async def test_higher_priority_goes_first_and_then_first_come(home: Home) -> None:
    home.configure(queue={"concurrent": 1})
    async with home.supervised() as supervised:
        first = await supervised.run("sleep", "60", name="first")
        await supervised.reaches(first, S.RUNNING)
        rest = [
            await supervised.run("true", name=name, priority=priority)
            for name, priority in (("low", -1), ("early", 0), ("late", 0), ("high", 5))
        ]
        await supervised.engine.control.cancel(first.id, PERSON, grace_s=0)
        for session in rest:
            assert (await supervised.ended(session)).status is S.COMPLETED
        assert await started_in_order(supervised) == ["first", "high", "early", "late", "low"]


async def test_who_waits_too_long_fails_with_the_name_of_the_timeout(home: Home) -> None:
    agents = {"hasty": {"adapter": "command", "timeouts": {"schedule_to_start": 0.3}}}
    home.configure(queue={"concurrent": 1}, agents=agents)
    async with home.supervised() as supervised:
        first = await supervised.run("sleep", "60")
        second = await supervised.run("true", agent="hasty")
        patient = await supervised.run("true")
        second = await supervised.ended(second)
        assert (second.status, second.reason.signal) == (S.FAILED, "queue")
        assert "schedule_to_start" in second.reason.text
        assert (await supervised.session(patient)).status is S.QUEUED
        await supervised.engine.control.stop_all(PERSON)
        await supervised.ended(first)


async def test_a_usage_limit_pauses_its_agent_alone_until_it_is_reset(home: Home) -> None:
    home.configure(queue={"concurrent": 1})
    async with home.supervised() as supervised:
        limit = {"limit": {"status": "rejected", "resets_in": 2}}
        limited = await supervised.script({"say": "I begin."}, limit)
        waiting = await supervised.script({"say": "My turn."})
        other = await supervised.run("true")
        limited = await supervised.reaches(limited, S.PAUSED)
        assert (limited.reason.signal, limited.activity.state) == ("limit", "limited")
        assert (await supervised.ended(other)).status is S.COMPLETED
        assert (await supervised.session(waiting)).status is S.QUEUED
        assert [pause.agent for pause in await supervised.engine.store.read(pauses.find)] == ["scripted"]
        for session in (limited, waiting):
            assert (await supervised.ended(session)).status is S.COMPLETED
        again = await supervised.session(limited)
        assert (again.attempts, len(again.agent_session_ids), again.resume_at) == (2, 1, None)
        assert await supervised.engine.store.read(pauses.find) == []
        assert len(await supervised.events(None, EventType.QUEUE_PAUSED)) == 1
        assert len(await supervised.events(None, EventType.QUEUE_RESUMED)) == 1


async def test_a_limit_survives_a_restart(home: Home) -> None:
    async with home.supervised() as supervised:
        session = await supervised.script({"limit": {"status": "rejected", "resets_in": 2}})
        await supervised.reaches(session, S.PAUSED)
    async with home.supervised() as supervised:
        assert (await supervised.ended(session)).status is S.COMPLETED


async def test_nothing_new_starts_on_a_full_disk_and_the_queue_goes_on_when_there_is_room(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduling, "RECHECK_S", 0.05)
    home.configure(queue={"concurrent": 1})
    async with home.supervised() as supervised:
        first = await supervised.run("sleep", "60")
        second = await supervised.run("true")
        await supervised.reaches(first, S.RUNNING)
        home.configure(storage={"free_disk_floor_mb": 2**40})
        with pytest.raises(Unavailable, match="disk"):
            await supervised.run("true")
        await supervised.engine.control.cancel(first.id, PERSON, grace_s=0)
        await supervised.ended(first)

        async def held() -> bool:
            return (await supervised.engine.health())[0] == "degraded"

        await eventually(held, what=lambda: "the queue is held back")
        assert (await supervised.session(second)).status is S.QUEUED
        home.configure()
        assert (await supervised.ended(second)).status is S.COMPLETED
        assert (await supervised.engine.health())[0] == "healthy"


async def test_what_cannot_be_run_is_refused_at_once(supervised: Supervised) -> None:
    run = supervised.run
    running = await run("sleep", "60", name="mine")
    refused: list[tuple[dict[str, object], tuple[str, ...], str]] = [
        ({}, (), "needs a prompt"),
        ({"agent": "command"}, (), "no command"),
        ({"agent": "nobody"}, ("true",), "no agent nobody"),
        ({"agent": "command", "prompt": "Hi"}, ("true",), "takes no prompt"),
        ({"agent": "scripted"}, ("true",), "takes a prompt"),
        ({"agent": "scripted", "prompt": " "}, (), "needs a prompt"),
        ({"executor": "moon"}, ("true",), "no executor"),
        ({"executor": "local", "mode": "dispatch"}, ("true",), "contradict"),
        ({"name": "a/b"}, ("true",), "cannot be a name"),
        ({"task": "../x", "name": "x"}, ("true",), "cannot be a task"),
        ({}, ("a\0b",), "NUL"),
    ]
    for fields, argv, message in refused:
        with pytest.raises(InvalidInput, match=message):
            await run(*argv, **fields)
    with pytest.raises(Unavailable, match="not installed"):
        await run("no-such-program")
    with pytest.raises(Refused, match="not finished"):
        await run("true", name="mine")
    assert [path.name for path in supervised.paths.sessions.iterdir()] == [running.id]
    await supervised.engine.control.stop_all(PERSON)
    await supervised.ended(running)


async def test_many_are_taken_at_once_and_each_runs_once(home: Home) -> None:
    home.configure(queue={"concurrent": 4, "waiting": 100})
    async with home.supervised() as supervised:
        taken: list[Session] = await asyncio.gather(*(supervised.run("echo", str(number)) for number in range(16)))
        for session in taken:
            assert (await supervised.ended(session)).status is S.COMPLETED
        printed = [payload["text"] for payload in await supervised.payloads(None, "output")]
        assert sorted(printed, key=int) == [str(number) for number in range(16)]
        assert json.loads((home.paths.sessions / taken[0].id / "metadata.json").read_text())["status"] == "completed"
