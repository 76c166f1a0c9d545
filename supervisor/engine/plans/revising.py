"""What becomes of a plan's tasks when it is revised. Pure: from how they stand it says how they stand afterwards.

A task that the revision leaves as it was keeps what it has done; one that it changes is to be done anew. What is under
way, and changed or removed, is never touched silently: whoever revises says whether it is kept, stopped or restarted.

- **keep**: its attempt goes on by the definition that it was started with, and its result counts. One that was removed
  ends, and nothing depends on it.
- **stop**: what runs for it is ended; then it waits, blocked, for a person.
- **restart**: the same, and it is begun anew by the new definition once nothing of it runs any more.

What is being rolled back is never stopped halfway: it goes on with that, whatever is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from supervisor.engine.plans.digests import digest_of_task
from supervisor.engine.plans.flattening import placed
from supervisor.engine.plans.repeating import ITEMS, is_repeated, known_items
from supervisor.engine.plans.undoing import is_rolling_back
from supervisor.model.entities import Reason
from supervisor.model.plan.plan import Plan as Planned
from supervisor.model.plan.task import Task as PlannedTask
from supervisor.model.plans import Running, Task, TaskStatus

T = TaskStatus

UNDECIDED: Final = frozenset({T.READY, T.SKIPPED})
UNDER_WAY: Final = frozenset({T.RUNNING, T.WAITING_APPROVAL})
ENDS: Final = ("stop", "restart")

Change = Literal["changed", "removed"]


@dataclass(frozen=True, slots=True)
class Touched:
    """A task under way that a revision changes or removes: how it stood, what becomes of it, and that in words."""

    task: str
    status: TaskStatus
    change: Change
    becomes: Running
    text: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How a plan stands that is revised: its tasks, and what the revision in force says of them.

    ``live`` are those with a command that runs. ``started_as`` has the digests of what those were started as that go
    by an earlier revision.
    """

    tasks: Mapping[str, Task]
    said: Mapping[str, PlannedTask]
    live: Set[str] = frozenset()
    started_as: Mapping[str, str] = field(default_factory=dict)


NOTHING: Final = Standing({}, {})


