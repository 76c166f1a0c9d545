"""What was used, in the database: sums are exact, days are those of the time zone, a link is never changed."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.model.entities import Stats
from supervisor.model.times import from_rfc3339
from supervisor.model.usage import NANO, Measure, Used, counted, in_words, written
from supervisor.store import usage
from tests.support.stores import NOON, a_session, database


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with database(tmp_path, "ses_1", "ses_2") as opened:
        yield opened


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def spend(conn: sqlite3.Connection, session: str, *sums: float, at: int = NOON) -> None:
    """Add turns after which a session's cost was these sums."""
    before = Stats()
    for total in sums:
        after = replace(before, cost_usd=total, tokens_input=before.tokens_input + 10)
        usage.add_turn(conn, a_session(session), before, after, api_calls=1, at=at)
        before = after


def test_the_rows_of_a_session_add_up_to_its_figure_exactly(conn: sqlite3.Connection) -> None:
    spend(conn, "ses_1", 0.1, 0.1 + 0.2, 0.1 + 0.2 + 0.3)
    assert usage.of_session(conn, "ses_1").cost_usd == 600_000_000
    assert usage.of_session(conn, "ses_1").api_calls == 3
    assert usage.of_session(conn, "ses_2") == Used()


def test_days_are_those_of_the_time_zone(conn: sqlite3.Connection, far_east: None) -> None:
    spend(conn, "ses_1", 1.0, at=from_rfc3339("2026-11-29T09:59:00Z"))
    spend(conn, "ses_1", 2.0, at=from_rfc3339("2026-11-29T10:01:00Z"))
    days = usage.cost(conn, "day", now=NOON)
    assert [(row.key, row.cost_nano) for row in days] == [("2026-11-30", 2 * NANO), ("2026-11-29", NANO)]


def test_a_session_works_for_one_task_whatever_is_noted_later(conn: sqlite3.Connection) -> None:
    usage.link(conn, "ses_1", "plan-a", "one")
    usage.link(conn, "ses_1", "plan-b", "two")
    assert usage.task_of(conn, "ses_1") == ("plan-a", "one")
    assert usage.task_of(conn, "ses_2") is None
    spend(conn, "ses_1", 1.0)
    spend(conn, "ses_2", 3.0)
    assert usage.of_task(conn, "plan-a", "one", 0).cost_usd == NANO
    assert usage.of_plan(conn, "plan-a", NOON + 1).cost_usd == 0
    assert usage.of_all(conn, NOON).cost_usd == 4 * NANO
    assert {row.key: row.cost_nano for row in usage.cost(conn, "plan", now=NOON)} == {
        "plan-a": NANO, None: 3 * NANO,
    }  # fmt: skip


@given(st.floats(0, 1e6, allow_nan=False))
def test_money_is_counted_to_the_billionth(amount: float) -> None:
    assert written("cost_usd", counted("cost_usd", amount)) == pytest.approx(amount, abs=1e-9)


@pytest.mark.parametrize(
    ("measure", "amount", "words"),
    [
        ("cost_usd", 5 * NANO, "$5.00"), ("cost_usd", 12_300_000, "$0.0123"), ("tokens", 12_000, "12,000 tokens"),
        ("api_calls", 7, "7 calls"), ("time", 90_000, "90 s of work"), ("cost_usd", 0, "$0.00"),
    ],
)  # fmt: skip
def test_amounts_in_words(measure: Measure, amount: int, words: str) -> None:
    assert in_words(measure, amount) == words


def told(conn: sqlite3.Connection, session: str, kind: str, **payload: object) -> None:
    """Store an event of a session."""
    conn.execute(
        "INSERT INTO events (time, session, phase, type, severity, source, payload) "
        "VALUES (0, ?, 'telemetry', ?, 'info', 'x', ?)",
        (session, kind, json.dumps(payload)),
    )


def test_what_is_used_is_summed_by_project_and_model(conn: sqlite3.Connection) -> None:
    for session, agent, model in (("ses_1", "claude", "opus"), ("ses_2", "claude", ""), ("ses_3", "codex", None)):
        told(conn, session, "agent_session", model=model)
        turn = replace(a_session(session), agent=agent)
        usage.add_turn(conn, turn, Stats(), Stats(cost_usd=1.0, tokens_input=5), api_calls=2, at=NOON)
    assert {row.key: row.api_calls for row in usage.cost(conn, "model", now=NOON)} == {
        "claude/opus": 2, "claude": 2, "codex": 2,
    }  # fmt: skip
    (row,) = usage.cost(conn, "project", now=NOON)
    assert (row.key, row.cost_nano) == (a_session("ses_1").project, 3 * NANO)


def test_what_no_agent_told_is_unknown_and_a_command_has_nothing_to_tell(conn: sqlite3.Connection) -> None:
    def turn(session: str, agent: str, cost: float | None, tokens: int = 10) -> None:
        told(conn, session, "turn_ended", process_cost_usd=cost)
        spent = Stats(cost_usd=cost or 0.0, tokens_input=tokens)
        usage.add_turn(conn, replace(a_session(session), agent=agent), Stats(), spent, api_calls=1, at=NOON)

    turn("ses_tells", "claude", 1.0)
    turn("ses_limited", "claude", 0.0, tokens=5)
    turn("ses_codex", "codex", None)
    turn("ses_silent", "gemini", None, tokens=0)
    turn("ses_partly", "acp", 1.0)
    turn("ses_partly", "acp", None)
    usage.add_time(conn, replace(a_session("ses_terminal"), agent="claude-terminal"), 5_000, NOON)
    usage.add_time(conn, replace(a_session("ses_make"), agent="command"), 5_000, NOON)
    assert {row.key: row.unknown for row in usage.cost(conn, "agent", now=NOON)} == {
        "claude": [], "codex": ["cost_usd"], "gemini": ["cost_usd", "tokens"], "acp": ["cost_usd"],
        "claude-terminal": ["cost_usd", "tokens", "api_calls"], "command": [],
    }  # fmt: skip
    assert usage.cost(conn, "project", now=NOON)[0].unknown == ["cost_usd", "tokens", "api_calls"]
