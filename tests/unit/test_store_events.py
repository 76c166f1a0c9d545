"""Events are appended once, numbered without a gap, and found again by what one asks."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from supervisor.model.errors import NotFound, StoreError
from supervisor.model.events import EventType
from supervisor.store import events, spools
from supervisor.store.spools import Partial, Position
from tests.support.stores import NOON, an_event, database


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with database(tmp_path, "ses_1", "ses_2") as opened:
        yield opened


def test_numbers_begin_at_one_and_have_no_gap(conn: sqlite3.Connection) -> None:
    assert events.last_seq(conn) == 0
    first = events.append(conn, [an_event(), an_event()])
    second = events.append(conn, [an_event()])
    assert [event.seq for event in (*first, *second)] == [1, 2, 3]
    assert events.last_seq(conn) == 3


def test_what_append_returns_is_what_is_stored(conn: sqlite3.Connection) -> None:
    stored = events.append(
        conn,
        [an_event(1, type=EventType.TOOL_USE, severity="warning", source="stream"), an_event(2, type="acme.scan")],
        project="prj_1",
        plan="plan-x",
        task="plan-x-01",
        session="ses_1",
        attempt="att_1",
    )
    assert events.since(conn) == stored
    assert type(stored[0].type) is str


def test_the_newest_of_a_type_is_found_for_each_session_and_only_the_supervisors_word_counts(
    conn: sqlite3.Connection,
) -> None:
    assert events.newest_of(conn, "branch_merged") == {}
    events.append(conn, [an_event(1, type="branch_merged")], session="ses_1")
    newest = events.append(conn, [an_event(2, type="branch_merged"), an_event(3)], session="ses_1")[0]
    events.append(conn, [an_event(4, type="branch_merged", source="stream")], session="ses_1")
    other = events.append(conn, [an_event(5, type="branch_merged")], session="ses_2")[0]
    assert events.newest_of(conn, "branch_merged") == {"ses_1": newest, "ses_2": other}


def test_nothing_is_appended_of_nothing(conn: sqlite3.Connection) -> None:
    assert events.append(conn, [], session="ses_1", positions=[]) == []


def test_a_part_of_a_log_is_stored_once(conn: sqlite3.Connection) -> None:
    events.append(conn, [an_event(), an_event()], session="ses_1", positions=[(0, 0), (0, 1)])
    with pytest.raises(StoreError, match="ses_1 was stored before"):
        events.append(conn, [an_event(), an_event()], session="ses_1", positions=[(10, 0), (0, 1)])


def test_two_logs_have_positions_of_their_own(conn: sqlite3.Connection) -> None:
    for session in ("ses_1", "ses_2"):
        events.append(conn, [an_event()], session=session, positions=[(0, 0)])
    assert events.last_seq(conn) == 2


def test_events_that_come_from_no_log_may_repeat(conn: sqlite3.Connection) -> None:
    for _ in range(2):
        events.append(conn, [an_event()], session="ses_1")
    assert events.last_seq(conn) == 2


def test_every_event_of_a_log_has_its_position(conn: sqlite3.Connection) -> None:
    with pytest.raises(ValueError, match="zip"):
        events.append(conn, [an_event(), an_event()], session="ses_1", positions=[(0, 0)])


@pytest.mark.parametrize(
    ("chosen", "numbers"),
    [
        ({"session": "ses_1"}, [0, 1, 2]),
        ({"plan": "plan-x"}, [3, 4]),
        ({"phase": "policy"}, [2]),
        ({"type": "message"}, [1, 4]),
        ({"since": NOON + 3}, [3, 4]),
        ({"session": "ses_1", "type": "message"}, [1]),
        ({"session": "ses_9"}, []),
        ({}, [0, 1, 2, 3, 4]),
    ],
)
def test_events_are_found_by_what_one_asks(
    chosen: dict[str, object], numbers: list[int], conn: sqlite3.Connection
) -> None:
    events.append(conn, [an_event(0), an_event(1, type="message"), an_event(2, phase="policy")], session="ses_1")
    events.append(conn, [an_event(3), an_event(4, type="message")], session="ses_2", plan="plan-x")
    found = events.since(conn, **chosen)  # type: ignore[arg-type]
    assert [json.loads(event.payload)["number"] for event in found] == numbers
    assert events.recent(conn, **chosen) == found  # type: ignore[arg-type]


def test_reading_goes_on_from_any_number(conn: sqlite3.Connection) -> None:
    events.append(conn, [an_event(number) for number in range(10)])
    assert [event.seq for event in events.since(conn, 3, limit=4)] == [4, 5, 6, 7]
    assert [event.seq for event in events.recent(conn, 4)] == [7, 8, 9, 10]
    assert events.since(conn, 10) == []


@pytest.mark.parametrize(
    "text", ["\ud83d lone", "a\0b", "\x1b[31m", "ünïcode 🛥", "'; DROP TABLE events; --", "x" * 100_000]
)
def test_any_text_can_be_in_a_payload(text: str, conn: sqlite3.Connection) -> None:
    events.append(conn, [an_event(payload={"text": text, text[:9]: [1, None]})])
    [found] = events.since(conn)
    kept = text.encode("utf-8", "replace").decode()
    assert msgspec.json.decode(found.payload) == {"text": kept, kept[:9]: [1, None]}


@pytest.mark.parametrize(
    "change",
    ["UPDATE events SET type = 'x'", "DELETE FROM events", "INSERT OR REPLACE INTO events SELECT * FROM events"],
)
def test_history_is_never_changed(change: str, conn: sqlite3.Connection) -> None:
    stored = events.append(conn, [an_event(), an_event()])
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        conn.execute(change)
    assert events.since(conn) == stored


def test_a_position_moves_from_where_it_was(conn: sqlite3.Connection) -> None:
    begin = spools.get(conn, "ses_1")
    moved = Position(7, 100, 1, {"stdout": Partial(b"half a \xff line", 2_000_000), "tty": Partial()})
    spools.advance(conn, "ses_1", begin, moved)
    assert spools.get(conn, "ses_1") == moved
    assert spools.get(conn, "ses_2") == Position()


@pytest.mark.parametrize("stale", [Position(), Position(7, 99, 1), Position(8, 100, 1), Position(7, 100, 0)])
def test_a_stale_reading_does_not_count(stale: Position, conn: sqlite3.Connection) -> None:
    spools.advance(conn, "ses_1", Position(), Position(7, 100, 1))
    with pytest.raises(StoreError, match="read by someone else"):
        spools.advance(conn, "ses_1", stale, Position(7, 200, 1))
    assert spools.get(conn, "ses_1").offset == 100


def test_a_session_that_is_not_there_has_no_log(conn: sqlite3.Connection) -> None:
    with pytest.raises(NotFound, match="ses_9"):
        spools.get(conn, "ses_9")
    with pytest.raises(StoreError):
        spools.advance(conn, "ses_9", Position(), Position(1, 1))


def test_the_newest_of_each_type_are_read_and_nothing_else(conn: sqlite3.Connection) -> None:
    old = events.append(conn, [an_event(type="stalled", time=NOON - 10)])
    kinds = ["stalled", "error", "output", "error", "stalled", "error", "stalled"]
    levels = ["info", "info", "error", "error", "debug", "critical", "warning"]
    made = [
        an_event(type=kind, severity=level, time=NOON + at)
        for at, (kind, level) in enumerate(zip(kinds, levels, strict=True))
    ]
    stored = events.append(conn, made)

    def found(since: int, limit: int) -> list[int]:
        read = events.newest_of_types(conn, ["error", "stalled"], loud={"error"}, since=since, limit=limit)
        return [event.seq for event in read]

    assert found(NOON, 10) == [stored[at].seq for at in (0, 3, 4, 5, 6)]
    assert found(NOON, 1) == [stored[5].seq, stored[6].seq]
    assert found(NOON - 10, 10)[0] == old[0].seq
    assert found(NOON + 100, 10) == []
    late = events.append(conn, [an_event(type="stalled", time=NOON + 3)])
    assert found(NOON + 3, 10) == [stored[at].seq for at in (3, 4, 5, 6)] + [late[0].seq], "a log that was read late"
