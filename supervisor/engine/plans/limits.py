"""The limits of a task, and how much of each is used. Pure; times are milliseconds, moments those since the epoch.

How much is used is kept with the task (in its result, under `WATCH`), so that it goes on counting over any crash. The
clocks rest while a person is asked and while an agent's session does not run: a limit is of work, not of waiting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from supervisor.model.plan.task import Task as PlannedTask
from supervisor.model.plans import Task, TaskStatus

if TYPE_CHECKING:
    from supervisor.engine.plans.program import Step

Limit = Literal["timebox", "timeout", "heartbeat", "no_output"]
Level = Literal["near", "passed"]

LIMITS: Final[tuple[Limit, ...]] = ("timebox", "timeout", "heartbeat", "no_output")
"""In the order in which they are looked at: what ends the task comes before what ends an attempt."""

SILENCES: Final[frozenset[Limit]] = frozenset({"heartbeat", "no_output"})
"""Limits that begin anew with each sign."""

WATCH: Final = "watch"
"""In a task's result: what its limits stand at."""

NEAR: Final = 0.8
"""The part of a limit from which on it is nearly used up."""

SHORTEST_S: Final = 0.001
"""What a runner is left of a limit that is used up by now."""

LOOKED: Final = 0.5
"""The part of a silence from which on it is looked for a sign again."""


@dataclass(frozen=True, slots=True)
class Clock:
    """How long something took: ``spent`` until it last rested, and on from ``since``, unless that is None."""

    spent: int = 0
    since: int | None = None

    def at(self, now: int) -> int:
        """Return what it shows."""
        return self.spent + (0 if self.since is None else max(0, now - self.since))

    def run(self, now: int) -> Clock:
        """Let it run."""
        return self if self.since is not None else replace(self, since=now)

    def rest(self, now: int) -> Clock:
        """Let it stand still."""
        return Clock(self.at(now))


@dataclass(frozen=True, slots=True)
class Cut:
    """An attempt is being ended: because of which limit, and what people read. ``to`` is what then becomes of the task
    for good; None lets it be tried again as after any failure."""

    limit: Limit
    why: str
    to: Literal["failed", "skipped"] | None = None


@dataclass(frozen=True, slots=True)
class Signs:
    """When what runs for a task was last heard of: by what it put out, and by being alive at all; 0 is never."""

    output: int = 0
    life: int = 0

    def of(self, limit: Limit) -> int:
        """Return when the sign last came that a limit is about."""
        return self.output if limit == "no_output" else max(self.output, self.life)


@dataclass(frozen=True, slots=True)
class Watch:
    """What the limits of a task stand at.

    ``attempt`` and ``box`` are the clocks of its attempt and of all of them. ``given`` is how much longer a person made
    a limit; ``told`` up to which level each was acted upon, and when. ``quiet`` is when a person last put up with its
    silence. ``asked`` is the limit that a person is asked about, by the question of number ``questions``. ``short`` is
    true once the timebox ended the work: what there is goes to its checks.
    """

    attempt: Clock = Clock()
    box: Clock = Clock()
    given: Mapping[Limit, int] = field(default_factory=dict)
    told: Mapping[Limit, tuple[Level, int]] = field(default_factory=dict)
    quiet: int = 0
    asked: Limit | None = None
    questions: int = 0
    cut: Cut | None = None
    short: bool = False


def watch_of(task: Task) -> Watch | None:
    """Return what the limits of a task stand at; None when it was never watched."""
    found = task.result.get(WATCH)
    return None if found is None else msgspec.convert(found, Watch)


def is_watched(task: Task) -> bool:
    """Whether limits are looked at: of what runs, or waits to be tried again."""
    return WATCH in task.result and task.status in (TaskStatus.RUNNING, TaskStatus.READY)


def with_watch(task: Task, watch: Watch) -> Task:
    """Return a task with what its limits stand at."""
    return replace(task, result={**task.result, WATCH: msgspec.to_builtins(watch)})


def is_limited(planned: PlannedTask) -> bool:
    """Whether anything limits a task."""
    return any(amount is not None for amount in amounts(planned).values())


def amounts(planned: PlannedTask) -> dict[Limit, float | None]:
    """Return the limits of a task, as its document says them (seconds)."""
    return {
        "timebox": planned.timebox,
        "timeout": planned.timeout,
        "heartbeat": planned.heartbeat,
        "no_output": planned.no_output,
    }


def bounds(planned: PlannedTask, watch: Watch, step: Step | None) -> dict[Limit, int]:
    """Return the limits that hold for a step, with what a person gave; without a step, for a task between attempts.

    What the supervisor does itself (keeping, merging) is never cut off.
    """
    found = {
        limit: round(amount * 1_000) + watch.given.get(limit, 0)
        for limit, amount in amounts(planned).items()
        if amount is not None
    }
    if step is None:
        return {limit: found[limit] for limit in found if limit == "timebox"}
    if step.what in ("command", "session"):
        return found
    if step.what in ("expression", "parts"):
        return {limit: found[limit] for limit in found if limit not in SILENCES}
    return {}


