"""Artifacts and uploads in the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from supervisor.model.artifacts import Upload
from supervisor.model.errors import InvalidInput, NotFound, Refused
from supervisor.model.plans import PlanStatus
from supervisor.store import artifacts, plans, projects, uploads
from tests.support.stores import NOON, PROJECT, a_draft, database
from tests.unit.test_store_plans import a_plan

ONE, TWO = "1" * 64, "2" * 64


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with database(tmp_path, "ses_1", "ses_2") as opened:
        plans.insert(opened, a_plan())
        yield opened


def test_what_is_stored_comes_back(conn: sqlite3.Connection) -> None:
    draft = a_draft(
        kind="evidence", session="ses_1", attempt="att_1", provenance={"command": ["make"]}, statement="It works",
        stance="refutes", retention="1h",
    )  # fmt: skip
    kept = artifacts.insert(conn, draft, NOON)
    assert artifacts.get(conn, kept.id) == kept
    assert (kept.version, kept.provenance, kept.stance) == (1, {"command": ["make"]}, "refutes")
    assert kept.expires_at == NOON + 3_600_000
    assert artifacts.resolve(conn, kept.id[:12]) == kept
    assert artifacts.resolve(conn, kept.sha256) == kept
    with pytest.raises(NotFound, match="hash"):
        artifacts.resolve(conn, TWO)


def test_a_name_put_again_is_a_new_version_of_its_address(conn: sqlite3.Connection) -> None:
    one = artifacts.insert(conn, a_draft(sha256=ONE), NOON)
    two = artifacts.insert(conn, a_draft(sha256=TWO), NOON + 1)
    elsewhere = [
        artifacts.insert(conn, draft, NOON + 2)
        for draft in (
            a_draft(task="b"),
            a_draft(kind="evidence"),
            a_draft(name="other"),
            a_draft(plan=None, task=None, session="ses_1", retention="project"),
            a_draft(plan=None, task=None, session="ses_2", retention="project"),
            a_draft(plan=None, task=None, retention="project"),
        )
    ]
    assert [one.version, two.version] == [1, 2]
    assert [each.version for each in elsewhere] == [1] * 6
    # Another session of the same task goes on with the task's versions.
    assert artifacts.insert(conn, a_draft(session="ses_2"), NOON).version == 3
    assert artifacts.newest(conn, "plan-search", "b", "report.html") == elsewhere[0]
    assert artifacts.find(conn, name="report.html", version=2) == [two]
    assert artifacts.find(conn, kind="evidence") == [elsewhere[1]]
    with pytest.raises(NotFound, match="has kept no artifact 'x'"):
        artifacts.newest(conn, "plan-search", "a", "x")


def test_what_an_attempt_has_put_is_known_again(conn: sqlite3.Connection) -> None:
    draft = a_draft(attempt="att_1", sha256=ONE)
    assert artifacts.of_attempt(conn, draft) is None
    kept = artifacts.insert(conn, draft, NOON)
    assert artifacts.of_attempt(conn, draft) == kept
    for other in ({"sha256": TWO}, {"attempt": "att_2"}, {"attempt": None}, {"name": "x"}, {"task": "b"}):
        assert artifacts.of_attempt(conn, replace(draft, **other)) is None
    artifacts.remove(conn, kept.id, NOON)
    assert artifacts.of_attempt(conn, draft) is None


def test_nothing_of_it_is_ever_changed_or_deleted(conn: sqlite3.Connection) -> None:
    kept = artifacts.insert(conn, a_draft(), NOON)
    for column in artifacts.SHAPE.columns:
        if column != "removed_at":
            with pytest.raises(sqlite3.IntegrityError, match="never changed"):
                conn.execute(f"UPDATE artifacts SET {column} = {column}")  # noqa: S608 - names of columns
    with pytest.raises(sqlite3.IntegrityError, match="stays"):
        conn.execute("DELETE FROM artifacts")
    artifacts.remove(conn, kept.id, NOON + 5)
    assert artifacts.get(conn, kept.id).removed_at == NOON + 5


def test_a_version_that_is_gone_is_not_given_again(conn: sqlite3.Connection) -> None:
    artifacts.insert(conn, a_draft(), NOON)
    two = artifacts.insert(conn, a_draft(), NOON)
    artifacts.remove(conn, two.id, NOON)
    assert artifacts.newest(conn, "plan-search", "a", "report.html").version == 1
    assert artifacts.insert(conn, a_draft(), NOON).version == 3


def test_only_what_its_time_is_over_is_overdue(conn: sqlite3.Connection) -> None:
    hour = artifacts.insert(conn, a_draft(retention="1h", sha256=ONE), NOON)
    artifacts.insert(conn, a_draft(retention="2h"), NOON)
    artifacts.insert(conn, a_draft(retention="forever"), NOON)
    assert artifacts.overdue(conn, NOON + 3_599_999) == []
    assert artifacts.overdue(conn, NOON + 3_600_000) == [hour]
    assert artifacts.is_kept(conn, ONE)
    artifacts.remove(conn, hour.id, NOON)
    assert artifacts.overdue(conn, NOON + 3_600_000) == []
    assert not artifacts.is_kept(conn, ONE)
    assert artifacts.contents(conn) == {"0" * 64}


def test_a_plan_that_is_deleted_takes_with_it_what_was_kept_as_long(conn: sqlite3.Connection) -> None:
    gone = [artifacts.insert(conn, a_draft(retention=each), NOON) for each in ("task", "plan")]
    for each in ("project", "forever", "1w"):
        artifacts.insert(conn, a_draft(retention=each), NOON)
    other = artifacts.insert(conn, a_draft(plan="plan-other"), NOON)
    plans.delete(conn, "plan-search")
    assert {each.retention for each in artifacts.find(conn)} == {"project", "forever", "1w", "plan"}
    assert artifacts.get(conn, other.id).removed_at is None
    removed = artifacts.get(conn, gone[0].id).removed_at
    assert removed is not None
    assert removed > NOON
    # For a plan that is made anew under the id, what is still there is another one's.
    plans.insert(conn, replace(a_plan(status=PlanStatus.PENDING), created_at=NOON + 1))
    with pytest.raises(NotFound):
        artifacts.newest(conn, "plan-search", "a", "report.html")
    assert artifacts.insert(conn, a_draft(), NOON + 1).version == 6
    assert artifacts.newest(conn, "plan-search", "a", "report.html").version == 6


def test_what_it_belongs_to_must_be_there(conn: sqlite3.Connection) -> None:
    with pytest.raises(Refused, match="cannot be kept"):
        artifacts.insert(conn, a_draft(project="prj_9"), NOON)
    with pytest.raises(Refused, match="cannot be kept"):
        artifacts.insert(conn, a_draft(session="ses_9"), NOON)
    with pytest.raises(NotFound):
        artifacts.resolve(conn, "")
    for _ in range(2):
        artifacts.insert(conn, a_draft(), NOON)
    with pytest.raises(InvalidInput, match="can mean 2 artifacts"):
        artifacts.resolve(conn, "art_")


def test_a_project_stays_while_artifacts_belong_to_it(conn: sqlite3.Connection) -> None:
    artifacts.insert(conn, a_draft(), NOON)
    with pytest.raises(Refused, match="artifacts belong to this project"):
        projects.remove(conn, PROJECT.id)


def test_an_upload_is_gone_on_with_by_who_began_it(conn: sqlite3.Connection) -> None:
    draft = a_draft()
    uploads.insert(conn, Upload(id="upl_1", draft=draft, created_at=NOON))
    found = uploads.like(conn, draft)
    assert found is not None
    assert found.draft == draft
    assert uploads.like(conn, replace(draft, created_by="somebody else")) is None
    assert uploads.count_open(conn, draft.created_by) == 1
    assert uploads.count_open(conn, "somebody else") == 0
    assert uploads.unfinished(conn) == {"upl_1"}
    kept = artifacts.insert(conn, draft, NOON)
    uploads.finish(conn, "upl_1", kept.id)
    assert uploads.like(conn, draft) is None
    assert uploads.get(conn, "upl_1").artifact == kept.id
    assert (uploads.count_open(conn, draft.created_by), uploads.unfinished(conn)) == (0, set())
    assert uploads.stale(conn, NOON) == []
    assert [each.id for each in uploads.stale(conn, NOON + 1)] == ["upl_1"]
    uploads.delete(conn, "upl_1")
    with pytest.raises(NotFound, match="no upload upl_1"):
        uploads.get(conn, "upl_1")
