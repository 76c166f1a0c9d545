"""One turn of a running plan: what happened is taken in, and what follows is decided. Pure.

Nothing is stored or started here: a turn says how the tasks and the plan stand after it, which steps are to be started
and which questions are to be asked. Whoever runs the plan commits all of that together, then does it; a turn that could
not be committed never was. Times are milliseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from supervisor.engine.plans.board import Board
from supervisor.engine.plans.choosing import choose
from supervisor.engine.plans.digests import digest_of_task
from supervisor.engine.plans.program import Job, Program, Step, repeat
from supervisor.engine.plans.repeating import ITEMS, named_parts
from supervisor.model.budgets import BUDGET
from supervisor.model.entities import Reason
from supervisor.model.errors import NotFound, Refused
from supervisor.model.plans import (
    PLAN_ENDED,
    TASK_ENDED,
    Plan,
    PlanStatus,
    Task,
    TaskStatus,
    check_plan_move,
    check_task_move,
)

T = TaskStatus
P = PlanStatus

RUNS_AGAIN: Final = frozenset({T.COMPLETED, T.FAILED, T.SKIPPED, T.BLOCKED})
"""What a person may have done once more."""


WAITS: Final = frozenset({T.READY, T.WAITING_APPROVAL})
"""What has not begun, or waits for a person."""

LAST_FAILURE: Final = "last_failure"
"""In a task's result: why its last attempt failed."""

CHANGED: Final = "changed"
"""In a task's result: paths that changed while a person was asked about it, so that it was asked anew."""

ASKED_BEFORE: Final = "asked_before"
"""The questions about it that this one took the place of."""

MOVING: Final = "moving"
"""Those of them that others may go on changing."""

KEPT: Final = frozenset({LAST_FAILURE, ITEMS, "left_out"})
"""What of a task's result another attempt begins with. Items are found once: their tasks are there."""


@dataclass(frozen=True, slots=True)
class Start:
    """A step that is to be started: the step of this number of a task, in its attempt of this number."""

    task: str
    attempt: int
    number: int
    step: Step


