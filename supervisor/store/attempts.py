"""Attempts: claimed before anything is spawned, one live one per session, never two of a number."""

from __future__ import annotations

import sqlite3

from supervisor.model.entities import Attempt, ExecutorName, Work
from supervisor.model.errors import NotFound, Refused
from supervisor.model.ids import new_id
from supervisor.model.statuses import AttemptStatus, check_attempt_move
from supervisor.store import queries
from supervisor.store.rows import Shape, to_json

SQL = queries.load("attempts")
SHAPE = Shape(Attempt, json=("work",))


def claim(
    conn: sqlite3.Connection,
    *,
    session: str | None,
    executor: ExecutorName,
    work: Work,
    boot_id: str,
    now: int,
    status: AttemptStatus = AttemptStatus.STARTING,
) -> Attempt:
    """Add the next attempt of a session and return it, with its number and fencing token.

    Refused when the session has an attempt that has not ended, or is not there.
    """
    attempt_id = new_id("att")
    values = {
        "id": attempt_id,
        "session": session,
        "executor": executor,
        "status": status,
        "boot_id": boot_id,
        "claimed_at": now,
        "work": to_json(work),
    }
    try:
        conn.execute(SQL["claim"], values)
    except sqlite3.IntegrityError as error:
        live = None if session is None else latest(conn, session)
        if live is None:
            raise NotFound(f"There is no session {session}.") from error
        raise Refused(
            f"Attempt {live.number} of the session {session} is {live.status}; only one lives at a time.",
            hint="Wait for its end, or cancel it.",
        ) from error
    return get(conn, attempt_id)


def claim_step(
    conn: sqlite3.Connection,
    *,
    plan: str,
    task: str,
    step: int,
    argv: tuple[str, ...],
    boot_id: str,
    handle: str,
    now: int,
) -> Attempt:
    """Add the next attempt of a plan's task, for one of its steps, to be started by the host ``handle``.

    Refused when one of the task has not ended.
    """
    attempt_id, work = new_id("att"), Work(argv=argv)
    values = {
        "id": attempt_id,
        "plan": plan,
        "task": task,
        "step": step,
        "boot_id": boot_id,
        "handle": handle,
        "claimed_at": now,
        "work": to_json(work),
    }
    try:
        number, token = conn.execute(SQL["claim_step"], values).fetchone()
    except sqlite3.IntegrityError as error:
        raise Refused(f"The task {task} has an attempt that has not ended.", hint="Wait for its end.") from error
    return Attempt(
        attempt_id, None, number, token, "local", AttemptStatus.STARTING, boot_id, now, work, handle,
        plan=plan, task=task, step=step,
    )  # fmt: skip


def live_of_plan(conn: sqlite3.Connection, plan: str) -> list[Attempt]:
    """Return the attempts of a plan's tasks that have not ended, oldest first."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["live_of_plan"], {"plan": plan})]


def of_task(conn: sqlite3.Connection, plan: str, task: str) -> list[Attempt]:
    """Return the attempts of a plan's task, in order."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["of_task"], {"plan": plan, "task": task})]


def update(conn: sqlite3.Connection, attempt: Attempt) -> None:
    """Store an attempt as it is now; IllegalMove when its stored status may not become the new one."""
    row = conn.execute(SQL["status"], {"id": attempt.id}).fetchone()
    if row is None:
        raise NotFound(f"There is no attempt {attempt.id}.")
    if row["status"] != attempt.status:
        check_attempt_move(AttemptStatus(row["status"]), attempt.status)
    conn.execute(SQL["update"], SHAPE.row(attempt))


def end(
    conn: sqlite3.Connection,
    attempt_id: str,
    status: AttemptStatus,
    *,
    reason: str,
    ended_at: int,
    started_at: int | None = None,
    exit_code: int | None = None,
) -> bool:
    """Store how an attempt ended; whether it had not ended before. ``status`` is one of those that end it."""
    values = {
        "id": attempt_id,
        "status": status,
        "exit_code": exit_code,
        "reason": reason,
        "started_at": started_at,
        "ended_at": ended_at,
    }
    return conn.execute(SQL["end"], values).rowcount > 0


def heard(conn: sqlite3.Connection, attempt_id: str, at: int) -> None:
    """Note when an attempt last put something out."""
    conn.execute(SQL["heard"], {"id": attempt_id, "at": at})


def beat(conn: sqlite3.Connection, attempt_id: str, at: int) -> None:
    """Note when an attempt's runner last gave a sign of life."""
    conn.execute(SQL["beat"], {"id": attempt_id, "at": at})


def check_current(conn: sqlite3.Connection, attempt_id: str, token: int) -> Attempt:
    """Return the attempt that reports with ``token``; Refused when it is not its session's newest."""
    attempt = get(conn, attempt_id)
    newest = attempt if attempt.session is None else latest(conn, attempt.session)
    if newest is None or newest.id != attempt_id or newest.fencing_token != token:
        raise Refused(f"The attempt {attempt_id} with token {token} is stale; what it reports does not count.")
    return attempt


def get(conn: sqlite3.Connection, attempt_id: str) -> Attempt:
    """Return an attempt by its whole id; NotFound when there is none."""
    row = conn.execute(SQL["get"], {"id": attempt_id}).fetchone()
    if row is None:
        raise NotFound(f"There is no attempt {attempt_id}.")
    return SHAPE.entity(row)


def latest(conn: sqlite3.Connection, session: str) -> Attempt | None:
    """Return the newest attempt of a session, ended or not."""
    row = conn.execute(SQL["latest"], {"session": session}).fetchone()
    return None if row is None else SHAPE.entity(row)


def of_session(conn: sqlite3.Connection, session: str) -> list[Attempt]:
    """Return the attempts of a session, in order."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["of_session"], {"session": session})]


def live(conn: sqlite3.Connection) -> list[Attempt]:
    """Return every attempt that has not ended, oldest first."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["live"])]
