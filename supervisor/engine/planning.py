"""The plans that people made: created, looked at, revised, taken away.

A revision is a whole document in the canonical form and never changes. A task that a new revision leaves as it was
keeps what it has done; one that it changes is to be done anew.
"""

from __future__ import annotations

import asyncio
import difflib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from supervisor.engine.desk import close
from supervisor.engine.intake import Intake
from supervisor.engine.ledger import Ledger, Transaction
from supervisor.engine.plans.digests import digest_of_task
from supervisor.engine.plans.exporting import as_json, as_yaml
from supervisor.engine.plans.flattening import flat, placed
from supervisor.engine.plans.reading import read
from supervisor.engine.plans.repeating import known_items
from supervisor.model.entities import Reason
from supervisor.model.errors import InvalidInput, Refused
from supervisor.model.events import EventType
from supervisor.model.plan.plan import Plan as Planned
from supervisor.model.plan.task import Task as PlannedTask
from supervisor.model.plans import Plan, PlanStatus, Revision, Task, TaskStatus
from supervisor.model.statuses import ApprovalStatus
from supervisor.store import approvals, plans, tasks

STARTED: Final = frozenset({PlanStatus.RUNNING, PlanStatus.PAUSED, PlanStatus.BLOCKED})
UNDECIDED: Final = frozenset({TaskStatus.READY, TaskStatus.SKIPPED})
UNDER_WAY: Final = frozenset({TaskStatus.RUNNING, TaskStatus.WAITING_APPROVAL})


@dataclass(frozen=True, slots=True)
class Shown:
    """A plan as it stands: with the document in force, the state of each of its tasks, and all revisions."""

    plan: Plan
    planned: Planned
    tasks: list[Task]
    revisions: list[Revision]

    def documents(self) -> dict[str, PlannedTask]:
        """Return what each task is, by id: also those of subplans, and the parts of what is repeated."""
        return {task.id: task for task in flat(self.planned, known_items(self.tasks))}


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
            _add(transaction, Revision(plan.id, 1, as_json(planned), actor, transaction.now), planned, {})
            transaction.plan_event(EventType.PLAN_CREATED, plan, title=plan.title, tasks=len(planned.tasks))
            transaction.audit(actor, "plan.create", plan.id, after={"title": plan.title, "tasks": len(planned.tasks)})
            return plan

        return await self.ledger.commit(store)

    async def revise(self, plan_id: str, document: bytes, where: str, rationale: str, actor: str) -> Revision:
        """Let a document take the place of the one in force, as a new revision.

        Raises PlanInvalid, InvalidInput when it is another plan's or changes nothing, and Refused while a task that it
        changes is under way or when the plan was abandoned.
        """
        planned = (await asyncio.to_thread(read, document, where, fallback_id=plan_id)).checked()
        if planned.id != plan_id:
            raise InvalidInput(
                f"The document is of the plan {planned.id}, not of {plan_id}.",
                hint=f"Write `id: {plan_id}` into it, or create it as a plan of its own.",
            )

        before = await self.ledger.store.read(_in_force, plan_id)
        diff = await asyncio.to_thread(
            lambda: difference(planned_of(before), planned, before.number, before.number + 1)
        )
        if not diff:
            raise InvalidInput(f"The document says what revision {before.number} says.", hint="Change it first.")

        def store(transaction: Transaction) -> Revision:
            plan = plans.get(transaction.conn, plan_id)
            if plan.status is PlanStatus.ABANDONED:
                raise Refused(f"{plan.id} was abandoned.", hint="Create it as a new plan, with another id.")
            if plan.revision != before.number:
                raise Refused(
                    f"{plan.id} was revised meanwhile.", hint="Look at the revision in force, then try again."
                )
            known = {each.id: each for each in tasks.of_revision(transaction.conn, plan.id, plan.revision)}
            made = Revision(
                plan.id, before.number + 1, as_json(planned), actor, transaction.now, before.number, diff, rationale
            )
            _add(transaction, made, planned, known)
            revised = replace(
                plan,
                revision=made.number,
                title=planned.name,
                owner=planned.owner,
                priority=planned.rank,
                advance=planned.advance,
            )
            open_ = tasks.count(transaction.conn, plan.id, made.number).get(TaskStatus.PENDING, 0)
            if plan.status in (PlanStatus.COMPLETED, PlanStatus.FAILED) and open_:
                # A person revised it to have it go on.
                reason = Reason("person", f"{actor} revised it.", transaction.now)
                revised = replace(revised, status=PlanStatus.RUNNING, reason=reason, ended_at=None)
                moved: dict[str, Any] = {"from": plan.status, "to": revised.status, "reason": reason.text}
                transaction.plan_event(EventType.PLAN_STATUS_CHANGED, revised, name=revised.name, **moved)
            plans.update(transaction.conn, revised)
            transaction.plan_event(
                EventType.PLAN_REVISED, revised, revision=made.number, rationale=rationale, author=actor
            )
            after = {"revision": made.number, "rationale": rationale}
            transaction.audit(actor, "plan.revise", plan.id, before={"revision": before.number}, after=after)
            return made

        return await self.ledger.commit(store)

    async def show(self, plan_id: str) -> Shown:
        """Return a plan as it stands."""

        def look(conn: sqlite3.Connection) -> tuple[Plan, list[Task], list[Revision]]:
            plan = plans.get(conn, plan_id)
            return plan, tasks.of_revision(conn, plan.id, plan.revision), plans.revisions(conn, plan.id)

        plan, found, revisions = await self.ledger.store.read(look)
        return Shown(plan, await asyncio.to_thread(planned_of, revisions[plan.revision - 1]), found, revisions)

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


