"""Ingest: lines of stream-json from the spool into the database, against parsing and batched inserting alone."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path

import msgspec

from executors.agents.registry import adapter_for
from supervisor.engine import tail
from supervisor.engine.bus import Bus
from supervisor.engine.ledger import Ledger, Transaction
from supervisor.model.statuses import SessionStatus
from supervisor.store import queries, sessions
from supervisor.store.database import Store
from tests.benchmarks.figures import Figure, median, rate, sized
from tests.benchmarks.stage import folder
from tests.support.agents import profile
from tests.support.desks import a_desk
from tests.support.stores import NOON, a_session, database, store

LINES = 20_000
ROUNDS = 5
LINE_BYTES = 2_000
BATCH = 500
BAR = 0.7
STAMP = b"2026-11-21T09:05:00.123456Z stdout F "
ADAPTER = adapter_for(profile("claude"))


def line(number: int) -> bytes:
    """Return one message as Claude Code prints it, 2 KB long."""
    text = f"{number} " + "It reads a file and says what it found. " * (LINE_BYTES // 40 - 6)
    message = {"id": f"msg_{number}", "role": "assistant", "content": [{"type": "text", "text": text}]}
    told = {"type": "assistant", "message": message, "session_id": "0a1b", "uuid": f"{number:032x}"}
    return json.dumps(told).encode()


async def measure(scale: float) -> list[Figure]:
    """Compare lines per second of both, one after the other, several times."""
    lines = [line(number) for number in range(sized(LINES, scale))]
    ours: list[float] = []
    limit: list[float] = []
    for _ in range(ROUNDS):
        with folder() as place:
            limit.append(len(lines) / _alone(place, lines))
        with folder() as place:
            (place / "stream.log").write_bytes(b"".join(STAMP + text + b"\n" for text in lines))
            async with store(place) as opened:
                ours.append(len(lines) / await _ingested(opened, place, len(lines)))
    ratio = median(ours) / median(limit)
    return [
        Figure(
            "ingest",
            "lines of 2 KB from spool to database",
            f"{rate(ours)}, {ratio:.2f}x",
            f"parse and insert: {rate(limit)}",
            ">= 0.7x",
            ratio >= BAR,
        )
    ]


DESK = a_desk()


async def _ingested(opened: Store, place: Path, count: int) -> float:
    session = a_session("ses_1", agent="claude", status=SessionStatus.RUNNING, folder=str(place))
    await opened.submit(lambda conn: sessions.insert(conn, session))
    ledger = Ledger(opened, Bus())

    def take(transaction: Transaction) -> tail.Round:
        return tail.ingest(transaction, session.id, ADAPTER, DESK)

    stored, more = 0, True
    began = time.perf_counter()
    while more:
        done = await ledger.commit(take, urgent=False)
        stored, more = stored + len(done.events), done.more
    took = time.perf_counter() - began
    assert stored == count, f"{stored} events of {count} lines"
    return took


def _alone(place: Path, lines: list[bytes]) -> float:
    with database(place, "ses_1") as conn:
        sql = queries.load("events")["append"].format(rows=f"({', '.join('?' * 14)})")
        began = time.perf_counter()
        for start in range(0, len(lines), BATCH):
            _insert(conn, sql, start, lines[start : start + BATCH])
        return time.perf_counter() - began


def _insert(conn: sqlite3.Connection, sql: str, start: int, batch: list[bytes]) -> None:
    rows = []
    for number, text in enumerate(batch, start + 1):
        content = msgspec.json.decode(text)["message"]["content"][0]
        payload = msgspec.json.encode({"text": content["text"]}).decode()
        rows.append(
            (number, NOON, "prj_1", None, None, "ses_1", None, "tool", "message", "info", "agent", payload, number, 0)
        )
    conn.execute("BEGIN IMMEDIATE")
    conn.executemany(sql, rows)
    conn.execute("COMMIT")
