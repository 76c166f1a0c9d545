"""The plans that people made: created, looked at, revised, taken away.

A revision is a whole document in the canonical form and never changes. A task that a new revision leaves as it was
keeps what it has done; one that it changes is to be done anew (`plans.revising`).
"""

from __future__ import annotations

import asyncio
import difflib
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from supervisor.engine.desk import close
from supervisor.engine.earlier import earlier
from supervisor.engine.intake import Intake
from supervisor.engine.ledger import Ledger, Transaction
from supervisor.engine.plans.exporting import as_json, as_yaml
from supervisor.engine.plans.flattening import flat
from supervisor.engine.plans.limits import WATCH
from supervisor.engine.plans.reading import read
from supervisor.engine.plans.repeating import known_items
from supervisor.engine.plans.revising import NOTHING, UNDER_WAY, Revising, Standing, Touched
from supervisor.engine.plans.stored import planned_of
from supervisor.model.entities import Reason
from supervisor.model.errors import InvalidInput, Refused
from supervisor.model.events import EventType
from supervisor.model.plan.plan import Plan as Planned
from supervisor.model.plan.task import Task as PlannedTask
from supervisor.model.plans import Plan, PlanStatus, Revision, Running, Task, TaskStatus
from supervisor.model.statuses import ApprovalStatus
from supervisor.model.times import now_ms
from supervisor.store import approvals, attempts, plans, tasks

STARTED: Final = frozenset({PlanStatus.RUNNING, PlanStatus.PAUSED, PlanStatus.BLOCKED})
RESTS: Final = frozenset({PlanStatus.COMPLETED, PlanStatus.FAILED, PlanStatus.BLOCKED})
MOST_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Shown:
    """A plan as it stands: with the document in force, the state of each of its tasks, and all revisions.

    ``earlier`` is what an earlier revision says of tasks that go by it.
    """

    plan: Plan
    planned: Planned
    tasks: list[Task]
    revisions: list[Revision]
    earlier: Mapping[str, PlannedTask] = field(default_factory=dict)

    def documents(self) -> dict[str, PlannedTask]:
        """Return what each task is, by id: also those of subplans, the parts of what is repeated, and what an earlier
        revision says of those that still ran when a later one removed them."""
        found = {task.id: task for task in flat(self.planned, known_items(self.tasks))}
        return {**found, **{name: task for name, task in self.earlier.items() if name not in found}}

    def left(self) -> set[str]:
        """Return the tasks that still ran, or were asked about, when a revision removed them."""
        return {task.id for task in flat(self.planned, known_items(self.tasks))} ^ {task.id for task in self.tasks}