class Turn:
    """Takes in what happened to a plan whose tasks stand as on ``board``, at ``now``.

    ``program`` has the parts of tasks that were repeated in it. ``starts`` (steps), ``questions`` (of tasks that wait
    for a person) and ``stops`` (tasks whose work is to end) are what is to be done after it was committed. ``anew``
    says of tasks that waited for a person why they are asked about anew.
    """

    def __init__(self, program: Program, plan: Plan, board: Board, now: int) -> None:
        self.program = program
        self._before = board.tasks
        self._statuses = dict(board.statuses)
        self._active = {status: set(tasks) for status, tasks in board.active.items()}
        self._looked = board.settled
        self.now = now
        self.plan = plan
        self.changed: dict[str, Task] = {}
        self.starts: list[Start] = []
        self.questions: list[Start] = []
        self.stops: list[str] = []
        self.anew: dict[str, str] = {}

    def task(self, task: str) -> Task:
        """Return a task as it stands now; NotFound when there is none."""
        found = self.changed.get(task) or self._before.get(task)
        if found is None:
            raise NotFound(
                f"The plan {self.plan.id} has no task {task}.",
                hint=f"`quarterdeck plan show {self.plan.id}` lists its tasks.",
            )
        return found

    # What happens.

    def begin(self, by: str, **place: Any) -> None:
        """A person starts the plan: the one explicit start that it has. ``place`` is where it works."""
        self._plan(P.RUNNING, "person", f"{by} started it.", started_at=self.now, **place)

    def pause(self, by: str, why: str = "") -> None:
        """Begin nothing more; what runs goes on to its end. ``why`` says which budget is used up."""
        self._plan(P.PAUSED, BUDGET if why else "person", why or f"{by} paused it. What runs goes on to its end.")

    def overspent(self, task: str, why: str) -> None:
        """The budget of a task is used up: what runs is stopped, and it fails for good."""
        if self.task(task).status is T.RUNNING:
            self.stops.append(task)
            self._move(task, T.FAILED, BUDGET, why, ended_at=self.now)

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
            self._move(task, T.ABANDONED, "person", f"{by} cancelled the plan.", ended_at=self.now)

    def is_at(self, task: str, attempt: int, number: int) -> bool:
        """Whether this step of a task is under way; what is told of another comes too late, and means nothing."""
        now = self.task(task)
        return now.status is T.RUNNING and (now.attempts, now.step) == (attempt, number)

    def step_ended(
        self,
        task: str,
        attempt: int,
        number: int,
        *,
        ok: bool,
        why: str,
        blocks: bool = False,
        final: bool = False,
        result: Mapping[str, Any] | None = None,
    ) -> None:
        """A step has ended. With ``blocks`` a person has to look at it; a ``final`` failure is not tried again."""
        if not self.is_at(task, attempt, number):
            return
        job = self.program.jobs[task]
        now = self.task(task)
        step = job.steps[number]
        found = dict(result or {})
        if step.proves:
            found["proofs"] = [*now.result.get("proofs", ()), {"text": step.said, "holds": ok, "why": why}]
        if found:
            now = self._keep(replace(now, result={**now.result, **found}))
        if ok:
            self._keep(replace(now, step=number + 1))
            self._go_on(task, job)
        elif blocks:
            self._move(task, T.BLOCKED, "plan", why)
        elif step.before:
            self._move(task, T.BLOCKED, "check", f"What it needs before it starts does not hold: {why}")
        else:
            self._fail(task, job, why, final=final)

    def repeat(self, task: str, attempt: int, number: int, items: Sequence[str], left_out: int = 0) -> None:
        """It is known what a task is repeated for: it gets one part for each item. ``left_out`` is how many were over
        its limit."""
        if not self.is_at(task, attempt, number):
            return
        parts = named_parts(task, items)
        before = self.program
        self.program = repeat(before, task, parts)
        for name in self.program.jobs.keys() - before.jobs.keys():
            job = self.program.jobs[name]
            self._statuses[name] = T.PENDING
            self._keep(
                Task(
                    plan=self.plan.id,
                    revision=self.plan.revision,
                    id=name,
                    position=job.demand.position,
                    kind=job.task.kind,
                    title=job.task.name,
                    digest=digest_of_task(job.task),
                    status=T.PENDING,
                    reason=Reason("plan", f"{task} is repeated.", self.now),
                    needs=job.task.needs,
                )
            )
        result: dict[str, Any] = {ITEMS: [list(part) for part in parts], **({"left_out": left_out} if left_out else {})}
        self.step_ended(task, attempt, number, ok=True, why="", result=result)

    def step_lost(self, task: str, attempt: int, number: int) -> None:
        """Nobody knows how a step ended. It is done again where that does no harm, else a person has to look."""
        if not self.is_at(task, attempt, number):
            return
        job = self.program.jobs[task]
        step = job.steps[number]
        if job.task.idempotent or step.proves or step.before or step.measures:
            self.starts.append(Start(task, attempt, number, step))
            return
        word = "It went away with the process that ran it. Whether it did its work is not known."
        self._move(task, T.BLOCKED, "recovery", word)

    def decided(self, task: str, *, approved: bool, by: str, why: str = "") -> None:
        """A person has answered what was asked about a task."""
        now = self.task(task)
        if now.status is not T.WAITING_APPROVAL:
            return
        reason = f": {why}" if why else "."
        if not approved:
            self._move(task, T.FAILED, "person", f"{by} did not approve it{reason}", ended_at=self.now)
            return
        job = self.program.jobs[task]
        word = f"{by} approved it{reason}"
        if now.step + 1 < len(job.steps):
            self._move(task, T.RUNNING, "person", word, step=now.step + 1)
            self._go_on(task, job)
        else:
            self._move(task, T.COMPLETED, "person", word, step=now.step + 1, ended_at=self.now)

    def ask_anew(self, task: str, why: str, changed: Sequence[str], moving: Sequence[str], before: str) -> None:
        """What a person was asked about in the question ``before`` has changed: it is checked again, then asked anew.
        Work is not done again."""
        now = self.task(task)
        if now.status is not T.WAITING_APPROVAL:
            return
        job = self.program.jobs[task]
        asks = [number for number, step in enumerate(job.steps[: now.step]) if step.what == "ask"]
        first = asks[-1] + 1 if asks else 0
        if job.task.kind != "gate" and not job.steps[now.step].before:
            checks = (n for n in range(first, now.step) if job.steps[n].proves or job.steps[n].what == "keep")
            first = next(checks, now.step)
        result = {name: value for name, value in now.result.items() if name != "proofs"}
        result |= {CHANGED: list(changed), ASKED_BEFORE: [*result.get(ASKED_BEFORE, ()), before]}
        if moving:
            result[MOVING] = sorted({*result.get(MOVING, ()), *moving})
        self.anew[task] = why
        self._move(task, T.RUNNING, "change", why, step=first, result=result)
        self._go_on(task, job)

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
            self._keep(replace(each, released_by=by))
        return [each.id for each in chosen]

    def let_run(self, task: str, by: str) -> list[str]:
        """Let a task run now: one that is ready, or one that has ended, once more. Returns what waits for its turn."""
        self._settle()
        now = self.task(task)
        if now.status is not T.READY:
            return self.run_again(task, by)
        self._keep(replace(now, released_by=by, not_before=None))
        return [task]

    def run_again(self, task: str, by: str) -> list[str]:
        """Have a task done once more; what was skipped because of it waits anew. Returns all of them."""
        now = self.task(task)
        if now.status not in RUNS_AGAIN:
            raise Refused(
                f"The task {task} is {now.status}.", hint="Only one that has ended, or is blocked, runs again."
            )
        if self.plan.status is P.ABANDONED:
            raise Refused(f"{self.plan.id} was cancelled.", hint="Create it as a new plan, with another id.")
        revived = self.program.progress.revived_with(self._statuses, task)
        word = f"{by} has it done once more."
        self._move(task, T.READY, "person", word, released_by=by, step=0, not_before=None, ended_at=None)
        waiting = [each for each in self.program.progress.after(task) if self._statuses[each] in WAITS]
        for each in waiting:
            # What it needs is not done any more: what it asked, it asks anew.
            if self._statuses[each] is T.WAITING_APPROVAL:
                self._move(each, T.READY, "person", word)
        revived = list(dict.fromkeys((*revived, *waiting, *self._open_again(task, by))))
        for each in revived:
            self._move(each, T.PENDING, "person", f"{by} has {task} done once more.", ended_at=None)
        revived += self._parts_again(task, "person", f"{by} has {task} done once more.")
        if self.plan.status in PLAN_ENDED or self.plan.status is P.BLOCKED:
            self._plan(P.RUNNING, "person", word, ended_at=None)
        return [task, *revived]

    def complete(self, task: str, by: str, why: str, **result: Any) -> None:
        """A person says that a task is done, and shows by what."""
        now = self.task(task)
        if now.status is T.RUNNING:
            raise Refused(f"The task {task} is running.", hint="Wait for its end, or cancel what it runs.")
        if now.status is T.COMPLETED:
            raise Refused(f"The task {task} is completed already.")
        if now.status in (T.FAILED, T.SKIPPED):
            self._move(task, T.READY, "person", f"{by} looked after it.")
        elif now.status is T.PENDING:
            raise Refused(f"The task {task} is pending.", hint="What it needs has not ended yet.")
        revived = self.program.progress.revived_with(self._statuses, task)
        now = self.task(task)
        self._keep(replace(now, result={**now.result, **result}))
        self._move(task, T.COMPLETED, "person", f"{by} completed it: {why}", ended_at=self.now)
        revived = [each for each in revived if self.program.progress.node(each).within != task]
        revived = list(dict.fromkeys((*revived, *self._open_again(task, by))))
        for each in revived:
            self._move(each, T.PENDING, "person", f"{by} completed {task}.", ended_at=None)
        if self.plan.status in PLAN_ENDED or self.plan.status is P.BLOCKED:
            self._plan(P.RUNNING, "person", f"{by} completed {task}.", ended_at=None)

    # What follows.

    def finish(self) -> None:
        """Decide everything that follows. Call it once, when all that happened was taken in."""
        if self.plan.status in PLAN_ENDED:
            return
        self._settle()
        # A gate without checks, or a task without steps, is through at once: more may follow from that.
        while self._close() or (self.plan.status is P.RUNNING and self._begin()):
            self._settle()
        if self.plan.status not in (P.RUNNING, P.BLOCKED) or self._is_busy():
            return
        end = self.program.progress.outcome(self._statuses, self._is_open)
        if end is not None and end[0] is not self.plan.status:
            ended = self.now if end[0] in PLAN_ENDED else None
            self._plan(end[0], "plan", end[1], ended_at=ended)

    def _settle(self) -> None:
        look = tuple(self.changed) if self._looked else None
        self._looked = True
        for move in self.program.progress.settle(self._statuses, look, self._is_open):
            self._move(move.task, move.to, "plan", move.why, ended_at=self.now if move.to is T.SKIPPED else None)

    def _is_open(self, task: str) -> bool:
        """Whether a task waits for its parts."""
        if self._statuses[task] is not T.RUNNING:
            return False
        steps, number = self.program.jobs[task].steps, self.task(task).step
        return number < len(steps) and steps[number].what == "parts"

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

    def _open_again(self, task: str, by: str) -> list[str]:
        """Have what a task is a part of go on once more, when it has ended; returns what is revived with it."""
        progress = self.program.progress
        revived: dict[str, None] = {}
        holder = progress.node(task).within
        while holder is not None:
            if self._statuses[holder] in RUNS_AGAIN - {T.BLOCKED}:
                revived |= dict.fromkeys(progress.revived_with(self._statuses, holder))
                word = f"{by} has {task} looked at once more."
                self._move(holder, T.READY, "person", word, released_by=by, step=0, not_before=None, ended_at=None)
            holder = progress.node(holder).within
        return [each for each in revived if self._statuses[each] is T.SKIPPED]

    def _parts_again(self, task: str, signal: str, word: str) -> list[str]:
        """Have the parts of a task done once more that were not completed, or all of them when they were."""
        progress = self.program.progress
        parts = progress.parts(task)
        left = [part for part in parts if self._statuses[part] in TASK_ENDED - {T.COMPLETED}]
        again = left if any(self._statuses[part] is not T.COMPLETED for part in parts) else list(parts)
        found: list[str] = []
        for part in again:
            self._move(part, T.PENDING, signal, word, step=0, not_before=None, ended_at=None)
            found += [part, *self._parts_again(part, signal, word)]
        return found

    def _begin(self) -> list[str]:
        """Begin what may begin now."""
        jobs = self.program.jobs
        ready = [task for task in self._active[T.READY] if self._may(self.task(task))]
        if not ready:
            return []
        running = [jobs[task].demand for task in self._active[T.RUNNING]]
        chosen = choose((jobs[task].demand for task in ready), running, self.program.capacity)
        for demand in chosen:
            now = self.task(demand.task)
            self._move(
                now.id, T.RUNNING, "plan", "Its turn has come.",
                attempts=now.attempts + 1, step=0, not_before=None, started_at=now.started_at or self.now,
                result={name: value for name, value in now.result.items() if name in KEPT},
            )  # fmt: skip
            self._go_on(now.id, jobs[now.id])
        return [demand.task for demand in chosen]

    def _may(self, task: Task) -> bool:
        if task.not_before is not None and task.not_before > self.now:
            return False
        return self.plan.advance == "auto" or task.released_by is not None

    def _go_on(self, task: str, job: Job) -> None:
        """Start the next step, ask, or be done."""
        now = self.task(task)
        if now.step < len(job.steps):
            start = Start(task, now.attempts, now.step, job.steps[now.step])
            if start.step.what == "ask":
                role = job.task.approver_role
                word = f"Somebody with the role {role} decides." if role else "A person decides."
                self._move(task, T.WAITING_APPROVAL, "plan", word)
                self.questions.append(start)
            elif start.step.what == "repeat" and ITEMS in now.result:
                self._keep(replace(now, step=now.step + 1))
                self._go_on(task, job)
            elif start.step.what != "parts":  # these begin by themselves, once it is here
                self.starts.append(start)
            return
        proofs = sum(step.proves for step in job.steps)
        word = f"Everything succeeded, {proofs} checks among it." if proofs else "Everything succeeded."
        self._move(task, T.COMPLETED, "plan", word, ended_at=self.now)

    def _fail(self, task: str, job: Job, why: str, *, final: bool) -> None:
        now, retry = self.task(task), job.task.retry
        now = self._keep(replace(now, result={**now.result, LAST_FAILURE: why}))
        if final or retry is None or now.attempts >= retry.attempts:
            self._move(task, T.FAILED, "plan", why, ended_at=self.now)
            return
        delay = retry.delay * retry.backoff ** (now.attempts - 1)
        delay = delay if retry.max_delay is None else min(delay, retry.max_delay)
        word = f"Attempt {now.attempts} of {retry.attempts} failed: {why}"
        self._move(task, T.READY, "plan", word, not_before=self.now + int(delay * 1_000), step=0)
        self._parts_again(task, "plan", f"{task} is tried again.")

    def _move(self, task: str, to: TaskStatus, signal: str, text: str, **changes: Any) -> None:
        now = self.task(task)
        check_task_move(now.status, to)
        self._keep(replace(now, status=to, reason=Reason(signal, text, self.now), **changes))

    def _keep(self, task: Task) -> Task:
        before = self._statuses[task.id]
        if before is not task.status:
            self._statuses[task.id] = task.status
            if before in self._active:
                self._active[before].discard(task.id)
            if task.status in self._active:
                self._active[task.status].add(task.id)
        self.changed[task.id] = task
        return task

    def _plan(self, to: PlanStatus, signal: str, text: str, **changes: Any) -> None:
        check_plan_move(self.plan.status, to)
        self.plan = replace(self.plan, status=to, reason=Reason(signal, text, self.now), **changes)

    def _urgency(self, task: str) -> tuple[float, int]:
        demand = self.program.jobs[task].demand
        return -demand.priority, demand.position
