"""What a person asks of sessions, in every status that they can have."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest

from supervisor.model.entities import Session
from supervisor.model.errors import IllegalMove, InvalidInput, Refused
from supervisor.model.statuses import AttemptStatus, SessionStatus
from supervisor.store import audit
from tests.support.supervised import PERSON, Home, Supervised, eventually
from tests.wait import until

pytestmark = pytest.mark.timeout(60)

S = SessionStatus
COUNTING = "i=0; while true; do i=$((i+1)); echo $i; sleep 0.05; done"


async def running(supervised: Supervised, **fields: object) -> Session:
    session = await supervised.run("sh", "-c", COUNTING, **fields)
    await supervised.printed(session, '"3"')
    return await supervised.reaches(session, S.RUNNING)


async def pid(supervised: Supervised, session: Session) -> int:
    found = (await supervised.attempts(session))[-1].pid
    assert found is not None
    return found


@pytest.mark.parametrize("mode", ["autonomous", pytest.param("dispatch", marks=pytest.mark.tmux)])
async def test_a_paused_session_goes_on_when_resumed(supervised: Supervised, mode: str) -> None:
    control = supervised.engine.control
    session = await running(supervised, mode=mode)
    assert (await control.pause(session.id, PERSON)).status is S.PAUSED
    printed = size(session)
    assert (await control.resume(session.id, PERSON)).status is S.RUNNING
    await until(lambda: size(session) > printed, what="it prints again")
    await control.cancel(session.id, PERSON, grace_s=0)
    assert (await supervised.ended(session)).status is S.CANCELLED


def holds(worktree: str | None, name: str = "") -> bool:
    assert worktree is not None
    return (Path(worktree) / name).exists()


def size(session: Session) -> int:
    return Path(session.log_path).stat().st_size


@pytest.mark.parametrize("mode", ["autonomous", pytest.param("dispatch", marks=pytest.mark.tmux)])
async def test_a_cancel_ends_the_whole_tree(supervised: Supervised, mode: str) -> None:
    session = await running(supervised, mode=mode)
    number = await pid(supervised, session)
    await supervised.engine.control.cancel(session.id, PERSON)
    session = await supervised.ended(session)
    (attempt,) = await supervised.attempts(session)
    assert (session.status, session.reason.signal, attempt.status) == (S.CANCELLED, "person", AttemptStatus.CANCELLED)
    assert not psutil.pid_exists(number)


async def test_a_frozen_session_is_cancelled(supervised: Supervised) -> None:
    session = await running(supervised)
    await supervised.engine.control.pause(session.id, PERSON)
    await supervised.engine.control.cancel(session.id, PERSON)
    assert (await supervised.ended(session)).status is S.CANCELLED


async def test_a_queued_session_is_paused_resumed_and_cancelled(home: Home) -> None:
    home.configure(queue={"concurrent": 1})
    async with home.supervised() as supervised:
        first = await running(supervised)
        second = await supervised.run("true")
        control = supervised.engine.control
        assert (await control.pause(second.id, PERSON)).status is S.PAUSED
        assert (await control.resume(second.id, PERSON)).status is S.QUEUED
        assert (await control.cancel(second.id, PERSON)).status is S.CANCELLED
        assert await supervised.attempts(second) == []
        await control.cancel(first.id, PERSON)
        await supervised.ended(first)


async def test_a_session_is_cancelled_while_its_setup_command_runs(home: Home) -> None:
    home.configure(worktrees={"setup": f"sleep 300 & echo $! > {home.paths.state}/pid; wait"})
    async with home.supervised() as supervised:
        session = await supervised.run("true")
        path = home.paths.state / "pid"

        async def written() -> bool:
            return path.exists() and path.read_text().endswith("\n")

        await eventually(written, what=lambda: "the set-up command runs")
        with pytest.raises(Refused, match="is being prepared"):
            await supervised.engine.control.pause(session.id, PERSON)
        await supervised.engine.control.cancel(session.id, PERSON)
        assert (await supervised.session(session)).status is S.CANCELLED
        number = int(path.read_text())

        async def gone() -> bool:
            return not psutil.pid_exists(number) or psutil.Process(number).status() == psutil.STATUS_ZOMBIE

        await eventually(gone, what=lambda: "the tree of the set-up command has ended")
        assert await supervised.attempts(session) == []


async def test_what_makes_no_sense_is_refused(supervised: Supervised) -> None:
    control = supervised.engine.control
    session = await running(supervised)
    with pytest.raises(Refused, match="not paused"):
        await control.resume(session.id, PERSON)
    with pytest.raises(Refused, match="reads no messages"):
        await control.send(session.id, "Hello", PERSON)
    with pytest.raises(Refused, match="takes sessions that have ended"):
        await control.continue_(session.id, "Go on", PERSON)
    with pytest.raises(Refused, match="Cancel it first"):
        await control.archive(session.id, PERSON)
    await control.pause(session.id, PERSON)
    with pytest.raises(IllegalMove):
        await control.pause(session.id, PERSON)
    await control.cancel(session.id, PERSON)
    session = await supervised.ended(session)
    for refused in (control.pause, control.resume, control.cancel):
        with pytest.raises(Refused):
            await refused(session.id, PERSON)
    with pytest.raises(Refused, match="nothing there reads a message"):
        await control.send(session.id, "Hello", PERSON)
    with pytest.raises(Refused, match="runs a command"):
        await control.continue_(session.id, "Go on", PERSON)


async def test_a_pause_that_cannot_be_carried_out_is_taken_back(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await running(supervised)

    async def fail(*_: object) -> None:
        raise Refused("Not now.")

    monkeypatch.setattr(supervised.engine.services.executor(session), "pause", fail)
    with pytest.raises(Refused, match="Not now"):
        await supervised.engine.control.pause(session.id, PERSON)
    assert (await supervised.session(session)).status is S.RUNNING


async def test_a_continued_session_goes_on_in_its_conversation(supervised: Supervised) -> None:
    session = await supervised.ended(await supervised.script({"say": "One."}))
    await supervised.engine.control.continue_(session.id, "And now?", PERSON)
    session = await supervised.when(session, lambda now: now.attempts == 2 and now.status is S.COMPLETED)
    assert len(session.agent_session_ids) == 1
    assert session.stats.turns == 2


async def test_archiving_keeps_a_worktree_that_holds_work_and_removes_a_clean_one(supervised: Supervised) -> None:
    dirty = await supervised.ended(await supervised.run("touch", "precious"))
    clean = await supervised.ended(await supervised.run("true"))
    _, kept = await supervised.engine.control.archive(dirty.id, PERSON)
    archived, left = await supervised.engine.control.archive(clean.id, PERSON)
    assert kept.exists
    assert holds(dirty.worktree, "precious")
    assert not left.exists
    assert not holds(clean.worktree)
    assert archived.status is S.ARCHIVED
    assert "Outcome" in (Path(clean.folder) / "summary.md").read_text()


async def test_stop_all_cancels_what_has_not_ended(supervised: Supervised) -> None:
    sessions = [await running(supervised), await running(supervised)]
    assert await supervised.engine.control.stop_all(PERSON) == 2
    assert {(await supervised.ended(session)).status for session in sessions} == {S.CANCELLED}


async def test_who_asked_is_audited(supervised: Supervised) -> None:
    session = await running(supervised)
    await supervised.engine.control.cancel(session.id, PERSON)
    await supervised.engine.control.note(session.id, PERSON, "session.merge", {"into": "main"})
    await supervised.ended(session)
    entries = await supervised.engine.store.read(audit.entries)
    actions = [entry.action for entry in entries if entry.subject == session.id]
    assert actions == ["session.create", "session.cancel", "session.merge"]


async def test_a_process_that_somebody_stopped_counts_as_stalled_until_it_goes_on(supervised: Supervised) -> None:
    session = await running(supervised)
    number = await pid(supervised, session)
    os.kill(number, signal.SIGSTOP)
    await supervised.when(session, lambda now: now.activity.state == "stalled")
    os.kill(number, signal.SIGCONT)
    await supervised.when(session, lambda now: now.activity.state == "working")
    await supervised.engine.control.cancel(session.id, PERSON)
    await supervised.ended(session)


async def test_a_runner_that_gives_no_sign_of_life_is_stalled(home: Home) -> None:
    profile = {"adapter": "command", "heartbeat_s": 60, "timeouts": {"heartbeat": 0.3}}
    home.configure(agents={"quiet": profile})
    async with home.supervised() as supervised:
        session = await supervised.run("sleep", "60", agent="quiet")
        session = await supervised.when(session, lambda now: now.activity.state == "stalled")
        assert [event.source for event in await supervised.events(session, "stalled")] == ["watchdog"]
        assert session.status is S.RUNNING
        await supervised.engine.control.cancel(session.id, PERSON)
        await supervised.ended(session)


async def test_secrets_reach_neither_work_nor_messages_nor_reports(home: Home) -> None:
    home.configure(secrets=["DEPLOY_KEY"])
    key = "k3y-of-the-kingdom"
    async with home.supervised() as supervised:
        with pytest.raises(InvalidInput, match="DEPLOY_KEY"):
            await supervised.run("echo", f"key={key}", environment={"DEPLOY_KEY": key})
        session = await supervised.run("sh", "-c", COUNTING, environment={"DEPLOY_KEY": key})
        await supervised.reaches(session, S.RUNNING)
        with pytest.raises(InvalidInput, match="DEPLOY_KEY"):
            await supervised.engine.control.send(session.id, f"Use {key}", PERSON)
        await supervised.engine.reports.emit(session.id, "tool_note", {"deep": [{"said": f"It is {key}."}], key: 1})
        await supervised.engine.reports.hook(session.id, {"hook_event_name": "Odd", "text": key})
        await supervised.engine.control.cancel(session.id, PERSON)
        await supervised.ended(session)
        stored = await supervised.payloads(session, "tool_note")
        assert stored == [{"deep": [{"said": "It is [redacted]."}], "[redacted]": 1}]
    for path in home.paths.state.glob("quarterdeck.db*"):
        assert key.encode() not in path.read_bytes()
