"""Schedules and their runs as rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from supervisor.model.errors import InvalidInput, NotFound, Refused
from supervisor.model.schedules import Run, RunState
from supervisor.store import approvals, schedules
from tests.support.stores import NOON, a_schedule, an_approval, database


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with database(tmp_path, "ses_1") as conn:
        yield conn


def a_run(due: int = NOON, state: RunState = RunState.DUE) -> Run:
    return Run("sch_1", due, f"nightly-{due}", state, "It is due.", NOON)


def test_what_is_stored_comes_back(conn: sqlite3.Connection) -> None:
    schedule = a_schedule()
    schedules.insert(conn, schedule)
    assert schedules.get(conn, "sch_1") == schedule
    changed = replace(schedule, since=NOON + 1, paused_at=NOON + 2)
    schedules.update(conn, changed)
    assert schedules.find(conn) == [changed]
    assert schedules.find(conn, project="prj_1", plan="nightly") == [changed]
    assert schedules.find(conn, plan="other") == schedules.find(conn, project="prj_2") == []
    assert schedules.orphaned(conn) == [changed], "there is no such plan"


def test_it_is_meant_by_its_id_and_by_its_plan(conn: sqlite3.Connection) -> None:
    schedules.insert(conn, a_schedule("sch_1"))
    schedules.insert(conn, a_schedule("sch_2", plan="weekly"))
    assert schedules.resolve(conn, "sch_2").plan == "weekly"
    assert schedules.resolve(conn, "nightly").id == "sch_1"
    with pytest.raises(InvalidInput, match="can mean 2 schedules"):
        schedules.resolve(conn, "sch")
    schedules.update(conn, a_schedule("sch_1", removed_at=NOON))
    assert schedules.get(conn, "sch_1").removed_at == NOON
    with pytest.raises(NotFound):
        schedules.resolve(conn, "nightly")
    with pytest.raises(NotFound):
        schedules.get(conn, "sch_3")


def test_there_is_one_run_for_a_time(conn: sqlite3.Connection) -> None:
    schedules.insert(conn, a_schedule())
    assert schedules.add_run(conn, a_run())
    assert not schedules.add_run(conn, a_run(state=RunState.STARTED))
    assert schedules.last_runs(conn, "sch_1", 2) == [a_run()]


def test_a_run_moves_only_from_where_it_was_read(conn: sqlite3.Connection) -> None:
    schedules.insert(conn, a_schedule())
    approvals.insert(conn, an_approval())
    schedules.add_run(conn, a_run())
    moved = schedules.move_run(conn, a_run(), RunState.WAITING, "It waits.", NOON + 5, approval="app_1")
    assert schedules.last_runs(conn, "sch_1", 2) == [moved]
    assert (moved.state, moved.reason, moved.at, moved.approval) == (RunState.WAITING, "It waits.", NOON + 5, "app_1")
    with pytest.raises(Refused, match="not due any more"):
        schedules.move_run(conn, a_run(), RunState.STARTED, "", NOON)
    assert schedules.move_run(conn, moved, RunState.STARTED, "", NOON).approval == "app_1"


def test_open_ones_and_the_newest(conn: sqlite3.Connection) -> None:
    schedules.insert(conn, a_schedule())
    for number, state in enumerate(RunState):
        schedules.add_run(conn, a_run(NOON - number, state))
    assert {run.state for run in schedules.open_runs(conn)} == {RunState.DUE, RunState.WAITING, RunState.STARTING}
    assert [run.due for run in schedules.open_runs(conn)] == sorted(run.due for run in schedules.open_runs(conn))
    assert [run.due for run in schedules.last_runs(conn, "sch_1", 2)] == [NOON, NOON - 1]
