"""Databases as released versions wrote them, kept as dumps: they must open forever.

``python -m tests.support.schemas`` writes the dump of the newest schema; a released one is never written again.
"""

from __future__ import annotations

import re
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from supervisor.model.artifacts import Upload
from supervisor.model.budgets import Standing
from supervisor.model.entities import Stats
from supervisor.model.schedules import Run, RunState
from supervisor.model.statuses import SessionStatus
from supervisor.store import (
    approvals,
    artifacts,
    audit,
    budgets,
    checkpoints,
    events,
    outbox,
    pauses,
    schedules,
    seen,
    sessions,
    spools,
    tokens,
    uploads,
    usage,
)
from supervisor.store.migrate import APPLICATION_ID, migrations
from tests.support.stores import (
    NOON,
    a_checkpoint,
    a_draft,
    a_schedule,
    a_session,
    an_approval,
    an_event,
    claim,
    database,
)

FOLDER = Path(__file__).parents[1] / "compat" / "schemas"


def released() -> list[Path]:
    """The dumps, oldest first."""
    return sorted(FOLDER.glob("v*.sql"), key=version)


def version(dump: Path) -> int:
    """The schema that a dump is of."""
    return int(dump.stem.removeprefix("v"))


def load(dump: Path, path: Path) -> None:
    """Make the database that a dump describes."""
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.executescript(dump.read_text(encoding="utf-8"))
        conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        conn.execute(f"PRAGMA user_version = {version(dump)}")


def write(folder: Path = FOLDER) -> Path:
    """Dump a database of the newest schema with something in every table."""
    target = folder / f"v{len(migrations())}.sql"
    with tempfile.TemporaryDirectory() as place, database(Path(place), "ses_1") as conn:
        sessions.update(conn, a_session(status=SessionStatus.PREPARING, stats=Stats(cost_usd=0.5)))
        attempt = claim(conn)
        events.append(conn, [an_event(), an_event(1)], session="ses_1", positions=[(0, 0), (0, 1)])
        spools.advance(conn, "ses_1", spools.Position(), spools.Position(7, 90, 0, {"tty": spools.Partial(b"x", 1)}))
        audit.append(conn, time=NOON, actor="person", action="run", subject="ses_1", after={"name": "1"})
        outbox.add_reply(conn, "ses_1", attempt.id, "req_1", b"no")
        approvals.insert(conn, an_approval())
        conn.execute("INSERT INTO policy_versions VALUES (1, ?, 'person', 'first', 'version: 1')", (NOON,))
        schedules.insert(conn, a_schedule())
        schedules.add_run(conn, Run("sch_1", NOON, "nightly-1", RunState.WAITING, "It waits.", NOON, "app_1"))
        pauses.set_pause(conn, "claude", NOON, "limit", NOON)
        tokens.add(conn, "token", role="operator", now=NOON)
        kept = artifacts.insert(conn, a_draft(), NOON)
        uploads.insert(conn, Upload(id="upl_1", draft=a_draft(), created_at=NOON, artifact=kept.id))
        usage.link(conn, "ses_1", "plan-x", "a")
        usage.add_turn(conn, a_session(), Stats(), Stats(cost_usd=0.5, tokens_input=7), api_calls=1, at=NOON)
        budgets.put(conn, Standing("day", "2026-11-21", "cost_usd", "warning", NOON, 9, 10, 1))
        seen.put(conn, "person", NOON)
        checkpoints.insert(conn, a_checkpoint())
        text = "\n".join(conn.iterdump())
    target.write_text(re.sub(r"(att|rep|art)_\w{26}", r"\1_1", text) + "\n", encoding="utf-8")
    return target


if __name__ == "__main__":
    write()