def used(limit: Limit, watch: Watch, signs: Signs, now: int) -> int:
    """Return how much of a limit is used. A silence cannot be older than the time since its clock runs."""
    if limit == "timebox":
        return watch.box.at(now)
    if limit == "timeout":
        return watch.attempt.at(now)
    since = watch.attempt.since
    return 0 if since is None else max(0, now - max(signs.of(limit), since, watch.quiet))


def level_of(spent: int, bound: int) -> Level | None:
    """Return how far a limit is used."""
    if spent >= bound:
        return "passed"
    return "near" if spent >= NEAR * bound else None


def told(limit: Limit, watch: Watch, signs: Signs) -> Level | None:
    """Return up to which level a limit was acted upon. A sign that came since then makes a silence a new one."""
    level, at = watch.told.get(limit, (None, 0))
    return None if limit in SILENCES and signs.of(limit) > at else level


def next_look(planned: PlannedTask, watch: Watch, step: Step | None, signs: Signs, now: int) -> int | None:
    """Return when the limits of a task are to be looked at again; None while time alone changes nothing."""
    if watch.cut is not None:
        return None
    clock = watch.box if step is None else watch.attempt
    if clock.since is None:
        return None
    due: list[int] = []
    for limit, bound in bounds(planned, watch, step).items():
        spent = used(limit, watch, signs, now)
        parts = [NEAR * bound, bound, *([LOOKED * bound] if limit in SILENCES else [])]
        due += [now + max(1, round(part) - spent) for part in parts if round(part) > spent]
    return min(due, default=None)


def clocked(before: TaskStatus, after: Task, now: int) -> Task:
    """Return a task whose status has changed, with its clocks as they go then."""
    watch = watch_of(after)
    if watch is None:
        return after
    if after.status is TaskStatus.RUNNING:
        watch = replace(watch, attempt=watch.attempt.run(now), box=watch.box.run(now))
    elif after.status is TaskStatus.READY and before is TaskStatus.RUNNING:
        asked = watch.asked if watch.asked == "timebox" else None
        watch = replace(watch, attempt=watch.attempt.rest(now), asked=asked, cut=None)
    else:
        watch = replace(watch, attempt=watch.attempt.rest(now), box=watch.box.rest(now), asked=None, cut=None)
    return with_watch(after, watch)


def begun(task: Task, planned: PlannedTask, now: int) -> dict[str, Any]:
    """Return what is kept of a task's watch when an attempt begins: its timebox goes on, unless a person began anew."""
    before = watch_of(task)
    if before is not None and before.box.since is not None:
        given: dict[Limit, int] = {limit: more for limit, more in before.given.items() if limit == "timebox"}
        telling: dict[Limit, tuple[Level, int]] = {
            limit: each for limit, each in before.told.items() if limit == "timebox"
        }
        watch = Watch(Clock(0, now), before.box, given, telling, asked=before.asked, questions=before.questions)
    elif is_limited(planned):
        watch = Watch(Clock(0, now), Clock(0, now), questions=0 if before is None else before.questions)
    else:
        return {}
    return {WATCH: msgspec.to_builtins(watch)}


def moved(task: Task, gap: int, now: int) -> Task:
    """Return a task whose clocks leave a jump of the machine's clock out: it was set, or the machine slept so long.

    Nothing could be heard of what runs meanwhile: its silence begins now.
    """
    watch = watch_of(task)
    if watch is None or (watch.attempt.since is None and watch.box.since is None):
        return task
    attempt, box = (
        clock if clock.since is None else replace(clock, since=clock.since + gap)
        for clock in (watch.attempt, watch.box)
    )
    return with_watch(task, replace(watch, attempt=attempt, box=box, quiet=now))


def at_work(task: Task, now: int, *, working: bool) -> Task:
    """Return a task whose clocks run, or rest because what is to work for it waits."""
    watch = watch_of(task)
    if watch is None:
        return task
    if working:
        moved = replace(watch, attempt=watch.attempt.run(now), box=watch.box.run(now))
    else:
        moved = replace(watch, attempt=watch.attempt.rest(now), box=watch.box.rest(now))
    return task if moved == watch else with_watch(task, moved)


def attempt_left_s(task: Task, planned: PlannedTask, now: int) -> float | None:
    """Return how many seconds the runner of a step may let it go on: what is left of the attempt's timeout.

    It keeps the limit also while no supervisor runs. None where a person is told or asked instead, and without a limit.
    """
    watch = watch_of(task)
    if planned.timeout is None or watch is None or not _stops(planned):
        return None
    return max(SHORTEST_S, planned.timeout - watch.attempt.at(now) / 1_000)


def silence_s(planned: PlannedTask) -> float | None:
    """Return how many seconds the runner of a command may let it be silent; None as with `attempt_left_s`."""
    return planned.no_output if _stops(planned) else None


def _stops(planned: PlannedTask) -> bool:
    """Whether limits are kept without asking anybody."""
    said = planned.escalation
    return said is None or (said.passed == "stop" and said.near != "ask")
