"""One turn of a running plan: what happened is taken in, and what follows is decided. Pure.

Nothing is stored or started here: a turn says how the tasks and the plan stand after it, which steps are to be started
and which questions are to be asked. Whoever runs the plan commits all of that together, then does it; a turn that could
not be committed never was. Times are milliseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from supervisor.engine.plans import escalating, reusing, undoing
from supervisor.engine.plans.board import Board
from supervisor.engine.plans.choosing import choose
from supervisor.engine.plans.digests import digest_of_task
from supervisor.engine.plans.limits import WATCH, Cut, Signs, at_work, begun, clocked, watch_of
from supervisor.engine.plans.program import Job, Program, Step, renewed, repeat
from supervisor.engine.plans.repeating import ITEMS, named_parts
from supervisor.engine.plans.reusing import FORCED, INPUTS, NOT_REMEMBERED, carried
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

GOES_ON: Final = frozenset({T.RUNNING, T.WAITING_APPROVAL})
"""An attempt of it is under way: it goes by the definition that it was started with."""
LOST: Final = "It went away with the process that ran it. Whether it did its work is not known."

LAST_FAILURE: Final = "last_failure"
"""In a task's result: why its last attempt failed."""

CHANGED: Final = "changed"
"""In a task's result: paths that changed while a person was asked about it, so that it was asked anew."""

ASKED_BEFORE: Final = "asked_before"
"""The questions about it that this one took the place of."""

MOVING: Final = "moving"
"""Those of them that others may go on changing."""

