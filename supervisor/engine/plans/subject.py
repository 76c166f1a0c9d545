"""What counts as a change of what a person was asked about, while others work in the same worktree. Pure.

docs/decisions/0023 has the reasons.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from supervisor.engine.plans.choosing import is_meant
from supervisor.engine.plans.program import UNDO, Job, Program
from supervisor.model.plan.task import Task as PlannedTask
from supervisor.model.plans import Task, TaskStatus


def beside(program: Program, tasks: Mapping[str, Task], asked: str, since: int) -> list[PlannedTask]:
    """Return the tasks that were at work in the plan's worktree after ``since`` (ms), beside the one that is asked
    about. What it needs had ended before it asked."""
    return [
        program.jobs[name].task
        for name, task in tasks.items()
        if name != asked and name in program.jobs and _was_there(program.jobs[name], task, since)
    ]


def counting(
    changed: Iterable[str], shown: Collection[str], others: Collection[PlannedTask], moving: Collection[str]
) -> list[str]:
    """Return which of the changed paths are a change of what was asked about.

    With nobody beside it that is each of them. Else it is what the plan had changed when it was asked (``shown``), but
    for what the others say they write, and what is known to go on changing (``moving``).
    """
    if not others:
        return sorted(changed)
    theirs = [pattern for other in others for pattern in other.writes]
    return sorted(
        path
        for path in changed
        if path in shown and path not in moving and not any(is_meant(pattern, path) for pattern in theirs)
    )


def _was_there(job: Job, task: Task, since: int) -> bool:
    if not task.attempts or not (task.status is TaskStatus.RUNNING or task.reason.at > since):
        return False
    if job.task.place == "own":
        # It comes into the plan's worktree with its merge, which is its last step, and is rolled back there.
        return task.status is TaskStatus.COMPLETED or (
            task.status is TaskStatus.RUNNING and (task.step >= UNDO or job.steps[task.step].what == "merge")
        )
    return job.task.place == "plan" and any(step.what in ("command", "session") for step in job.steps)
