"""Schedules: kept for people, looked at when one is due.

The clock on the wall says what is due, and a clock that only goes forward says when to look: at least every minute, so
that a machine that slept or a clock that was set is noticed.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

from supervisor.engine.cron import Cron, cron
from supervisor.engine.dueness import Called, called_for
from supervisor.engine.failpoints import hit
from supervisor.engine.ledger import Transaction
from supervisor.engine.planning import Planning
from supervisor.engine.planruns.environment import keep_environment, started_with
from supervisor.engine.plans.stored import planned_of
from supervisor.engine.scheduled_runs import (
    LONGEST_PLAN,
    GiveUp,
    ScheduledRuns,
    Start,
    actor_of,
    run_id,
    schedule_event,
)
from supervisor.engine.services import Services
from supervisor.model.errors import InvalidInput, NotFound, QuarterdeckError, Refused
from supervisor.model.events import EventType
from supervisor.model.ids import new_id
from supervisor.model.plans import PlanStatus
from supervisor.model.schedules import Approval, Missed, Run, RunState, Schedule
from supervisor.model.times import now_ms, to_rfc3339
from supervisor.store import plans, schedules

log = logging.getLogger(__name__)

MINUTE_MS: Final = 60_000
LOOK_S: Final = 60.0
TRY_AGAIN_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person wants: without ``cron`` the schedule that stands in the plan's document, in its time zone."""

    cron: str | None = None
    timezone: str | None = None
    missed: Missed = Missed.SKIP
    approval: Approval = "each"


