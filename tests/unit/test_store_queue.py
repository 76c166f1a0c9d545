"""The queue as the database sees it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.model.entities import Reason
from supervisor.model.statuses import SessionStatus
from supervisor.store import queue, sessions
from tests.support.stores import NOON, a_session, claim, database

S = SessionStatus


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with database(tmp_path) as opened:
        yield opened


def test_higher_priority_goes_first_then_first_come(conn: sqlite3.Connection) -> None:
    for name, priority in (("ses_1", 0), ("ses_2", 5), ("ses_3", 0), ("ses_4", 5)):
        sessions.insert(conn, a_session(name, priority=priority))
    sessions.insert(conn, a_session("ses_5", priority=9, status=S.RUNNING))
    assert [session.id for session in queue.waiting(conn)] == ["ses_2", "ses_4", "ses_1", "ses_3"]
    assert queue.count_waiting(conn) == 4


@pytest.mark.parametrize(
    ("status", "mode", "taken"),
    [
        (S.QUEUED, "autonomous", 0),
        (S.PREPARING, "autonomous", 1),
        (S.RUNNING, "autonomous", 1),
        (S.WAITING, "autonomous", 0),
        (S.PAUSED, "autonomous", 0),
        (S.COMPLETED, "autonomous", 0),
        (S.RUNNING, "dispatch", 0),
    ],
)
def test_who_holds_a_place(status: SessionStatus, mode: str, taken: int, conn: sqlite3.Connection) -> None:
    sessions.insert(conn, a_session(status=status, mode=mode))
    assert queue.places_taken(conn) == taken


def test_a_frozen_session_with_a_live_attempt_keeps_its_place(conn: sqlite3.Connection) -> None:
    sessions.insert(conn, a_session(status=S.PAUSED))
    claim(conn)
    assert queue.places_taken(conn) == 1


def test_a_session_is_due_when_its_limit_was_reset(conn: sqlite3.Connection) -> None:
    limit = Reason("limit", "The usage limit was reached.", NOON)
    sessions.insert(conn, a_session("ses_1", status=S.PAUSED, reason=limit, resume_at=NOON))
    sessions.insert(conn, a_session("ses_2", status=S.PAUSED, resume_at=NOON))
    assert [session.id for session in queue.due(conn, NOON)] == ["ses_1"]
    assert queue.due(conn, NOON - 1) == []
    assert queue.next_due(conn) == NOON


def test_a_name_is_free_again_when_its_session_has_ended(conn: sqlite3.Connection) -> None:
    sessions.insert(conn, a_session(name="build", status=S.RUNNING))
    assert queue.unfinished_named(conn, "build")
    sessions.update(conn, a_session(name="build", status=S.FAILED))
    assert not queue.unfinished_named(conn, "build")