def planned_of(revision: Revision) -> Planned:
    """Return the document of a revision."""
    return Planned.model_validate_json(revision.document)


def difference(before: Planned, after: Planned, old: int, new: int) -> str:
    """Return what is different between two documents, as a unified diff of their canonical form."""
    lines = difflib.unified_diff(
        as_yaml(before).splitlines(), as_yaml(after).splitlines(), f"revision {old}", f"revision {new}", lineterm=""
    )
    return "\n".join(lines)


def _add(transaction: Transaction, revision: Revision, planned: Planned, known: Mapping[str, Task]) -> None:
    """Store a revision and its tasks. Those that it leaves as they were go on as they were."""
    plans.add_revision(transaction.conn, revision)
    found: list[Task] = []
    kept: set[str] = set()
    items = known_items(known.values())
    stale: set[str] = set()
    for position, (each, within) in enumerate(placed(planned, items)):
        if within in stale:  # what it is repeated for is to be found anew
            stale.add(each.id)
            continue
        kept.add(each.id)
        digest, old = digest_of_task(each), known.get(each.id)
        if each.id in items and (old is None or old.digest != digest):
            stale.add(each.id)
        if old is not None and old.digest == digest:
            same = replace(old, revision=revision.number, position=position, needs=each.needs)
            # Whether it is ready, or will never run, follows from tasks that may have changed: it is decided anew.
            anew = old.status in UNDECIDED
            if old.status is TaskStatus.WAITING_APPROVAL and each.kind == "gate":
                # What it lets through may be something else now: it asks again.
                anew = True
                for approval in approvals.open_of_task(transaction.conn, revision.plan, each.id):
                    close(transaction, approval, ApprovalStatus.SUPERSEDED, "The plan was revised.")
            found.append(replace(same, status=TaskStatus.PENDING) if anew else same)
            continue
        if old is not None and old.status in UNDER_WAY:
            raise Refused(f"The task {each.id} is {old.status}.", hint="Wait for its end, or stop it, then revise.")
        word = "It was created." if revision.number == 1 else f"Revision {revision.number} says what it is."
        found.append(
            Task(
                plan=revision.plan,
                revision=revision.number,
                id=each.id,
                position=position,
                kind=each.kind,
                title=each.name,
                digest=digest,
                status=TaskStatus.PENDING,
                reason=Reason("person", word, transaction.now),
                needs=each.needs,
            )
        )
    for task_id, old in known.items():
        if old.status in UNDER_WAY and task_id not in kept:
            raise Refused(f"The task {task_id} is {old.status}.", hint="Wait for its end, or stop it, then revise.")
    tasks.insert(transaction.conn, found)
