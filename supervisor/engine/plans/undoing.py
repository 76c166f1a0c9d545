"""Rolling a task of a plan back: its commands for that run as steps of its last attempt, in its place. Pure.

A task that was completed is then blocked, until a person has it done again or gives the plan up; one that had failed
stays so. What was completed after it stays, too, and says what it is built on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from supervisor.engine.plans.choosing import disturb
from supervisor.engine.plans.limits import WATCH
from supervisor.engine.plans.program import UNDO, Program
from supervisor.engine.plans.prose import nature
from supervisor.engine.plans.reusing import FORMER, MADE, REUSED
from supervisor.model.entities import Reason
from supervisor.model.errors import Refused
from supervisor.model.plans import Plan, PlanStatus, Task, TaskStatus

if TYPE_CHECKING:
    from supervisor.engine.plans.stepping import Steps
    from supervisor.engine.plans.wishes import Wishes

T = TaskStatus

ROLLING: Final = "rolling_back"
"""In the result of a task that is being rolled back: by whom, and what it was before."""

ROLLED: Final = "rolled_back"
"""In the result of a task that was rolled back: by whom, when, whether that succeeded, and if not, why."""


@dataclass(frozen=True, slots=True)
class Undo:
    """What rolling a task back would do. ``refusal`` says why it cannot be done now; empty when it can.

    ``waiting`` are tasks that have not begun and need it, ``built_on`` those that were completed after it.
    """

    task: str
    commands: tuple[str, ...]
    place: str
    waiting: tuple[str, ...]
    built_on: tuple[str, ...]
    refusal: str
    hint: str = ""


def undo_of_task(program: Program, plan: Plan, tasks: Mapping[str, Task], task: str) -> Undo:
    """Return what rolling a task back would do."""
    job, now = program.jobs[task], tasks[task]
    after = _after(program, task)
    refusal, hint = _refusal(program, plan, tasks, task, after)
    merged = is_merged(now)
    place = {
        "plan": "in the plan's worktree",
        "own": "in the plan's worktree, where its work was merged" if merged else "in its own worktree",
        "none": "in its scratch folder",
    }[job.task.place]
    return Undo(
        task=task,
        commands=job.task.rollback if job.undo else (),
        place=place,
        waiting=tuple(each for each in after if tasks[each].status in (T.PENDING, T.READY, T.WAITING_APPROVAL)),
        built_on=tuple(each for each in after if tasks[each].status is T.COMPLETED),
        refusal=refusal,
        hint=hint,
    )


def _refusal(
    program: Program, plan: Plan, tasks: Mapping[str, Task], task: str, after: tuple[str, ...]
) -> tuple[str, str]:
    job, now = program.jobs[task], tasks[task]
    if not job.undo:
        if program.progress.parts(task):
            return (
                f"{task} has no `rollback`.",
                f"Its parts may have one: {', '.join(program.progress.parts(task)[:3])}.",
            )
        return f"The task {task} has no `rollback`.", "Its document says which commands undo it, under this key."
    if prose := [line for line in job.task.rollback if nature(line) == "prose"]:
        return (
            f"{prose[0].splitlines()[0][:60]!r} of its rollback is prose, no command.",
            "Do it yourself, then say so.",
        )
    failed_before = now.status is T.BLOCKED and ROLLED in now.result and not now.result[ROLLED]["ok"]
    if now.status not in (T.COMPLETED, T.FAILED) and not failed_before:
        return f"The task {task} is {now.status}.", "Only one that is completed, or has failed, is rolled back."
    if now.attempts == 0 and MADE not in now.result:
        return f"The task {task} never ran.", "There is nothing to undo."
    if running := [each for each in after if tasks[each].status is T.RUNNING]:
        return f"{', '.join(running[:3])} runs, and needs {task}.", "Wait for its end, or stop it."
    demand = job.demand
    for other in (each for each, standing in tasks.items() if standing.status is T.RUNNING):
        taken = program.jobs[other].demand
        locks = [name for name in demand.resources if name in taken.resources]
        if disturb(demand, taken) or locks:
            return f"{other} runs, and uses what {task} changes.", "Wait for its end, or stop it."
    return "", ""


def _after(program: Program, task: str) -> tuple[str, ...]:
    """Return all that comes after a task: what it is a part of comes after it, too, the other parts do not."""
    progress = program.progress
    found = dict.fromkeys(each for each in progress.after(task) if not _is_within(program, each, task))
    holder = progress.node(task).within
    while holder is not None:
        found[holder] = None
        found |= dict.fromkeys(each for each in progress.after(holder) if not _is_within(program, each, holder))
        holder = progress.node(holder).within
    return tuple(each for each in found if each != task)


def _is_within(program: Program, task: str, holder: str) -> bool:
    above = program.progress.node(task).within
    while above is not None and above != holder:
        above = program.progress.node(above).within
    return above is not None


def is_rolling_back(task: Task) -> bool:
    """Whether a task is being rolled back."""
    return task.status is T.RUNNING and task.step >= UNDO


def is_merged(task: Task) -> bool:
    """Whether what a task did in a worktree of its own is in the plan's: by the supervisor, or by who completed it."""
    was = (task.result.get(ROLLING) or task.result.get(ROLLED) or {}).get("was", task.status)
    return "commit" in task.result or was == T.COMPLETED


