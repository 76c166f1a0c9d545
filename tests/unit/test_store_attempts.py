"""Attempts: claimed once, numbered without a gap, never reported on by a stale one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from supervisor.model.errors import IllegalMove, NotFound, Refused
from supervisor.model.statuses import AttemptStatus
from supervisor.store import attempts
from tests.support.stores import NOON, claim, database

A = AttemptStatus


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with database(tmp_path, "ses_1", "ses_2") as opened:
        yield opened


def end(conn: sqlite3.Connection, attempt_id: str, status: AttemptStatus = A.FAILED) -> None:
    attempts.update(conn, replace(attempts.get(conn, attempt_id), status=status, ended_at=NOON + 1))


def test_attempts_count_up_with_their_tokens(conn: sqlite3.Connection) -> None:
    for number in (1, 2, 3):
        claimed = claim(conn)
        assert (claimed.number, claimed.fencing_token, claimed.status) == (number, number, A.STARTING)
        end(conn, claimed.id)
    assert [attempt.number for attempt in attempts.of_session(conn, "ses_1")] == [1, 2, 3]


def test_each_session_counts_for_itself(conn: sqlite3.Connection) -> None:
    assert claim(conn, "ses_1").number == claim(conn, "ses_2").number == 1


def test_a_live_attempt_keeps_others_away(conn: sqlite3.Connection) -> None:
    claim(conn)
    with pytest.raises(Refused, match="Attempt 1 of the session ses_1 is starting"):
        claim(conn)
    assert len(attempts.of_session(conn, "ses_1")) == 1


def test_a_session_that_is_not_there_claims_nothing(conn: sqlite3.Connection) -> None:
    with pytest.raises(NotFound, match="ses_9"):
        claim(conn, "ses_9")


def test_commands_without_a_session_do_not_hinder_each_other(conn: sqlite3.Connection) -> None:
    first, second = claim(conn, None), claim(conn, None)
    assert first.id != second.id
    assert (first.number, second.number, second.session) == (1, 1, None)


def test_an_end_is_stored_once(conn: sqlite3.Connection) -> None:
    claimed = claim(conn)
    assert attempts.end(conn, claimed.id, A.COMPLETED, reason="exit", exit_code=0, started_at=NOON, ended_at=NOON + 5)
    assert not attempts.end(conn, claimed.id, A.LOST, reason="too late", ended_at=NOON + 9)
    assert attempts.get(conn, claimed.id) == replace(
        claimed, status=A.COMPLETED, reason="exit", exit_code=0, started_at=NOON, ended_at=NOON + 5
    )


def test_a_claimed_step_is_returned_as_it_is_stored(conn: sqlite3.Connection) -> None:
    for number in (1, 2):
        claimed = attempts.claim_step(
            conn, plan="p", task="t", step=3, argv=("a", "b"), boot_id="boot", handle="host", now=NOON
        )
        assert attempts.get(conn, claimed.id) == claimed
        assert (claimed.number, claimed.fencing_token) == (number, number)
        attempts.end(conn, claimed.id, A.FAILED, reason="exit", exit_code=1, ended_at=NOON + 1)


def test_the_database_itself_refuses_a_second_live_attempt(conn: sqlite3.Connection) -> None:
    first = claim(conn)
    end(conn, first.id)
    claim(conn)
    with pytest.raises(sqlite3.IntegrityError):
        conn.execute("UPDATE attempts SET status = 'running' WHERE id = ?", (first.id,))


def test_an_attempt_is_stored_as_it_is(conn: sqlite3.Connection) -> None:
    running = replace(
        claim(conn), status=A.RUNNING, handle="qd:1", pid=7, pid_started_at=70, started_at=NOON, intent="cancel"
    )
    attempts.update(conn, running)
    assert attempts.get(conn, running.id) == running


@pytest.mark.parametrize("late", [A.RUNNING, A.COMPLETED, A.FAILED_TIMEOUT])
def test_a_late_result_does_not_flip_an_ended_attempt(late: AttemptStatus, conn: sqlite3.Connection) -> None:
    claimed = claim(conn)
    end(conn, claimed.id, A.LOST)
    with pytest.raises(IllegalMove, match=f"lost cannot become {late}"):
        attempts.update(conn, replace(claimed, status=late))


def test_only_the_newest_attempt_with_its_token_is_heard(conn: sqlite3.Connection) -> None:
    old = claim(conn)
    assert attempts.check_current(conn, old.id, 1) == old
    end(conn, old.id)
    new = claim(conn)
    assert attempts.check_current(conn, new.id, 2) == new
    for attempt_id, token in ((old.id, 1), (old.id, 2), (new.id, 1)):
        with pytest.raises(Refused, match="stale"):
            attempts.check_current(conn, attempt_id, token)


def test_an_attempt_without_a_session_is_heard_with_its_token(conn: sqlite3.Connection) -> None:
    alone = claim(conn, None)
    assert attempts.check_current(conn, alone.id, 1) == alone
    with pytest.raises(Refused):
        attempts.check_current(conn, alone.id, 2)


def test_the_live_ones_are_found_at_boot(conn: sqlite3.Connection) -> None:
    end(conn, claim(conn, "ses_1").id, A.CANCELLED)
    living = [claim(conn, "ses_1").id, claim(conn, "ses_2").id, claim(conn, None).id]
    assert [attempt.id for attempt in attempts.live(conn)] == living


def test_the_newest_attempt_is_found_ended_or_not(conn: sqlite3.Connection) -> None:
    assert attempts.latest(conn, "ses_1") is None
    end(conn, claim(conn).id)
    newest = claim(conn)
    assert attempts.latest(conn, "ses_1") == newest
    end(conn, newest.id)
    found = attempts.latest(conn, "ses_1")
    assert found is not None
    assert found.id == newest.id


def test_signs_of_life_are_noted(conn: sqlite3.Connection) -> None:
    claimed = claim(conn)
    attempts.heard(conn, claimed.id, NOON + 5)
    attempts.beat(conn, claimed.id, NOON + 7)
    found = attempts.get(conn, claimed.id)
    assert (found.last_output_at, found.last_heartbeat_at) == (NOON + 5, NOON + 7)


def test_an_unknown_attempt_is_not_found(conn: sqlite3.Connection) -> None:
    with pytest.raises(NotFound, match="att_9"):
        attempts.get(conn, "att_9")
