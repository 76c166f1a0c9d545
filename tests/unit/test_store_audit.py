"""Whoever changes the audit log is found out."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.store import audit
from supervisor.store.anchor import GENESIS, SIZE, Anchor, Mark, read_anchor
from tests.support.stores import NOON, database

ENTRIES = 6


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with database(tmp_path) as opened:
        yield opened


@pytest.fixture
def anchor(tmp_path: Path, conn: sqlite3.Connection) -> Path:
    """The anchor of a log of some entries."""
    path = tmp_path / "audit.anchor"
    keeper = Anchor(path)
    keeper.keep(conn)
    for number in range(ENTRIES):
        add(conn, number)
        keeper.keep(conn)
    return path


def add(conn: sqlite3.Connection, number: int = 0) -> None:
    audit.append(
        conn,
        time=NOON + number,
        actor="person",
        action="sessions.cancel",
        subject="ses_1",
        before={"status": "running", "wörter": [number, 1.5, None]},
        after=None if number % 2 else {"status": "cancelled"},
    )


def tamper(conn: sqlite3.Connection, *statements: str) -> None:
    conn.execute("DROP TRIGGER IF EXISTS audit_is_never_changed")
    conn.execute("DROP TRIGGER IF EXISTS audit_is_never_deleted")
    for statement in statements:
        conn.execute(statement)


def test_an_untouched_log_is_whole(conn: sqlite3.Connection, anchor: Path) -> None:
    assert audit.verify(conn, anchor) == audit.Verdict(True, ENTRIES)


def test_an_empty_log_is_whole(conn: sqlite3.Connection, tmp_path: Path) -> None:
    Anchor(tmp_path / "audit.anchor").keep(conn)
    assert audit.verify(conn, tmp_path / "audit.anchor") == audit.Verdict(True, 0)


def test_entries_are_read_as_they_were_written(conn: sqlite3.Connection) -> None:
    written = [
        audit.append(conn, time=NOON, actor="person", action="run", subject="ses_1", after={"b": 1, "a": [None]}),
        audit.append(conn, time=NOON, actor="queue", action="start", subject="ses_1", before={}),
    ]
    assert audit.entries(conn) == written
    assert audit.entries(conn, after=1) == written[1:]
    assert [entry.prev_hash for entry in written] == [GENESIS, written[0].hash]


@pytest.mark.parametrize(
    ("column", "value"),
    [("time", 1), ("actor", "'nobody'"), ("action", "'x'"), ("subject", "''"), ("before", "NULL"), ("after", "'{}'")],
)
def test_an_edit_is_found(column: str, value: str, conn: sqlite3.Connection, anchor: Path) -> None:
    tamper(conn, f"UPDATE audit SET {column} = {value} WHERE seq = 3")  # noqa: S608 - the test's own parameters
    verdict = audit.verify(conn, anchor)
    assert (verdict.valid, verdict.first_bad, verdict.detail) == (False, 3, "the entry was changed")


@pytest.mark.parametrize("column", ["hash", "prev_hash"])
def test_a_forged_hash_is_found(column: str, conn: sqlite3.Connection, anchor: Path) -> None:
    tamper(conn, f"UPDATE audit SET {column} = '{'f' * 64}' WHERE seq = 3")  # noqa: S608 - the test's own parameters
    assert audit.verify(conn, anchor).first_bad == 3


@pytest.mark.parametrize("seq", range(1, ENTRIES + 1))
def test_a_deleted_entry_is_found(seq: int, conn: sqlite3.Connection, anchor: Path) -> None:
    tamper(conn, f"DELETE FROM audit WHERE seq = {seq}")  # noqa: S608 - the test's own parameters
    verdict = audit.verify(conn, anchor)
    assert (verdict.valid, verdict.first_bad, verdict.entries) == (False, seq, ENTRIES - 1)


def test_reordered_entries_are_found(conn: sqlite3.Connection, anchor: Path) -> None:
    tamper(
        conn,
        "UPDATE audit SET seq = 99 WHERE seq = 3",
        "UPDATE audit SET seq = 3 WHERE seq = 4",
        "UPDATE audit SET seq = 4 WHERE seq = 99",
    )
    verdict = audit.verify(conn, anchor)
    assert (verdict.first_bad, verdict.detail) == (3, "the chain is broken")


@pytest.mark.parametrize("kept", range(ENTRIES))
def test_a_cut_tail_is_found(kept: int, conn: sqlite3.Connection, anchor: Path) -> None:
    tamper(conn, f"DELETE FROM audit WHERE seq > {kept}")  # noqa: S608 - the test's own parameters
    verdict = audit.verify(conn, anchor)
    assert (verdict.valid, verdict.first_bad, verdict.detail) == (False, kept + 1, "the log was cut")


def test_a_cut_is_still_found_after_the_log_went_on(conn: sqlite3.Connection, anchor: Path) -> None:
    tamper(conn, "DELETE FROM audit WHERE seq > 3", "UPDATE sqlite_sequence SET seq = 3 WHERE name = 'audit'")
    keeper = Anchor(anchor)
    for number in range(10, 20):
        add(conn, number)
        keeper.keep(conn)
    verdict = audit.verify(conn, anchor)
    assert (verdict.valid, verdict.first_bad, verdict.detail) == (False, ENTRIES, "the log was rewritten")


def test_a_chain_that_was_made_anew_is_found(conn: sqlite3.Connection, anchor: Path) -> None:
    tamper(conn, "DELETE FROM audit")
    for number in range(ENTRIES):
        add(conn, number + 100)
    verdict = audit.verify(conn, anchor)
    assert (verdict.first_bad, verdict.detail) == (ENTRIES, "the log was rewritten")


@pytest.mark.parametrize("damage", ["missing", "unreadable"])
def test_without_its_anchor_the_log_is_not_called_whole(damage: str, conn: sqlite3.Connection, anchor: Path) -> None:
    if damage == "missing":
        anchor.unlink()
    else:
        anchor.write_text("{")
    keeper = Anchor(anchor)
    add(conn, 7)
    keeper.keep(conn)
    verdict = audit.verify(conn, anchor)
    assert (verdict.valid, verdict.first_bad) == (False, None)
    assert str(anchor) in verdict.detail


def test_a_log_that_is_ahead_of_its_anchor_is_whole(conn: sqlite3.Connection, anchor: Path) -> None:
    add(conn, 7)
    assert audit.verify(conn, anchor) == audit.Verdict(True, ENTRIES + 1)
    Anchor(anchor).keep(conn)
    seen = read_anchor(anchor)
    assert seen is not None
    assert seen.seq == ENTRIES + 1


def test_the_anchor_is_written_only_for_news(conn: sqlite3.Connection, anchor: Path) -> None:
    before = anchor.stat().st_mtime_ns, anchor.stat().st_ino
    Anchor(anchor).keep(conn)
    assert (anchor.stat().st_mtime_ns, anchor.stat().st_ino) == before


def test_the_anchor_is_written_in_place_and_keeps_its_size(conn: sqlite3.Connection, anchor: Path) -> None:
    before, keeper = anchor.stat(), Anchor(anchor)
    for number in range(100):
        add(conn, number)
        keeper.keep(conn)
    seen, now = read_anchor(anchor), anchor.stat()
    assert seen is not None
    assert seen.seq == ENTRIES + 100
    assert (now.st_ino, now.st_size) == (before.st_ino, SIZE)
    assert stat.S_IMODE(now.st_mode) == 0o600


def test_an_unreadable_anchor_of_an_empty_log_is_replaced_whole(tmp_path: Path, conn: sqlite3.Connection) -> None:
    path = tmp_path / "audit.anchor"
    path.write_text("{" * 1000)
    Anchor(path).keep(conn)
    assert read_anchor(path) == Mark(0, GENESIS)


def test_an_anchor_that_is_just_written_over_is_read_again(anchor: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = anchor.read_bytes()
    after = before.replace(b'"seq":6', b'"seq":7')
    reads = iter([before, after[:20] + before[20:60] + after[60:], after, after])
    monkeypatch.setattr(Path, "read_bytes", lambda _: next(reads))
    seen = read_anchor(anchor)
    assert seen is not None
    assert seen.seq == 7


def test_an_anchor_that_the_disk_takes_half_of_is_not_taken_for_written(
    conn: sqlite3.Connection, anchor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Anchor(anchor)
    add(conn, 7)
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", lambda *_: 10)
        with pytest.raises(OSError, match="No space left"):
            keeper.keep(conn)
    keeper.keep(conn)
    assert audit.verify(conn, anchor) == audit.Verdict(True, ENTRIES + 1)


def test_a_contradicted_anchor_stays_and_says_so_once(
    conn: sqlite3.Connection, anchor: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tamper(conn, "DELETE FROM audit WHERE seq > 2")
    keeper, seen = Anchor(anchor), read_anchor(anchor)
    for number in range(3):
        add(conn, number)
        keeper.keep(conn)
    assert read_anchor(anchor) == seen == Mark(ENTRIES, seen.hash if seen else "")
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_an_exported_log_can_be_checked_without_this_program(conn: sqlite3.Connection, anchor: Path) -> None:
    previous = GENESIS
    lines = list(audit.export(conn))
    assert len(lines) == ENTRIES
    for line in lines:
        entry = json.loads(line)
        digest = entry.pop("hash")
        assert entry["prev_hash"] == previous
        canonical = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(canonical.encode()).hexdigest() == digest
        previous = digest


@pytest.mark.parametrize(
    "change", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit", "INSERT OR REPLACE INTO audit SELECT * FROM audit"]
)
def test_the_log_is_append_only(change: str, conn: sqlite3.Connection, anchor: Path) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        conn.execute(change)
    assert audit.verify(conn, anchor).valid


def test_a_long_log_is_checked_page_by_page(conn: sqlite3.Connection, tmp_path: Path) -> None:
    conn.execute("BEGIN")
    for number in range(2500):
        add(conn, number)
    conn.execute("COMMIT")
    (tmp_path / "audit.anchor").write_text(json.dumps({"seq": 0, "hash": GENESIS}))
    assert audit.verify(conn, tmp_path / "audit.anchor") == audit.Verdict(True, 2500)
