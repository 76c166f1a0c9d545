"""How the tasks of a running plan stand within one turn: moved by legal moves only, kept to be stored. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from supervisor.engine.plans import escalating, undoing
from supervisor.engine.plans.board import Board, is_delayed, keep
from supervisor.engine.plans.digests import digest_of_task
from supervisor.engine.plans.limits import Signs, clocked, is_watched
from supervisor.engine.plans.program import Job, Program, Step, renewed
from supervisor.engine.plans.repeating import ITEMS
from supervisor.engine.plans.reusing import FORCED, INPUTS, NOT_REMEMBERED
from supervisor.model.entities import Reason
from supervisor.model.errors import NotFound, Refused
from supervisor.model.plans import (
    Plan,
    PlanStatus,
    Task,
    TaskStatus,
    check_plan_move,
    check_task_move,
)

T = TaskStatus
P = PlanStatus

LOST: Final = "It went away with the process that ran it. Whether it did its work is not known."

LAST_FAILURE: Final = "last_failure"
"""In a task's result: why its last attempt failed."""

CHANGED: Final = "changed"
"""In a task's result: paths that changed while a person was asked about it, so that it was asked anew."""

ASKED_BEFORE: Final = "asked_before"
"""The questions about it that this one took the place of."""

MOVING: Final = "moving"
"""Those of them that others may go on changing."""

GOES_ON: Final = frozenset({T.RUNNING, T.WAITING_APPROVAL})
"""An attempt of it is under way: it goes by the definition that it was started with."""

KEPT: Final = frozenset({LAST_FAILURE, ITEMS, "left_out", FORCED, INPUTS, NOT_REMEMBERED})
"""What of a task's result another attempt begins with. Items are found once: their tasks are there."""


@dataclass(frozen=True, slots=True)
class Start:
    """A step that is to be started: the step of this number of a task, in its attempt of this number."""

    task: str
    attempt: int
    number: int
    step: Step


