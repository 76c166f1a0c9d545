"""Projects and sessions: found by a few letters, moved only as the model allows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from supervisor.model.entities import Project, Reason
from supervisor.model.errors import IllegalMove, InvalidInput, NotFound, Refused
from supervisor.model.statuses import SessionStatus
from supervisor.store import projects, sessions, spools
from tests.support.stores import NOON, PROJECT, a_session, database

S = SessionStatus


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with database(tmp_path) as opened:
        yield opened


def test_a_new_sessions_log_is_unread(conn: sqlite3.Connection) -> None:
    sessions.insert(conn, a_session())
    assert spools.get(conn, "ses_1") == spools.Position()


def test_a_session_is_added_once(conn: sqlite3.Connection) -> None:
    sessions.insert(conn, a_session())
    with pytest.raises(Refused, match="cannot be added"):
        sessions.insert(conn, a_session(folder="/elsewhere"))


def test_two_sessions_never_share_a_folder(conn: sqlite3.Connection) -> None:
    sessions.insert(conn, a_session())
    with pytest.raises(Refused, match="folder"):
        sessions.insert(conn, a_session("ses_2", folder=a_session().folder))


@pytest.mark.parametrize("field", ["project", "parent"])
def test_a_session_belongs_to_what_is_there(field: str, conn: sqlite3.Connection) -> None:
    with pytest.raises(Refused, match="FOREIGN KEY"):
        sessions.insert(conn, a_session(**{field: "nothing"}))


def test_a_legal_move_is_stored_with_its_reason(conn: sqlite3.Connection) -> None:
    sessions.insert(conn, a_session())
    moved = a_session(status=S.PREPARING, reason=Reason("queue", "A place is free.", NOON + 1))
    sessions.update(conn, moved)
    assert sessions.get(conn, "ses_1") == moved


def test_an_illegal_move_changes_nothing(conn: sqlite3.Connection) -> None:
    sessions.insert(conn, a_session())
    with pytest.raises(IllegalMove, match="queued cannot become completed"):
        sessions.update(conn, a_session(status=S.COMPLETED, name="other"))
    assert sessions.get(conn, "ses_1") == a_session()


def test_a_stale_copy_cannot_bring_an_ended_session_back(conn: sqlite3.Connection) -> None:
    stale = a_session(status=S.RUNNING)
    sessions.insert(conn, stale)
    sessions.update(conn, replace(stale, status=S.FAILED))
    with pytest.raises(IllegalMove, match="failed cannot become running"):
        sessions.update(conn, replace(stale, priority=5))


def test_a_session_that_is_not_there_is_not_found(conn: sqlite3.Connection) -> None:
    with pytest.raises(NotFound, match="ses_9"):
        sessions.get(conn, "ses_9")
    with pytest.raises(NotFound, match="ses_9"):
        sessions.update(conn, a_session("ses_9"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("ses_1a", "ses_1a"), ("ses_1ab", "ses_1abcd"), ("ses_2", "ses_2xyz"), ("tests", "ses_2xyz")],
)
def test_a_session_is_found_by_id_beginning_or_name(text: str, expected: str, conn: sqlite3.Connection) -> None:
    for session in (a_session("ses_1a"), a_session("ses_1abcd"), a_session("ses_2xyz", name="tests")):
        sessions.insert(conn, session)
    assert sessions.resolve(conn, text).id == expected


def test_a_name_beats_a_beginning(conn: sqlite3.Connection) -> None:
    sessions.insert(conn, a_session("ses_1a"))
    sessions.insert(conn, a_session("ses_2", name="ses_1"))
    assert sessions.resolve(conn, "ses_1").id == "ses_2"


def test_an_ambiguous_text_lists_what_it_can_mean(conn: sqlite3.Connection) -> None:
    for number in range(7):
        sessions.insert(conn, a_session(f"ses_{number}", name="twin"))
    with pytest.raises(InvalidInput, match=r"can mean 7 sessions: ses_0 \(twin\), .* and 2 more") as caught:
        sessions.resolve(conn, "twin")
    assert caught.value.hint
    with pytest.raises(InvalidInput):
        sessions.resolve(conn, "ses_")


@pytest.mark.parametrize("text", ["", "nobody", "%", "ses_%", "*", "'; --", "SES_1", "\U0010ffff"])
def test_what_means_no_session_is_not_found(text: str, conn: sqlite3.Connection) -> None:
    sessions.insert(conn, a_session())
    with pytest.raises(NotFound):
        sessions.resolve(conn, text)


def test_sessions_are_listed_by_status_and_project(conn: sqlite3.Connection) -> None:
    projects.insert(conn, Project("prj_2", "lib", "/repo/lib", "main", NOON))
    sessions.insert(conn, a_session("ses_1"))
    sessions.insert(conn, a_session("ses_2", status=S.RUNNING))
    sessions.insert(conn, a_session("ses_3", status=S.RUNNING, project="prj_2"))
    assert [found.id for found in sessions.find(conn)] == ["ses_1", "ses_2", "ses_3"]
    assert [found.id for found in sessions.find(conn, statuses={S.RUNNING})] == ["ses_2", "ses_3"]
    assert [found.id for found in sessions.find(conn, statuses={S.RUNNING}, project="prj_2")] == ["ses_3"]
    assert [found.id for found in sessions.find(conn, project="prj_1")] == ["ses_1", "ses_2"]
    assert sessions.find(conn, statuses=()) == []
    assert sessions.count(conn) == {S.QUEUED: 1, S.RUNNING: 2}


def test_a_root_is_one_project(conn: sqlite3.Connection) -> None:
    with pytest.raises(Refused, match="/repo/app is a project already"):
        projects.insert(conn, replace(PROJECT, id="prj_2"))


def test_a_project_is_found_by_id_name_and_root(conn: sqlite3.Connection) -> None:
    assert projects.get(conn, "prj_1") == PROJECT
    assert projects.resolve(conn, "app") == PROJECT
    assert projects.by_root(conn, "/repo/app") == PROJECT
    assert projects.by_root(conn, "/repo") is None
    assert projects.find(conn) == [PROJECT]


def test_a_project_can_change_its_branch(conn: sqlite3.Connection) -> None:
    projects.update(conn, replace(PROJECT, default_branch="trunk"))
    assert projects.get(conn, "prj_1").default_branch == "trunk"


def test_a_project_with_sessions_stays(conn: sqlite3.Connection) -> None:
    sessions.insert(conn, a_session())
    with pytest.raises(Refused, match="Sessions, plans or artifacts belong to this project"):
        projects.remove(conn, "prj_1")


def test_a_project_without_sessions_is_forgotten(conn: sqlite3.Connection) -> None:
    projects.remove(conn, "prj_1")
    for attempt in (
        lambda: projects.remove(conn, "prj_1"),
        lambda: projects.get(conn, "prj_1"),
        lambda: projects.update(conn, PROJECT),
    ):
        with pytest.raises(NotFound):
            attempt()
