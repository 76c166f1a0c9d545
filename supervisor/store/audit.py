"""The audit log: append-only entries, each chained to the one before by its hash.

The hash of an entry is the SHA-256 of its canonical JSON: every field but ``hash`` itself, keys
sorted, no spaces, UTF-8. The first entry's ``prev_hash`` is 64 zeros.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from supervisor.model.entities import AuditEntry
from supervisor.store import queries
from supervisor.store.anchor import GENESIS, Mark, newest, read_anchor
from supervisor.store.rows import Shape, to_json

SQL = queries.load("audit")
SHAPE = Shape(AuditEntry, json=("before", "after"))

_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the log is whole. ``first_bad`` is the first entry that is wrong or missing."""

    valid: bool
    entries: int
    first_bad: int | None = None
    detail: str = ""


def append(
    conn: sqlite3.Connection,
    *,
    time: int,
    actor: str,
    action: str,
    subject: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> AuditEntry:
    """Add an entry in the transaction of the change that it records."""
    last = newest(conn)
    row: dict[str, Any] = {
        "seq": last.seq + 1,
        "time": time,
        "actor": actor,
        "action": action,
        "subject": subject,
        "before": None if before is None else to_json(before),
        "after": None if after is None else to_json(after),
        "prev_hash": last.hash,
    }
    row["hash"] = _digest(row)
    conn.execute(SQL["append"], row)
    return AuditEntry(**{**row, "before": before, "after": after})


def entries(conn: sqlite3.Connection, after: int = 0, limit: int = 1000) -> list[AuditEntry]:
    """Return up to ``limit`` entries after number ``after``, in order."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["since"], {"seq": after, "limit": limit})]


def before(conn: sqlite3.Connection, seq: int, limit: int = 1000) -> list[AuditEntry]:
    """Return the newest ``limit`` entries before number ``seq``, in order."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["before"], {"seq": seq, "limit": limit})][::-1]


def export(conn: sqlite3.Connection) -> Iterator[str]:
    """Yield every entry as one line of canonical JSON, ``hash`` included."""
    for row in _rows(conn):
        fields = _canonical(dict(row))
        fields["hash"] = row["hash"]
        yield to_json(fields)


def verify(conn: sqlite3.Connection, anchor: Path) -> Verdict:
    """Check every entry, the chain, and that it reaches what the anchor outside the database has seen."""
    expected = Mark(0, GENESIS)
    seen = read_anchor(anchor)
    for row in _rows(conn):
        number = expected.seq + 1
        if row["seq"] != number:
            return _bad(conn, number, "an entry is missing")
        if row["prev_hash"] != expected.hash:
            return _bad(conn, number, "the chain is broken")
        if row["hash"] != _digest(dict(row)):
            return _bad(conn, number, "the entry was changed")
        if seen is not None and seen.seq == number and seen.hash != row["hash"]:
            return _bad(conn, number, "the log was rewritten")
        expected = Mark(number, row["hash"])
    if seen is None:
        return _bad(conn, None, f"without its anchor {anchor} a cut of the log cannot be noticed")
    if seen.seq > expected.seq:
        return _bad(conn, expected.seq + 1, "the log was cut")
    return Verdict(valid=True, entries=expected.seq)


def _bad(conn: sqlite3.Connection, first_bad: int | None, detail: str) -> Verdict:
    count: int = conn.execute(SQL["count"]).fetchone()[0]
    return Verdict(valid=False, entries=count, first_bad=first_bad, detail=detail)


def _rows(conn: sqlite3.Connection) -> Iterator[sqlite3.Row]:
    last = 0
    while rows := conn.execute(SQL["since"], {"seq": last, "limit": _PAGE}).fetchall():
        yield from rows
        last = rows[-1]["seq"]


def _canonical(row: dict[str, Any]) -> dict[str, Any]:
    fields = {name: value for name, value in row.items() if name != "hash"}
    for name in ("before", "after"):
        fields[name] = None if row[name] is None else msgspec.Raw(row[name].encode())
    return fields


def _digest(row: dict[str, Any]) -> str:
    return sha256(to_json(_canonical(row)).encode()).hexdigest()
