"""The runs of schedules, from the time that one is due to the start of its plan.

Each step is stored before the next, and can be done again: after a crash a run goes on from where it stands. What is
started is what a person approved; a run whose plan was revised meanwhile is asked about anew.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from supervisor.engine.deciding import consume
from supervisor.engine.desk import Desk, close
from supervisor.engine.failpoints import hit
from supervisor.engine.ledger import Ledger, Transaction
from supervisor.engine.planning import Planning
from supervisor.engine.plans.exporting import as_json, as_yaml
from supervisor.engine.plans.stored import planned_of
from supervisor.model.acts import Judgement
from supervisor.model.approvals import Approval
from supervisor.model.errors import InvalidInput, NotFound, QuarterdeckError, Refused
from supervisor.model.events import EventType, NewEvent, Severity
from supervisor.model.plan.plan import Plan as Planned
from supervisor.model.plan.values import ID_LIMIT
from supervisor.model.plans import Plan, PlanStatus
from supervisor.model.schedules import Missed, Run, RunState, Schedule
from supervisor.model.statuses import ApprovalStatus
from supervisor.model.times import to_rfc3339
from supervisor.store import approvals, events, plans, projects, schedules

log = logging.getLogger(__name__)

ASKS: Final = Judgement(
    "ask", "scheduled runs are a person's", "Its schedule says that each run is approved.", "medium"
)
DOCUMENT_SHOWN: Final = 20_000
"""Characters of the document that a person is shown."""

_STAMP: Final = "-%Y%m%d-%H%M"
LONGEST_PLAN: Final = ID_LIMIT - len("-20260101-0000")
"""Characters of a plan's id that leave room for the time in the ids of its runs."""

_FINAL: Final = (InvalidInput, NotFound, Refused)
"""What trying again does not change."""

Start = Callable[[str, Mapping[str, str], str], Awaitable[object]]
"""Starts a plan by its id, with an environment, for an actor (`PlanRuns.start`)."""

GiveUp = Callable[[str, str], Awaitable[object]]
"""Gives a plan up by its id, for an actor (`PlanRuns.cancel`)."""


class Taken(Refused):
    """The plan of a run is there already: made by a person, or by another schedule of the same plan."""


def run_id(plan: str, due: int) -> str:
    """Return the id of the plan that is made for a time, in UTC: ``nightly-20261129-0130``."""
    return f"{plan}{datetime.fromtimestamp(due / 1000, UTC):{_STAMP}}"


def actor_of(schedule: Schedule) -> str:
    """Return the actor that a schedule is, in audit entries and as an author."""
    return f"schedule {schedule.id}"


def schedule_event(
    transaction: Transaction, event_type: EventType, schedule: Schedule, *, severity: Severity = "info", **payload: Any
) -> None:
    """Store one event of a schedule, as an event of the plan that it runs, which may be gone."""
    new = NewEvent(event_type, "plan", transaction.now, severity, payload={"schedule": schedule.id, **payload})
    stored = events.append(transaction.conn, [new], project=schedule.project, plan=schedule.plan)
    transaction.events.extend(stored)