class Schedules:
    """Keeps schedules and has their runs made. ``now`` returns the clock on the wall, in milliseconds."""

    def __init__(
        self,
        services: Services,
        planning: Planning,
        start: Start,
        give_up: GiveUp,
        now: Callable[[], int] = now_ms,
    ) -> None:
        self._services = services
        self._ledger = services.ledger
        self._runs = ScheduledRuns(services.ledger, services.desk, planning, start, give_up, self._environment)
        self.now = now
        self._bell = asyncio.Event()

    # --- what people do --------------------------------------------------------------------------

    async def create(self, plan_id: str, wanted: Wanted, environment: Mapping[str, str], actor: str) -> Schedule:
        """Have a plan run whenever it is due, with this environment. Raises InvalidInput, or Refused when it cannot."""
        if len(plan_id) > LONGEST_PLAN:
            raise InvalidInput(
                f"The id {plan_id} is too long to be scheduled: its runs are called {run_id('ID', 0)}.",
                hint=f"Create the plan with an id of at most {LONGEST_PLAN} characters.",
            )
        now = self.now()
        when = await self._when(plan_id, wanted)
        checked = await asyncio.to_thread(cron, *when, now)
        made = Schedule(
            id=new_id("sch"),
            plan=plan_id,
            project="",
            cron=checked.expression,
            timezone=checked.timezone,
            missed=wanted.missed,
            approval=wanted.approval,
            created_by=actor,
            created_at=now,
            since=now,
        )
        await self._keep(made, environment)

        def store(transaction: Transaction) -> Schedule:
            plan = plans.get(transaction.conn, plan_id)
            if plan.status is PlanStatus.ABANDONED or plan.archived_at is not None:
                end = "abandoned" if plan.archived_at is None else "archived"
                raise Refused(f"{plan.id} was {end}.", hint="Create it as a new plan, with another id.")
            schedule = replace(made, project=plan.project)
            schedules.insert(transaction.conn, schedule)
            what = _what(schedule)
            schedule_event(transaction, EventType.SCHEDULE_CREATED, schedule, by=actor, **what)
            transaction.audit(actor, "schedule.create", schedule.id, after={"plan": plan.id, **what})
            return schedule

        try:
            schedule = await self._ledger.commit(store)
        except QuarterdeckError:
            await asyncio.to_thread(self._forget, made.id)
            raise
        self.kick()
        return schedule

    async def pause(self, schedule_id: str, actor: str) -> Schedule:
        """Make no further runs; what is due meanwhile is not missed."""

        def pause(transaction: Transaction, schedule: Schedule) -> Schedule:
            if schedule.paused_at is not None:
                raise Refused(f"{schedule.id} is paused already.", hint=f"quarterdeck schedule resume {schedule.id}")
            return replace(schedule, paused_at=transaction.now)

        return await self._change(schedule_id, actor, "pause", EventType.SCHEDULE_PAUSED, pause)

    async def resume(self, schedule_id: str, actor: str) -> Schedule:
        """Make runs again, from now on."""
        now = self.now()

        def resume(_: Transaction, schedule: Schedule) -> Schedule:
            if schedule.paused_at is None:
                raise Refused(f"{schedule.id} is not paused.")
            return replace(schedule, paused_at=None, since=now)

        return await self._change(schedule_id, actor, "resume", EventType.SCHEDULE_RESUMED, resume)

    async def run_now(self, schedule_id: str, actor: str) -> Run:
        """Have a run made as if it were due in this minute; Refused when there is one of this minute already, or when
        one that is under way would have it left out.

        It waits for its approval like every other, unless the schedule starts its runs by itself.
        """
        now = self.now()

        def store(transaction: Transaction) -> Run:
            schedule = _kept(transaction, schedule_id)
            due = now - now % MINUTE_MS
            plan = run_id(schedule.plan, due)
            run = Run(schedule.id, due, plan, RunState.DUE, f"{actor} wanted it now.", transaction.now)
            before = schedules.under_way(transaction.conn, run)
            if before is not None and schedule.missed is not Missed.ALL:
                raise Refused(f"{before.plan} is still under way.", hint="Wait for its end, or cancel it.")
            if not schedules.add_run(transaction.conn, run):
                raise Refused(f"There is a run of this minute already: {plan}.", hint="Try again in a minute.")
            transaction.audit(actor, "schedule.run_now", schedule.id, after={"plan": plan, "due": due})
            return run

        run = await self._ledger.commit(store)
        self.kick()
        return run

    async def remove(self, schedule_id: str, actor: str) -> Schedule:
        """Take a schedule away. Runs that were made stay, also those that wait for an approval."""
        return await self._change(schedule_id, actor, "remove", EventType.SCHEDULE_REMOVED, _removed)

    def next_times(self, schedule: Schedule, number: int) -> list[int]:
        """Return when a schedule is due next; never while it is paused, or where this version cannot read it."""
        if schedule.paused_at is not None:
            return []
        try:
            return list(islice(Cron(schedule.cron, schedule.timezone).after(self.now()), number))
        except InvalidInput:
            return []

    # --- what time brings ------------------------------------------------------------------------

    def kick(self) -> None:
        """Have it looked at now: something was decided, a plan was started, or a schedule has changed."""
        self._bell.set()

    async def tidy(self) -> None:
        """Remove what is kept for the runs of schedules that were removed and have none any more."""
        kept = {schedule.id for schedule in await self._ledger.store.read(schedules.find)}
        kept |= {run.schedule for run in await self._ledger.store.read(schedules.open_runs)}
        for folder in await asyncio.to_thread(lambda: list(self._folder.glob("sch_*"))):
            if folder.name not in kept:
                await asyncio.to_thread(self._forget, folder.name)

    async def run(self) -> None:
        """Make runs when they are due, until cancelled."""
        while True:
            self._bell.clear()
            try:
                wait_s = await self.look()
            except (QuarterdeckError, OSError) as error:
                log.warning("Schedules cannot be looked after now: %s", error)
                wait_s = TRY_AGAIN_S
            try:
                async with asyncio.timeout(wait_s):
                    await self._bell.wait()
            except TimeoutError:
                continue

    async def look(self) -> float | None:
        """Do what is due, and return the seconds until it is to be looked at again; None when nothing will be due."""
        for orphan in await self._ledger.store.read(schedules.orphaned):
            await self._change(orphan.id, "supervisor", "remove", EventType.SCHEDULE_REMOVED, _removed)
        for schedule in await self._ledger.store.read(schedules.find):
            try:
                called = await asyncio.to_thread(called_for, schedule, self.now())
            except InvalidInput as error:  # Another version, or another machine, could read it.
                log.warning("%s (%s): %s", schedule.id, schedule.plan, error)
                continue
            if called.schedule != schedule:
                await self._ledger.commit(lambda t, one=schedule, of=called: _store(t, one, of))  # type: ignore[misc]
                hit("schedule.called")
        held_up = await self._runs.settle()
        kept = await self._ledger.store.read(schedules.find)
        now = self.now()
        times = [each for schedule in kept for each in await asyncio.to_thread(self.next_times, schedule, 1)]
        if held_up:
            return TRY_AGAIN_S
        return min(LOOK_S, max(0.0, (min(times) - now) / 1000)) if times else None

    # --- inside ----------------------------------------------------------------------------------

    async def _when(self, plan_id: str, wanted: Wanted) -> tuple[str, str]:
        if wanted.cron is not None:
            return wanted.cron, wanted.timezone or "UTC"
        plan = await self._ledger.store.read(plans.get, plan_id)
        document = planned_of(await self._ledger.store.read(plans.revision, plan_id, plan.revision))
        if document.schedule is None:
            raise InvalidInput(
                f"The document of {plan_id} has no schedule.", hint='Give one: --cron "30 2 * * *" --tz Europe/Berlin'
            )
        return document.schedule.cron, wanted.timezone or document.schedule.timezone

    async def _change(
        self,
        schedule_id: str,
        actor: str,
        action: str,
        event: EventType,
        change: Callable[[Transaction, Schedule], Schedule],
    ) -> Schedule:
        def store(transaction: Transaction) -> Schedule:
            changed = change(transaction, _kept(transaction, schedule_id))
            schedules.update(transaction.conn, changed)
            schedule_event(transaction, event, changed, by=actor)
            transaction.audit(actor, f"schedule.{action}", changed.id, before={"plan": changed.plan})
            return changed

        changed = await self._ledger.commit(store)
        self.kick()
        return changed

    @property
    def _folder(self) -> Path:
        """One folder for each schedule, which holds the environment of its runs."""
        return self._services.paths.state / "schedules"

    async def _keep(self, schedule: Schedule, environment: Mapping[str, str]) -> None:
        """Keep the environment of who made a schedule, without secrets, which last as long as the machine is up."""
        settings = self._services.config_for(None).settings
        plain, secrets = self._services.secrets.split(environment, settings.secrets)
        await asyncio.to_thread(keep_environment, self._folder / schedule.id, plain)
        self._services.secrets.keep(schedule.id, secrets)

    def _environment(self, schedule: Schedule) -> dict[str, str]:
        secrets = self._services.secrets.of(schedule.id, self._services.config_for(None).settings.secrets)
        return {**started_with(self._folder / schedule.id), **secrets}

    def _forget(self, schedule_id: str) -> None:
        shutil.rmtree(self._folder / schedule_id, ignore_errors=True)
        self._services.secrets.forget(schedule_id)


