"""What becomes of the steps of tasks, and what they lead to. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from supervisor.engine.plans import escalating, undoing
from supervisor.engine.plans.limits import Cut, at_work, watch_of
from supervisor.engine.plans.program import Job, repeat
from supervisor.engine.plans.repeating import ITEMS, named_parts
from supervisor.engine.plans.sheet import ASKED_BEFORE, CHANGED, LAST_FAILURE, LOST, MOVING, Sheet, Start
from supervisor.model.budgets import BUDGET
from supervisor.model.plans import (
    TASK_ENDED,
    PlanStatus,
    Task,
    TaskStatus,
)

T = TaskStatus
P = PlanStatus


class Steps(Sheet):
    """Takes in how steps ended, and what was decided about tasks."""

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
            now = self.put(replace(now, result={**now.result, **found}))
        watch = watch_of(now)
        if watch is not None and watch.cut is not None and not (ok and number + 1 == len(job.steps)):
            if not escalating.cut_short(self, task, watch.cut):
                self._go_on(task, job)
        elif ok:
            self.put(replace(now, step=number + 1))
            self._go_on(task, job)
        elif self._is_left(task):
            self.move(task, T.FAILED, "plan", why, ended_at=self.now)
        elif blocks:
            self.move(task, T.BLOCKED, "plan", why)
        elif step.before:
            self.move(task, T.BLOCKED, "check", f"What it needs before it starts does not hold: {why}")
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
        self.move(task, T.FAILED if self._is_left(task) else T.BLOCKED, "recovery", LOST)

    def decided(self, task: str, *, approved: bool, by: str, why: str = "") -> None:
        """A person has answered what was asked about a task."""
        now = self.task(task)
        if now.status is not T.WAITING_APPROVAL:
            return
        reason = f": {why}" if why else "."
        if not approved:
            self.move(task, T.FAILED, "person", f"{by} did not approve it{reason}", ended_at=self.now)
            return
        job = self.program.jobs[task]
        word = f"{by} approved it{reason}"
        if now.step + 1 < len(job.steps):
            self.move(task, T.RUNNING, "person", word, step=now.step + 1)
            self._go_on(task, job)
        else:
            self.move(task, T.COMPLETED, "person", word, step=now.step + 1, ended_at=self.now)

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
        self.move(task, T.RUNNING, "change", why, step=first, result=result)
        self._go_on(task, job)

    def overspent(self, task: str, why: str) -> None:
        """The budget of a task is used up: what runs is stopped, and it fails for good."""
        now = self.task(task)
        if now.status is T.RUNNING and now.fate is None and not undoing.is_rolling_back(now):
            self.stops.append(task)
            self.move(task, T.FAILED, BUDGET, why, ended_at=self.now)

    def give_up(self, task: str, cut: Cut) -> None:
        """A limit has ended what ran for a task: it is tried again, or has failed or is skipped for good."""
        if cut.to == "skipped":
            self.skip(task, cut.why)
        else:
            self._fail(task, self.program.jobs[task], cut.why, final=cut.to == "failed", signal="watchdog")

    def skip(self, task: str, why: str) -> None:
        """Never do a task that has not ended."""
        self.move(task, T.SKIPPED, "watchdog", why, ended_at=self.now)

    def _go_on(self, task: str, job: Job) -> None:
        """Start the next step, ask, or be done."""
        now = self.task(task)
        if now.step < len(job.steps):
            start = Start(task, now.attempts, now.step, job.steps[now.step])
            # An agent may have to wait in the queue: its time begins when it works.
            now = self.put(at_work(now, self.now, working=start.step.what != "session"))
            if start.step.what == "ask":
                role = job.task.approver_role
                word = f"Somebody with the role {role} decides." if role else "A person decides."
                self.move(task, T.WAITING_APPROVAL, "plan", word)
                self.questions.append(start)
            elif start.step.what == "repeat" and ITEMS in now.result:
                self.put(replace(now, step=now.step + 1))
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
        self.move(task, T.COMPLETED, "plan", word, ended_at=self.now)

    def _fail(self, task: str, job: Job, why: str, *, final: bool, signal: str = "plan") -> None:
        # Another try is one by the revision in force.
        now, retry = self.task(task), self.program.anew.get(task, job).task.retry
        if (watch := watch_of(now)) is not None and watch.short:
            final, why = True, f"Its timebox ended the work, and what there was by then is not enough: {why}"
        now = self.put(replace(now, result={**now.result, LAST_FAILURE: why}))
        tries = now.attempts - now.forgiven
        if final or retry is None or tries >= retry.attempts:
            self.move(task, T.FAILED, signal, why, ended_at=self.now)
            return
        delay = retry.delay * retry.backoff ** (tries - 1)
        delay = delay if retry.max_delay is None else min(delay, retry.max_delay)
        word = f"Attempt {tries} of {retry.attempts} failed: {why}"
        self.move(task, T.READY, signal, word, not_before=self.now + int(delay * 1_000), step=0)
        self._parts_again(task, "plan", f"{task} is tried again.")

    def _stopped(self, now: Task) -> None:
        """Nothing runs any more for a task that a revision has stopped."""
        task, fate = now.id, now.fate
        self.put(replace(now, fate=None, step=0, not_before=None, forgiven=now.attempts))
        if self._is_left(task):
            self.move(task, T.ABANDONED, "person", "A revision removed it; it was stopped.", ended_at=self.now)
            return
        anew: dict[str, Any] = {"goes_by": None, "session": None, "result": {}, "started_at": None}
        if fate == "stop":
            word = "A revision changed it; it was stopped. `task run` has it done as the plan says now."
            self.move(task, T.BLOCKED, "person", word, **anew)
            return
        word = "A revision changed it; it was stopped, and is begun anew."
        self.move(task, T.READY, "person", word)
        self.move(task, T.PENDING, "person", word, **anew)
        self._looked = False  # What it needs by now may be there already: nothing that changes would say so.

    def _parts_again(self, task: str, signal: str, word: str) -> list[str]:
        """Have the parts of a task done once more that were not completed, or all of them when they were."""
        progress = self.program.progress
        parts = progress.parts(task)
        left = [part for part in parts if self._statuses[part] in TASK_ENDED - {T.COMPLETED}]
        again = left if any(self._statuses[part] is not T.COMPLETED for part in parts) else list(parts)
        found: list[str] = []
        for part in again:
            self.move(part, T.PENDING, signal, word, step=0, not_before=None, ended_at=None)
            found += [part, *self._parts_again(part, signal, word)]
        return found
