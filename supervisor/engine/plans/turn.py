"""One turn of a running plan: what happened is taken in, and what follows is decided. Pure.

Nothing is stored or started here: a turn says how the tasks and the plan stand after it, which steps are to be started
and which questions are to be asked. Whoever runs the plan commits all of that together, then does it; a turn that could
not be committed never was. Times are milliseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from supervisor.engine.plans import escalating
from supervisor.engine.plans.limits import begun
from supervisor.engine.plans.reusing import carried
from supervisor.engine.plans.sheet import KEPT
from supervisor.engine.plans.wishes import Wishes
from supervisor.model.plans import (
    PLAN_ENDED,
    PlanStatus,
    TaskStatus,
)

T = TaskStatus
P = PlanStatus


class Turn(Wishes):
    """Takes in what happened to a plan, and decides what follows."""

    def finish(self) -> None:
        """Decide everything that follows. Call it once, when all that happened was taken in."""
        if self.plan.status in PLAN_ENDED:
            return
        self._settle()
        escalating.look(self, self._signs)
        # A gate without checks, or a task without steps, is through at once: more may follow from that.
        while self._close() or (self.plan.status is P.RUNNING and any(map(self._leads_on, self._begin()))):
            self._settle()
        if self.plan.status not in (P.RUNNING, P.BLOCKED) or self._is_busy():
            return
        end = self.program.progress.outcome(self._statuses, self._is_open)
        if end is not None and end[0] is not self.plan.status:
            ended = self.now if end[0] in PLAN_ENDED else None
            self._plan(end[0], "plan", end[1], ended_at=ended)

    def _leads_on(self, task: str) -> bool:
        """Whether something may follow at once from what has just begun."""
        return self._statuses[task] is not T.RUNNING or self._is_open(task)

    def _is_busy(self) -> bool:
        """Whether anything is ready, runs or waits for a person, beside tasks that wait for their parts."""
        return bool(self._active[T.READY] or self._active[T.WAITING_APPROVAL]) or not all(
            map(self._is_open, self._active[T.RUNNING])
        )

    def _close(self) -> bool:
        """Let tasks whose parts have all ended go on, or fail; returns whether there was one."""
        progress, closed = self.program.progress, False
        # The parts of its parts end first: with them it may be through, too.
        for task in sorted(filter(self._is_open, self._active[T.RUNNING]), key=lambda each: -each.count("/")):
            end = progress.part_outcome(self._statuses, task)
            if end is not None:
                now = self.task(task)
                self.step_ended(task, now.attempts, now.step, ok=end[0], why=end[1])
                closed = True
        return closed

    def _begin(self) -> list[str]:
        """Begin what may begin now."""
        jobs, ready = self.program.jobs, self._may_begin()
        if not ready:
            return []
        chosen = self.program.demands.choose(ready, self._active[T.RUNNING], self.program.capacity)
        for demand in chosen:
            now = self.task(demand.task)
            self.move(
                now.id, T.RUNNING, "plan", "Its turn has come.",
                attempts=now.attempts + 1, step=0, not_before=None, started_at=now.started_at or self.now, goes_by=None,
                result={**carried(now.result, KEPT), **begun(now, jobs[now.id].task, self.now)},
            )  # fmt: skip
            self._go_on(now.id, jobs[now.id])
        return [demand.task for demand in chosen]

    def _may_begin(self) -> AbstractSet[str]:
        """Return what is ready, was released by a person where that is asked for, and does not wait for its time."""
        ready: AbstractSet[str] = self._active[T.READY]
        if self.plan.advance != "auto":
            ready = {task for task in ready if self.task(task).released_by is not None}
        return ready - {task for task in self._delayed if (self.task(task).not_before or 0) > self.now}