def roll_back(turn: Wishes, task: str, by: str) -> Undo:
    """Begin to roll a task back; returns what that does. Refused when it cannot be done now."""
    undo = undo_of_task(turn.program, turn.plan, turn.tasks(), task)
    if undo.refusal:
        raise Refused(undo.refusal, hint=undo.hint)
    now, word = turn.task(task), f"{by} rolls it back."
    was = now.result[ROLLED]["was"] if now.status is T.BLOCKED else now.status.value
    if was == T.COMPLETED:
        for each in undo.waiting:
            # What it needs is not done any more: what it asked, it asks anew.
            if turn.task(each).status is T.WAITING_APPROVAL:
                turn.move(each, T.READY, "person", f"{by} rolls {task} back.")
            if turn.task(each).status is T.READY:
                turn.move(each, T.PENDING, "person", f"{by} rolls {task} back.")
    # What it gave is not taken again, whatever becomes of this.
    kept = {name: value for name, value in now.result.items() if name not in (MADE, FORMER, REUSED, ROLLED, WATCH)}
    if now.status is not T.READY:
        turn.move(task, T.READY, "person", word)
    turn.move(
        task, T.RUNNING, "person", word, step=UNDO, not_before=None, ended_at=None, input_hash=None, goes_by=None,
        result={**kept, ROLLING: {"by": by, "was": was, "why": now.reason.text}},
    )  # fmt: skip
    turn.go_on_again(word)
    turn.start(task)
    return undo


def step_ended(turn: Steps, task: str, *, ok: bool, why: str) -> None:
    """A command that rolls a task back has ended."""
    now = turn.task(task)
    number = now.step + 1
    if ok and number - UNDO < len(turn.program.jobs[task].undo):
        turn.put(replace(now, step=number))
        turn.start(task)
    else:
        _ended(turn, task, ok=ok, why=why)


def _ended(turn: Steps, task: str, *, ok: bool, why: str) -> None:
    now = turn.task(task)
    rolling = now.result[ROLLING]
    by, failed = rolling["by"], rolling["was"] == T.FAILED
    result = {name: value for name, value in now.result.items() if name != ROLLING}
    rolled = {"by": by, "was": rolling["was"], "at": turn.now, "ok": ok, "why": why}
    turn.put(replace(now, step=0, result={**result, ROLLED: rolled}))
    if ok:
        word = f"{by} rolled it back."
        after = f" It had failed: {rolling['why']}" if failed else f" Have it done again: {_again(turn.plan, task)}"
    else:
        word = f"Its rollback failed, and what of it is undone is not known: {why}"
        after = ""
    # Nobody has it done again when it was given up, or a revision has removed it.
    over = turn.plan.status is PlanStatus.ABANDONED or turn.program.progress.node(task).left
    to = T.FAILED if failed else T.ABANDONED if over else T.BLOCKED
    turn.move(task, to, "rollback", word if to is T.ABANDONED else word + after, ended_at=turn.now)
    if ok and not failed:
        tasks = turn.tasks()
        for each in undo_of_task(turn.program, turn.plan, tasks, task).built_on:
            text = f"{tasks[each].reason.text.partition(BUILT)[0]}{BUILT}{task}, which {by} rolled back."
            turn.put(replace(tasks[each], reason=Reason("rollback", text, turn.now)))
    turn.rolled_back.append(task)


BUILT: Final = " It is built on "


def _again(plan: Plan, task: str) -> str:
    return f"quarterdeck task run {plan.id}/{task}"