@dataclass(frozen=True, slots=True)
class ScheduledRuns:
    """Brings runs forward. ``environment`` returns what a schedule's runs are started with, and blocks."""

    ledger: Ledger
    desk: Desk
    planning: Planning
    start: Start
    give_up: GiveUp
    environment: Callable[[Schedule], dict[str, str]]

    async def settle(self) -> int:
        """Bring every run as far as it can go now; returns how many could not for a reason that may pass."""
        held_up = 0
        for run in await self.ledger.store.read(schedules.open_runs):
            try:
                await self._settle(run)
            except (QuarterdeckError, OSError) as error:
                log.warning("%s cannot go on now: %s", run.plan, error)
                held_up += 1
        return held_up

    async def _settle(self, run: Run) -> None:
        schedule = await self.ledger.store.read(schedules.get, run.schedule)
        steps = {RunState.DUE: self._make, RunState.WAITING: self._decided, RunState.STARTING: self._start}
        while (step := steps.get(run.state)) is not None:
            after = await step(schedule, run)
            if after == run:
                return
            run = after

    # --- making its plan -------------------------------------------------------------------------

    async def _make(self, schedule: Schedule, run: Run) -> Run:
        before = await self.ledger.store.read(_before, run)
        if before is not None:
            return await self.ledger.commit(lambda t: _behind(t, schedule, run, before))
        try:
            await self._create(schedule, run)
        except Taken as error:
            return await self._moved(run, RunState.DECLINED, str(error))
        except _FINAL as error:
            return await self._fail(schedule, run, f"Its plan could not be made: {error}")
        hit("schedule.created")
        made = await self.ledger.commit(lambda t: self._made(t, schedule, run))
        hit("schedule.made")
        return made

    async def _create(self, schedule: Schedule, run: Run) -> None:
        """Make the plan of a run of the document that is in force, unless that was done before a crash."""
        source, author = await self.ledger.store.read(_source, schedule.plan, run.plan)
        if author == actor_of(schedule):
            return
        if author is not None:
            raise Taken(f"There is a plan {run.plan} already, by {author}.")
        plan, document, root = source
        if plan.status is PlanStatus.ABANDONED:
            raise Refused(f"{plan.id} was abandoned.", hint=f"quarterdeck schedule remove {schedule.id}")
        made = await asyncio.to_thread(_document, document, run.plan)
        await self.planning.create(made, f"the document of {plan.id}", root, actor_of(schedule))

    def _made(self, transaction: Transaction, schedule: Schedule, run: Run) -> Run:
        approval = None
        if schedule.approval == "each":
            plan = plans.get(transaction.conn, run.plan)
            approval = self._ask(transaction, schedule, run, plan)
            moved = _move(transaction, run, RunState.WAITING, "It waits for an approval.", approval=approval.id)
        else:
            moved = _move(transaction, run, RunState.STARTING, "Its schedule starts it.")
        schedule_event(
            transaction,
            EventType.SCHEDULE_RUN,
            schedule,
            due=to_rfc3339(run.due),
            run=run.plan,
            approval=approval.id if approval else None,
        )
        transaction.audit(actor_of(schedule), "schedule.run", schedule.id, after={"plan": run.plan, "due": run.due})
        return moved

    # --- asking a person -------------------------------------------------------------------------

    def _ask(self, transaction: Transaction, schedule: Schedule, run: Run, plan: Plan) -> Approval:
        document = as_yaml(planned_of(plans.revision(transaction.conn, plan.id, plan.revision)))
        if len(document) > DOCUMENT_SHOWN:
            document = f"{document[:DOCUMENT_SHOWN]}\n… `quarterdeck plan export {plan.id}` shows all of it"
        asked = {
            "question": f"May {plan.id} start? {schedule.plan} was due at {to_rfc3339(run.due)}.",
            "subject": f"start {plan.id}",
            "revision": plan.revision,
            "preview": {
                "plan": f"{plan.id}: {plan.title}",
                "schedule": f"{schedule.cron} ({schedule.timezone}), {schedule.id}",
                "document": document,
            },
        }
        return self.desk.open(
            transaction,
            None,
            None,
            "engine",
            f"schedule/{schedule.id}/{run.due}",
            asked,
            ASKS,
            subject_type="plan",
            requested_by=actor_of(schedule),
            plan=plan,
        )

    async def _decided(self, schedule: Schedule, run: Run) -> Run:
        """See what a person decided, and whether what they were asked about still is what it was."""

        def look(transaction: Transaction) -> tuple[Run, bool]:
            approval = approvals.get(transaction.conn, str(run.approval))
            plan = _plan(transaction.conn, run.plan)
            if not _waits(plan):
                _void(transaction, approval, "Its plan does not wait for it any more.")
            if (gone := _gone(plan)) or plan is None:
                return _move(transaction, run, RunState.DECLINED, gone), False
            if plan.status is not PlanStatus.PENDING:
                if plan.status is PlanStatus.ABANDONED:
                    was = approval.status in (ApprovalStatus.REJECTED, ApprovalStatus.EXPIRED, ApprovalStatus.CANCELLED)
                    why = approval.reason if was else plan.reason.text
                    return _move(transaction, run, RunState.DECLINED, why), False
                return _move(transaction, run, RunState.STARTED, "A person started it."), False
            if approval.status not in (ApprovalStatus.PENDING, ApprovalStatus.APPROVED):
                return run, True
            if approval.asked["revision"] != plan.revision:
                close(transaction, approval, ApprovalStatus.SUPERSEDED, "The plan was revised.")
                anew = self._ask(transaction, schedule, run, plan)
                return _move(transaction, run, RunState.WAITING, "It waits for an approval.", approval=anew.id), False
            if approval.status is ApprovalStatus.PENDING:
                return run, False
            consume(transaction, approval, actor_of(schedule))
            return _move(transaction, run, RunState.STARTING, approval.reason), False

        moved, declined = await self.ledger.commit(look)
        if declined:
            # First the plan, then the run: after a crash in between it is seen that it was given up.
            await self.give_up(run.plan, actor_of(schedule))
            moved, _ = await self.ledger.commit(look)
        return moved

    # --- starting it -----------------------------------------------------------------------------

    async def _start(self, schedule: Schedule, run: Run) -> Run:
        plan = await self.ledger.store.read(_plan, run.plan)
        if (gone := _gone(plan)) or plan is None:
            return await self._moved(run, RunState.DECLINED, gone)
        if plan.status is PlanStatus.PENDING:
            try:
                environment = await asyncio.to_thread(self.environment, schedule)
                hit("schedule.before_start")
                await self.start(run.plan, environment, actor_of(schedule))
            except _FINAL as error:
                return await self._fail(schedule, run, f"It could not be started: {error}")
        hit("schedule.started")
        return await self._moved(run, RunState.STARTED, "It was started.")

    async def _moved(self, run: Run, state: RunState, reason: str) -> Run:
        return await self.ledger.commit(lambda t: _move(t, run, state, reason))

    async def _fail(self, schedule: Schedule, run: Run, reason: str) -> Run:
        def store(transaction: Transaction) -> Run:
            text = f"{run.plan}, due at {to_rfc3339(run.due)}: {reason}"
            schedule_event(transaction, EventType.ERROR, schedule, severity="error", text=text, run=run.plan)
            return _move(transaction, run, RunState.FAILED, reason)

        return await self.ledger.commit(store)


