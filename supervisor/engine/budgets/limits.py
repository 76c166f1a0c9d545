"""Which limits there are, and what is used of each: read from settings, documents and sessions, never remembered."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from config.settings import Limits, Settings
from supervisor.model.budgets import DAY, Limit
from supervisor.model.errors import NotFound
from supervisor.model.times import local_day
from supervisor.model.usage import Measure, Running, Used, counted
from supervisor.store import plans, sessions, usage


class PlanBudget(msgspec.Struct):
    """A budget in a plan's document."""

    time: float | None = None
    cost_usd: float | None = None
    api_calls: int | None = None
    tokens: int | None = None


class PlannedTask(msgspec.Struct):
    """A task in a document, or in a subplan of it."""

    id: str
    budget: PlanBudget | None = None
    subplan: Subplan | None = None

    def is_named(self, name: str) -> bool:
        """Whether it is the task of this name; one that is repeated is each of its parts."""
        parts = name.removeprefix(self.id.removesuffix("*"))
        return name == self.id or (self.id.endswith("-*") and parts != name and parts.isdecimal())


class Subplan(msgspec.Struct):
    """A plan inside a task."""

    budget: PlanBudget | None = None
    tasks: list[PlannedTask] = []


class Document(msgspec.Struct):
    """What a plan's document says of limits; the rest of it is not looked at."""

    budget: PlanBudget | None = None
    deadline: str | None = None
    tasks: list[PlannedTask] = []

    def of_task(self, task: str) -> list[PlanBudget]:
        """Return the budgets of a task, `whole/part` in a subplan: its own, and that of the plan that it stands for."""
        tasks, found = self.tasks, None
        for name in task.split("/"):
            found = next((each for each in tasks if each.is_named(name)), None)
            tasks = found.subplan.tasks if found is not None and found.subplan is not None else []
        if found is None:
            return []
        own = (found.budget, found.subplan.budget if found.subplan is not None else None)
        return [budget for budget in own if budget is not None]


_decode = msgspec.json.Decoder(Document).decode


@dataclass(frozen=True, slots=True)
class Subject:
    """What used something, or will: a session, a task of a plan, or both."""

    project: str | None = None
    plan: str | None = None
    task: str | None = None
    session: str | None = None

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes whose budgets it counts for, the narrowest first."""
        found = [f"session:{self.session}"] if self.session else []
        if self.plan and self.task:
            # A task of a subplan counts for each task that it is a part of.
            parts = self.task.split("/")
            found += [f"task:{self.plan}/{'/'.join(parts[:count])}" for count in range(len(parts), 0, -1)]
        found += [f"plan:{self.plan}"] if self.plan else []
        found += [f"project:{self.project}"] if self.project else []
        return (*found, DAY)


def subject_of(conn: sqlite3.Connection, session_id: str, project: str) -> Subject:
    """Return a session as what uses something."""
    plan, task = usage.task_of(conn, session_id) or (None, None)
    return Subject(project, plan, task, session_id)


def document_of(conn: sqlite3.Connection, plan_id: str) -> Document:
    """Return what the document in force of a plan says of limits; a draft that cannot be read says nothing."""
    plan = plans.get(conn, plan_id)
    try:
        return _decode(plans.revision(conn, plan_id, plan.revision).document)
    except msgspec.MsgspecError:
        return Document()


def limits_in(conn: sqlite3.Connection, settings: Settings, scope: str, now: int) -> list[Limit]:
    """Return the limits that are in force for a scope."""
    kind, _, name = scope.partition(":")
    today = local_day(now)[0]
    try:
        if scope == DAY:
            return _configured(scope, today, settings.budgets.day)
        if kind == "project":
            return _configured(scope, today, settings.budgets.project)
        if kind == "session":
            return _limits(scope, "", [("cost_usd", sessions.get(conn, name).budget_usd)])
        document = document_of(conn, name.partition("/")[0])
    except NotFound:
        return []
    return planned(scope, document)


def planned(scope: str, document: Document) -> list[Limit]:
    """Return the limits that a plan's document sets for the plan, or for a task: of several the lowest."""
    kind, _, name = scope.partition(":")
    given = document.of_task(name.partition("/")[2]) if kind == "task" else [document.budget] if document.budget else []
    lowest: dict[Measure, float] = {}
    for each in given:
        for measure, amount in _amounts(each):
            if amount is not None:
                lowest[measure] = min(amount, lowest.get(measure, amount))
    return _limits(scope, "", lowest.items())


def _amounts(budget: PlanBudget) -> list[tuple[Measure, float | None]]:
    return [
        ("cost_usd", budget.cost_usd),
        ("tokens", budget.tokens),
        ("api_calls", budget.api_calls),
        ("time", budget.time),
    ]


def used_in(conn: sqlite3.Connection, scope: str, now: int, running: Sequence[Running] | None = None) -> Used:
    """Return what is used within a scope, of what runs until ``now``."""
    kind, _, name = scope.partition(":")
    since = 0
    if kind in (DAY, "project"):
        since = local_day(now)[1]
        used = usage.of_all(conn, since) if scope == DAY else usage.of_project(conn, name, since)
    elif kind == "session":
        used = usage.of_session(conn, name)
    else:
        plan, _, task = name.partition("/")
        # A plan that was deleted and made anew under its id begins with nothing.
        begun = plans.get(conn, plan).created_at
        used = usage.of_task(conn, plan, task, begun) if kind == "task" else usage.of_plan(conn, plan, begun)
    working = at_work(scope, usage.running(conn) if running is None else running)
    time = used.time + sum(max(0, now - max(each.since, since)) for each in working)
    return Used(used.cost_usd, used.tokens, used.api_calls, time)


def at_work(scope: str, running: Iterable[Running]) -> list[Running]:
    """Return what works now for a scope."""
    return [each for each in running if scope in Subject(each.project, each.plan, each.task, each.session).scopes]


def _configured(scope: str, period: str, limits: Limits) -> list[Limit]:
    return _limits(
        scope,
        period,
        [
            ("cost_usd", limits.cost_usd),
            ("tokens", limits.tokens),
            ("api_calls", limits.api_calls),
            ("time", limits.time_s),
        ],
    )


def _limits(scope: str, period: str, given: Iterable[tuple[Measure, float | None]]) -> list[Limit]:
    return [Limit(scope, period, measure, counted(measure, amount)) for measure, amount in given if amount is not None]
