"""What happened since a time, what waits for a person, what is at risk, and what it cost: read from what is stored.

Each thing is said once, where it matters most, with the command that does something about it.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from config.settings import Settings
from supervisor.engine.budgets.limits import document_of
from supervisor.engine.budgets.listing import Listed, every
from supervisor.engine.budgets.weighing import free
from supervisor.model.budgets import Standing
from supervisor.model.entities import Session
from supervisor.model.plain import one_line
from supervisor.model.plans import PLAN_ENDED, Plan, PlanStatus, Task, TaskStatus
from supervisor.model.statuses import SessionStatus
from supervisor.model.usage import CostRow
from supervisor.store import approvals, plans, sessions, tasks, usage

FIRST_LOOK_MS: Final = 86_400_000
"""How far back somebody looks who never looked before."""

NEAR_MS: Final = 86_400_000
"""How soon a deadline is near."""

S, P, T = SessionStatus, PlanStatus, TaskStatus

Kind = Literal["approval", "session", "plan", "task", "budget"]


@dataclass(frozen=True, slots=True)
class Item:
    """Something to know: what it is about, in words, since when (ms), and the command for it."""

    kind: Kind
    ref: str
    text: str
    at: int | None
    command: str


@dataclass(frozen=True, slots=True)
class Digest:
    """What there is to know, from the most important on; ``cost`` is by agent, since ``since``."""

    since: int
    until: int
    waits: list[Item] = field(default_factory=list)
    failed: list[Item] = field(default_factory=list)
    risks: list[Item] = field(default_factory=list)
    finished: list[Item] = field(default_factory=list)
    running: list[Item] = field(default_factory=list)
    cost: list[CostRow] = field(default_factory=list)


def digest(conn: sqlite3.Connection, settings: Settings, since: int, now: int) -> Digest:
    """Return what happened from ``since`` until ``now``, and how things stand then."""
    found = Digest(since, now, cost=usage.cost(conn, "agent", now=now, since=since, free=free(settings)))
    for approval in approvals.pending(conn):
        command = f"quarterdeck approvals show {approval.id}"
        text = one_line(approval.question)
        found.waits.append(Item("approval", approval.id, text, approval.created_at, command))
    for budget in every(conn, settings, now):
        _budget(found, budget)
    for plan in plans.find(conn):
        _plan(conn, found, plan)
    for session in sessions.find(conn, statuses=set(S) - {S.ARCHIVED}):
        # What works for a plan is told with it.
        if usage.task_of(conn, session.id) is None:
            _session(conn, found, session)
    for section in (found.failed, found.finished):
        section.sort(key=lambda item: -(item.at or 0))
    return found


def deadline_of(text: str) -> int:
    """Return when a deadline is (ms); a date means its end, a time without a zone this machine's."""
    moment = datetime.fromisoformat(text)
    if len(text) <= len("2026-12-24"):
        moment += timedelta(days=1)
    return round(moment.timestamp() * 1000)


def _budget(found: Digest, budget: Listed) -> None:
    scope = budget.limit.scope
    if budget.level == "closed":
        return
    standing = Standing(
        scope, budget.limit.period, budget.limit.measure, budget.level, budget.since or 0, budget.used,
        budget.limit.amount, budget.granted,
    )  # fmt: skip
    text = standing.sentence(budget.whose)
    if budget.level == "tripped":
        found.waits.append(Item("budget", scope, text, budget.since, f"quarterdeck budget resume {scope}"))
    else:
        found.risks.append(Item("budget", scope, text, budget.since, "quarterdeck budget"))


