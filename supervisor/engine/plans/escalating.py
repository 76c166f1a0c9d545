"""What happens when a limit of a task is near, or used up: people are told or asked, or the attempt is ended. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from supervisor.engine.plans.limits import (
    LIMITS,
    Cut,
    Level,
    Limit,
    Signs,
    Watch,
    amounts,
    at_work,
    bounds,
    level_of,
    moved,
    told,
    used,
    watch_of,
    with_watch,
)
from supervisor.engine.plans.spelled import spelled
from supervisor.model.entities import Reason
from supervisor.model.events import EventType
from supervisor.model.plan.parts import Escalation
from supervisor.model.plan.task import Task as PlannedTask
from supervisor.model.plans import TASK_ENDED, TaskStatus

if TYPE_CHECKING:
    from supervisor.engine.plans.program import Step
    from supervisor.engine.plans.stepping import Steps

MORE: Final = "more"
STOP: Final = "stop"
SKIP: Final = "skip"

_NOTHING_SAID: Final = Escalation()

_PASSED: Final[dict[Limit, str]] = {
    "timebox": "The timebox of {} for all its attempts is used up",
    "timeout": "It took longer than its timeout of {} (start_to_close)",
    "heartbeat": "It gave no sign of life for longer than its heartbeat limit of {}",
    "no_output": "It was silent for longer than its no_output limit of {}",
}
_NEAR: Final[dict[Limit, str]] = {
    "timebox": "The timebox of {} for all its attempts is nearly used up",
    "timeout": "It has nearly taken its timeout of {} (start_to_close)",
    "heartbeat": "It has given no sign of life for most of its heartbeat limit of {}",
    "no_output": "It has been silent for most of its no_output limit of {}",
}
_ADVICE: Final[dict[Limit, str]] = {
    "timebox": "Tried again by a person (`task retry`), it has as long once more.",
    "timeout": "If it needs longer, raise its `timeout`.",
    "heartbeat": "Look whether its process was stopped, or its machine is overloaded.",
    "no_output": "If it may be silent for longer, raise its `no_output`, or let it print that it works.",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told of a task, or of the plan (None): ``said`` is the event's payload."""

    task: str | None
    type: EventType
    said: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LimitQuestion:
    """What a person is asked about a limit of a task that runs: the question of this number."""

    task: str
    limit: Limit
    number: int
    text: str
    more_s: float


def look(turn: Steps, signs: Mapping[str, Signs]) -> None:
    """Look at the limits of everything that runs, or waits to be tried again. ``signs`` are known of what runs."""
    for task in sorted(turn.watched):
        now = turn.task(task)
        watch, job = watch_of(now), turn.program.jobs[task]
        if watch is None or watch.cut is not None:
            continue
        step = job.steps[now.step] if now.status is TaskStatus.RUNNING and now.step < len(job.steps) else None
        if step is None and now.status is not TaskStatus.READY:
            continue
        of_task = signs.get(task, Signs())
        found = bounds(job.task, watch, step)
        for limit in (limit for limit in LIMITS if limit in found):
            level = level_of(used(limit, watch, of_task, turn.now), found[limit])
            before = told(limit, watch, of_task)
            if level is None or before in (level, "passed"):
                continue
            escalation = job.task.escalation or _NOTHING_SAID
            what = escalation.near if level == "near" else escalation.passed
            if what is None or (what == "ask" and watch.asked is not None and watch.asked != limit):
                continue  # one question at a time: what the answer leaves is asked then
            watch = replace(watch, told={**watch.told, limit: (level, turn.now)})
            turn.put(with_watch(turn.task(task), watch))
            said = (_NEAR if level == "near" else _PASSED)[limit].format(spelled(found[limit]))
            turn.notices.append(_notice(turn, task, limit, level, what, said, found[limit]))
            if what == "stop":
                cut(turn, task, Cut(limit, _why(limit, said, step), "failed" if limit == "timebox" else None))
                break
            if what == "ask" and watch.asked is None:
                watch = _ask(turn, task, watch, limit, said, job.task)


def jumped(turn: Steps, gap: int) -> None:
    """Take in that the clock of the machine went so many milliseconds further than time did (or less far: below 0)."""
    for task in sorted(turn.watched):
        now = turn.task(task)
        after = moved(now, gap, turn.now)
        if after is not now:
            turn.put(after)


def ended_by_runner(turn: Steps, task: str, limit: Limit) -> None:
    """Take in that the runner of a step has kept a limit itself: what it ran has ended by now."""
    watch, planned = watch_of(turn.task(task)), turn.program.jobs[task].task
    if watch is None or watch.cut is not None:
        return
    bound = round((amounts(planned)[limit] or 0) * 1_000)
    said = _PASSED[limit].format(spelled(bound))
    turn.notices.append(_notice(turn, task, limit, "passed", "stop", said, bound))
    step = turn.program.jobs[task].steps[turn.task(task).step]
    turn.put(with_watch(turn.task(task), replace(watch, cut=Cut(limit, _why(limit, said, step)), asked=None)))


