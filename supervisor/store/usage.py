"""What was used, by whom and for what. A row is added in the transaction that stores what was used."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

from supervisor.model.entities import Session, Stats
from supervisor.model.usage import NANO, By, CostRow, Running, Used
from supervisor.store import queries
from supervisor.store.rows import Shape, to_json

SQL = queries.load("usage")
ROW = Shape(CostRow)
RUNNING = Shape(Running)

COMMAND: Final = "command"
"""What commands of plans are noted as: an agent that costs nothing."""

_BY: Final[dict[By, str]] = {
    "session": "session",
    "task": "CASE WHEN plan IS NULL THEN task ELSE plan || '/' || task END",
    "plan": "plan",
    "project": "project",
    "agent": "agent",
    "model": "agent || coalesce('/' || (SELECT model FROM models WHERE models.of = session), '')",
    "day": "date(time / 1000, 'unixepoch', 'localtime')",
}


def link(conn: sqlite3.Connection, session: str, plan: str, task: str) -> None:
    """Note for which task of a plan a session works."""
    conn.execute(SQL["link"], {"session": session, "plan": plan, "task": task})


def task_of(conn: sqlite3.Connection, session: str) -> tuple[str, str] | None:
    """Return the plan and the task that a session works for, if it does."""
    row = conn.execute(SQL["task_of"], {"session": session}).fetchone()
    return None if row is None else (row["plan"], row["task"])


def add_turn(
    conn: sqlite3.Connection, session: Session, before: Stats, after: Stats, *, api_calls: int, at: int
) -> None:
    """Add what a turn of a session's agent used: the difference between its figures before and after."""
    _add(
        conn,
        session,
        at,
        # The difference of the rounded sums: the rows of a session add up to its figure.
        cost_nano=round(after.cost_usd * NANO) - round(before.cost_usd * NANO),
        tokens_input=after.tokens_input - before.tokens_input,
        tokens_output=after.tokens_output - before.tokens_output,
        tokens_cached=after.tokens_cached - before.tokens_cached,
        api_calls=api_calls,
    )


def add_time(conn: sqlite3.Connection, session: Session, milliseconds: int, at: int) -> None:
    """Add time that a session was at work until ``at``."""
    _add(conn, session, at, time_ms=milliseconds)


def add_command(conn: sqlite3.Connection, attempt: str) -> None:
    """Add the time that a command of a plan took, whose end is stored."""
    conn.execute(SQL["add_of_command"], {"attempt": attempt})


def of_session(conn: sqlite3.Connection, session: str) -> Used:
    """Return what a session has used."""
    return Used(*conn.execute(SQL["of_session"], {"session": session}).fetchone())


def of_task(conn: sqlite3.Connection, plan: str, task: str, since: int) -> Used:
    """Return what a task of a plan has used, all attempts together."""
    return Used(*conn.execute(SQL["of_task"], {"plan": plan, "task": task, "since": since}).fetchone())


def of_plan(conn: sqlite3.Connection, plan: str, since: int) -> Used:
    """Return what a plan has used."""
    return Used(*conn.execute(SQL["of_plan"], {"plan": plan, "since": since}).fetchone())


def of_project(conn: sqlite3.Connection, project: str, since: int) -> Used:
    """Return what a project has used since a time."""
    return Used(*conn.execute(SQL["of_project"], {"project": project, "since": since}).fetchone())


def of_all(conn: sqlite3.Connection, since: int) -> Used:
    """Return what everything has used since a time."""
    return Used(*conn.execute(SQL["of_all"], {"since": since}).fetchone())


def running(conn: sqlite3.Connection) -> list[Running]:
    """Return what takes time now."""
    return [RUNNING.entity(row) for row in conn.execute(SQL["running"])]


def cost(
    conn: sqlite3.Connection,
    by: By,
    *,
    now: int,
    since: int | None = None,
    project: str | None = None,
    free: Iterable[str] = (COMMAND,),
) -> list[CostRow]:
    """Return what was used since a time by each session, task, plan, project, agent, model or day, the dearest first.

    Days are those of this machine's time zone. A model is ``AGENT/MODEL``, or the agent alone where none was told.
    ``free`` are the agents that cost nothing: of them nothing is unknown.
    """
    sql = SQL["cost"].replace("{by}", _BY[by])
    values = {"now": now, "since": since or 0, "project": project, "free": to_json(sorted(free))}
    return [ROW.entity(row) for row in conn.execute(sql, values)]


def _add(conn: sqlite3.Connection, session: Session, at: int, **used: int) -> None:
    nothing = dict.fromkeys(("cost_nano", "tokens_input", "tokens_output", "tokens_cached", "api_calls", "time_ms"), 0)
    values = {
        "time": at, "project": session.project, "task": session.task, "session": session.id, "agent": session.agent,
    }  # fmt: skip
    conn.execute(SQL["add_of_session"], {**values, **nothing, **used})
