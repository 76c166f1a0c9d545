"""The deadline of a running plan: when it is over, people are told, once. Nothing is stopped because of it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

import msgspec

from supervisor.engine.ledger import Ledger
from supervisor.engine.lookback import deadline_of
from supervisor.engine.plans.escalating import Notice
from supervisor.engine.plans.turn import Turn
from supervisor.model.events import EventType
from supervisor.model.plan.plan import Plan as Planned
from supervisor.model.plans import PLAN_ENDED, Plan
from supervisor.store import events


@dataclass(slots=True)
class Deadline:
    """Which deadlines of a plan people were told to be over. A revision may set another."""

    told: set[str] = field(default_factory=set)

    async def read(self, ledger: Ledger, plan: Plan) -> None:
        """Read what people were told before."""

        def look(conn: sqlite3.Connection) -> set[str]:
            kind = EventType.DEADLINE_PASSED
            found = events.since(conn, plan=plan.id, type=kind, since=plan.created_at)
            return {str(msgspec.json.decode(each.payload).get("deadline")) for each in found}

        self.told = await ledger.store.read(look)

    def due(self, plan: Plan, planned: Planned) -> int | None:
        """Return when people are to be told; None when there is nothing to tell."""
        if planned.deadline is None or planned.deadline in self.told:
            return None
        if plan.started_at is None or plan.status in PLAN_ENDED:
            return None
        return deadline_of(planned.deadline)

    def take(self, turn: Turn, planned: Planned) -> None:
        """Tell that it is over."""
        due = self.due(turn.plan, planned)
        if due is not None and due <= turn.now:
            text = f"The deadline of {turn.plan.id} is over, and it is {turn.plan.status}: {planned.deadline}."
            said = {"text": text, "deadline": planned.deadline, "name": turn.plan.name}
            turn.notices.append(Notice(None, EventType.DEADLINE_PASSED, said))

    def committed(self, turn: Turn) -> None:
        """Take in that people were told."""
        told = [each.said for each in turn.notices if each.type is EventType.DEADLINE_PASSED]
        self.told.update(str(said["deadline"]) for said in told)