KEPT: Final = frozenset({LAST_FAILURE, ITEMS, "left_out", FORCED, INPUTS, NOT_REMEMBERED})
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
    for a person), ``limit_questions`` (about tasks that run), ``notices`` (what is told) and ``stops`` (tasks whose
    work is to end) are what is to be done after it was committed. ``signs`` are when what runs was last heard of.
    ``rolled_back`` are tasks that were: what that changed is committed to the plan's branch before. ``anew`` says of
    tasks that waited for a person why they are asked about anew.
    """

    def __init__(
        self, program: Program, plan: Plan, board: Board, now: int, signs: Mapping[str, Signs] | None = None
    ) -> None:
        self.program = program
        self._before = board.tasks
        self._statuses = dict(board.statuses)
        self._active = {status: set(tasks) for status, tasks in board.active.items()}
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
        now = self.task(task)
        if now.status is T.RUNNING and now.fate is None:
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
            self._move(task, T.ABANDONED, "person", f"{by} cancelled the plan.", ended_at=self.now, fate=None)

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
        if undoing.is_rolling_back(now):
            undoing.step_ended(self, task, ok=ok, why=why)
            return
        if now.fate is not None:
            self._stopped(now)
            return
        step = job.steps[number]
        found = dict(result or {})
        if step.proves:
            found["proofs"] = [*now.result.get("proofs", ()), {"text": step.said, "holds": ok, "why": why}]
        if found:
            now = self._keep(replace(now, result={**now.result, **found}))
        watch = watch_of(now)
        if watch is not None and watch.cut is not None and not (ok and number + 1 == len(job.steps)):
            if not escalating.cut_short(self, task, watch.cut):
                self._go_on(task, job)
        elif ok:
            self._keep(replace(now, step=number + 1))
            self._go_on(task, job)
        elif self._is_left(task):
            self._move(task, T.FAILED, "plan", why, ended_at=self.now)
        elif blocks:
            self._move(task, T.BLOCKED, "plan", why)
        elif step.before:
            self._move(task, T.BLOCKED, "check", f"What it needs before it starts does not hold: {why}")
        else:
            self._fail(task, job, why, final=final)

    def repeat(self, task: str, attempt: int, number: int, items: Sequence[str], left_out: int = 0) -> None:
        """It is known what a task is repeated for: it gets one part for each item. ``left_out`` is how many were over
        its limit."""
        if not self.is_at(task, attempt, number) or self.task(task).fate is not None:
            self.step_ended(task, attempt, number, ok=True, why="")
            return
        parts = named_parts(task, items)
        before = self.program
        self.program = repeat(before, task, parts)
        for name, job in self.program.jobs.items():
            if job is not before.jobs.get(name):
                self._add(name, job, f"{task} is repeated.")
        result: dict[str, Any] = {ITEMS: [list(part) for part in parts], **({"left_out": left_out} if left_out else {})}
        self.step_ended(task, attempt, number, ok=True, why="", result=result)

    def step_lost(self, task: str, attempt: int, number: int) -> None:
        """Nobody knows how a step ended. It is done again where that does no harm, else a person has to look."""
        if not self.is_at(task, attempt, number):
            return
        job, now = self.program.jobs[task], self.task(task)
        if undoing.is_rolling_back(now):
            undoing.step_ended(self, task, ok=False, why=LOST)
            return
        step = job.steps[number]
        if now.fate is not None:
            self._stopped(now)
            return
        watch = watch_of(self.task(task))
        if watch is not None and watch.cut is not None:
            self.step_ended(task, attempt, number, ok=False, why=watch.cut.why)
            return
        if job.task.idempotent or step.proves or step.before or step.measures:
            self.starts.append(Start(task, attempt, number, step))
            return
        self._move(task, T.FAILED if self._is_left(task) else T.BLOCKED, "recovery", LOST)

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

    def ask_again(self, task: str, attempt: int, number: int) -> None:
        """What was asked about a task is void, since the plan was revised: it is asked anew."""
        now = self.task(task)
        is_asked = any(start.task == task for start in self.questions)
        if now.status is T.WAITING_APPROVAL and (now.attempts, now.step) == (attempt, number) and not is_asked:
            self.questions.append(Start(task, attempt, number, self.program.jobs[task].steps[number]))

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

    def keep(self, task: Task) -> None:
        """Take a task in whose status is the same, as it stands now."""
        self._keep(task)

    def watched(self) -> Iterator[str]:
        """Yield the tasks that run, or are ready, whose limits are watched."""
        for status in (T.RUNNING, T.READY):
            yield from (task for task in self._active[status] if WATCH in self.task(task).result)

    def give_up(self, task: str, cut: Cut) -> None:
        """A limit has ended what ran for a task: it is tried again, or has failed or is skipped for good."""
        if cut.to == "skipped":
            self.skip(task, cut.why)
        else:
            self._fail(task, self.program.jobs[task], cut.why, final=cut.to == "failed", signal="watchdog")

    def skip(self, task: str, why: str) -> None:
        """Never do a task that has not ended."""
        self._move(task, T.SKIPPED, "watchdog", why, ended_at=self.now)

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

    def let_run(self, task: str, by: str, *, force: bool = False) -> list[str]:
        """Let a task run now: one that is ready, or one that has ended, once more. Returns what waits for its turn.

        With ``force`` what it gave before is not taken, whether anything has changed or not.
        """
        self._settle()
        now = self.task(task)
        if now.status is T.READY:
            self._keep(replace(now, released_by=by, not_before=None))
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
        now = self._in_force(task)
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
        escalating.look(self, self._signs)
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
                attempts=now.attempts + 1, step=0, not_before=None, started_at=now.started_at or self.now, goes_by=None,
                result={**carried(now.result, KEPT), **begun(now, jobs[now.id].task, self.now)},
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
            # An agent may have to wait in the queue: its time begins when it works.
            now = self._keep(at_work(now, self.now, working=start.step.what != "session"))
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
        if (watch := watch_of(now)) is not None and watch.short:
            word = f"Its timebox ended the work; what there was by then is enough: {proofs} checks succeeded."
        if now.goes_by is not None:
            word += f" It was done as revision {now.goes_by} said."
        self._move(task, T.COMPLETED, "plan", word, ended_at=self.now)

    def _fail(self, task: str, job: Job, why: str, *, final: bool, signal: str = "plan") -> None:
        # Another try is one by the revision in force.
        now, retry = self.task(task), self.program.anew.get(task, job).task.retry
        if (watch := watch_of(now)) is not None and watch.short:
            final, why = True, f"Its timebox ended the work, and what there was by then is not enough: {why}"
        now = self._keep(replace(now, result={**now.result, LAST_FAILURE: why}))
        tries = now.attempts - now.forgiven
        if final or retry is None or tries >= retry.attempts:
            self._move(task, T.FAILED, signal, why, ended_at=self.now)
            return
        delay = retry.delay * retry.backoff ** (tries - 1)
        delay = delay if retry.max_delay is None else min(delay, retry.max_delay)
        word = f"Attempt {tries} of {retry.attempts} failed: {why}"
        self._move(task, T.READY, signal, word, not_before=self.now + int(delay * 1_000), step=0)
        self._parts_again(task, "plan", f"{task} is tried again.")

    def _stopped(self, now: Task) -> None:
        """Nothing runs any more for a task that a revision has stopped."""
        task, fate = now.id, now.fate
        self._keep(replace(now, fate=None, step=0, not_before=None, forgiven=now.attempts))
        if self._is_left(task):
            self._move(task, T.ABANDONED, "person", "A revision removed it; it was stopped.", ended_at=self.now)
            return
        anew: dict[str, Any] = {"goes_by": None, "session": None, "result": {}, "started_at": None}
        if fate == "stop":
            word = "A revision changed it; it was stopped. `task run` has it done as the plan says now."
            self._move(task, T.BLOCKED, "person", word, **anew)
            return
        word = "A revision changed it; it was stopped, and is begun anew."
        self._move(task, T.READY, "person", word)
        self._move(task, T.PENDING, "person", word, **anew)
        self._looked = False  # What it needs by now may be there already: nothing that changes would say so.

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
        if old is not None and old.status is T.RUNNING:
            if old.fate is None:
                self.stops.append(task)
            new = replace(
                old, title=new.title, kind=new.kind, digest=new.digest, needs=new.needs, result={}, fate="restart"
            )
        self._statuses.setdefault(task, T.PENDING)
        self._keep(new)

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

    def _move(self, task: str, to: TaskStatus, signal: str, text: str, **changes: Any) -> None:
        now = self.task(task)
        check_task_move(now.status, to)
        after = replace(now, status=to, reason=Reason(signal, text, self.now), **changes)
        self._keep(clocked(now.status, after, self.now))

    def _keep(self, task: Task) -> Task:
        before = self._statuses[task.id]
        if before is not task.status:
            self._statuses[task.id] = task.status
            if before in self._active:
                self._active[before].discard(task.id)
            if task.status in self._active:
                self._active[task.status].add(task.id)
        self.changed[task.id] = task
        if task.id in self.program.anew and task.status not in GOES_ON:
            self.program = renewed(self.program, task.id)
        return task

    def _plan(self, to: PlanStatus, signal: str, text: str, **changes: Any) -> None:
        check_plan_move(self.plan.status, to)
        self.plan = replace(self.plan, status=to, reason=Reason(signal, text, self.now), **changes)

    # For those who take in what only some tasks do: `reusing`, `undoing`.

    def tasks(self) -> dict[str, Task]:
        """Return all tasks as they stand now."""
        return {**self._before, **self.changed}

    def put(self, task: Task) -> None:
        """Take a task as it is now; its status is what it was."""
        self._keep(task)

    def move(self, task: str, to: TaskStatus, signal: str, text: str, **changes: Any) -> None:
        """Give a task another status, with its reason; IllegalMove when it may not have it."""
        self._move(task, to, signal, text, **changes)

    def start(self, task: str) -> None:
        """Start the step that a task is at."""
        now = self.task(task)
        self.starts.append(Start(task, now.attempts, now.step, self.program.jobs[task].step(now.step)))

    def go_on_again(self, why: str) -> None:
        """Let a plan that has ended or is stuck go on, because a person wants something of it; not one given up."""
        if self.plan.status in (P.COMPLETED, P.FAILED, P.BLOCKED):
            self._plan(P.RUNNING, "person", why, ended_at=None)

    def _urgency(self, task: str) -> tuple[float, int]:
        demand = self.program.jobs[task].demand
        return -demand.priority, demand.position
