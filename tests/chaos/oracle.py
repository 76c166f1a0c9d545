"""What must be true after a round, exactly."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from config.paths import Paths
from supervisor.store import audit
from supervisor.store.database import anchor_path
from tests.chaos.work import LEDGER, LINES, MESSAGE, Job

ADOPTED_WITHIN_MS = 5_000


@dataclass(frozen=True)
class Verdict:
    """What a round showed; ``violations`` is empty when every promise was kept."""

    violations: tuple[str, ...]
    recovered: int
    slowest_adoption_ms: int


def judge(paths: Paths, jobs: Sequence[Job], starts: Sequence[int], kept: Sequence[str]) -> Verdict:
    """Judge a round from its database, which nobody has open, and from the ledgers.

    ``kept`` are the artifacts of which the supervisor said that they are kept.
    """
    conn = sqlite3.connect(f"file:{paths.database}?mode=ro", uri=True)
    conn.row_factory = sqlite3.Row
    try:
        violations = [*_database(conn, paths), *_artifacts(conn, paths, kept)]
        rows = {row["name"]: dict(row) for row in conn.execute("SELECT * FROM sessions")}
        for job in jobs:
            violations += _session(conn, job, rows.get(job.name))
        recovered = [row["time"] for row in conn.execute("SELECT time FROM events WHERE type = 'recovered'")]
    finally:
        conn.close()
    waits = [time - max(start for start in starts if start <= time) for time in recovered]
    slowest = max(waits, default=0)
    if slowest > ADOPTED_WITHIN_MS:
        violations.append(f"an attempt was taken up {slowest} ms after the start")
    return Verdict(tuple(violations), len(recovered), slowest)


def _database(conn: sqlite3.Connection, paths: Paths) -> list[str]:
    found = []
    if (state := conn.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
        found.append(f"the database is damaged: {state}")
    verdict = audit.verify(conn, anchor_path(paths.database))
    if not verdict.valid:
        found.append(f"the audit log is not valid: {verdict.detail}")
    gaps = conn.execute("SELECT max(seq) - count(*) FROM events").fetchone()[0]
    if gaps:
        found.append(f"{gaps} event numbers are missing")
    return found


def _artifacts(conn: sqlite3.Connection, paths: Paths, kept: Sequence[str]) -> list[str]:
    """Each is there once, with its content whole, and so is each that was promised."""
    found = []
    rows = {row["id"]: row for row in conn.execute("SELECT * FROM artifacts")}
    found += [f"the artifact {each} was promised and is not there" for each in kept if each not in rows]
    for row in rows.values():
        path = paths.artifacts / row["sha256"][:2] / row["sha256"]
        data = path.read_bytes() if path.exists() else b""
        if hashlib.sha256(data).hexdigest() != row["sha256"]:
            found.append(f"the content of {row['name']} is not whole")
        if row["version"] != 1:
            found.append(f"{row['name']} was put once and is there {row['version']} times")
    return found


def _session(conn: sqlite3.Connection, job: Job, session: dict[str, Any] | None) -> list[str]:
    if session is None:
        return [f"{job.name} was lost altogether"]
    found = []
    if session["exit_code"] != job.code or session["status"] != ("failed" if job.code else "completed"):
        found.append(
            f"is {session['status']} with exit code {session['exit_code']}, not {job.code}: {session['reason']}"
        )
    attempts = [row["status"] for row in conn.execute("SELECT status FROM attempts WHERE session = ?", [session["id"]])]
    if len(attempts) != job.attempts:
        found.append(f"had {len(attempts)} attempts: {attempts}")
    events = list(conn.execute("SELECT type, payload FROM events WHERE session = ? ORDER BY seq", [session["id"]]))
    found += _lines(job, events)
    found += _starts(job, Path(session["worktree"] or "/nowhere") / LEDGER)
    if job.is_agent:
        found += _agent(events)
    found += _answer(conn, job, session["id"])
    return [f"{job.name}: {text}" for text in found]


def _lines(job: Job, events: Sequence[sqlite3.Row]) -> list[str]:
    kind = "message" if job.is_agent else "output"
    texts = [msgspec.json.decode(row["payload"])["text"] for row in events if row["type"] == kind]
    lines = [text for text in texts if text.startswith("line ")]
    expected = [f"line {number}" for number in range(LINES)]
    if lines == expected:
        return []
    counted = Counter(lines)
    missing = [line for line in expected if line not in counted]
    doubled = [line for line, count in counted.items() if count > 1]
    return [f"its lines are not exact: missing {missing}, doubled {doubled}"]


def _starts(job: Job, ledger: Path) -> list[str]:
    starts = ledger.read_text().count("start") if ledger.exists() else 0
    return [] if starts == job.works else [f"did its work {starts} times, not {job.works}"]


_ENDS = {"approve": "consumed", "reject": "rejected", "expire": "expired"}


def _answer(conn: sqlite3.Connection, job: Job, session: str) -> list[str]:
    """Return what is wrong with a session's question: asked once, decided once, and used or not, once."""
    statuses = [row["status"] for row in conn.execute("SELECT status FROM approvals WHERE session = ?", [session])]
    expected = [_ENDS[job.answer]] if job.answer else []
    found = [] if statuses == expected else [f"its questions are {statuses}, not {expected}"]
    if job.answer:
        done = "SELECT action FROM audit WHERE subject IN (SELECT id FROM approvals WHERE session = ?)"
        actions = Counter(row["action"] for row in conn.execute(done, [session]))
        wanted = Counter({"approval.request": 1}) + Counter(_ACTIONS[job.answer])
        found += [] if actions == wanted else [f"the audit log says of its question {dict(actions)}"]
    return found


_ACTIONS = {
    "approve": ["approval.approve", "approval.consumed"],
    "reject": ["approval.reject"],
    "expire": ["approval.expired"],
}


def _agent(events: Sequence[sqlite3.Row]) -> list[str]:
    counts = Counter(row["type"] for row in events)
    kinds = ("permission_asked", "approval_registered", "approval_decided")
    found = [f"{counts[kind]} times {kind}" for kind in kinds if counts[kind] != 1]
    delivered = [row["payload"] for row in events if row["type"] == "message_delivered" and MESSAGE in row["payload"]]
    if len(delivered) > 1:
        found.append(f"was told the same {len(delivered)} times")
    return found
