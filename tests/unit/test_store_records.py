"""Messages, pauses and tokens."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from supervisor.model.errors import IllegalMove, NotFound, Refused
from supervisor.store import outbox, pauses, tokens
from tests.support.stores import NOON, claim, database


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with database(tmp_path, "ses_1", "ses_2") as opened:
        yield opened


@pytest.fixture
def attempt(conn: sqlite3.Connection) -> str:
    return claim(conn).id


def test_messages_are_pending_in_the_order_they_came(conn: sqlite3.Connection, attempt: str) -> None:
    entries = [outbox.add_message(conn, "ses_1", attempt, text) for text in ("one", "two")]
    entries.append(outbox.add_reply(conn, "ses_1", attempt, "req_1", b'{"no"}\n'))
    assert outbox.pending(conn, "ses_1") == entries
    assert outbox.pending(conn, "ses_2") == []


def test_a_message_is_sent_once(conn: sqlite3.Connection, attempt: str) -> None:
    entry = outbox.add_message(conn, "ses_1", None, "hello")
    outbox.sent(conn, entry.id, attempt, NOON)
    assert outbox.get(conn, entry.id) == replace(entry, state="sent", attempt=attempt, sent_at=NOON)
    assert outbox.pending(conn, "ses_1") == []
    with pytest.raises(IllegalMove, match="is sent"):
        outbox.sent(conn, entry.id, attempt, NOON)


def test_a_request_is_answered_once(conn: sqlite3.Connection, attempt: str) -> None:
    outbox.add_reply(conn, "ses_1", attempt, "req_1", b"no")
    with pytest.raises(Refused, match="request_id"):
        outbox.add_reply(conn, "ses_1", attempt, "req_1", b"yes")
    assert [entry.body for entry in outbox.of_session(conn, "ses_1")] == [b"no"]


def test_two_attempts_may_use_the_same_request_id(conn: sqlite3.Connection, attempt: str) -> None:
    outbox.add_reply(conn, "ses_1", attempt, "req_1", b"no")
    outbox.add_reply(conn, "ses_2", claim(conn, "ses_2").id, "req_1", b"no")


def test_the_oldest_message_with_the_text_is_the_one_that_arrived(conn: sqlite3.Connection, attempt: str) -> None:
    first, second = (outbox.add_message(conn, "ses_1", attempt, "again") for _ in range(2))
    outbox.sent(conn, first.id, attempt, NOON)
    assert outbox.delivered(conn, attempt, "again")
    assert [outbox.get(conn, entry.id).state for entry in (first, second)] == ["delivered", "pending"]
    assert not outbox.delivered(conn, attempt, "never said")
    assert [entry.id for entry in outbox.unconfirmed(conn, attempt)] == [second.id]


def test_a_clipped_text_means_the_message_that_begins_so_unless_one_is_just_that(
    conn: sqlite3.Connection, attempt: str
) -> None:
    long, exact = (outbox.add_message(conn, "ses_1", attempt, text) for text in ("été and more", "été…"))
    assert outbox.delivered(conn, attempt, "été…")
    assert [entry.id for entry in outbox.unconfirmed(conn, attempt)] == [long.id]
    assert not outbox.delivered(conn, attempt, "éta…")
    assert outbox.delivered(conn, attempt, "été…")
    assert [outbox.get(conn, entry.id).state for entry in (long, exact)] == ["delivered", "delivered"]


def test_messages_that_an_agent_echoes_as_one_have_all_arrived(conn: sqlite3.Connection, attempt: str) -> None:
    one = outbox.add_message(conn, "ses_1", attempt, "and this")
    two = outbox.add_message(conn, "ses_1", attempt, "and that")
    other = outbox.add_message(conn, "ses_1", attempt, "something else")
    assert outbox.delivered(conn, attempt, "and this\nand that")
    assert [outbox.get(conn, entry.id).state for entry in (one, two, other)] == ["delivered", "delivered", "pending"]


def test_a_message_that_arrived_cannot_fail_any_more(conn: sqlite3.Connection, attempt: str) -> None:
    entry = outbox.add_message(conn, "ses_1", attempt, "hello")
    outbox.delivered(conn, attempt, "hello")
    with pytest.raises(IllegalMove, match="is delivered"):
        outbox.failed(conn, entry.id, "The attempt ended.")


def test_a_message_that_failed_says_why(conn: sqlite3.Connection, attempt: str) -> None:
    entry = outbox.add_message(conn, "ses_1", attempt, "hello")
    outbox.failed(conn, entry.id, "The attempt ended.")
    assert outbox.get(conn, entry.id) == replace(entry, state="failed", detail="The attempt ended.")


def test_what_is_not_there_is_said(conn: sqlite3.Connection, attempt: str) -> None:
    with pytest.raises(NotFound, match="msg_9"):
        outbox.sent(conn, "msg_9", attempt, NOON)
    with pytest.raises(Refused, match="FOREIGN KEY"):
        outbox.add_message(conn, "ses_9", None, "hello")


def test_a_pause_is_only_made_longer(conn: sqlite3.Connection) -> None:
    assert pauses.set_pause(conn, "claude", NOON + 10, "limit", NOON)
    assert not pauses.set_pause(conn, "claude", NOON + 10, "again", NOON + 1)
    assert not pauses.set_pause(conn, "claude", NOON + 5, "shorter", NOON + 1)
    assert pauses.set_pause(conn, "claude", NOON + 20, "longer", NOON + 2)
    assert pauses.get(conn, "claude") == pauses.Pause("claude", NOON + 20, "longer", NOON)


def test_a_pause_without_an_end_is_the_longest(conn: sqlite3.Connection) -> None:
    pauses.set_pause(conn, "claude", NOON, "limit", NOON)
    assert pauses.set_pause(conn, "claude", None, "a person", NOON)
    assert not pauses.set_pause(conn, "claude", NOON + 99, "limit", NOON)
    assert not pauses.set_pause(conn, "claude", None, "a person", NOON)
    assert [pause.until for pause in pauses.find(conn)] == [None]


def test_a_pause_is_lifted_once(conn: sqlite3.Connection) -> None:
    pauses.set_pause(conn, "codex", NOON, "limit", NOON)
    assert pauses.lift(conn, "codex")
    assert not pauses.lift(conn, "codex")
    assert pauses.get(conn, "codex") is None


def test_a_token_allows_what_it_was_made_for(conn: sqlite3.Connection) -> None:
    added = tokens.add(conn, "secret", role="agent", session="ses_1", now=NOON)
    assert tokens.get(conn, "secret") == added
    assert (added.role, added.session) == ("agent", "ses_1")
    assert tokens.get(conn, "Secret") is None


def test_the_database_does_not_hold_the_token(conn: sqlite3.Connection) -> None:
    tokens.add(conn, "very-secret-token", role="operator", now=NOON)
    assert "very-secret-token" not in "\n".join(conn.iterdump())


def test_tokens_are_taken_back(conn: sqlite3.Connection) -> None:
    for token, session in (("a", "ses_1"), ("b", "ses_1"), ("c", "ses_2")):
        tokens.add(conn, token, role="agent", session=session, now=NOON)
    assert tokens.revoke_session(conn, "ses_1") == 2
    assert tokens.revoke(conn, "c")
    assert not tokens.revoke(conn, "c")
    assert [tokens.get(conn, token) for token in "abc"] == [None, None, None]
