"""One turn of a running plan: what happened is taken in, and what follows is decided. Pure.

Nothing is stored or started here: a turn says how the tasks and the plan stand after it, which steps are to be started
and which questions are to be asked. Whoever runs the plan commits all of that together, then does it; a turn that could
not be committed never was. Times are milliseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from supervisor.engine.plans.choosing import choose
from supervisor.engine.plans.program import Job, Program, Step
from supervisor.model.entities import Reason
from supervisor.model.errors import Refused
from supervisor.model.plans import PLAN_ENDED, Plan, PlanStatus, Task, TaskStatus, check_plan_move, check_task_move

T = TaskStatus
P = PlanStatus

RUNS_AGAIN: Final = frozenset({T.COMPLETED, T.FAILED, T.SKIPPED, T.BLOCKED})
"""What a person may have done once more."""


@dataclass(frozen=True, slots=True)
class Start:
    """A step that is to be started: the step of this number of a task, in its attempt of this number."""

    task: str
    attempt: int
    number: int
    step: Step


class Turn:
    """Takes in what happened to a plan whose tasks are ``tasks``, at ``now``.

    ``starts`` and ``questions`` (tasks that wait for a person) are what is to be done after it was committed.
    """

    def __init__(self, program: Program, plan: Plan, tasks: Mapping[str, Task], now: int) -> None:
        self._program = program
        self._before = tasks
        self._now = now
        self._looked = False
        self.plan = plan
        self.changed: dict[str, Task] = {}
        self.starts: list[Start] = []
        self.questions: list[str] = []

    def task(self, task: str) -> Task:
        """Return a task as it stands now."""
        return self.changed.get(task) or self._before[task]

    # What happens.

    def step_ended(self, task: str, attempt: int, number: int, *, ok: bool, why: str, **result: Any) -> None:
        """A step has ended. One that is not under way any more is told of too late, and means nothing."""
        now = self.task(task)
        if now.status is not T.RUNNING or (now.attempts, now.step) != (attempt, number):
            return
        job = self._program.jobs[task]
        now = self._keep(replace(now, result={**now.result, **result}))
        if ok:
            self._keep(replace(now, step=number + 1))
            self._go_on(task, job)
        elif job.steps[number].before:
            self._move(task, T.BLOCKED, "check", f"What it needs before it starts does not hold: {why}")
        else:
            self._fail(task, job, why)

    def decided(self, task: str, *, approved: bool, by: str, why: str = "") -> None:
        """A person has answered what was asked about a task."""
        if self.task(task).status is not T.WAITING_APPROVAL:
            return
        reason = f": {why}" if why else "."
        if approved:
            self._move(task, T.COMPLETED, "person", f"{by} approved it{reason}", ended_at=self._now)
        else:
            self._move(task, T.FAILED, "person", f"{by} did not approve it{reason}", ended_at=self._now)

    def release(self, by: str, *, level: bool) -> list[str]:
        """Let the next ready task run, or with ``level`` all that are ready; returns which. Refused when none is."""
        self._settle()
        ready = [self.task(task) for task in self._before if self.task(task).status is T.READY]
        ready = sorted((each for each in ready if each.released_by is None), key=lambda each: self._urgency(each.id))
        if not ready:
            raise Refused(
                f"Nothing of {self.plan.id} is ready.", hint=f"`quarterdeck plan show {self.plan.id}` says why."
            )
        chosen = ready if level else ready[:1]
        for each in chosen:
            self._keep(replace(each, released_by=by))
        return [each.id for each in chosen]

    def run_again(self, task: str, by: str) -> list[str]:
        """Have a task done once more; what was skipped because of it waits anew. Returns all of them."""
        now = self.task(task)
        if now.status not in RUNS_AGAIN:
            raise Refused(
                f"The task {task} is {now.status}.", hint="Only one that has ended, or is blocked, runs again."
            )
        revived = self._program.progress.revived_with(self._statuses(), task)
        word = f"{by} has it done once more."
        self._move(task, T.READY, "person", word, released_by=by, step=0, ended_at=None)
        for each in revived:
            self._move(each, T.PENDING, "person", f"{by} has {task} done once more.", ended_at=None)
        if self.plan.status in PLAN_ENDED or self.plan.status is P.BLOCKED:
            self._plan(P.RUNNING, "person", word, ended_at=None)
        return [task, *revived]

    # What follows.

    def finish(self) -> None:
        """Decide everything that follows. Call it once, when all that happened was taken in."""
        self._settle()
        # A gate without checks, or a task without steps, is through at once: more may follow from that.
        while self.plan.status is P.RUNNING and self._begin():
            self._settle()
        if self.plan.status is not P.RUNNING:
            return
        end = self._program.progress.outcome(self._statuses())
        if end is not None and end[0] is not self.plan.status:
            ended = self._now if end[0] in PLAN_ENDED else None
            self._plan(end[0], "plan", end[1], ended_at=ended)

    def _settle(self) -> None:
        look = tuple(self.changed) if self._looked else None
        self._looked = True
        for move in self._program.progress.settle(self._statuses(), look):
            self._move(move.task, move.to, "plan", move.why, ended_at=self._now if move.to is T.SKIPPED else None)

    def _begin(self) -> list[str]:
        """Begin what may begin now."""
        jobs = self._program.jobs
        tasks = [self.task(task) for task in self._before]
        ready = [each for each in tasks if each.status is T.READY and self._may(each)]
        running = [jobs[each.id].demand for each in tasks if each.status is T.RUNNING]
        chosen = choose((jobs[each.id].demand for each in ready), running, self._program.capacity)
        for demand in chosen:
            now = self.task(demand.task)
            self._move(
                now.id, T.RUNNING, "plan", "Its turn has come.",
                attempts=now.attempts + 1, step=0, not_before=None, started_at=now.started_at or self._now,
            )  # fmt: skip
            self._go_on(now.id, jobs[now.id])
        return [demand.task for demand in chosen]

    def _may(self, task: Task) -> bool:
        if task.not_before is not None and task.not_before > self._now:
            return False
        return self.plan.advance == "auto" or task.released_by is not None

    def _go_on(self, task: str, job: Job) -> None:
        """Start the next step, ask, or be done."""
        now = self.task(task)
        if now.step < len(job.steps):
            self.starts.append(Start(task, now.attempts, now.step, job.steps[now.step]))
        elif job.is_asked:
            self._move(task, T.WAITING_APPROVAL, "plan", "A person decides.")
            self.questions.append(task)
        else:
            proofs = sum(step.proves for step in job.steps)
            word = f"Everything succeeded, {proofs} checks among it." if proofs else "Everything succeeded."
            self._move(task, T.COMPLETED, "plan", word, ended_at=self._now)

    def _fail(self, task: str, job: Job, why: str) -> None:
        now, retry = self.task(task), job.task.retry
        if retry is None or now.attempts >= retry.attempts:
            self._move(task, T.FAILED, "plan", why, ended_at=self._now)
            return
        delay = retry.delay * retry.backoff ** (now.attempts - 1)
        delay = delay if retry.max_delay is None else min(delay, retry.max_delay)
        word = f"Attempt {now.attempts} of {retry.attempts} failed: {why}"
        self._move(task, T.READY, "plan", word, not_before=self._now + int(delay * 1_000), step=0)

    def _move(self, task: str, to: TaskStatus, signal: str, text: str, **changes: Any) -> None:
        now = self.task(task)
        check_task_move(now.status, to)
        self._keep(replace(now, status=to, reason=Reason(signal, text, self._now), **changes))

    def _keep(self, task: Task) -> Task:
        self.changed[task.id] = task
        return task

    def _plan(self, to: PlanStatus, signal: str, text: str, **changes: Any) -> None:
        check_plan_move(self.plan.status, to)
        self.plan = replace(self.plan, status=to, reason=Reason(signal, text, self._now), **changes)

    def _statuses(self) -> dict[str, TaskStatus]:
        return {task: self.task(task).status for task in self._before}

    def _urgency(self, task: str) -> tuple[float, int]:
        demand = self._program.jobs[task].demand
        return -demand.priority, demand.position
