"""Plans, revisions and tasks in the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from supervisor.model.entities import Reason
from supervisor.model.errors import InvalidInput, NotFound, Refused
from supervisor.model.plans import Plan, PlanStatus, Revision, Task, TaskStatus
from supervisor.store import plans, tasks
from tests.support.stores import NOON, PROJECT, database

ASKED = Reason("person", "It was created.", NOON)


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with database(tmp_path, "ses_1") as opened:
        yield opened


def a_plan(plan_id: str = "plan-search", **fields: Any) -> Plan:
    given: dict[str, Any] = {"title": "Build the search", "status": PlanStatus.PENDING, "reason": ASKED}
    return Plan(id=plan_id, project=PROJECT.id, created_at=NOON, **{**given, **fields})


def a_revision(number: int = 1, plan_id: str = "plan-search", **fields: Any) -> Revision:
    return Revision(plan_id, number, f'{{"id":"{plan_id}"}}', "person", NOON + number, **fields)


def a_task(task_id: str = "a", position: int = 0, **fields: Any) -> Task:
    given: dict[str, Any] = {"kind": "implement", "title": "First", "digest": "d", "status": TaskStatus.PENDING}
    return Task("plan-search", 1, task_id, position, reason=ASKED, **{**given, **fields})


@pytest.fixture
def stored(conn: sqlite3.Connection) -> sqlite3.Connection:
    plans.insert(conn, a_plan())
    plans.add_revision(conn, a_revision())
    tasks.insert(conn, [a_task("a"), a_task("b", 1, needs=("a",)), a_task("c", 2, needs=("a", "b"))])
    return conn


class TestPlans:
    def test_what_is_stored_comes_back(self, stored: sqlite3.Connection) -> None:
        full = replace(
            a_plan(), status=PlanStatus.RUNNING, owner="person", priority=3, advance="auto", branch="qd/plan-search",
            base_commit="0" * 40, worktree="/w", started_at=NOON, ended_at=NOON + 1, archived_at=NOON + 2,
        )  # fmt: skip
        plans.update(stored, full)
        assert plans.get(stored, "plan-search") == full

    def test_an_id_is_taken_once(self, stored: sqlite3.Connection) -> None:
        with pytest.raises(Refused, match="There is a plan plan-search already"):
            plans.insert(stored, a_plan(title="Another"))

    def test_it_needs_its_project(self, conn: sqlite3.Connection) -> None:
        with pytest.raises(Refused, match="cannot be added"):
            plans.insert(conn, replace(a_plan(), project="prj_none"))

    def test_a_plan_that_is_not_there(self, conn: sqlite3.Connection) -> None:
        for act in (plans.get, plans.delete, plans.resolve):
            with pytest.raises(NotFound):
                act(conn, "plan-none")
        with pytest.raises(NotFound):
            plans.update(conn, a_plan())
        with pytest.raises(NotFound):
            plans.revision(conn, "plan-none", 1)

    def test_it_is_meant_by_its_beginning_or_its_title(self, stored: sqlite3.Connection) -> None:
        plans.insert(stored, a_plan("plan-settings", title="Settings"))
        assert plans.resolve(stored, "plan-sea").id == "plan-search"
        assert plans.resolve(stored, "Settings").id == "plan-settings"
        with pytest.raises(InvalidInput, match="can mean 2 plans"):
            plans.resolve(stored, "plan-se")

    def test_lists_are_narrowed(self, stored: sqlite3.Connection) -> None:
        plans.insert(stored, a_plan("plan-old", archived_at=NOON))
        plans.insert(stored, a_plan("plan-draft", status=PlanStatus.DRAFT))
        assert [plan.id for plan in plans.find(stored)] == ["plan-draft", "plan-search"]
        assert [plan.id for plan in plans.find(stored, archived=True)] == ["plan-draft", "plan-old", "plan-search"]
        assert [plan.id for plan in plans.find(stored, statuses=[PlanStatus.DRAFT])] == ["plan-draft"]
        assert plans.find(stored, project="prj_other") == []

    def test_what_is_deleted_takes_its_revisions_and_tasks_along(self, stored: sqlite3.Connection) -> None:
        plans.add_revision(stored, a_revision(2, parent=1))
        plans.delete(stored, "plan-search")
        assert plans.find(stored, archived=True) == []
        assert plans.revisions(stored, "plan-search") == []
        assert tasks.of_revision(stored, "plan-search", 1) == []


class TestRevisions:
    def test_they_are_kept_in_order(self, stored: sqlite3.Connection) -> None:
        second = a_revision(2, parent=1, diff="-a\n+b\n", rationale="b is better")
        plans.add_revision(stored, second)
        assert plans.revisions(stored, "plan-search") == [a_revision(), second]
        assert plans.revision(stored, "plan-search", 2) == second

    def test_two_at_once_are_not_both_taken(self, stored: sqlite3.Connection) -> None:
        plans.add_revision(stored, a_revision(2, parent=1))
        with pytest.raises(Refused, match="Revision 2 of plan-search cannot be added"):
            plans.add_revision(stored, a_revision(2, parent=1, rationale="another"))

    def test_a_parent_must_be_there(self, stored: sqlite3.Connection) -> None:
        with pytest.raises(Refused):
            plans.add_revision(stored, a_revision(3, parent=2))

    def test_one_is_never_changed(self, stored: sqlite3.Connection) -> None:
        with pytest.raises(sqlite3.IntegrityError, match="never changed"):
            stored.execute("UPDATE revisions SET document = 'x'")


class TestTasks:
    def test_what_is_stored_comes_back(self, stored: sqlite3.Connection) -> None:
        before = tasks.get(stored, "plan-search", 1, "a")
        after = replace(
            before, status=TaskStatus.READY, attempts=2, session="ses_1", input_hash="h",
            result={"exit_code": 0, "outputs": ["a.txt"]}, started_at=NOON, ended_at=NOON + 1,
        )  # fmt: skip
        tasks.move(stored, before, after)
        assert tasks.of_revision(stored, "plan-search", 1) == [
            after,
            a_task("b", 1, needs=("a",)),
            a_task("c", 2, needs=("a", "b")),
        ]
        assert tasks.count(stored, "plan-search", 1) == {TaskStatus.READY: 1, TaskStatus.PENDING: 2}

    def test_only_what_has_changed_is_stored(self, stored: sqlite3.Connection) -> None:
        before = tasks.get(stored, "plan-search", 1, "a")
        stored.execute("UPDATE tasks SET title = 'another' WHERE id = 'a'")
        tasks.move(stored, before, replace(before, status=TaskStatus.READY))
        found = tasks.get(stored, "plan-search", 1, "a")
        assert (found.status, found.title) == (TaskStatus.READY, "another")
        tasks.move(stored, found, replace(found))
        assert tasks.get(stored, "plan-search", 1, "a") == found

    def test_they_are_counted_for_every_plan_in_the_revision_in_force(self, stored: sqlite3.Connection) -> None:
        plans.insert(stored, a_plan("plan-other"))
        assert tasks.counts(stored) == {"plan-search": {TaskStatus.PENDING: 3}}
        plans.add_revision(stored, a_revision(2, parent=1))
        tasks.insert(stored, [replace(a_task("a"), revision=2, status=TaskStatus.COMPLETED)])
        plans.update(stored, a_plan(revision=2))
        assert tasks.counts(stored) == {"plan-search": {TaskStatus.COMPLETED: 1}}

    def test_of_two_changes_at_once_one_is_told(self, stored: sqlite3.Connection) -> None:
        before = tasks.get(stored, "plan-search", 1, "a")
        tasks.move(stored, before, replace(before, status=TaskStatus.READY))
        with pytest.raises(Refused, match="The task a is ready by now"):
            tasks.move(stored, before, replace(before, status=TaskStatus.SKIPPED))

    def test_a_task_that_is_not_there(self, stored: sqlite3.Connection) -> None:
        with pytest.raises(NotFound, match="has no task z"):
            tasks.get(stored, "plan-search", 1, "z")

    @pytest.mark.parametrize("task", [a_task("a"), replace(a_task("z"), revision=9)])
    def test_one_is_added_once_and_to_a_revision_that_is_there(self, stored: sqlite3.Connection, task: Task) -> None:
        with pytest.raises(Refused):
            tasks.insert(stored, [task])