@dataclass(frozen=True, slots=True)
class Planning:
    """Keeps plans."""

    ledger: Ledger
    intake: Intake

    async def create(self, document: bytes, where: str, cwd: Path, actor: str) -> Plan:
        """Store a plan for the project that holds ``cwd``. Nothing of it runs before a person starts it.

        ``where`` is the document's name: one that ends with ``.plan`` is in the text language. Raises PlanInvalid with
        everything that is wrong with it, Refused when its id is taken.
        """
        planned = (await asyncio.to_thread(read, document, where)).checked()
        project = await self.intake.project(cwd, actor)

        def store(transaction: Transaction) -> Plan:
            plan = Plan(
                id=planned.id,
                project=project.id,
                title=planned.name,
                status=PlanStatus.PENDING,
                reason=Reason("person", "It was created.", transaction.now),
                created_at=transaction.now,
                owner=planned.owner,
                priority=planned.rank,
                advance=planned.advance,
            )
            plans.insert(transaction.conn, plan)
            plans.add_revision(transaction.conn, Revision(plan.id, 1, as_json(planned), actor, transaction.now))
            first = Revising(plan.id, NOTHING, 1, "refuse", actor, transaction.now)
            tasks.insert(transaction.conn, first.made(planned))
            transaction.plan_event(EventType.PLAN_CREATED, plan, title=plan.title, tasks=len(planned.tasks))
            transaction.audit(actor, "plan.create", plan.id, after={"title": plan.title, "tasks": len(planned.tasks)})
            return plan

        return await self.ledger.commit(store)

    async def revise(
        self,
        plan_id: str,
        document: bytes,
        where: str,
        rationale: str,
        actor: str,
        running: Running = "refuse",
    ) -> tuple[Revision, list[Touched]]:
        """Let a document take the place of the one in force, as a new revision.

        ``running`` says what becomes of tasks under way that it changes or removes; returns which those are, too.
        Raises PlanInvalid, InvalidInput when it is another plan's or changes nothing, and Refused when it touches a
        task under way and nobody said what becomes of that, or when the plan was abandoned.
        """
        planned, before, old, diff = await self._compared(plan_id, document, where)

        def store(transaction: Transaction) -> tuple[Revision, list[Touched]]:
            plan = _revisable(transaction.conn, plan_id, before)
            made = Revision(
                plan.id, before.number + 1, as_json(planned), actor, transaction.now, before.number, diff, rationale
            )
            standing = _standing(transaction.conn, plan, old)
            revising = Revising(plan.id, standing, made.number, running, actor, transaction.now)
            found = revising.made(planned)
            if refused := refusal(revising.touched):
                raise refused
            plans.add_revision(transaction.conn, made)
            tasks.insert(transaction.conn, found)
            # What was asked about a task was asked about another plan: it is asked anew, if it still is to be. So is
            # what was asked about a limit, unless its clocks go on.
            waited = {each.id for each in standing.tasks.values() if each.status is TaskStatus.WAITING_APPROVAL}
            clocked = {each.id for each in found if WATCH in each.result}
            for approval in approvals.open_of_plan(transaction.conn, plan.id):
                asks_about_limit = approval.subject_type == "plan" and approval.task is not None
                if approval.task in waited or (asks_about_limit and approval.task not in clocked):
                    close(transaction, approval, ApprovalStatus.SUPERSEDED, "The plan was revised.")
            revised = replace(
                plan,
                revision=made.number,
                title=planned.name,
                owner=planned.owner,
                priority=planned.rank,
                advance=planned.advance,
            )
            if plan.status in RESTS and any(task.status is TaskStatus.PENDING for task in found):
                # A person revised it to have it go on.
                reason = Reason("person", f"{actor} revised it.", transaction.now)
                revised = replace(revised, status=PlanStatus.RUNNING, reason=reason, ended_at=None)
                moved: dict[str, Any] = {"from": plan.status, "to": revised.status, "reason": reason.text}
                transaction.plan_event(EventType.PLAN_STATUS_CHANGED, revised, name=revised.name, **moved)
            plans.update(transaction.conn, revised)
            fates = {each.task: each.becomes for each in revising.touched}
            transaction.plan_event(
                EventType.PLAN_REVISED, revised, revision=made.number, rationale=rationale, author=actor, running=fates
            )
            after = {"revision": made.number, "rationale": rationale, **({"running": fates} if fates else {})}
            transaction.audit(actor, "plan.revise", plan.id, before={"revision": before.number}, after=after)
            return made, revising.touched

        return await self.ledger.commit(store)

    async def rehearse(
        self, plan_id: str, document: bytes, where: str, running: Running = "refuse"
    ) -> tuple[int, str, list[Touched]]:
        """Return what a revision would be: its number, what it changes as a unified diff, and what would become of
        tasks under way. Nothing is stored. Raises what `revise` raises, but for tasks under way."""
        planned, before, old, diff = await self._compared(plan_id, document, where)

        def look(conn: sqlite3.Connection) -> list[Touched]:
            standing = _standing(conn, _revisable(conn, plan_id, before), old)
            revising = Revising(plan_id, standing, before.number + 1, running, "", now_ms())
            revising.made(planned)
            return revising.touched

        return before.number + 1, diff, await self.ledger.store.read(look)

    async def _compared(self, plan_id: str, document: bytes, where: str) -> tuple[Planned, Revision, Planned, str]:
        """Return what a document says, the revision in force with what that says, and the difference."""
        planned = (await asyncio.to_thread(read, document, where, fallback_id=plan_id)).checked()
        if planned.id != plan_id:
            raise InvalidInput(
                f"The document is of the plan {planned.id}, not of {plan_id}.",
                hint=f"Write `id: {plan_id}` into it, or create it as a plan of its own.",
            )
        before = await self.ledger.store.read(_in_force, plan_id)
        old = await asyncio.to_thread(planned_of, before)
        diff = await asyncio.to_thread(difference, old, planned, before.number, before.number + 1)
        if not diff:
            raise InvalidInput(f"The document says what revision {before.number} says.", hint="Change it first.")
        return planned, before, old, diff

    async def show(self, plan_id: str) -> Shown:
        """Return a plan as it stands."""

        def look(conn: sqlite3.Connection) -> tuple[Plan, list[Task], list[Revision]]:
            plan = plans.get(conn, plan_id)
            return plan, tasks.of_revision(conn, plan.id, plan.revision), plans.revisions(conn, plan.id)

        plan, found, revisions = await self.ledger.store.read(look)
        planned = await asyncio.to_thread(planned_of, revisions[plan.revision - 1])
        said = (each.id for each in flat(planned, known_items(found)))
        return Shown(plan, planned, found, revisions, await earlier(self.ledger, plan_id, found, said))

    async def diff(self, plan_id: str, before: int, after: int) -> str:
        """Return what is different between two revisions, as a unified diff; empty when nothing is."""

        def look(conn: sqlite3.Connection) -> tuple[Revision, Revision]:
            return plans.revision(conn, plan_id, before), plans.revision(conn, plan_id, after)

        old, new = await self.ledger.store.read(look)
        return await asyncio.to_thread(lambda: difference(planned_of(old), planned_of(new), before, after))

    async def delete(self, plan_id: str, actor: str) -> Plan:
        """Take a plan away; Refused while it is under way. Its events and audit entries stay."""

        def store(transaction: Transaction) -> Plan:
            plan = plans.get(transaction.conn, plan_id)
            if plan.status in STARTED:
                raise Refused(f"{plan.id} is {plan.status}.", hint="Only what does not run can be deleted.")
            plans.delete(transaction.conn, plan.id)
            transaction.plan_event(EventType.PLAN_DELETED, plan, title=plan.title)
            transaction.audit(actor, "plan.delete", plan.id, before={"title": plan.title, "revision": plan.revision})
            return plan

        return await self.ledger.commit(store)


