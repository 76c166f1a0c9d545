"""Taking what a task gave before instead of running it again: which tasks that is for, and what it means. Pure.

Only a task that says so (`idempotent`), and says what it reads, is left out: what is not declared may matter. What a
task depends on is hashed before it runs and when it is done; what was the same both times is remembered with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from supervisor.engine.plans.limits import WATCH, watch_of
from supervisor.engine.plans.prose import criterion
from supervisor.engine.plans.repeating import is_repeated
from supervisor.model.plan.task import Task
from supervisor.model.plans import TaskStatus
from supervisor.store.rows import to_json

if TYPE_CHECKING:
    from supervisor.engine.plans.program import Job
    from supervisor.engine.plans.stepping import Steps

MADE: Final = "made"
"""In a task's result, once what it gave may be taken again: when that was, and what is in what it made."""

INPUTS: Final = "inputs"
"""In a task's result: what its last run depended on, by name, each as the beginning of a digest."""

FORMER: Final = "former"
"""In the result of a task that runs: what it gave before, until it is known whether that is taken."""

FORCED: Final = "forced"
"""In a task's result: who has it run whether anything has changed or not."""

REUSED: Final = "reused"
"""In the result of a task that was not run: the plan that it was taken from, and what of its files was put back."""

NOT_REMEMBERED: Final = "not_remembered"
"""In a task's result: why what it gave may not be taken again."""

SHOWN: Final = 16
"""Digits of a digest that are kept to say what has changed."""

SHA256: Final = 64
"""Digits of a whole digest; what stands behind them says more."""

NAMED: Final = 3
"""How many things that have changed are named."""

_OUTSIDE: Final = {"http": "it asks what is outside of the plan", "db": "a database is outside of the plan"}
_ALWAYS: Final = {**_OUTSIDE, "git": "the state of a repository is not among what it reads", "gate": "a gate asks anew"}
_NO_MATTER: Final = frozenset(
    {
        "title", "description", "prompt", "command", "commands", "http", "db", "git", "subplan", "fan_out", "needs",
        "next", "status", "priority", "owner", "labels", "resources", "assumptions", "risks", "failure_modes", "budget",
        "timeout", "no_output", "heartbeat", "retry", "rollback", "approval", "approver_role", "metadata", "inputs",
        "environment",
    }
)  # fmt: skip
"""What a document says of a task and what it gives does not depend on, or what stands in its steps or on its own."""


def hindrance(task: Task) -> str:
    """Return why a task that is idempotent runs each time nevertheless; empty when it need not."""
    if is_repeated(task) or task.runner == "subplan":
        return "its tasks say so themselves"
    if task.runner in _ALWAYS:
        return _ALWAYS[task.runner]
    if any(criterion(text) == "prose" for text in (*task.preconditions, *task.success_criteria, *task.checks)):
        return "a person judges it"
    if task.approval:
        return "a person approves it"
    if task.place != "none" and not task.reads:
        return "it does not say what it `reads`"
    return ""


def is_reusable(task: Task) -> bool:
    """Whether what a task gave before may be taken, when nothing has changed."""
    return task.idempotent and not hindrance(task)


def declared(task: Task) -> list[str]:
    """Return the files that a task says it makes; as patterns, too, what it writes."""
    kept = [each.path or each.name for each in task.artifacts if each.from_ in (None, task.id)]
    names = {f"artifacts.{each.name}" for each in task.artifacts}
    outputs = [path for path in task.outputs.values() if path not in names]
    return list(dict.fromkeys((*outputs, *kept, *task.evidence, *task.writes)))


def definition(job: Job) -> str:
    """Return a digest of what a task is, as far as it matters to what it gives (SHA-256, hexadecimal)."""
    said = job.task.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=set(_NO_MATTER))
    steps = [[step.what, step.text, step.argv, step.given] for step in job.steps]
    return hashlib.sha256(to_json([said, steps]).encode()).hexdigest()


def whole_hash(parts: Mapping[str, str]) -> str:
    """Return the input hash: of everything that a task depends on, by name."""
    return hashlib.sha256(to_json(dict(parts)).encode()).hexdigest()


def shortened(parts: Mapping[str, str]) -> dict[str, str]:
    """Return what is kept of digests, to say later what has changed."""
    return {name: digest[:SHOWN] + digest[SHA256:] for name, digest in parts.items()}


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Say what has changed since a task ran; ``before`` and ``after`` are shortened."""
    changed = [name for name in {**after, **before} if before.get(name) != after.get(name)]
    more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
    return f"Changed since it ran: {', '.join(changed[:NAMED])}{more}." if changed else ""


def carried(result: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """Return what of a result another attempt begins with: these names, and all of what may be taken again."""
    kept = {name: value for name, value in result.items() if name in names}
    if MADE in result:
        kept[FORMER] = {name: value for name, value in result.items() if name not in (FORMER, FORCED, WATCH)}
    return kept


def force(turn: Steps, task: str, by: str) -> None:
    """Have a task, and those of its parts that are done once more with it, run whether anything has changed or not."""
    for each in (task, *turn.program.progress.parts(task)):
        now = turn.task(each)
        if is_reusable(turn.program.jobs[each].task) and now.status is not TaskStatus.COMPLETED:
            turn.put(replace(now, result={**now.result, FORCED: by}))
        if each != task:
            force(turn, each, by)


def runs(
    turn: Steps, task: str, attempt: int, number: int, why: str, parts: Mapping[str, str], input_hash: str | None
) -> None:
    """A task is to be run, because of ``why``. Without an ``input_hash`` what it gives is not remembered."""
    if turn.is_at(task, attempt, number):
        now = turn.task(task)
        result = {name: value for name, value in now.result.items() if name not in (FORMER, NOT_REMEMBERED)}
        found = {**result, "why_run": why, INPUTS: dict(parts)}
        turn.put(replace(now, input_hash=input_hash, result=found))
        turn.step_ended(task, attempt, number, ok=True, why="")


def reused(
    turn: Steps, task: str, attempt: int, number: int, text: str, result: Mapping[str, Any], input_hash: str
) -> None:
    """A task is completed with what it gave before. That is no attempt."""
    if not turn.is_at(task, attempt, number):
        return
    now = turn.task(task)
    watch = watch_of(now)
    if now.fate is not None or (watch is not None and watch.cut is not None):
        # A revision, or a limit, has ended this attempt meanwhile.
        turn.step_ended(task, attempt, number, ok=False, why="")
    else:
        turn.put(replace(now, attempts=attempt - 1, step=0, result=dict(result), input_hash=input_hash))
        turn.move(task, TaskStatus.COMPLETED, "unchanged", text, ended_at=turn.now)


def remembered(
    turn: Steps, task: str, attempt: int, number: int, run: str, made: Mapping[str, str | None] | None, why_not: str
) -> None:
    """A task is done, and what it gave may be taken again: its files are as in ``made``. None: it may not."""
    if not turn.is_at(task, attempt, number):
        return
    now = turn.task(task)
    result = {name: value for name, value in now.result.items() if name != FORCED}
    if made is None:
        turn.put(replace(now, input_hash=None, result={**result, NOT_REMEMBERED: why_not}))
    else:
        turn.put(replace(now, result={**result, MADE: {"at": turn.now, "run": run, "files": dict(made)}}))
    turn.step_ended(task, attempt, number, ok=True, why="")
