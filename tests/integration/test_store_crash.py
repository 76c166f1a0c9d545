"""The supervisor is killed at any moment: the database holds what was promised, and is never half of anything.

The children are forked, so that hundreds of kills take seconds.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from supervisor.store import audit, events, sessions, spools
from supervisor.store.database import Store
from supervisor.store.migrate import Migration, back_up, migrations, open_database
from supervisor.store.spools import Position
from tests.support.stores import NOON, an_event, database, fill

KILLS = 30
MIGRATION_KILLS = 100
BATCH = 7

CHANCE = random.Random(7)  # noqa: S311 - it only says when a kill comes

SLOW = Migration(
    len(migrations()) + 1,
    "slow",
    """
    CREATE TABLE extra (id INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;
    INSERT INTO extra (note)
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT 'note ' || i FROM n;
    CREATE INDEX extra_by_note ON extra (note);
    ALTER TABLE sessions ADD COLUMN mood TEXT;
    UPDATE sessions SET mood = 'calm';
    """,
)


def killed(work: Callable[[int], None], after: Callable[[], float], ready: int = 1) -> bytes:
    """Fork a child that does ``work``, kill it some time after it wrote ``ready`` bytes; return all it wrote."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(readable)
            work(writable)
        finally:
            os._exit(0)
    os.close(writable)
    told = b""
    try:
        while len(told) < ready and (part := os.read(readable, 65536)):
            told += part
        time.sleep(after())
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while part := os.read(readable, 65536):
            told += part
    finally:
        os.close(readable)
    return told


def test_what_was_promised_is_there_after_a_kill(tmp_path: Path) -> None:
    """A child ingests and decides; each promise is one byte, told after the commit."""
    path, backups = tmp_path / "quarterdeck.db", tmp_path / "backups"

    def ingest(conn: sqlite3.Connection) -> None:
        position = spools.get(conn, "ses_1")
        offsets = range(position.offset, position.offset + BATCH)
        events.append(conn, [an_event(n) for n in offsets], session="ses_1", positions=[(n, 0) for n in offsets])
        spools.advance(conn, "ses_1", position, Position(1, position.offset + BATCH))

    def decide(conn: sqlite3.Connection) -> None:
        audit.append(conn, time=NOON, actor="person", action="beat", subject="ses_1")
        events.append(conn, [an_event(type="decided")])

    async def work(writable: int) -> None:
        opened = await Store.open(path, backups)
        await opened.submit(lambda conn: fill(conn, "ses_1"))

        async def repeat(apply: Callable[[sqlite3.Connection], None], promise: bytes, *, urgent: bool) -> None:
            while True:
                await opened.submit(apply, urgent=urgent)
                os.write(writable, promise)

        await asyncio.gather(
            repeat(ingest, b"i", urgent=False), repeat(ingest, b"i", urgent=False), repeat(decide, b"d", urgent=True)
        )

    ingested = decided = 0
    for _ in range(KILLS):
        told = killed(lambda writable: asyncio.run(work(writable)), lambda: CHANCE.uniform(0, 0.03))
        ingested += told.count(b"i")
        decided += told.count(b"d")
        with closing(open_database(path, backups)) as conn:
            assert conn.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            stored = events.since(conn, limit=10**9)
            assert [event.seq for event in stored] == list(range(1, len(stored) + 1))
            read = [event for event in stored if event.session == "ses_1"]
            assert len(read) == spools.get(conn, "ses_1").offset >= BATCH * ingested
            entries = len(audit.entries(conn, limit=10**9))
            assert entries == len(stored) - len(read) >= decided
            assert audit.verify(conn, tmp_path / "audit.anchor") == audit.Verdict(True, entries)
            ingested, decided = len(read) // BATCH, entries
    assert ingested > KILLS
    assert decided > KILLS


def test_a_kill_in_a_migration_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    original = tmp_path / "original"
    original.mkdir()
    with database(original, "ses_1"):
        pass
    content = (original / "quarterdeck.db").read_bytes()
    path, backups = tmp_path / "quarterdeck.db", tmp_path / "backups"
    found = {"old": 0, "new": 0}

    def work(writable: int) -> None:
        os.write(writable, b"r")
        open_database(path, backups, [*migrations(), SLOW]).close()

    for _ in range(MIGRATION_KILLS):
        for name in ("quarterdeck.db", "quarterdeck.db-wal", "quarterdeck.db-shm"):
            (tmp_path / name).unlink(missing_ok=True)
        path.write_bytes(content)
        killed(work, lambda: CHANCE.uniform(0, 0.03))
        with closing(sqlite3.connect(path)) as conn:
            conn.row_factory = sqlite3.Row
            version = conn.execute("PRAGMA user_version").fetchone()[0]
            assert version in (SLOW.number - 1, SLOW.number)
            new = version == SLOW.number
            found["new" if new else "old"] += 1
            assert conn.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            tables = {row["name"] for row in conn.execute("SELECT name FROM sqlite_schema")}
            assert ({"extra", "extra_by_note"} <= tables) is new
            assert sessions.get(conn, "ses_1").name == "1"
            if new:
                assert conn.execute("SELECT count(*) FROM extra").fetchone()[0] == 3000
                assert conn.execute("SELECT mood FROM sessions").fetchone()[0] == "calm"
        for copy in backups.glob("*.db") if backups.exists() else ():
            with closing(sqlite3.connect(copy)) as conn:
                assert conn.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            copy.unlink()
    assert found["old"]
    with closing(open_database(path, backups, [*migrations(), SLOW])) as conn:
        assert conn.execute("PRAGMA user_version").fetchone()[0] == SLOW.number


def test_a_kill_in_the_first_creation_leaves_something_that_opens(tmp_path: Path) -> None:

    def work(folder: Path, writable: int) -> None:
        os.write(writable, b"r")
        open_database(folder / "quarterdeck.db", folder / "backups").close()

    for number in range(50):
        folder = tmp_path / str(number)
        folder.mkdir()
        killed(lambda writable, folder=folder: work(folder, writable), lambda: CHANCE.uniform(0, 0.008))  # type: ignore[misc]
        with database(folder, "ses_1") as conn:
            assert sessions.get(conn, "ses_1").id == "ses_1"


@pytest.mark.parametrize("delay", [0.0, 0.001, 0.002, 0.004])
def test_a_copy_is_whole_or_not_there(delay: float, tmp_path: Path) -> None:
    with database(tmp_path, "ses_1") as conn:
        events.append(conn, [an_event(n, payload={"text": "x" * 1000}) for n in range(3000)])

    def work(writable: int) -> None:
        with closing(sqlite3.connect(tmp_path / "quarterdeck.db")) as conn:
            os.write(writable, b"r")
            back_up(conn, tmp_path / "backups", 1)

    killed(work, lambda: delay)
    for copy in (tmp_path / "backups").glob("*.db"):
        with closing(sqlite3.connect(copy)) as conn:
            conn.row_factory = sqlite3.Row
            assert conn.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            assert events.last_seq(conn) == 3000