def _in_force(conn: sqlite3.Connection, plan_id: str) -> Revision:
    return plans.revision(conn, plan_id, plans.get(conn, plan_id).revision)


def difference(before: Planned, after: Planned, old: int, new: int) -> str:
    """Return what is different between two documents, as a unified diff of their canonical form."""
    lines = difflib.unified_diff(
        as_yaml(before).splitlines(), as_yaml(after).splitlines(), f"revision {old}", f"revision {new}", lineterm=""
    )
    return "\n".join(lines)


def refusal(touched: Sequence[Touched]) -> Refused | None:
    """Return why there can be no revision that touches tasks under way, as long as nobody says what becomes of them;
    None when that was said."""
    names = [each.task for each in touched if each.becomes == "refuse"]
    if not names:
        return None
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    changed = sorted({each.change for each in touched if each.becomes == "refuse"})
    return Refused(
        f"This revision touches what is under way ({' or '.join(changed)}): {', '.join(names[:MOST_NAMED])}{more}.",
        hint="Say what becomes of it: --running keep (it goes on as it was started), stop (it is ended, and waits for "
        "you), or restart (it is ended, and begun anew).",
    )


def _revisable(conn: sqlite3.Connection, plan_id: str, before: Revision) -> Plan:
    plan = plans.get(conn, plan_id)
    if plan.status is PlanStatus.ABANDONED:
        raise Refused(f"{plan.id} was abandoned.", hint="Create it as a new plan, with another id.")
    if plan.revision != before.number:
        raise Refused(f"{plan.id} was revised meanwhile.", hint="Look at the revision in force, then try again.")
    return plan


def _standing(conn: sqlite3.Connection, plan: Plan, planned: Planned) -> Standing:
    """Return how a plan stands that is about to be revised."""
    known = {each.id: each for each in tasks.of_revision(conn, plan.id, plan.revision)}
    said = {each.id: each for each in flat(planned, known_items(known.values()))}
    live = frozenset(str(each.task) for each in attempts.live_of_plan(conn, plan.id))
    started_as = {
        each.id: tasks.get(conn, plan.id, each.goes_by, each.id).digest
        for each in known.values()
        if each.goes_by is not None and each.status in UNDER_WAY
    }
    return Standing(known, said, live, started_as)
