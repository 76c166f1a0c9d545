"""What a person asks of a running plan. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from supervisor.engine.plans import reusing
from supervisor.engine.plans.stepping import Steps
from supervisor.model.budgets import BUDGET
from supervisor.model.errors import Refused
from supervisor.model.plans import (
    PLAN_ENDED,
    TASK_ENDED,
    PlanStatus,
    TaskStatus,
)

T = TaskStatus
P = PlanStatus

RUNS_AGAIN: Final = frozenset({T.COMPLETED, T.FAILED, T.SKIPPED, T.BLOCKED})
"""What a person may have done once more."""

WAITS: Final = frozenset({T.READY, T.WAITING_APPROVAL})
"""What has not begun, or waits for a person."""


class Wishes(Steps):
    """Takes in what persons want; Refused when it cannot be."""

    def begin(self, by: str, **place: Any) -> None:
        """A person starts the plan: the one explicit start that it has. ``place`` is where it works."""
        self._plan(P.RUNNING, "person", f"{by} started it.", started_at=self.now, **place)

    def pause(self, by: str, why: str = "") -> None:
        """Begin nothing more; what runs goes on to its end. ``why`` says which budget is used up."""
        self._plan(P.PAUSED, BUDGET if why else "person", why or f"{by} paused it. What runs goes on to its end.")

    def resume(self, by: str) -> None:
        """Let a paused plan go on."""
        if self.plan.status is not P.PAUSED:
            raise Refused(f"{self.plan.id} is {self.plan.status}, not paused.")
        self._plan(P.RUNNING, "person", f"{by} resumed it.")

    def cancel(self, by: str) -> None:
        """Give the plan up: what runs is stopped, and nothing more begins."""
        self._plan(P.ABANDONED, "person", f"{by} cancelled it.", ended_at=self.now)
        for task, status in list(self._statuses.items()):
            if status in TASK_ENDED:
                continue
            if status is T.RUNNING:
                self.stops.append(task)
            self.move(task, T.ABANDONED, "person", f"{by} cancelled the plan.", ended_at=self.now, fate=None)

    def release(self, by: str, *, level: bool) -> list[str]:
        """Let the next ready task run, or with ``level`` all that are ready; returns which. Refused when none is."""
        self._settle()
        ready = [self.task(task) for task in self._active[T.READY]]
        ready = sorted((each for each in ready if each.released_by is None), key=lambda each: self._urgency(each.id))
        if not ready:
            raise Refused(
                f"Nothing of {self.plan.id} is ready.", hint=f"`quarterdeck plan show {self.plan.id}` says why."
            )
        chosen = ready if level else ready[:1]
        for each in chosen:
            self.put(replace(each, released_by=by))
        return [each.id for each in chosen]

    def let_run(self, task: str, by: str, *, force: bool = False) -> list[str]:
        """Let a task run now: one that is ready, or one that has ended, once more. Returns what waits for its turn.

        With ``force`` what it gave before is not taken, whether anything has changed or not.
        """
        self._settle()
        now = self.task(task)
        if now.status is T.READY:
            self.put(replace(now, released_by=by, not_before=None))
            found = [task]
        else:
            found = self.run_again(task, by)
        if force:
            reusing.force(self, task, by)
        return found

    def run_again(self, task: str, by: str) -> list[str]:
        """Have a task done once more; what was skipped because of it waits anew. Returns all of them."""
        now = self._in_force(task)
        if now.status not in RUNS_AGAIN:
            raise Refused(
                f"The task {task} is {now.status}.", hint="Only one that has ended, or is blocked, runs again."
            )
        if self.plan.status is P.ABANDONED:
            raise Refused(f"{self.plan.id} was cancelled.", hint="Create it as a new plan, with another id.")
        revived = self.program.progress.revived_with(self._statuses, task)
        word = f"{by} has it done once more."
        self.move(task, T.READY, "person", word, released_by=by, step=0, not_before=None, ended_at=None)
        waiting = [each for each in self.program.progress.after(task) if self._statuses[each] in WAITS]
        for each in waiting:
            # What it needs is not done any more: what it asked, it asks anew.
            if self._statuses[each] is T.WAITING_APPROVAL:
                self.move(each, T.READY, "person", word)
        revived = list(dict.fromkeys((*revived, *waiting, *self._open_again(task, by))))
        for each in revived:
            self.move(each, T.PENDING, "person", f"{by} has {task} done once more.", ended_at=None)
        revived += self._parts_again(task, "person", f"{by} has {task} done once more.")
        if self.plan.status in PLAN_ENDED or self.plan.status is P.BLOCKED:
            self._plan(P.RUNNING, "person", word, ended_at=None)
        return [task, *revived]

    def complete(self, task: str, by: str, why: str, **result: Any) -> None:
        """A person says that a task is done, and shows by what."""
        now = self._in_force(task)
        if now.status is T.RUNNING:
            raise Refused(f"The task {task} is running.", hint="Wait for its end, or cancel what it runs.")
        if now.status is T.COMPLETED:
            raise Refused(f"The task {task} is completed already.")
        if now.status in (T.FAILED, T.SKIPPED):
            self.move(task, T.READY, "person", f"{by} looked after it.")
        elif now.status is T.PENDING:
            raise Refused(f"The task {task} is pending.", hint="What it needs has not ended yet.")
        revived = self.program.progress.revived_with(self._statuses, task)
        now = self.task(task)
        self.put(replace(now, result={**now.result, **result}))
        self.move(task, T.COMPLETED, "person", f"{by} completed it: {why}", ended_at=self.now)
        revived = [each for each in revived if self.program.progress.node(each).within != task]
        revived = list(dict.fromkeys((*revived, *self._open_again(task, by))))
        for each in revived:
            self.move(each, T.PENDING, "person", f"{by} completed {task}.", ended_at=None)
        if self.plan.status in PLAN_ENDED or self.plan.status is P.BLOCKED:
            self._plan(P.RUNNING, "person", f"{by} completed {task}.", ended_at=None)

    def go_on_again(self, why: str) -> None:
        """Let a plan that has ended or is stuck go on, because a person wants something of it; not one given up."""
        if self.plan.status in (P.COMPLETED, P.FAILED, P.BLOCKED):
            self._plan(P.RUNNING, "person", why, ended_at=None)

    def _open_again(self, task: str, by: str) -> list[str]:
        """Have what a task is a part of go on once more, when it has ended; returns what is revived with it."""
        progress = self.program.progress
        revived: dict[str, None] = {}
        holder = progress.node(task).within
        while holder is not None:
            if self._statuses[holder] in RUNS_AGAIN - {T.BLOCKED}:
                revived |= dict.fromkeys(progress.revived_with(self._statuses, holder))
                word = f"{by} has {task} looked at once more."
                self.move(holder, T.READY, "person", word, released_by=by, step=0, not_before=None, ended_at=None)
            holder = progress.node(holder).within
        return [each for each in revived if self._statuses[each] is T.SKIPPED]
