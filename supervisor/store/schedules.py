"""Schedules, and what came of each time that one was due."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from supervisor.model.errors import NotFound, Refused
from supervisor.model.schedules import Run, RunState, Schedule
from supervisor.store import queries
from supervisor.store.lookup import only
from supervisor.store.rows import Shape

SQL = queries.load("schedules")
SHAPE = Shape(Schedule)
RUN = Shape(Run)


def insert(conn: sqlite3.Connection, schedule: Schedule) -> None:
    """Add a schedule."""
    conn.execute(SQL["insert"], SHAPE.row(schedule))


def update(conn: sqlite3.Connection, schedule: Schedule) -> None:
    """Store how far a schedule was seen to, and whether it is paused or removed."""
    conn.execute(SQL["update"], SHAPE.row(schedule))


def get(conn: sqlite3.Connection, schedule_id: str) -> Schedule:
    """Return a schedule by its whole id, also one that was removed; NotFound when there is none."""
    row = conn.execute(SQL["get"], {"id": schedule_id}).fetchone()
    if row is None:
        raise NotFound(f"There is no schedule {schedule_id}.", hint="`quarterdeck schedule list` shows them.")
    return _schedule(row)


def resolve(conn: sqlite3.Connection, text: str) -> Schedule:
    """Return the schedule that ``text`` means: an id, its unique beginning, or the plan that it runs."""
    return only("schedule", text, [_schedule(row) for row in conn.execute(SQL["matching"], {"text": text})])


def find(conn: sqlite3.Connection, *, project: str | None = None, plan: str | None = None) -> list[Schedule]:
    """Return schedules, oldest first: all, or those of one project or plan."""
    return [_schedule(row) for row in conn.execute(SQL["find"], {"project": project, "plan": plan})]


def orphaned(conn: sqlite3.Connection) -> list[Schedule]:
    """Return the schedules whose plan was deleted or archived."""
    return [_schedule(row) for row in conn.execute(SQL["orphaned"])]


def add_run(conn: sqlite3.Connection, run: Run) -> bool:
    """Add what came of a time; False when there is something already, which stays as it is."""
    return conn.execute(SQL["add_run"], RUN.row(run)).rowcount > 0


def move_run(
    conn: sqlite3.Connection, run: Run, state: RunState, reason: str, now: int, *, approval: str | None = None
) -> Run:
    """Give a run another state; Refused when somebody else did so meanwhile."""
    moved = replace(run, state=state, reason=reason, at=now, approval=approval or run.approval)
    if conn.execute(SQL["move_run"], {**RUN.row(moved), "before": run.state}).rowcount == 0:
        raise Refused(f"The run {run.plan} is not {run.state} any more.")
    return moved


def open_runs(conn: sqlite3.Connection) -> list[Run]:
    """Return the runs of which something is still to be done, the oldest first."""
    return [RUN.entity(row) for row in conn.execute(SQL["open_runs"])]


def under_way(conn: sqlite3.Connection, run: Run) -> Run | None:
    """Return the newest run of the same schedule before this one whose plan is still under way."""
    row = conn.execute(SQL["under_way"], {"schedule": run.schedule, "due": run.due}).fetchone()
    return None if row is None else RUN.entity(row)


def last_runs(conn: sqlite3.Connection, schedule_id: str, limit: int) -> list[Run]:
    """Return the newest runs of a schedule, newest first."""
    return [RUN.entity(row) for row in conn.execute(SQL["last_runs"], {"schedule": schedule_id, "limit": limit})]


def _schedule(row: sqlite3.Row) -> Schedule:
    return SHAPE.entity(row)
