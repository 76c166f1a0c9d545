"""Approvals on a real supervisor: agents and tools that ask, people and policy that answer, and crashes in between."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from supervisor.engine import conducting
from supervisor.engine.broker import Question
from supervisor.engine.deciding import Decision
from supervisor.engine.launching import Launcher
from supervisor.engine.ports.processes import Started
from supervisor.model.approvals import Approval, Option
from supervisor.model.entities import Attempt, Session
from supervisor.model.errors import InvalidInput, NotFound, Refused, StoreError
from supervisor.model.events import EventType
from supervisor.model.statuses import ApprovalStatus, AttemptStatus, SessionStatus
from supervisor.store import approvals
from tests.support.desks import OneEffect
from tests.support.supervised import PERSON, Home, Supervised, eventually
from tests.wait import until

S = SessionStatus
Q = ApprovalStatus

ASKS = {"ask": {"run": "./strange-tool --now; touch made"}}
ASKING = 'echo \'{"type":"approval_needed","question":"Deploy?","options":%s}\'; exit 90'
OPTIONS = '[{"value":"yes","label":"Deploy"},{"value":"later","label":"Not now"}]'


async def pending(supervised: Supervised, count: int = 1) -> list[Approval]:
    """The questions that wait, once there are so many."""
    found: list[Approval] = []

    async def look() -> bool:
        found[:] = await supervised.engine.store.read(approvals.pending)
        return len(found) == count

    await eventually(look, what=lambda: f"{count} questions wait, not {[one.subject for one in found]}")
    return found


async def becomes(supervised: Supervised, approval: Approval, status: ApprovalStatus) -> Approval:
    now = approval

    async def look() -> bool:
        nonlocal now
        now = await supervised.engine.store.read(approvals.get, approval.id)
        return now.status is status

    await eventually(look, what=lambda: f"{approval.id} becomes {status}, it is {now.status}: {now.reason}")
    return now


async def approve(supervised: Supervised, *found: Approval, choice: str | None = None) -> list[Approval]:
    return await supervised.engine.broker.decide(
        [Decision(one.id, approve=True, choice=choice) for one in found], PERSON
    )


async def reject(supervised: Supervised, approval: Approval, reason: str | None = None) -> list[Approval]:
    return await supervised.engine.broker.decide([Decision(approval.id, approve=False, rationale=reason)], PERSON)


async def made(supervised: Supervised, session: Session) -> bool:
    now = await supervised.session(session)
    return await asyncio.to_thread((Path(str(now.worktree)) / "made").exists)


def steps(*more: dict[str, Any]) -> Sequence[dict[str, Any]]:
    return (ASKS, *more, {"say": "Done."})


class TestAnAgentThatAsks:
    async def test_waits_and_goes_on_when_it_is_approved(self, supervised: Supervised) -> None:
        session = await supervised.script(*steps())
        (approval,) = await pending(supervised)
        waiting = await supervised.reaches(session, S.WAITING)
        assert "strange-tool" in waiting.reason.text
        assert approval.preview["input"] == {"command": ASKS["ask"]["run"]}
        assert (approval.subject_type, approval.session, approval.requested_by) == (
            "tool_call", session.id, f"session {session.id}",
        )  # fmt: skip
        (decided,) = await approve(supervised, approval)
        assert (decided.status, decided.decision, decided.decided_by) == (Q.APPROVED, "allow", PERSON)
        session = await supervised.ended(session)
        assert session.status is S.COMPLETED
        used = await becomes(supervised, approval, Q.CONSUMED)
        assert used.consumed_by == f"attempt 1 of {session.id}"
        assert await made(supervised, session)

    async def test_is_told_why_not(self, supervised: Supervised) -> None:
        session = await supervised.script(*steps())
        (approval,) = await pending(supervised)
        await reject(supervised, approval, "Use the usual tool.")
        session = await supervised.ended(session)
        assert session.status is S.COMPLETED
        assert not await made(supervised, session)
        results = await supervised.payloads(session, EventType.TOOL_RESULT)
        assert [result["text"] for result in results] == ["Use the usual tool."]

    async def test_holds_no_place_in_the_queue(self, home: Home) -> None:
        home.configure(queue={"concurrent": 1})
        async with home.supervised() as supervised:
            asks = await supervised.script(*steps())
            await supervised.reaches(asks, S.WAITING)
            other = await supervised.run("true")
            assert (await supervised.ended(other)).status is S.COMPLETED

    async def test_does_not_time_out_while_a_person_thinks(self, home: Home) -> None:
        async with home.supervised() as supervised:
            session = await supervised.script(*steps(), timeout_s=1.5)
            (approval,) = await pending(supervised)
            await supervised.reaches(session, S.WAITING)
            began = asyncio.get_running_loop().time()
            await eventually(
                lambda: _true(asyncio.get_running_loop().time() - began > 2), what=lambda: "two seconds pass"
            )
            assert (await supervised.session(session)).status is S.WAITING
            await approve(supervised, approval)
            assert (await supervised.ended(session)).status is S.COMPLETED

    async def test_is_asked_for_once_over_a_restart_and_runs_once(self, home: Home) -> None:
        async with home.supervised() as supervised:
            session = await supervised.script({"ask": {"run": "./strange; echo x >> made"}}, {"say": "Done."})
            (approval,) = await pending(supervised)
        async with home.supervised() as supervised:
            assert [one.id for one in await pending(supervised)] == [approval.id]
            await approve(supervised, approval)
        async with home.supervised() as supervised:
            session = await supervised.ended(session)
            assert session.status is S.COMPLETED
            await becomes(supervised, approval, Q.CONSUMED)
            assert await made(supervised, session)

    async def test_asks_in_vain_when_it_is_cancelled(self, supervised: Supervised) -> None:
        session = await supervised.script(*steps())
        (approval,) = await pending(supervised)
        await supervised.engine.control.cancel(session.id, PERSON)
        await supervised.ended(session)
        ended = await becomes(supervised, approval, Q.CANCELLED)
        with pytest.raises(Refused, match="cancelled"):
            await approve(supervised, ended)

    async def test_is_answered_by_policy_without_a_person(self, home: Home) -> None:
        for effect, runs in (("allow", True), ("deny", False)):
            async with home.supervised(OneEffect(effect)) as supervised:  # type: ignore[arg-type]
                session = await supervised.ended(await supervised.script(*steps()))
                assert await made(supervised, session) is runs
                assert await supervised.engine.store.read(approvals.find, 10) == []
                kind = EventType.PERMISSION_GRANTED if runs else EventType.PERMISSION_REFUSED
                (noted,) = await supervised.payloads(session, kind)
                assert noted["rule"] == "the test's rule"
                assert session.stats.permissions_refused == (0 if runs else 1)


class TestDeciding:
    async def test_happens_once(self, supervised: Supervised) -> None:
        await supervised.script(*steps())
        (approval,) = await pending(supervised)
        results = await asyncio.gather(
            approve(supervised, approval), reject(supervised, approval), return_exceptions=True
        )
        refused = [result for result in results if isinstance(result, Refused)]
        assert len(refused) == 1
        assert f"by {PERSON} at" in refused[0].message
        decided = [kind for (kind,) in await supervised.engine.store.read(_decisions, approval.id)]
        assert len(decided) == 1

    async def test_of_several_is_all_or_nothing(self, supervised: Supervised) -> None:
        for _ in range(2):
            await supervised.script(*steps())
        first, second = await pending(supervised, 2)
        await approve(supervised, first)
        third = await supervised.script(*steps())
        open_ones = await pending(supervised, 2)
        with pytest.raises(Refused):
            await approve(supervised, *open_ones, first)
        assert len(await pending(supervised, 2)) == 2
        assert {one.status for one in await approve(supervised, *open_ones)} == {Q.APPROVED}
        assert (await supervised.ended(third)).status is S.COMPLETED
        assert second in open_ones

    async def test_of_what_is_not_there_says_so(self, supervised: Supervised) -> None:
        with pytest.raises(NotFound):
            await supervised.engine.broker.decide([Decision("app_none", approve=True)], PERSON)
        with pytest.raises(InvalidInput):
            await supervised.engine.broker.decide([], PERSON)

    async def test_counts_only_for_what_was_shown(self, supervised: Supervised) -> None:
        await supervised.script(*steps())
        (approval,) = await pending(supervised)

        def tamper(conn: Any) -> None:
            conn.execute("DROP TRIGGER approvals_are_bound")
            conn.execute("UPDATE approvals SET asked = json_set(asked, '$.input.command', 'rm -rf /')")

        await supervised.engine.store.submit(tamper)
        with pytest.raises(Refused, match="not what it was"):
            await approve(supervised, approval)

    async def test_the_database_keeps_what_was_shown_and_decided(self, supervised: Supervised) -> None:
        await supervised.script(*steps())
        (approval,) = await pending(supervised)
        for column in ("digest", "asked", "preview", "question", "session"):
            with pytest.raises(Exception, match="bound to what was shown"):
                await supervised.engine.store.submit(partial(_overwrite, column))
        await reject(supervised, approval)
        with pytest.raises(Exception, match="bound to what was shown"):
            await supervised.engine.store.submit(lambda c: c.execute("UPDATE approvals SET decision = 'allow'"))
        with pytest.raises(Exception, match="kept"):
            await supervised.engine.store.submit(lambda c: c.execute("DELETE FROM approvals"))


class TestExpiry:
    async def test_refuses_what_waits(self, home: Home) -> None:
        home.configure(approvals={"expires_s": 0.3})
        async with home.supervised() as supervised:
            session = await supervised.ended(await supervised.script(*steps()))
            assert not await made(supervised, session)
            (approval,) = await supervised.engine.store.read(approvals.find, 10)
            assert approval.status is Q.EXPIRED
            with pytest.raises(Refused, match="expired"):
                await approve(supervised, approval)

    async def test_counts_the_time_without_a_supervisor_before_anything_goes_on(self, home: Home) -> None:
        home.configure(approvals={"expires_s": 2})
        async with home.supervised() as supervised:
            session = await supervised.script(*steps())
            (approval,) = await pending(supervised)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await eventually(lambda: _true(loop.time() - began > 2), what=lambda: "it expires")
        async with home.supervised() as supervised:
            with pytest.raises(Refused, match="expired"):
                await approve(supervised, approval)
            session = await supervised.ended(session)
            assert not await made(supervised, session)


class TestAToolThatExitsToAsk:
    async def test_runs_again_with_the_answer(self, supervised: Supervised) -> None:
        script = f'[ "$AUTO_APPROVAL" ] && echo "got $AUTO_APPROVAL" && exit 0; {ASKING % OPTIONS}'
        session = await supervised.run("sh", "-c", script)
        waiting = await supervised.reaches(session, S.WAITING)
        assert waiting.exit_code == 90
        (approval,) = await pending(supervised)
        assert (approval.question, approval.channel, approval.subject_type) == ("Deploy?", "rerun", "tool_run")
        assert approval.options == (Option("yes", "Deploy"), Option("later", "Not now"))
        with pytest.raises(InvalidInput, match="needs a choice"):
            await approve(supervised, approval)
        await approve(supervised, approval, choice="later")
        session = await supervised.ended(session)
        assert (session.status, session.attempts) == (S.COMPLETED, 2)
        await supervised.printed(session, "got later")
        used = await becomes(supervised, approval, Q.CONSUMED)
        assert used.consumed_by == f"attempt 2 of {session.id}"
        assert [one.status for one in await supervised.attempts(session)] == [AttemptStatus.COMPLETED] * 2

    async def test_goes_on_over_restarts(self, home: Home) -> None:
        script = f'[ "$AUTO_APPROVAL" ] && exit 0; {ASKING % "[]"}'
        async with home.supervised() as supervised:
            session = await supervised.run("sh", "-c", script)
            await supervised.reaches(session, S.WAITING)
        async with home.supervised() as supervised:
            (approval,) = await pending(supervised)
            assert (await supervised.session(session)).status is S.WAITING
            await approve(supervised, approval)
            session = await supervised.ended(session)
            assert (session.status, session.attempts) == (S.COMPLETED, 2)

    async def test_may_have_exited_before_its_start_was_stored(
        self, supervised: Supervised, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As after a crash in between; chaos found that such a session could never end."""
        record, failed = Launcher.record_start, list[str]()

        async def full(self: Launcher, session: Session, attempt: Attempt, started: Started) -> Attempt:
            if not failed:
                failed.append(attempt.id)
                exited = Path(session.folder) / f"exit-{attempt.number}.json"
                await until(exited.exists, what="the tool has exited")
                raise StoreError("The disk is full.")
            return await record(self, session, attempt, started)

        monkeypatch.setattr(Launcher, "record_start", full)
        monkeypatch.setattr(conducting, "TRY_AGAIN_S", 0.05)
        session = await supervised.run("sh", "-c", f'[ "$AUTO_APPROVAL" ] && exit 0; {ASKING % "[]"}')
        await supervised.reaches(session, S.WAITING)
        await approve(supervised, *await pending(supervised))
        session = await supervised.ended(session)
        assert (session.status, session.attempts, len(failed)) == (S.COMPLETED, 2, 1)

    @pytest.mark.parametrize("how", ["rejected", "expired"])
    async def test_fails_without_running_again(self, home: Home, how: str) -> None:
        home.configure(approvals={"expires_s": 0.5 if how == "expired" else 100})
        async with home.supervised() as supervised:
            session = await supervised.run("sh", "-c", ASKING % "[]")
            if how == "rejected":
                await supervised.reaches(session, S.WAITING)
                (approval,) = await pending(supervised)
                await reject(supervised, approval, "Not today.")
            session = await supervised.ended(session)
            assert (session.status, session.attempts) == (S.FAILED, 1)
            assert ("Not today." if how == "rejected" else "expired") in session.reason.text

    @pytest.mark.parametrize("how", ["approved", "rejected", "expired"])
    async def test_may_be_answered_before_it_has_exited(self, home: Home, how: str) -> None:
        home.configure(approvals={"expires_s": 0.3 if how == "expired" else 100})
        asks = ASKING % "[]"
        waits = "while [ ! -e go ]; do sleep 0.05; done; exit 90"
        script = f'[ "$AUTO_APPROVAL" ] && exit 0; {asks.replace("exit 90", waits)}'
        async with home.supervised() as supervised:
            session = await supervised.run("sh", "-c", script)
            if how == "expired":
                await eventually(lambda: _has(supervised, Q.EXPIRED), what=lambda: "it expires")
            else:
                (approval,) = await pending(supervised)
                await (approve(supervised, approval) if how == "approved" else reject(supervised, approval, "No."))
            now = await supervised.reaches(session, S.RUNNING)
            (Path(str(now.worktree)) / "go").touch()
            session = await supervised.ended(session)
            assert session.status is (S.COMPLETED if how == "approved" else S.FAILED)

    async def test_fails_when_it_has_asked_for_nothing(self, supervised: Supervised) -> None:
        session = await supervised.ended(await supervised.run("sh", "-c", "exit 90"))
        assert session.status is S.FAILED
        assert "has asked for none" in session.reason.text

    async def test_that_was_changed_is_refused(self, home: Home) -> None:
        script = home.paths.state / "tool.sh"
        script.write_text(f'[ "$AUTO_APPROVAL" ] && exit 0; {ASKING % "[]"}')
        async with home.supervised() as supervised:
            session = await supervised.run("sh", str(script))
            await supervised.reaches(session, S.WAITING)
            (approval,) = await pending(supervised)
            script.write_text("touch made")
            await approve(supervised, approval)
            session = await supervised.ended(session)
            assert (session.status, session.attempts) == (S.FAILED, 1)
            assert "not what was approved" in session.reason.text
            assert str(script) in session.reason.text
            await becomes(supervised, approval, Q.SUPERSEDED)

    async def test_is_cancelled_while_it_waits(self, supervised: Supervised) -> None:
        session = await supervised.run("sh", "-c", ASKING % "[]")
        await supervised.reaches(session, S.WAITING)
        (approval,) = await pending(supervised)
        with pytest.raises(Refused, match="exited to ask"):
            await supervised.engine.control.pause(session.id, PERSON)
        await supervised.engine.control.cancel(session.id, PERSON)
        assert (await supervised.session(session)).status is S.CANCELLED
        await becomes(supervised, approval, Q.CANCELLED)

    async def test_has_no_question_when_its_next_one_cannot_be_read(self, supervised: Supervised) -> None:
        asks = 'echo \'{{"type":"approval_needed","protocol":1,"question":{}}}\''.format
        script = asks('"One"') + "; " + asks("7") + "; exit 90"
        session = await supervised.ended(await supervised.run("sh", "-c", script))
        assert session.status is S.FAILED
        statuses = [one.status for one in await supervised.engine.store.read(approvals.find, 10, session=session.id)]
        assert statuses == [Q.SUPERSEDED]

    async def test_is_not_answered_by_what_a_shell_exports(self, supervised: Supervised) -> None:
        script = f'[ "$AUTO_APPROVAL$AUTO_APPROVAL_KEY" ] && exit 0; {ASKING % "[]"}'
        exported = {"AUTO_APPROVAL": "allow", "AUTO_APPROVAL_KEY": "k"}
        session = await supervised.run("sh", "-c", script, environment=exported)
        await supervised.reaches(session, S.WAITING)

    async def test_asks_again_for_something_else(self, supervised: Supervised) -> None:
        script = (
            'case "$AUTO_APPROVAL" in "") q=One;; allow) [ -e once ] && exit 0; touch once; q=Two;; esac;'
            ' echo "{\\"type\\":\\"approval_needed\\",\\"question\\":\\"$q\\"}"; exit 90'
        )
        session = await supervised.run("sh", "-c", script)
        for question in ("One", "Two"):
            (approval,) = await pending(supervised)
            assert approval.question == question
            await approve(supervised, approval)
        session = await supervised.ended(session)
        assert (session.status, session.attempts) == (S.COMPLETED, 3), session.reason