class Sheet:
    """Takes in what happened to a plan whose tasks stand as on ``board``, at ``now``.

    ``program`` has the parts of tasks that were repeated in it. ``starts`` (steps), ``questions`` (of tasks that wait
    for a person), ``limit_questions`` (about tasks that run), ``notices`` (what is told) and ``stops`` (tasks whose
    work is to end) are what is to be done after it was committed. ``signs`` are when what runs was last heard of.
    ``rolled_back`` are tasks that were: what that changed is committed to the plan's branch before. ``anew`` says of
    tasks that waited for a person why they are asked about anew. ``watched`` are those whose limits are looked at.
    """

    def __init__(
        self, program: Program, plan: Plan, board: Board, now: int, signs: Mapping[str, Signs] | None = None
    ) -> None:
        self.program = program
        self._before = board.tasks
        self._statuses = dict(board.statuses)
        self._active = {status: set(tasks) for status, tasks in board.active.items()}
        self.watched = set(board.watched)
        self._delayed = set(board.delayed)
        self._looked = board.settled
        self._signs = signs or {}
        self.now = now
        self.plan = plan
        self.changed: dict[str, Task] = {}
        self.starts: list[Start] = []
        self.questions: list[Start] = []
        self.limit_questions: list[escalating.LimitQuestion] = []
        self.notices: list[escalating.Notice] = []
        self.stops: list[str] = []
        self.rolled_back: list[str] = []
        self.anew: dict[str, str] = {}

    def tasks(self) -> dict[str, Task]:
        """Return all tasks as they stand now."""
        return {**self._before, **self.changed}

    def task(self, task: str) -> Task:
        """Return a task as it stands now; NotFound when there is none."""
        found = self.changed.get(task) or self._before.get(task)
        if found is None:
            raise NotFound(
                f"The plan {self.plan.id} has no task {task}.",
                hint=f"`quarterdeck plan show {self.plan.id}` lists its tasks.",
            )
        return found

    def is_at(self, task: str, attempt: int, number: int) -> bool:
        """Whether this step of a task is under way; what is told of another comes too late, and means nothing."""
        now = self.changed.get(task) or self._before.get(task)
        return now is not None and now.status is T.RUNNING and (now.attempts, now.step) == (attempt, number)

    def move(self, task: str, to: TaskStatus, signal: str, text: str, **changes: Any) -> None:
        """Give a task another status, with its reason; IllegalMove when it may not have it."""
        now = self.task(task)
        check_task_move(now.status, to)
        after = replace(now, status=to, reason=Reason(signal, text, self.now), **changes)
        self.put(clocked(now.status, after, self.now))

    def start(self, task: str) -> None:
        """Start the step that a task is at."""
        now = self.task(task)
        self.starts.append(Start(task, now.attempts, now.step, self.program.jobs[task].step(now.step)))

    def _settle(self) -> None:
        look = tuple(self.changed) if self._looked else None
        self._looked = True
        for move in self.program.progress.settle(self._statuses, look, self._is_open):
            self.move(move.task, move.to, "plan", move.why, ended_at=self.now if move.to is T.SKIPPED else None)

    def _is_open(self, task: str) -> bool:
        """Whether a task waits for its parts."""
        if self._statuses[task] is not T.RUNNING:
            return False
        steps, number = self.program.jobs[task].steps, self.task(task).step
        return number < len(steps) and steps[number].what == "parts"

    def _add(self, task: str, job: Job, why: str) -> None:
        """Take a task in that has become known. One of its name that a revision removed makes way for it."""
        old = self.changed.get(task) or self._before.get(task)
        attempts = 0 if old is None else old.attempts
        new = Task(
            plan=self.plan.id,
            revision=self.plan.revision,
            id=task,
            position=job.demand.position,
            kind=job.task.kind,
            title=job.task.name,
            digest=digest_of_task(job.task),
            status=T.PENDING,
            reason=Reason("plan", why, self.now),
            needs=job.task.needs,
            attempts=attempts,
            forgiven=attempts,
        )
        if old is not None and undoing.is_rolling_back(old):
            new = replace(old, title=new.title, kind=new.kind, digest=new.digest, needs=new.needs)
        elif old is not None and old.status is T.RUNNING:
            if old.fate is None:
                self.stops.append(task)
            new = replace(
                old, title=new.title, kind=new.kind, digest=new.digest, needs=new.needs, result={}, fate="restart"
            )
        self._statuses.setdefault(task, T.PENDING)
        self.put(new)

    def _is_left(self, task: str) -> bool:
        """Whether a revision removed a task that still ran."""
        return self.program.progress.node(task).left

    def _in_force(self, task: str) -> Task:
        """Return a task; Refused when the revision in force does not have it any more."""
        now = self.task(task)
        if self._is_left(task):
            raise Refused(
                f"{self.plan.id} was revised, and has no task {task} any more.",
                hint=f"`quarterdeck plan show {self.plan.id}` lists its tasks.",
            )
        return now

    def put(self, task: Task) -> Task:
        """Take a task in as it stands now."""
        before = self._statuses[task.id]
        if before is not task.status:
            self._statuses[task.id] = task.status
            if before in self._active:
                self._active[before].discard(task.id)
            if task.status in self._active:
                self._active[task.status].add(task.id)
        self.changed[task.id] = task
        keep(self.watched, task.id, is_watched(task))
        keep(self._delayed, task.id, is_delayed(task))
        if task.id in self.program.anew and task.status not in GOES_ON:
            self.program = renewed(self.program, task.id)
        return task

    def _plan(self, to: PlanStatus, signal: str, text: str, **changes: Any) -> None:
        check_plan_move(self.plan.status, to)
        self.plan = replace(self.plan, status=to, reason=Reason(signal, text, self.now), **changes)

    def _urgency(self, task: str) -> tuple[float, int]:
        demand = self.program.jobs[task].demand
        return -demand.priority, demand.position