def _kept(transaction: Transaction, schedule_id: str) -> Schedule:
    """Return a schedule; NotFound when it was removed."""
    schedule = schedules.get(transaction.conn, schedule_id)
    if schedule.removed_at is not None:
        raise NotFound(f"There is no schedule {schedule_id} any more.", hint="`quarterdeck schedule list` shows them.")
    return schedule


def _removed(transaction: Transaction, schedule: Schedule) -> Schedule:
    return replace(schedule, removed_at=transaction.now)


def _store(transaction: Transaction, before: Schedule, called: Called) -> None:
    """Store what a schedule calls for, and that it was seen to, together: there is one run for a time, ever."""
    schedule = schedules.get(transaction.conn, before.id)
    if schedule != before:
        return  # It was changed meanwhile, and is looked at again.
    schedules.update(transaction.conn, called.schedule)
    for due in called.runs:
        run = Run(schedule.id, due, run_id(schedule.plan, due), RunState.DUE, "It is due.", transaction.now)
        schedules.add_run(transaction.conn, run)
    if called.missed:
        first, last = called.missed[0], called.missed[-1]
        schedule_event(
            transaction,
            EventType.SCHEDULE_MISSED,
            schedule,
            severity="warning",
            times=len(called.missed),
            first=to_rfc3339(first),
            last=to_rfc3339(last),
            policy=schedule.missed,
        )
        after = {"times": len(called.missed), "first": first, "last": last, "policy": schedule.missed}
        transaction.audit(actor_of(schedule), "schedule.missed", schedule.id, after=after)


def _what(schedule: Schedule) -> dict[str, Any]:
    return {
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "missed": schedule.missed,
        "approval": schedule.approval,
    }