class TestAProcessThatStandsAndWaits:
    async def test_gets_the_choice(self, supervised: Supervised) -> None:
        question = Question("Which one?", (Option("a", "The first"), Option("b", "The second")), default="a")
        asking = asyncio.create_task(supervised.engine.broker.ask(question, "k1", 20, session_id=None, actor=PERSON))
        (approval,) = await pending(supervised)
        await approve(supervised, approval, choice="b")
        answer = await asking
        assert (answer.status, answer.decision) == (Q.CONSUMED, "b")

    async def test_finds_its_question_again_after_a_restart(self, home: Home) -> None:
        question = Question("May I?")
        async with home.supervised() as supervised:
            first = await supervised.engine.broker.ask(question, "k1", 0, session_id=None, actor=PERSON)
            assert first.status is Q.PENDING
        async with home.supervised() as supervised:
            with pytest.raises(Refused, match="something else"):
                await supervised.engine.broker.ask(
                    replace(question, text="May I delete it?"), "k1", 0, session_id=None, actor=PERSON
                )
            await approve(supervised, first)
            answers = [
                await supervised.engine.broker.ask(question, "k1", 5, session_id=None, actor=PERSON) for _ in range(2)
            ]
            assert [(one.id, one.status, one.decision) for one in answers] == [(first.id, Q.CONSUMED, "allow")] * 2

    async def test_lets_its_session_wait_and_run_on(self, supervised: Supervised) -> None:
        session = await supervised.run("sh", "-c", "while [ ! -e go ]; do sleep 0.05; done")
        session = await supervised.when(session, lambda now: now.status is S.RUNNING)
        asking = asyncio.create_task(
            supervised.engine.broker.ask(Question("Go?"), "k", 20, session_id=session.id, actor=f"session {session.id}")
        )
        await supervised.reaches(session, S.WAITING)
        (approval,) = await pending(supervised)
        await approve(supervised, approval)
        assert (await asking).status is Q.CONSUMED
        await supervised.reaches(session, S.RUNNING)
        await supervised.engine.control.cancel(session.id, PERSON)
        await supervised.ended(session)

    async def test_that_goes_away_is_not_asked_about_for_ever(
        self, home: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("supervisor.engine.broker.GONE_S", 0.2)
        monkeypatch.setattr("supervisor.engine.broker.LOOK_S", 0.1)
        async with home.supervised() as supervised:
            left = await supervised.engine.broker.ask(Question("Hello?"), "k", 0, session_id=None, actor=PERSON)
            await becomes(supervised, left, Q.CANCELLED)


async def _has(supervised: Supervised, status: ApprovalStatus) -> bool:
    return status in [one.status for one in await supervised.engine.store.read(approvals.find, 10)]


def _decisions(conn: sqlite3.Connection, approval: str) -> list[Any]:
    values = (approval, "approval.approve", "approval.reject")
    return conn.execute("SELECT action FROM audit WHERE subject = ? AND action IN (?, ?)", values).fetchall()


def _overwrite(column: str, conn: sqlite3.Connection) -> None:
    conn.execute(f"UPDATE approvals SET {column} = 'x'")  # noqa: S608 - the test's own columns


async def _true(value: bool) -> bool:
    return value


async def test_what_a_person_types_is_refused_only_when_a_rule_denies_it(home: Home) -> None:
    async with home.supervised(OneEffect("deny")) as supervised:
        with pytest.raises(Refused, match="the test's rule"):
            await supervised.run("true")
    async with home.supervised(OneEffect("ask")) as supervised:
        assert (await supervised.ended(await supervised.run("true"))).status is S.COMPLETED
