"""A running plan that was read anew: what its revision stops is stopped, and what was asked before it is asked anew.

Both can be done again: it is done as often as the plan is read, also after a crash between the revision and this.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

from supervisor.engine.planruns.committing import Told, key_of
from supervisor.engine.plans.turn import Turn
from supervisor.model.plans import Task, TaskStatus
from supervisor.store import approvals

if TYPE_CHECKING:
    from supervisor.engine.planruns.loop import Loop


async def renew(loop: Loop) -> None:
    """Do what follows from a revision for tasks under way."""
    board = loop.state.board
    for task_id in board.active[TaskStatus.RUNNING]:
        if board.tasks[task_id].fate is not None:
            loop.doing.stop(loop, task_id)
    waiting = [board.tasks[task_id] for task_id in board.active[TaskStatus.WAITING_APPROVAL]]
    if waiting:
        for task in await loop.services.ledger.store.read(_unasked, loop, waiting):
            loop.post(_ask_again(task))


def _ask_again(task: Task) -> Callable[[Turn, Told], None]:
    return lambda turn, _: turn.ask_again(task.id, task.attempts, task.step)


def _unasked(conn: sqlite3.Connection, loop: Loop, waiting: list[Task]) -> list[Task]:
    plan = loop.state.plan
    return [
        task
        for task in waiting
        if approvals.by_key(conn, None, key_of(plan, task.id, task.attempts, task.step)) is None
    ]