def _before(conn: sqlite3.Connection, run: Run) -> Run | None:
    """Return the run that is still under way, when the plan of this one is not made yet."""
    return None if _plan(conn, run.plan) is not None else schedules.under_way(conn, run)


def _behind(transaction: Transaction, schedule: Schedule, run: Run, before: Run) -> Run:
    """Leave a run out because the one before is under way; where none may be left out it waits for that one's end."""
    if schedule.removed_at is not None:
        return _move(transaction, run, RunState.DECLINED, "Its schedule was removed.")
    if schedule.missed is Missed.ALL:
        why = f"It waits until {before.plan} has ended."
        return run if run.reason == why else _move(transaction, run, RunState.DUE, why)
    why = f"{before.plan} was still under way."
    schedule_event(
        transaction,
        EventType.SCHEDULE_SKIPPED,
        schedule,
        severity="warning",
        due=to_rfc3339(run.due),
        run=run.plan,
        under_way=before.plan,
    )
    after = {"plan": run.plan, "due": run.due, "under_way": before.plan}
    transaction.audit(actor_of(schedule), "schedule.skipped", schedule.id, after=after)
    return _move(transaction, run, RunState.SKIPPED, why)


def _move(transaction: Transaction, run: Run, state: RunState, reason: str, *, approval: str | None = None) -> Run:
    return schedules.move_run(transaction.conn, run, state, reason, transaction.now, approval=approval)


def _void(transaction: Transaction, approval: Approval, why: str) -> None:
    if approval.status in (ApprovalStatus.PENDING, ApprovalStatus.APPROVED):
        close(transaction, approval, ApprovalStatus.SUPERSEDED, why)


def _plan(conn: sqlite3.Connection, plan_id: str) -> Plan | None:
    try:
        return plans.get(conn, plan_id)
    except NotFound:
        return None


def _waits(plan: Plan | None) -> bool:
    """Whether the plan of a run can still be started."""
    return plan is not None and plan.status is PlanStatus.PENDING and plan.archived_at is None


def _gone(plan: Plan | None) -> str:
    """Return why the plan of a run will never be started; empty when that is not so."""
    if plan is None:
        return "Its plan was deleted."
    return "Its plan was archived." if plan.status is PlanStatus.PENDING and plan.archived_at is not None else ""


def _source(conn: sqlite3.Connection, plan_id: str, run: str) -> tuple[tuple[Plan, Planned, Path], str | None]:
    """Return the plan to run with its document and repository, and who made the plan of the run, if it is there."""
    author = plans.revision(conn, run, 1).author if _plan(conn, run) is not None else None
    plan = plans.get(conn, plan_id)
    document = planned_of(plans.revision(conn, plan.id, plan.revision))
    return (plan, document, Path(projects.get(conn, plan.project).root)), author


def _document(document: Planned, plan_id: str) -> bytes:
    """Return the document of a run: it has an id of its own, no schedule, and has not begun."""
    own = {"id": plan_id, "schedule": None, "status": None, "revision": None, "created_at": None}
    fresh = tuple(task.model_copy(update={"status": None}) for task in document.tasks)
    return as_json(document.model_copy(update={**own, "tasks": fresh})).encode()
