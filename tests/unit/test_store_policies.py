from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.model.errors import NotFound
from supervisor.store import policies
from tests.support.stores import NOON, database


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with database(tmp_path) as opened:
        yield opened


def test_versions_are_numbered_and_kept_as_they_were(conn: sqlite3.Connection) -> None:
    assert policies.latest(conn) is None
    first = policies.append(conn, "one", author="person", rationale="why", now=NOON)
    second = policies.append(conn, "two\n", author="person", rationale="", now=NOON + 1)
    assert (first.number, second.number) == (1, 2)
    assert policies.latest(conn) == second
    assert policies.get(conn, 1) == first
    assert policies.find(conn) == [second, first]
    with pytest.raises(NotFound):
        policies.get(conn, 3)


@pytest.mark.parametrize("change", ["UPDATE policy_versions SET document = 'x'", "DELETE FROM policy_versions"])
def test_a_version_is_never_changed(conn: sqlite3.Connection, change: str) -> None:
    policies.append(conn, "one", author="person", rationale="why", now=NOON)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        conn.execute(change)
