"""What earlier revisions of a plan say of the tasks that still go by them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable

from supervisor.engine.ledger import Ledger
from supervisor.engine.plans.flattening import flat
from supervisor.engine.plans.repeating import known_items
from supervisor.engine.plans.revising import UNDER_WAY
from supervisor.engine.plans.stored import planned_of
from supervisor.model.plan.task import Task as PlannedTask
from supervisor.model.plans import Revision, Task
from supervisor.store import plans, tasks


async def earlier(
    ledger: Ledger, plan_id: str, standing: Iterable[Task], said: Iterable[str]
) -> dict[str, PlannedTask]:
    """Return what was said of those tasks that go by an earlier revision: those under way, and those that are not
    ``said`` any more. What they needed, and what was to follow, plays no part any more."""
    names = set(said)
    wanted = {
        task.id: task.goes_by
        for task in standing
        if task.goes_by is not None and (task.status in UNDER_WAY or task.id not in names)
    }

    def look(conn: sqlite3.Connection) -> list[tuple[Revision, list[Task]]]:
        numbers = sorted(set(wanted.values()))
        return [(plans.revision(conn, plan_id, number), tasks.of_revision(conn, plan_id, number)) for number in numbers]

    def define(read: list[tuple[Revision, list[Task]]]) -> dict[str, PlannedTask]:
        found = {}
        for revision, known in read:
            for task in flat(planned_of(revision), known_items(known)):
                if wanted.get(task.id) == revision.number:
                    found[task.id] = task.model_copy(update={"needs": (), "next": ()})
        return found

    return await asyncio.to_thread(define, await ledger.store.read(look)) if wanted else {}
