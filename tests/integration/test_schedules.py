"""Schedules with a real supervisor, and a clock on the wall that the test sets."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from supervisor.engine.deciding import Decision
from supervisor.engine.schedules import LOOK_S, TRY_AGAIN_S, Schedules, Wanted
from supervisor.model.approvals import Approval
from supervisor.model.errors import InvalidInput, NotFound, Refused, StoreError
from supervisor.model.plans import Plan, PlanStatus
from supervisor.model.schedules import Missed, Run, RunState, Schedule
from supervisor.model.statuses import ApprovalStatus
from supervisor.store import approvals, plans, schedules
from tests.support.planruns import RunningPlan, created, sh
from tests.support.supervised import PERSON, Home, Supervised, eventually
from tests.wait import until

P, S = PlanStatus, RunState
HOUR = 3_600_000
TEN = round(datetime.fromisoformat("2026-06-01T10:00:00Z").timestamp() * 1000)
RUN = "nightly-20260601-1000"
HOURLY = "0 * * * *"


class Crashed(BaseException):
    """The supervisor was killed here."""


@dataclass
class Timed:
    """Schedules on a running supervisor, which are looked at when the test says so."""

    inside: Supervised
    clock: int = TEN - HOUR // 2
    started: list[str] = field(default_factory=list)
    trouble: Callable[[str], None] = lambda _: None
    schedules: Schedules = field(init=False)

    def __post_init__(self) -> None:
        engine = self.inside.engine
        # The supervisor's own, with the real clock, would see all this as long gone.
        engine.services.tasks.cancel("schedules")
        self.schedules = self.after_a_crash()

    def after_a_crash(self) -> Schedules:
        """What another supervisor has on the same state."""
        engine = self.inside.engine
        return Schedules(engine.services, engine.planning, self.start, engine.plan_runs.cancel, lambda: self.clock)

    async def start(self, plan: str, environment: Mapping[str, str], actor: str) -> Plan:
        self.trouble("before")
        done = await self.inside.engine.plan_runs.start(plan, environment, actor)
        self.started.append(plan)
        self.trouble("after")
        return done

    async def nightly(self, cron: str | None = HOURLY, **wanted: Any) -> Schedule:
        """A schedule of the plan ``nightly``, which is made when it is not there."""
        try:
            await self.inside.engine.store.read(plans.get, "nightly")
        except NotFound:
            await created(self.inside, sh("a", 'echo "$WORD" > word.txt'), plan="nightly")
        environment = {"PATH": os.environ["PATH"], "WORD": "kept"}
        return await self.schedules.create("nightly", Wanted(cron, **wanted), environment, PERSON)

    async def look_at(self, moment: int) -> float | None:
        self.clock = moment
        return await self.schedules.look()

    async def runs(self, schedule: Schedule) -> list[Run]:
        return await self.inside.engine.store.read(schedules.last_runs, schedule.id, 100)

    async def run(self, schedule: Schedule) -> Run:
        (run,) = await self.runs(schedule)
        return run

    async def asked(self) -> list[Approval]:
        return await self.inside.engine.store.read(approvals.pending)

    async def decide(self, *, approve: bool, rationale: str | None = None) -> None:
        (asked,) = await self.asked()
        await self.inside.engine.broker.decide([Decision(asked.id, approve, rationale=rationale)], PERSON)

    async def plan_ids(self) -> set[str]:
        return {plan.id for plan in await self.inside.engine.store.read(plans.find)}

    async def plan(self, plan_id: str = RUN) -> Plan:
        return await self.inside.engine.store.read(plans.get, plan_id)


@pytest.fixture
async def timed(supervised: Supervised) -> Timed:
    return Timed(supervised)


class TestRunNow:
    async def test_it_is_a_run_of_this_minute_that_waits_like_every_other(self, timed: Timed) -> None:
        schedule = await timed.nightly()
        timed.clock = TEN - HOUR // 2 + 30_500
        run = await timed.schedules.run_now(schedule.id, PERSON)
        assert (run.due, run.plan, run.state) == (TEN - HOUR // 2, "nightly-20260601-0930", S.DUE)
        assert run.reason == f"{PERSON} wanted it now."
        with pytest.raises(Refused, match="run of this minute already"):
            await timed.schedules.run_now(schedule.id, PERSON)
        await timed.schedules.look()
        assert (await timed.run(schedule)).state is S.WAITING
        await timed.decide(approve=True)
        await timed.schedules.look()
        assert timed.started == ["nightly-20260601-0930"]
        await timed.look_at(TEN)
        assert [each.due for each in await timed.runs(schedule)] == [TEN, TEN - HOUR // 2], "the times stay"

    async def test_one_that_is_due_in_that_minute_is_the_same(self, timed: Timed) -> None:
        schedule = await timed.nightly(approval="auto")
        timed.clock = TEN + 10
        await timed.schedules.run_now(schedule.id, PERSON)
        await timed.schedules.look()
        assert timed.started == [RUN]
        assert (await timed.run(schedule)).due == TEN

    async def test_a_paused_one_runs_by_hand_and_a_removed_one_does_not(self, timed: Timed) -> None:
        schedule = await timed.nightly(approval="auto")
        await timed.schedules.pause(schedule.id, PERSON)
        await timed.schedules.run_now(schedule.id, PERSON)
        await timed.schedules.look()
        assert len(timed.started) == 1
        await timed.schedules.remove(schedule.id, PERSON)
        timed.clock += HOUR
        with pytest.raises(NotFound, match="any more"):
            await timed.schedules.run_now(schedule.id, PERSON)


class TestAnApprovalForEach:
    async def test_it_waits_and_is_started_once_it_is_approved(self, timed: Timed) -> None:
        schedule = await timed.nightly()
        assert await timed.look_at(TEN - HOUR // 2) == LOOK_S, "it looks every minute, whatever the clock does"
        assert await timed.look_at(TEN - 1) == pytest.approx(0.001)
        assert await timed.runs(schedule) == []
        await timed.look_at(TEN)
        run = await timed.run(schedule)
        assert (run.plan, run.due, run.state) == (RUN, TEN, S.WAITING)
        (asked,) = await timed.asked()
        assert (asked.subject_type, asked.channel, asked.plan, asked.task) == ("plan", "engine", RUN, None)
        assert asked.question == f"May {RUN} start? nightly was due at 2026-06-01T10:00:00.000Z."
        assert 'echo "$WORD" > word.txt' in asked.preview["document"]
        assert asked.requested_by == f"schedule {schedule.id}"
        assert (await timed.plan()).status is P.PENDING
        await timed.look_at(TEN + HOUR // 2)
        assert timed.started == [], "it is not started without a word"
        await timed.decide(approve=True, rationale="Go")
        await timed.schedules.look()
        assert timed.started == [RUN]
        running = RunningPlan(timed.inside, RUN)
        await running.reaches(P.COMPLETED)
        assert await running.file("word.txt") == "kept\n", "its commands have the environment of who scheduled it"
        used = await timed.inside.engine.store.read(approvals.get, asked.id)
        assert (used.status, used.consumed_by) == (ApprovalStatus.CONSUMED, f"schedule {schedule.id}")
        assert (await timed.run(schedule)).state is S.STARTED

    async def test_a_rejected_one_is_given_up(self, timed: Timed) -> None:
        schedule = await timed.nightly()
        await timed.look_at(TEN)
        await timed.decide(approve=False, rationale="Not today")
        await timed.schedules.look()
        run = await timed.run(schedule)
        assert (run.state, run.reason) == (S.DECLINED, f"Rejected by {PERSON}: Not today")
        assert (await timed.plan()).status is P.ABANDONED
        assert timed.started == []

    async def test_one_that_a_person_starts_needs_no_answer_any_more(
        self, timed: Timed, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        go = tmp_path / "go"
        await created(timed.inside, sh("a", f"until test -e {go}; do sleep 0.02; done"), plan="nightly")
        schedule = await timed.nightly()
        await timed.look_at(TEN)
        (asked,) = await timed.asked()
        await timed.inside.engine.plan_runs.start(RUN, {"PATH": os.environ["PATH"]}, PERSON)
        await timed.schedules.look()
        assert (await timed.run(schedule)).state is S.STARTED
        now = await timed.inside.engine.store.read(approvals.get, asked.id)
        assert now.status is ApprovalStatus.SUPERSEDED
        (ended,) = await timed.inside.events(None, "approval_ended")
        await timed.inside.engine.plan_runs.decided(ended)
        go.touch()
        await RunningPlan(timed.inside, RUN).reaches(P.COMPLETED)
        assert "does not fit" not in caplog.text, "that it was asked about as a whole means nothing to its tasks"

    async def test_one_that_is_deleted_or_cancelled_needs_none_either(self, timed: Timed) -> None:
        schedule = await timed.nightly()
        await timed.look_at(TEN)
        await timed.inside.engine.planning.delete(RUN, PERSON)
        await timed.look_at(TEN + HOUR)
        await timed.inside.engine.plan_runs.cancel("nightly-20260601-1100", PERSON)
        await timed.look_at(TEN + 2 * HOUR)
        await timed.inside.engine.ending.archive("nightly-20260601-1200", PERSON)
        await timed.schedules.look()
        assert [(run.state, run.reason) for run in await timed.runs(schedule)] == [
            (S.DECLINED, "Its plan was archived."),
            (S.DECLINED, f"{PERSON} cancelled it."),
            (S.DECLINED, "Its plan was deleted."),
        ]
        assert await timed.asked() == []

    async def test_what_was_revised_is_asked_about_anew(self, timed: Timed) -> None:
        schedule = await timed.nightly()
        await timed.look_at(TEN)
        await timed.decide(approve=True)
        changed = f'{{"id": "{RUN}", "tasks": [{{"id": "a", "command": "echo other"}}]}}'.encode()
        await timed.inside.engine.planning.revise(RUN, changed, "plan.json", "Another", PERSON)
        await timed.schedules.look()
        assert timed.started == [], "what was approved is not what would be started"
        (asked,) = await timed.asked()
        assert "echo other" in asked.preview["document"]
        await timed.decide(approve=True)
        await timed.schedules.look()
        assert timed.started == [RUN]
        assert (await timed.run(schedule)).state is S.STARTED

    async def test_one_that_nobody_answers_expires(self, timed: Timed, home: Home) -> None:
        home.configure(approvals={"expires_s": 1})
        schedule = await timed.nightly()
        await timed.look_at(TEN)

        async def expired() -> bool:
            await timed.schedules.look()
            return (await timed.run(schedule)).state is S.DECLINED

        await eventually(expired, what=lambda: "the question expires")
        assert "Nobody answered in time" in (await timed.run(schedule)).reason
        assert (await timed.plan()).status is P.ABANDONED


class TestAuto:
    async def test_it_starts_at_once(self, timed: Timed) -> None:
        schedule = await timed.nightly(approval="auto")
        await timed.look_at(TEN)
        assert timed.started == [RUN]
        assert await timed.asked() == []
        shown = await RunningPlan(timed.inside, RUN).reaches(P.COMPLETED)
        assert shown.revisions[0].author == f"schedule {schedule.id}"
        assert (await timed.plan("nightly")).status is P.PENDING, "the plan itself stays as it is"

    async def test_each_time_is_a_plan_of_its_own_of_the_document_in_force(self, timed: Timed) -> None:
        await timed.nightly(approval="auto")
        await timed.look_at(TEN)
        changed = (
            b'{"id": "nightly", "title": "Changed", "schedule": "0 0 * * *", "tasks": [{"id": "b", "command": "true"}]}'
        )
        await timed.inside.engine.planning.revise("nightly", changed, "plan.json", "Another", PERSON)
        await timed.look_at(TEN + HOUR)
        assert timed.started == [RUN, "nightly-20260601-1100"]
        shown = await timed.inside.engine.planning.show("nightly-20260601-1100")
        assert (shown.plan.title, [task.id for task in shown.tasks], shown.planned.schedule) == ("Changed", ["b"], None)

    async def test_what_cannot_be_started_is_told(self, timed: Timed) -> None:
        await created(timed.inside, {"id": "a", "agent": "nobody", "prompt": "x"}, plan="nightly")
        schedule = await timed.nightly(approval="auto")
        await timed.look_at(TEN)
        run = await timed.run(schedule)
        assert run.state is S.FAILED
        assert "there is no agent nobody" in run.reason
        (event,) = await timed.inside.events(None, "error")
        assert (event.plan, event.severity) == ("nightly", "error")
        assert RUN in event.payload

    async def test_what_may_pass_is_tried_again(self, timed: Timed) -> None:
        def trouble(_: str) -> None:
            raise StoreError("The disk is full.")

        schedule = await timed.nightly(approval="auto")
        timed.trouble = trouble
        assert await timed.look_at(TEN) == TRY_AGAIN_S
        assert (await timed.run(schedule)).state is S.STARTING
        timed.trouble = lambda _: None
        assert await timed.schedules.look() == LOOK_S
        assert timed.started == [RUN]

    async def test_two_schedules_of_a_plan_make_one_run_for_a_time(self, timed: Timed) -> None:
        first = await timed.nightly(approval="auto")
        second = await timed.nightly("0 10 * * *", approval="auto")
        await timed.look_at(TEN)
        assert timed.started == [RUN]
        assert {(await timed.run(each)).state for each in (first, second)} == {S.STARTED, S.DECLINED}
        assert await timed.inside.events(None, "error") == []


class TestMissed:
    async def test_what_is_missed_is_recorded(self, timed: Timed) -> None:
        schedule = await timed.nightly()
        await timed.look_at(TEN + 2 * HOUR + HOUR // 2)
        assert await timed.runs(schedule) == []
        (said,) = await timed.inside.payloads(None, "schedule_missed")
        assert (said["times"], said["first"], said["last"], said["policy"]) == (
            3, "2026-06-01T10:00:00.000Z", "2026-06-01T12:00:00.000Z", "skip",
        )  # fmt: skip

    async def test_all_and_once(self, timed: Timed) -> None:
        each = await timed.nightly(missed=Missed.ALL)
        await timed.look_at(TEN + 2 * HOUR + HOUR // 2)
        assert [run.plan[-4:] for run in await timed.runs(each)] == ["1200", "1100", "1000"]
        await timed.schedules.remove(each.id, PERSON)
        once = await timed.nightly(missed=Missed.ONCE)
        await timed.look_at(TEN + 6 * HOUR + HOUR // 2)
        assert [run.plan[-4:] for run in await timed.runs(once)] == ["1600"]

    async def test_of_the_time_when_no_supervisor_ran(self, home: Home) -> None:
        async with home.supervised() as inside:
            timed = Timed(inside)
            now = timed.clock = timed.inside.engine.schedules.now()
            timed.clock = now - now % HOUR - 2 * HOUR - HOUR // 2
            schedule = await timed.nightly(missed=Missed.ONCE, approval="auto")
        async with home.supervised() as inside:

            async def made() -> bool:
                return [run.state for run in await inside.engine.store.read(schedules.last_runs, schedule.id, 9)] == [
                    S.STARTED
                ]

            await eventually(made, what=lambda: "one run for all that was missed")
            (run,) = await inside.engine.store.read(schedules.last_runs, schedule.id, 9)
            await RunningPlan(inside, run.plan).reaches(P.COMPLETED)


class TestOverCrashes:
    @pytest.mark.parametrize("where", ["before", "after"])
    async def test_around_the_start(self, timed: Timed, where: str) -> None:
        def crash(at: str) -> None:
            if at == where:
                raise Crashed

        schedule = await timed.nightly(approval="auto")
        timed.trouble = crash
        with pytest.raises(Crashed):
            await timed.look_at(TEN)
        timed.trouble = lambda _: None
        timed.schedules = timed.after_a_crash()
        await timed.look_at(TEN + 1000)
        assert timed.started == [RUN]
        assert (await timed.run(schedule)).state is S.STARTED
        await RunningPlan(timed.inside, RUN).reaches(P.COMPLETED)

    async def test_around_the_making_of_the_plan(self, timed: Timed, monkeypatch: pytest.MonkeyPatch) -> None:
        schedule = await timed.nightly()
        planning = type(timed.inside.engine.planning)
        create = planning.create

        async def crashing(*arguments: Any) -> Plan:
            await create(*arguments)
            raise Crashed

        with monkeypatch.context() as patch:
            patch.setattr(planning, "create", crashing)
            with pytest.raises(Crashed):
                await timed.look_at(TEN)
        assert (await timed.run(schedule)).state is S.DUE
        timed.schedules = timed.after_a_crash()
        await timed.look_at(TEN + HOUR // 2)
        assert (await timed.run(schedule)).state is S.WAITING
        assert len(await timed.asked()) == 1
        assert await timed.plan_ids() == {"nightly", RUN}

    async def test_around_giving_up(self, timed: Timed, monkeypatch: pytest.MonkeyPatch) -> None:
        schedule = await timed.nightly()
        await timed.look_at(TEN)
        await timed.decide(approve=False, rationale="No")
        await timed.inside.engine.plan_runs.cancel(RUN, "schedule")
        timed.schedules = timed.after_a_crash()
        await timed.schedules.look()
        assert (await timed.run(schedule)).reason == f"Rejected by {PERSON}: No"

    async def test_looking_twice_at_once_makes_one_run(self, timed: Timed) -> None:
        schedule = await timed.nightly(approval="auto")
        timed.clock = TEN
        await timed.schedules.look()
        await timed.after_a_crash().look()
        assert len(await timed.runs(schedule)) == 1
        assert timed.started == [RUN]


class TestPeople:
    async def test_what_is_due_while_it_is_paused_is_not_missed(self, timed: Timed) -> None:
        schedule = await timed.nightly(missed=Missed.ALL)
        await timed.schedules.pause(schedule.id, PERSON)
        assert await timed.look_at(TEN + 3 * HOUR) is None, "nothing will be due"
        with pytest.raises(Refused, match="paused already"):
            await timed.schedules.pause(schedule.id, PERSON)
        timed.clock = TEN + 3 * HOUR + 1
        await timed.schedules.resume(schedule.id, PERSON)
        await timed.look_at(TEN + 4 * HOUR)
        assert [run.plan[-4:] for run in await timed.runs(schedule)] == ["1400"]
        assert await timed.inside.events(None, "schedule_missed") == []
        with pytest.raises(Refused, match="is not paused"):
            await timed.schedules.resume(schedule.id, PERSON)

    async def test_a_removed_one_makes_no_further_runs_and_those_there_are_stay(self, timed: Timed) -> None:
        schedule = await timed.nightly()
        await timed.look_at(TEN)
        await timed.schedules.remove(schedule.id, PERSON)
        await timed.look_at(TEN + HOUR)
        assert [run.plan for run in await timed.runs(schedule)] == [RUN]
        await timed.decide(approve=True)
        await timed.schedules.look()
        assert timed.started == [RUN]
        folder = timed.inside.paths.state / "schedules" / schedule.id
        assert folder.exists()
        await timed.schedules.tidy()
        assert not folder.exists()
        with pytest.raises(NotFound, match="any more"):
            await timed.schedules.remove(schedule.id, PERSON)
        await RunningPlan(timed.inside, RUN).reaches(P.COMPLETED)

    @pytest.mark.parametrize("how", ["deleted", "archived"])
    async def test_the_schedule_of_a_plan_goes_with_it(self, timed: Timed, how: str) -> None:
        await timed.nightly()
        engine = timed.inside.engine
        await (engine.planning.delete if how == "deleted" else engine.ending.archive)("nightly", PERSON)
        await timed.look_at(TEN)
        assert await engine.store.read(schedules.find) == []
        assert len(await timed.inside.events(None, "schedule_removed")) == 1
        assert await timed.plan_ids() == set()
        if how == "archived":
            with pytest.raises(Refused, match="was archived"):
                await timed.nightly()

    async def test_without_an_expression_the_document_says_when(self, timed: Timed) -> None:
        with pytest.raises(InvalidInput, match="has no schedule"):
            await timed.nightly(None)
        when = {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}
        await created(timed.inside, sh("a", "true"), plan="weekly", schedule=when)
        made = await timed.schedules.create("weekly", Wanted(), {}, PERSON)
        assert (made.cron, made.timezone) == ("30 2 * * *", "Europe/Berlin")

    async def test_what_cannot_be_scheduled_is_refused_and_leaves_nothing(self, timed: Timed) -> None:
        with pytest.raises(InvalidInput, match="this is no hour"):
            await timed.nightly("0 25 * * *")
        with pytest.raises(NotFound):
            await timed.schedules.create("other", Wanted(HOURLY), {}, PERSON)
        await timed.inside.engine.plan_runs.cancel("nightly", PERSON)
        with pytest.raises(Refused, match="was abandoned"):
            await timed.nightly()
        long = "n" * 90
        with pytest.raises(InvalidInput, match="too long to be scheduled"):
            await timed.schedules.create(long, Wanted(HOURLY), {}, PERSON)
        assert list((timed.inside.paths.state / "schedules").glob("*")) == []

    async def test_secrets_are_given_and_not_kept(self, timed: Timed, home: Home) -> None:
        home.configure(secrets=["TOKEN"], agents={"command": {"adapter": "command", "pass_secrets": ["TOKEN"]}})
        await created(timed.inside, sh("a", 'test "$TOKEN" = hidden1'), plan="nightly")
        environment = {"PATH": os.environ["PATH"], "TOKEN": "hidden1"}
        schedule = await timed.schedules.create("nightly", Wanted(HOURLY, approval="auto"), environment, PERSON)
        kept = (timed.inside.paths.state / "schedules" / schedule.id / "environment.json").read_text()
        assert "hidden1" not in kept
        await timed.look_at(TEN)
        await RunningPlan(timed.inside, RUN).reaches(P.COMPLETED)


async def test_the_supervisor_itself_does_all_this(supervised: Supervised) -> None:
    """With its own loop, from the moment that is due to the answer and the start; only the clock is the test's."""
    engine = supervised.engine
    clock = TEN - 30
    engine.schedules.now = lambda: clock
    await created(supervised, sh("a", "true"), plan="nightly")
    await engine.schedules.create("nightly", Wanted(HOURLY), {"PATH": os.environ["PATH"]}, PERSON)
    clock = TEN + 1
    pending: list[Approval] = []

    async def asked() -> bool:
        pending[:] = await engine.store.read(approvals.pending)
        return bool(pending)

    await eventually(asked, what=lambda: "it asks")
    await engine.broker.decide([Decision(pending[0].id, approve=True)], PERSON)
    await RunningPlan(supervised, RUN).reaches(P.COMPLETED)


async def test_one_that_cannot_be_read_here_holds_up_no_other(timed: Timed, caplog: pytest.LogCaptureFixture) -> None:
    good = await timed.nightly(approval="auto")
    odd = [replace(good, id="sch_0", cron="99 * * * *"), replace(good, id="sch_1", timezone="Mars/Olympus")]
    for each in odd:
        await timed.inside.engine.services.ledger.commit(lambda t, one=each: schedules.insert(t.conn, one))  # type: ignore[misc]
    await timed.look_at(TEN)
    assert timed.started == [RUN]
    assert "sch_0 (nightly): The cron expression '99 * * * *' cannot be read" in caplog.text
    assert [timed.schedules.next_times(each, 3) for each in odd] == [[], []]


async def test_without_schedules_it_sleeps_until_it_is_told(supervised: Supervised) -> None:
    looked = asyncio.Event()
    engine = supervised.engine

    def now() -> int:
        looked.set()
        return TEN

    engine.schedules.now = now
    assert await engine.schedules.look() is None
    looked.clear()
    engine.schedules.kick()
    await until(looked.is_set)
