"""Which status of a plan or a task may follow which."""

from __future__ import annotations

from itertools import product

import pytest

from supervisor.model.errors import IllegalMove
from supervisor.model.plans import (
    PLAN_ENDED,
    PLAN_MOVES,
    TASK_ENDED,
    TASK_MOVES,
    PlanStatus,
    TaskStatus,
    check_plan_move,
    check_task_move,
)


@pytest.mark.parametrize(("old", "new"), list(product(PlanStatus, repeat=2)))
def test_moves_of_plans_are_exactly_those_of_the_table(old: PlanStatus, new: PlanStatus) -> None:
    if new in PLAN_MOVES[old]:
        check_plan_move(old, new)
    else:
        with pytest.raises(IllegalMove, match=f"{old} cannot become {new}"):
            check_plan_move(old, new)


@pytest.mark.parametrize(("old", "new"), list(product(TaskStatus, repeat=2)))
def test_moves_of_tasks_are_exactly_those_of_the_table(old: TaskStatus, new: TaskStatus) -> None:
    if new in TASK_MOVES[old]:
        check_task_move(old, new)
    else:
        with pytest.raises(IllegalMove, match=f"{old} cannot become {new}"):
            check_task_move(old, new)


def test_every_status_says_where_it_leads_and_nothing_becomes_what_it_is() -> None:
    assert set(PLAN_MOVES) == set(PlanStatus)
    assert set(TASK_MOVES) == set(TaskStatus)
    assert not [plan for plan in PlanStatus if plan in PLAN_MOVES[plan]]
    assert not [task for task in TaskStatus if task in TASK_MOVES[task]]


def test_every_status_is_reached() -> None:
    plans = {PlanStatus.DRAFT}
    while more := {new for old in plans for new in PLAN_MOVES[old]} - plans:
        plans |= more
    assert plans == set(PlanStatus)
    tasks = {TaskStatus.PENDING}
    while found := {new for old in tasks for new in TASK_MOVES[old]} - tasks:
        tasks |= found
    assert tasks == set(TaskStatus)


def test_what_was_abandoned_stays_so_and_everything_can_be() -> None:
    assert not PLAN_MOVES[PlanStatus.ABANDONED]
    assert not TASK_MOVES[TaskStatus.ABANDONED]
    for plan in set(PlanStatus) - PLAN_ENDED:
        assert PlanStatus.ABANDONED in PLAN_MOVES[plan]
    for task in set(TaskStatus) - TASK_ENDED:
        assert TaskStatus.ABANDONED in TASK_MOVES[task]