def _session(conn: sqlite3.Connection, found: Digest, session: Session) -> None:
    name, at, why = session.name, session.reason.at, one_line(session.reason.text)
    show = f"quarterdeck sessions show {name}"
    if session.status is S.WAITING and not approvals.has_pending(conn, session.id):
        found.waits.append(Item("session", session.id, f"{name}: {why}", at, f"quarterdeck attach {name}"))
    elif session.status is S.PAUSED and session.reason.signal == "person":
        found.waits.append(Item("session", session.id, f"{name}: {why}", at, f"quarterdeck resume {name}"))
    elif session.status is S.FAILED and _within(found, session.ended_at):
        log = f"quarterdeck sessions logs {name}"
        found.failed.append(Item("session", session.id, f"{name}: {why}", session.ended_at, log))
    elif session.status is S.COMPLETED and _within(found, session.ended_at):
        command = f"quarterdeck diff {name}"
        found.finished.append(Item("session", session.id, f"{name}: {why}", session.ended_at, command))
    elif session.status in (S.RUNNING, S.PREPARING):
        doing = f"{session.activity.tool or session.activity.state} {session.activity.argument or ''}"
        if session.activity.state == "stalled":
            text = f"{name} gives no sign of life."
            found.risks.append(Item("session", session.id, text, session.activity.at, show))
        else:
            found.running.append(Item("session", session.id, f"{name}: {one_line(doing).strip()}", at, show))


def _plan(conn: sqlite3.Connection, found: Digest, plan: Plan) -> None:
    show, why = f"quarterdeck plan show {plan.id}", one_line(plan.reason.text)
    if plan.status is P.PENDING and _within(found, plan.created_at):
        start = f"quarterdeck plan start {plan.id}"
        found.waits.append(Item("plan", plan.id, f"{plan.id} was not started yet.", plan.created_at, start))
    elif plan.status is P.COMPLETED and _within(found, plan.ended_at):
        found.finished.append(Item("plan", plan.id, f"{plan.id}: {why}", plan.ended_at, show))
    elif plan.status is P.FAILED and _within(found, plan.ended_at):
        found.failed.append(Item("plan", plan.id, f"{plan.id}: {why}", plan.ended_at, show))
    if plan.status in PLAN_ENDED:
        return
    if (deadline := document_of(conn, plan.id).deadline) is not None and deadline_of(deadline) < found.until + NEAR_MS:
        over = "is over" if deadline_of(deadline) <= found.until else "is near"
        text = f"The deadline of {plan.id} {over}: {deadline}."
        found.risks.append(Item("plan", plan.id, text, deadline_of(deadline), show))
    if plan.status in (P.RUNNING, P.PAUSED, P.BLOCKED):
        _under_way(found, plan, tasks.of_revision(conn, plan.id, plan.revision))


def _under_way(found: Digest, plan: Plan, board: list[Task]) -> None:
    for task in board:
        ref = f"{plan.id}/{task.id}"
        if task.status in (T.BLOCKED, T.FAILED):
            text = f"{ref} is {task.status}: {one_line(task.reason.text)}"
            found.failed.append(Item("task", ref, text, task.reason.at, f"quarterdeck task show {ref}"))
    ready = [task.id for task in board if task.status is T.READY and task.released_by is None]
    done = sum(task.status is T.COMPLETED for task in board)
    progress = f"{plan.id}: {done} of {len(board)} tasks completed"
    if plan.status is P.PAUSED and plan.reason.signal == "person":
        text = f"{progress}; it is paused."
        found.waits.append(Item("plan", plan.id, text, plan.reason.at, f"quarterdeck plan resume {plan.id}"))
    elif plan.status is P.RUNNING and plan.advance == "manual" and ready:
        text = f"{progress}; ready: {', '.join(ready[:5])}."
        found.waits.append(Item("plan", plan.id, text, plan.reason.at, f"quarterdeck plan advance {plan.id}"))
    elif plan.status is P.RUNNING:
        command = f"quarterdeck plan show {plan.id}"
        found.running.append(Item("plan", plan.id, f"{progress}.", plan.reason.at, command))


def _within(found: Digest, at: int | None) -> bool:
    return at is not None and at >= found.since
