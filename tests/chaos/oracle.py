"""What must be true after a round; starts are counted where the supervisor cannot have influenced it."""

from __future__ import annotations

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from config.paths import Paths
from supervisor.store import audit
from supervisor.store.database import anchor_path
from tests.chaos.load import LINES, MESSAGE, Job


def violations(paths: Paths, jobs: list[Job]) -> list[str]:
    """Return everything that is wrong with a home whose sessions have all ended."""
    with closing(sqlite3.connect(f"file:{paths.database}?mode=ro", uri=True)) as conn:
        conn.row_factory = sqlite3.Row
        return [*_database(conn, paths), *(wrong for job in jobs for wrong in _session(conn, paths, job))]


def _database(conn: sqlite3.Connection, paths: Paths) -> Iterator[str]:
    integrity = conn.execute("PRAGMA integrity_check").fetchone()[0]
    if integrity != "ok":
        yield f"integrity_check says {integrity}"
    verdict = audit.verify(conn, anchor_path(paths.database))
    if not verdict.valid:
        yield f"the audit log is not valid: {verdict.detail}"


def _session(conn: sqlite3.Connection, paths: Paths, job: Job) -> Iterator[str]:
    rows = conn.execute("SELECT * FROM sessions WHERE name = ?", (job.name,)).fetchall()
    if len(rows) != 1:
        yield f"{job.name} is stored {len(rows)} times"
        return
    [session] = rows
    expected = "completed" if job.exit_code == 0 else "failed"
    if session["status"] != expected or session["exit_code"] != job.exit_code:
        told = f"{session['status']} ({session['exit_code']}: {session['reason']})"
        yield f"{job.name} is {told}, not {expected} ({job.exit_code})"
    attempts = conn.execute("SELECT count(*) FROM attempts WHERE session = ?", (session["id"],)).fetchone()[0]
    if attempts != 1:
        yield f"{job.name} has {attempts} attempts"
    starts = _ledger(paths, job, session["id"]).count("start")
    if starts != 1:
        yield f"{job.name} was started {starts} times"
    yield from _agent(conn, job, session["id"]) if job.is_agent else _lines(conn, job, session["id"])


def _ledger(paths: Paths, job: Job, session: str) -> str:
    ledger = Path(job.ledger)
    if not ledger.is_absolute():
        ledger = paths.sessions / session / "clone" / ledger
    return ledger.read_text() if ledger.exists() else ""


def _lines(conn: sqlite3.Connection, job: Job, session: str) -> Iterator[str]:
    printed = "\n".join(_texts(conn, session, "output"))
    seen = Counter(re.findall(rf"{job.name} line \d+\.", printed))
    if seen != Counter(job.line(number) for number in range(1, LINES + 1)):
        yield f"{job.name} printed {LINES} lines, stored are {sorted(seen.items())}"


def _agent(conn: sqlite3.Connection, job: Job, session: str) -> Iterator[str]:
    said = _texts(conn, session, "message").count(f"{job.name} is done")
    asked = len(_texts(conn, session, "permission_asked"))
    heard = _texts(conn, session, "message_delivered").count(MESSAGE)  # the prompt is delivered as one, too
    if (said, asked) != (1, 1):
        yield f"{job.name} said its word {said} times and asked {asked} times"
    if heard > 1:
        yield f"{job.name} was sent one message and heard {heard}"


def _texts(conn: sqlite3.Connection, session: str, kind: str) -> list[str]:
    rows = conn.execute("SELECT payload FROM events WHERE session = ? AND type = ? ORDER BY seq", (session, kind))
    return [json.loads(row["payload"]).get("text", "") for row in rows]
