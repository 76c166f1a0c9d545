"""Entities survive being stored, whatever is in them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supervisor.model.entities import Activity, Reason, Session, Stats, Work
from supervisor.model.statuses import SessionStatus
from supervisor.store import attempts, audit, outbox, pauses, plans, projects, sessions, tasks, tokens
from supervisor.store.rows import to_json
from tests.support.stores import NOON, a_session, database

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
MAYBE = st.none() | TEXT
TIMES = st.none() | st.integers(0, 2**53)


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with database(tmp_path, "ses_1") as opened:
        yield opened


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("sessions", sessions.SHAPE.columns),
        ("attempts", attempts.SHAPE.columns),
        ("projects", projects.SHAPE.columns),
        ("plans", plans.SHAPE.columns),
        ("revisions", plans.REVISION.columns),
        ("tasks", tasks.SHAPE.columns),
        ("audit", audit.SHAPE.columns),
        ("outbox", outbox.SHAPE.columns),
        ("agent_pauses", pauses.SHAPE.columns),
        ("tokens", tokens.SHAPE.columns),
    ],
)
def test_a_table_has_exactly_the_columns_of_its_entity(
    table: str, columns: tuple[str, ...], conn: sqlite3.Connection
) -> None:
    assert {row["name"] for row in conn.execute(f"PRAGMA table_info({table})")} == set(columns)


def test_an_update_of_a_session_stores_everything_that_may_change() -> None:
    identity = {"id", "project", "created_at", "folder", "parent"}
    changed, _ = sessions.SQL["update"].split("WHERE")
    stored = {field.name for field in fields(Session) if f" {field.name} = :{field.name}" in changed}
    assert {field.name for field in fields(Session)} - stored == identity


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    st.builds(
        Session,
        id=st.just("ses_1"),
        name=TEXT,
        project=st.just("prj_1"),
        mode=st.sampled_from(["autonomous", "dispatch"]),
        agent=TEXT,
        executor=st.sampled_from(["local", "tmux", "docker"]),
        work=st.builds(Work, argv=st.lists(TEXT).map(tuple), prompt=MAYBE),
        status=st.just(SessionStatus.QUEUED),
        reason=st.builds(Reason, signal=TEXT, text=TEXT, at=st.integers(0, 2**53)),
        created_at=st.just(NOON),
        folder=st.just("/state/sessions/ses_1"),
        task=MAYBE,
        parent=st.none(),
        priority=st.integers(-100, 100),
        activity=st.builds(Activity, state=TEXT, tool=MAYBE, argument=MAYBE, at=st.integers(0, 2**53)),
        stats=st.builds(
            Stats,
            tools_used=st.dictionaries(TEXT, st.integers(0, 2**31)),
            cost_usd=st.floats(0, 1e6),
            errors=st.dictionaries(TEXT, st.integers(0, 2**31)),
            turn_error=MAYBE,
        ),
        agent_session_ids=st.lists(TEXT).map(tuple),
        worktree=MAYBE,
        budget_usd=st.none() | st.floats(0, 1e6),
        exit_code=st.none() | st.integers(0, 255),
        ended_at=TIMES,
        resume_at=TIMES,
    )
)
def test_any_session_survives_being_stored(conn: sqlite3.Connection, session: Session) -> None:
    sessions.update(conn, session)
    assert sessions.get(conn, "ses_1") == session


def test_a_row_that_does_not_fit_is_refused(conn: sqlite3.Connection) -> None:
    conn.execute("UPDATE sessions SET executor = 'cloud'")
    with pytest.raises(msgspec.ValidationError, match="executor"):
        sessions.get(conn, "ses_1")


def test_the_tables_refuse_values_of_the_wrong_type(conn: sqlite3.Connection) -> None:
    wrong = replace(a_session("ses_2"), created_at="noon")  # type: ignore[arg-type]
    with pytest.raises(Exception, match="cannot store TEXT value in INTEGER column"):
        sessions.insert(conn, wrong)


def test_the_same_value_gives_the_same_json() -> None:
    assert (
        to_json({"b": 1, "a": [Work(argv=("x",))]})
        == '{"a":[{"argv":["x"],"prompt":null,"answer":null,"answer_key":null}],"b":1}'
    )