@dataclass(slots=True)
class Revising:
    """Makes the tasks of revision ``number`` (`made`), and says which of those under way it touches."""

    plan: str
    standing: Standing
    number: int
    running: Running
    author: str
    now: int
    touched: list[Touched] = field(default_factory=list)

    def made(self, planned: Planned) -> list[Task]:
        """Return the tasks of the revision, with those at the end that it removes and that still run."""
        known = self.standing.tasks
        items = known_items(known.values())
        found: dict[str, Task] = {}
        stale: set[str] = set()
        for each, within in placed(planned, items):
            if within in stale:  # what it is repeated for is to be found anew
                stale.add(each.id)
                continue
            old = known.get(each.id)
            task = self._fresh(each, old) if old is None else self._of(each, old)
            if each.id in items and ITEMS not in task.result:
                stale.add(each.id)
            found[each.id] = task
        left = [self._without(old) for old in known.values() if old.id not in found]
        made = (*found.values(), *(task for task in left if task is not None))
        return [replace(task, position=position) for position, task in enumerate(made)]

    def _of(self, each: PlannedTask, old: Task) -> Task:
        """Return a task that the plan had before, too."""
        digest = digest_of_task(each)
        same = digest == old.digest
        task = replace(old, revision=self.number, kind=each.kind, title=each.name, digest=digest, needs=each.needs)
        if old.status not in UNDER_WAY:
            if not same:
                return self._fresh(each, old)
            # Whether it is ready, or will never run, follows from tasks that may have changed: it is decided anew.
            return replace(task, status=T.PENDING) if old.status in UNDECIDED else task
        if old.status is T.WAITING_APPROVAL and each.kind == "gate":
            # It runs nothing, and what it lets through may be something else now: it asks again.
            return replace(task, status=T.PENDING, forgiven=old.attempts) if same else self._fresh(each, old)
        if old.fate is not None:
            return self._still_stopping(task, old, same=same)
        if digest == self.standing.started_as.get(old.id, old.digest):
            return replace(task, goes_by=None)
        if same and (self.running not in ENDS or is_rolling_back(old)):
            return task
        if self.running == "refuse":
            self._touch(old, "changed", "refuse", f"It is {_word(old)}.")
            return task
        if self.running == "keep" or is_rolling_back(old):
            goes_by = self._started_by(old)
            says = f"Revision {self.number} changed it; it goes on as revision {goes_by} says."
            return replace(task, goes_by=goes_by, reason=self._touch(old, "changed", "keep", says))
        return self._ended(each, task, old, self.running)

    def _ended(self, each: PlannedTask, task: Task, old: Task, becomes: Literal["stop", "restart"]) -> Task:
        """Return a changed task whose attempt is ended: at once where nothing runs for it, else when that is gone."""
        begins = becomes == "restart"
        if old.status is T.RUNNING and not self._runs_nothing(old):
            what = "it is stopped, then begun anew" if begins else "it is being stopped"
            reason = self._touch(old, "changed", becomes, f"Revision {self.number} changed it: {what}.")
            return replace(
                task, fate=becomes, goes_by=self._started_by(old), result={}, reason=reason,
                released_by=self.author if begins else old.released_by,
            )  # fmt: skip
        what = "it is begun anew" if begins else "it was stopped. `task run` has it done as the plan says now"
        reason = self._touch(old, "changed", becomes, f"Revision {self.number} changed it; {what}.")
        fresh = replace(self._fresh(each, old), reason=reason)
        return replace(fresh, released_by=self.author) if begins else replace(fresh, status=T.BLOCKED)

    def _still_stopping(self, task: Task, old: Task, *, same: bool) -> Task:
        """Return a task that an earlier revision has stopped, and that is not gone yet. That cannot be taken back."""
        was_left = old.id not in self.standing.said
        fate = self.running if self.running in ENDS else "restart" if was_left else old.fate
        if same and not was_left and fate == old.fate:
            return task
        what = "it is begun anew when it is gone" if fate == "restart" else "it is being stopped"
        text = f"It was being stopped when revision {self.number} changed it; {what}."
        return replace(task, fate=fate, reason=self._touch(old, "changed", fate or "stop", text))

    def _without(self, old: Task) -> Task | None:
        """Return a task that the plan has no more as it goes on to its end; None when nothing of it does."""
        if old.status not in UNDER_WAY:
            return None
        known_as_left = old.id not in self.standing.said
        task = replace(old, revision=self.number, needs=())
        if known_as_left and (old.fate is not None or self.running not in ENDS or is_rolling_back(old)):
            return task
        if old.fate is None and self.running == "refuse":
            if old.status is T.WAITING_APPROVAL and old.kind == "gate":
                return None
            self._touch(old, "removed", "refuse", f"It is {_word(old)}.")
            return None
        holds = self._holds_others(old)
        kept = is_rolling_back(old) or (self.running == "keep" and not holds and old.kind != "gate")
        if old.fate is None and kept:
            says = f"Revision {self.number} removed it; it goes on to its end."
            reason = self._touch(old, "removed", "keep", says)
            return replace(task, goes_by=self._started_by(old), reason=reason)
        if old.status is T.WAITING_APPROVAL or self._runs_nothing(old):
            if old.kind == "gate":
                return None
            reason = self._touch(old, "removed", "stop", f"Revision {self.number} removed it; it was stopped.")
            ended: dict[str, Any] = {"status": T.ABANDONED, "reason": reason, "ended_at": self.now}
            return None if holds else replace(task, goes_by=self._started_by(old), **ended)
        says = f"Revision {self.number} removed it: it is being stopped."
        reason = self._touch(old, "removed", "stop", says)
        return replace(task, fate="stop", goes_by=self._started_by(old), result={}, reason=reason)

    def _fresh(self, each: PlannedTask, old: Task | None) -> Task:
        """Return a task that is to be done by the new definition. The numbers of its attempts go on: each has a
        worktree, and questions, of its own."""
        word = "It was created." if self.number == 1 else f"Revision {self.number} says what it is."
        attempts = 0 if old is None else old.attempts
        return Task(
            plan=self.plan,
            revision=self.number,
            id=each.id,
            position=0,
            kind=each.kind,
            title=each.name,
            digest=digest_of_task(each),
            status=T.PENDING,
            reason=Reason("person", word, self.now),
            needs=each.needs,
            attempts=attempts,
            forgiven=attempts,
        )

    def _started_by(self, old: Task) -> int:
        return old.goes_by or self.number - 1

    def _holds_others(self, old: Task) -> bool:
        said = self.standing.said.get(old.id)
        return said is not None and (is_repeated(said) or said.subplan is not None)

    def _runs_nothing(self, old: Task) -> bool:
        """Whether a running task only waits for its parts."""
        return self._holds_others(old) and old.id not in self.standing.live

    def _touch(self, old: Task, change: Change, becomes: Running, text: str) -> Reason:
        self.touched.append(Touched(old.id, old.status, change, becomes, text))
        return Reason("person", text, self.now)


def _word(task: Task) -> str:
    return "running" if task.status is T.RUNNING else "waiting for a person"
