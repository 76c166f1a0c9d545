"""Queries are files: each is named, described, and understood by the schema."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.store import queries
from tests.support.stores import database

NOUNS = sorted(path.stem for path in queries.FOLDER.glob("*.sql"))


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with database(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("noun", NOUNS)
def test_the_schema_understands_every_query(noun: str, conn: sqlite3.Connection) -> None:
    loaded = queries.load(noun)
    assert loaded
    for sql in loaded.values():
        statement = sql.replace("{filters}", "").replace("{by}", "agent").replace("{changes}", "status = :status")
        statement = statement.replace("{rows}", f"({', '.join('?' * 14)})")
        named = dict.fromkeys(re.findall(r":(\w+)", statement))
        conn.execute(f"EXPLAIN {statement}", named or [None] * statement.count("?"))


@pytest.mark.parametrize("noun", NOUNS)
def test_every_query_is_used(noun: str) -> None:
    code = "".join(
        path.read_text() for path in queries.FOLDER.parent.glob("*.py") if f'load("{noun}")' in path.read_text()
    )
    unused = [name for name in queries.load(noun) if f'"{name}"' not in code]
    assert unused == []


def test_a_query_without_description_is_refused() -> None:
    with pytest.raises(ValueError, match="bare has no description"):
        queries.parse("-- name: bare\nSELECT 1;")


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="one is there twice"):
        queries.parse("-- name: one\n-- First.\nSELECT 1;\n-- name: one\n-- Second.\nSELECT 2;")


def test_a_query_keeps_its_comment_and_its_lines() -> None:
    parsed = queries.parse("-- The file's own comment.\n-- name: one\n-- First.\nSELECT\n    1;\n")
    assert parsed == {"one": "-- First.\nSELECT\n    1;"}


def plan(conn: sqlite3.Connection, sql: str) -> str:
    values = dict.fromkeys(re.findall(r":(\w+)", sql))
    return " ".join(row["detail"] for row in conn.execute(f"EXPLAIN QUERY PLAN {sql}", values))


@pytest.mark.parametrize(
    ("noun", "name", "index"),
    [
        ("sessions", "by_status", "sessions_by_status"),
        ("attempts", "live", "attempts_live"),
        ("attempts", "latest", "sqlite_autoindex_attempts_2"),
        ("outbox", "pending", "outbox_pending"),
        ("outbox", "of_session", "outbox_by_session"),
        ("outbox", "unconfirmed", "outbox_by_attempt"),
        ("outbox", "delivered", "outbox_by_attempt"),
        ("tokens", "get", "sqlite_autoindex_tokens_1"),
        ("events", "newest_of", "events_by_type"),
        ("events", "first_since", "events_by_time"),
        ("events", "newest_of_type", "events_by_type (type=? AND rowid>?)"),
    ],
)
def test_what_is_asked_often_is_answered_by_an_index(
    noun: str, name: str, index: str, conn: sqlite3.Connection
) -> None:
    assert index in plan(conn, queries.load(noun)[name])


@pytest.mark.parametrize(
    ("chosen", "index"),
    [
        ("session", "events_by_session"),
        ("plan", "events_by_plan"),
        ("type", "events_by_type"),
        ("time", "events_by_time"),
    ],
)
def test_events_have_an_index_for_each_way_to_ask(chosen: str, index: str, conn: sqlite3.Connection) -> None:
    assert index in plan(conn, f"SELECT * FROM events WHERE {chosen} = :value")  # noqa: S608 - a column's name