def cut(turn: Steps, task: str, why: Cut) -> None:
    """End an attempt, and whatever runs for its parts; what comes of it is decided when that has ended."""
    now = turn.task(task)
    if now.status is TaskStatus.READY:
        turn.give_up(task, why)
        return
    watch = watch_of(now) or Watch()
    if now.status is not TaskStatus.RUNNING or watch.cut is not None:
        return
    ending = replace(now, reason=Reason("watchdog", f"It is being ended. {why.why}", turn.now))
    turn.put(with_watch(ending, replace(watch, cut=why, asked=None)))
    turn.stops.append(task)
    for part in turn.program.progress.parts(task):
        of_part = turn.task(part)
        if of_part.status is TaskStatus.RUNNING:
            cut(turn, part, Cut(why.limit, f"It is a part of {task}. {why.why}", why.to or "failed"))
        elif of_part.status not in TASK_ENDED:
            turn.skip(part, f"It is a part of {task}. {why.why}")


def cut_short(turn: Steps, task: str, cut: Cut) -> bool:
    """Decide what comes of an attempt that was ended, now that nothing of it runs; whether anything does here.

    A timebox ends the work, not the task: where checks can prove what there is, they decide.
    """
    now, job = turn.task(task), turn.program.jobs[task]
    step, watch = job.steps[now.step], watch_of(now) or Watch()
    rest = range(now.step + 1, len(job.steps))
    proof = next((number for number in rest if job.steps[number].proves), None)
    works = job.task.kind != "gate" and not (step.proves or step.before or step.measures)
    if cut.limit == "timebox" and cut.to != "skipped" and proof is not None and works:
        going_on = replace(now, step=proof, reason=Reason("watchdog", f"{cut.why} Its checks decide.", turn.now))
        turn.put(with_watch(going_on, replace(watch, cut=None, short=True)))
        return False
    turn.give_up(task, cut)
    return True


def decided(turn: Steps, task: str, number: int, choice: str, by: str) -> bool:
    """Take in what a person says about a limit; whether that question is still open."""
    now = turn.task(task)
    watch = watch_of(now)
    if watch is None or watch.asked is None or watch.questions != number:
        return False
    limit, job = watch.asked, turn.program.jobs[task]
    watch = replace(watch, asked=None)
    if choice == MORE:
        more = round((amounts(job.task)[limit] or 0) * 1_000)
        given = {**watch.given, limit: watch.given.get(limit, 0) + more}
        told_ = {each: what for each, what in watch.told.items() if each != limit}
        if limit in ("heartbeat", "no_output"):
            given, watch = dict(watch.given), replace(watch, quiet=turn.now)
        turn.put(with_watch(now, replace(watch, given=given, told=told_)))
        return True
    turn.put(with_watch(now, watch))
    said = _PASSED[limit].format(spelled(bounds(job.task, watch, job.steps[now.step]).get(limit, 0)))
    if choice == SKIP:
        cut(turn, task, Cut(limit, f"{by} had it skipped: {said}.", "skipped"))
    else:
        cut(turn, task, Cut(limit, f"{by} had it stopped: {said}.", "failed" if limit == "timebox" else None))
    return True


def working(turn: Steps, task: str, attempt: int, number: int, *, runs: bool) -> None:
    """Take in whether the session of a step works, or waits: in the queue, for a person, paused."""
    if turn.is_at(task, attempt, number):
        now = turn.task(task)
        after = at_work(now, turn.now, working=runs)
        if after is not now:
            turn.put(after)


def _why(limit: Limit, said: str, step: Step | None) -> str:
    """Say which limit was passed, what was stopped because of it, and what a person can do."""
    stopped = ""
    if step is not None:
        whats = {"session": "its session was stopped", "parts": "its tasks were stopped"}
        stopped = f": {whats.get(step.what) or f'`{step.text.strip().splitlines()[0][:100]}` was stopped'}"
    return f"{said}{stopped}. {_ADVICE[limit]}"


def _ask(turn: Steps, task: str, watch: Watch, limit: Limit, said: str, planned: PlannedTask) -> Watch:
    # By the clock: a number is never used twice, also when the watch was forgotten meanwhile.
    asking = replace(watch, asked=limit, questions=max(watch.questions + 1, turn.now))
    turn.put(with_watch(turn.task(task), asking))
    more_s = amounts(planned)[limit] or 0
    turn.limit_questions.append(LimitQuestion(task, limit, asking.questions, said, more_s))
    return asking


def _notice(turn: Steps, task: str, limit: Limit, level: Level, what: str, said: str, bound: int) -> Notice:
    """Return what is told of a limit, and what is done about it: ``warn``, ``ask`` or ``stop``."""
    kind = EventType.LIMIT_NEAR if level == "near" else EventType.LIMIT_PASSED
    text = f"{turn.plan.id}/{task}: {said}."
    return Notice(task, kind, {"text": text, "limit": limit, "seconds": bound / 1_000, "action": what})
