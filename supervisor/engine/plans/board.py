"""How the tasks of a running plan stand, kept so that a turn costs what it changes and not what the plan has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from supervisor.engine.plans.limits import is_watched
from supervisor.model.plans import Task, TaskStatus

ACTIVE: Final = (TaskStatus.READY, TaskStatus.RUNNING, TaskStatus.WAITING_APPROVAL)


class Board:
    """Tasks by id, their statuses, who is ready, runs or waits for a person, whose limits are watched, and who is ready
    and was ``delayed``: it is not tried again before its time.

    ``settled`` is true once what follows from how the tasks stand has been looked at, for all of them.
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        self.tasks: dict[str, Task] = {}
        self.statuses: dict[str, TaskStatus] = {}
        self.settled = False
        self.watched: set[str] = set()
        self.delayed: set[str] = set()
        self.active: dict[TaskStatus, set[str]] = {status: set() for status in ACTIVE}
        self.put({task.id: task for task in tasks})

    def put(self, changed: Mapping[str, Task]) -> None:
        """Take tasks as they are now."""
        for task_id, task in changed.items():
            before = self.statuses.get(task_id)
            self.tasks[task_id] = task
            keep(self.watched, task_id, is_watched(task))
            keep(self.delayed, task_id, is_delayed(task))
            if before is task.status:
                continue
            self.statuses[task_id] = task.status
            if before in self.active:
                self.active[before].discard(task_id)
            if task.status in self.active:
                self.active[task.status].add(task_id)


def is_delayed(task: Task) -> bool:
    """Whether a task is ready but for the time before which it is not tried again."""
    return task.not_before is not None and task.status is TaskStatus.READY


def keep(tasks: set[str], task: str, there: bool) -> None:
    """Have a task in a set, or not."""
    if there:
        tasks.add(task)
    else:
        tasks.discard(task)
