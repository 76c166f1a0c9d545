"""Weighing what is used against the limits, inside the transaction that stores it: one event is enough."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Final

from config.settings import Settings
from supervisor.engine.budgets.limits import Subject, limits_in, subject_of, used_in
from supervisor.engine.ledger import Transaction
from supervisor.model.budgets import DAY, DOES, RANKS, Limit, Standing, kind_of, level_of
from supervisor.model.entities import Session
from supervisor.model.errors import NotFound, Refused
from supervisor.model.events import EventType, NewEvent, Severity
from supervisor.model.times import local_day
from supervisor.model.usage import Used, in_words, written
from supervisor.store import budgets, events, projects, sessions, usage

COMMAND: Final = "command"

_SEVERITY: Final[dict[EventType, Severity]] = {
    EventType.BUDGET_WARNING: "warning", EventType.BUDGET_TRIPPED: "error", EventType.BUDGET_RESUMED: "info",
}  # fmt: skip


def weigh(transaction: Transaction, settings: Settings, subject: Subject) -> None:
    """Weigh every budget that something counts for."""
    for scope in subject.scopes:
        weigh_scope(transaction, settings, scope)


def weigh_scope(transaction: Transaction, settings: Settings, scope: str) -> None:
    """Weigh the budgets of a scope: note, once, what is near its limit or over it, and what is no more."""
    conn, now = transaction.conn, transaction.now
    limits = limits_in(conn, settings, scope, now)
    known = {each.measure: each for each in budgets.of_scope(conn, scope, period_of(scope, now))}
    if not limits and not known:
        return
    used = _used(conn, scope, now)
    for limit in limits:
        _note(transaction, limit, known.pop(limit.measure, None), used.of(limit.measure), settings.budgets.warn_at)
    for gone in known.values():
        if gone.level != "closed":
            budgets.put(conn, replace(gone, level="closed", since=now))


def period_of(scope: str, now: int) -> str:
    """Return the period that a budget of this scope is in."""
    return local_day(now)[0] if kind_of(scope) in (DAY, "project") else ""


def spent(conn: sqlite3.Connection, session: Session) -> str:
    """Say why a session must end: its budget, or that of its task, is used up. Empty while neither is."""
    scopes = subject_of(conn, session.id, session.project).scopes
    found = budgets.tripped(conn, [scope for scope in scopes if kind_of(scope) in ("session", "task")], "")
    return reason(found[0]) if found else ""


def reason(standing: Standing) -> str:
    """Say why something ended."""
    amounts = in_words(standing.measure, standing.allowed), in_words(standing.measure, standing.used)
    return f"Its budget of {amounts[0]} is used up: {amounts[1]}. quarterdeck budget resume {standing.scope}"


def holds(conn: sqlite3.Connection, settings: Settings, session: Session, now: int) -> Standing | None:
    """Return the budget because of which a session may not go on now: its plan's, or where it may cost money its
    project's or the day's."""
    kinds = ("plan", "project", DAY) if costs(settings, session) else ("plan",)
    scopes = subject_of(conn, session.id, session.project).scopes
    found = budgets.tripped(conn, [scope for scope in scopes if kind_of(scope) in kinds], local_day(now)[0])
    return found[0] if found else None


def holds_queue(conn: sqlite3.Connection, project: str | None, now: int) -> str:
    """Say which budgets hold back what waits in the queue: the day's, and those of projects, or of one. Empty: none."""
    found = [each for each in budgets.raised(conn, local_day(now)[0]) if each.level == "tripped"]
    scopes = {DAY, f"project:{project}"} if project else None
    held = [each for each in found if kind_of(each.scope) in (DAY, "project") and (not scopes or each.scope in scopes)]
    return " ".join(each.sentence(name_of(conn, each.scope)) for each in held)


def refuse_held(transaction: Transaction, session: Session, settings: Settings) -> None:
    """Refuse to let a session go on that a budget holds."""
    if (standing := holds(transaction.conn, settings, session, transaction.now)) is not None:
        whose = name_of(transaction.conn, standing.scope)
        raise Refused(standing.sentence(whose), hint=f"Raise it, or: quarterdeck budget resume {standing.scope}")


def costs(settings: Settings, session: Session) -> bool:
    """Whether what a session runs may cost money: a plain command does not."""
    profile = settings.agents.get(session.agent)
    return profile is None or profile.adapter != COMMAND


def free(settings: Settings) -> set[str]:
    """Return the agents that cost nothing: plain commands, whatever they are called."""
    return {usage.COMMAND, *(name for name, profile in settings.agents.items() if profile.adapter == COMMAND)}


def name_of(conn: sqlite3.Connection, scope: str) -> str:
    """Return what people call a scope: ``the day``, ``the project shop``."""
    kind, _, name = scope.partition(":")
    if scope == DAY:
        return "the day"
    try:
        if kind == "session":
            name = sessions.get(conn, name).name
        elif kind == "project":
            name = projects.get(conn, name).name
    except NotFound:
        return f"the {kind} {name}"
    return f"the {kind} {name}"


def tell(transaction: Transaction, standing: Standing, event_type: EventType, **more: object) -> None:
    """Store an event about a budget."""
    kind, _, name = standing.scope.partition(":")
    session = sessions.get(transaction.conn, name) if kind == "session" else None
    plan, _, task = name.partition("/") if kind in ("plan", "task") else ("", "", "")
    whose = name_of(transaction.conn, standing.scope)
    payload = {
        "scope": standing.scope,
        "measure": standing.measure,
        "used": written(standing.measure, standing.used),
        "limit": written(standing.measure, standing.allowed),
        "level": standing.level,
        "period": standing.period or None,
        "does": DOES[kind_of(standing.scope)],
        "text": standing.sentence(whose),
        **more,
    }
    project = session.project if session else name if kind == "project" else None
    new = NewEvent(event_type, "telemetry", transaction.now, _SEVERITY[event_type], payload=payload)
    transaction.events.extend(
        events.append(
            transaction.conn,
            [new],
            project=project,
            plan=plan or None,
            task=task or None,
            session=session.id if session else None,
        )
    )


def _used(conn: sqlite3.Connection, scope: str, now: int) -> Used:
    try:
        return used_in(conn, scope, now)
    except NotFound:
        return Used()  # The plan is deleted: its budget is over.


def _note(transaction: Transaction, limit: Limit, before: Standing | None, used: int, warn_at: float) -> None:
    granted = before.granted if before else 0
    level, was = level_of(used, limit.amount + granted, warn_at), before.level if before else "closed"
    if level == was and (before is None or before.limit == limit.amount):
        return
    since = before.since if before and level == was else transaction.now
    now = Standing(limit.scope, limit.period, limit.measure, level, since, used, limit.amount, granted)
    budgets.put(transaction.conn, now)
    if RANKS[level] > RANKS[was]:
        tell(transaction, now, EventType.BUDGET_TRIPPED if level == "tripped" else EventType.BUDGET_WARNING)
