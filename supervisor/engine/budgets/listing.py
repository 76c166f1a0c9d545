"""Every budget there is now, with how far it is used."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from config.settings import Settings
from supervisor.engine.budgets.limits import document_of, limits_in, used_in
from supervisor.engine.budgets.weighing import name_of
from supervisor.model.budgets import DAY, Level, Limit, level_of
from supervisor.model.plans import PLAN_ENDED
from supervisor.model.statuses import SESSION_ENDED, SessionStatus
from supervisor.store import budgets, plans, projects, sessions, tasks, usage


@dataclass(frozen=True, slots=True)
class Listed:
    """A budget: what is used of what, how far that is, since when (ms; None when it was never near its limit)."""

    limit: Limit
    whose: str
    used: int
    granted: int
    level: Level
    since: int | None

    @property
    def allowed(self) -> int:
        """What may be used before it trips."""
        return self.limit.amount + self.granted


def every(conn: sqlite3.Connection, settings: Settings, now: int) -> list[Listed]:
    """Return the budgets of the day, of projects, and of plans, tasks and sessions that have not ended."""
    running = usage.running(conn)
    found = []
    for scope in _scopes(conn):
        limits = limits_in(conn, settings, scope, now)
        if not limits:
            continue
        used = used_in(conn, scope, now, running)
        for limit in limits:
            known = budgets.get(conn, limit.scope, limit.period, limit.measure)
            granted, amount = known.granted if known else 0, used.of(limit.measure)
            level = level_of(amount, limit.amount + granted, settings.budgets.warn_at)
            # A breaker trips with something that is used: of a limit of nothing, nothing is used yet.
            if level == "tripped" and (known is None or known.level != "tripped"):
                level = known.level if known else "closed"
            since = known.since if known is not None and known.level == level else None
            found.append(Listed(limit, name_of(conn, scope), amount, granted, level, since))
    return found


def _scopes(conn: sqlite3.Connection) -> Iterator[str]:
    yield DAY
    for project in projects.find(conn):
        yield f"project:{project.id}"
    for plan in plans.find(conn):
        if plan.status in PLAN_ENDED:
            continue
        document = document_of(conn, plan.id)
        if document.budget is not None:
            yield f"plan:{plan.id}"
        for task in tasks.of_revision(conn, plan.id, plan.revision):
            # One that is repeated stands for its parts, which have the budget each.
            if not task.id.endswith("-*") and document.of_task(task.id):
                yield f"task:{plan.id}/{task.id}"
    for session in sessions.find(conn, statuses=set(SessionStatus) - SESSION_ENDED):
        if session.budget_usd is not None:
            yield f"session:{session.id}"
