"""What a plan would do: each of its tasks, where it works, and its steps. Nothing is looked at but the plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from supervisor.engine.plans.limits import amounts
from supervisor.engine.plans.program import Job, Program, Step
from supervisor.engine.plans.spelled import spelled
from supervisor.model.plan.parts import Escalation
from supervisor.model.plan.task import Task, Workspace

PLACES: Final[dict[Workspace, str]] = {
    "plan": "in the plan's worktree",
    "own": "in a worktree of its own",
    "none": "in a scratch folder",
}

ACTS: Final = {"warn": "an alert", "ask": "a person is asked", "stop": "it is stopped"}
"""What happens about a limit, in words."""


@dataclass(frozen=True, slots=True)
class Explained:
    """A task as it would be done: what comes before it, where it works, its steps in words, in order, and how long and
    how often it may be tried (``bounds``)."""

    task: str
    title: str
    after: tuple[str, ...]
    place: str
    steps: tuple[str, ...]
    bounds: tuple[str, ...] = ()


def explain(program: Program) -> list[Explained]:
    """Return what each task would do, in the order of the document."""
    return [_explained(program, name, job) for name, job in program.jobs.items()]


def _explained(program: Program, name: str, job: Job) -> Explained:
    node = program.progress.node(name)
    ways = (f"{route.source} (on {route.on})" for route in node.routes)
    steps = tuple(_said(job, step) for step in job.steps if step.what != "remember")
    return Explained(
        name,
        job.task.name,
        (*node.needs, *ways),
        PLACES[job.task.place],
        steps or ("nothing to do",),
        tuple(_bounds(job.task)),
    )


def _bounds(task: Task) -> Iterator[str]:
    escalation = task.escalation or Escalation()
    for limit, seconds in amounts(task).items():
        if seconds is not None:
            near = f"; {ACTS[escalation.near]} when it is nearly used up" if escalation.near else ""
            yield f"{limit} {spelled(round(seconds * 1_000))}, then {ACTS[escalation.passed]}{near}"
    if task.retry is not None and task.retry.attempts > 1:
        longer = " at first" if task.retry.backoff > 1 else ""
        delay = f", {spelled(round(task.retry.delay * 1_000))} after a failure{longer}" if task.retry.delay else ""
        yield f"up to {task.retry.attempts} attempts{delay}"


def _said(job: Job, step: Step) -> str:
    text = step.text.strip()
    if step.what == "session":
        return f"{job.task.agent or 'the default agent'} works on: {text}"
    if step.what in ("merge", "parts", "repeat", "keep", "tidy", "recall"):
        return text
    if step.what == "baseline":
        return f"recall what it was: {text}"
    if step.measures and step.what == "command":
        return f"measure in the plan's base: {text}" if step.at_base else f"measure: {text}"
    if step.what == "ask":
        about = f": {'; '.join(step.judged)}" if step.judged else "."
        role = f" with the role {job.task.approver_role}" if job.task.approver_role else ""
        return f"a person{role} decides{about}"
    must = "must hold before: " if step.before else "must hold: " if step.proves else ""
    verb = "" if must else "run: " if not step.given else "request: "
    return f"{must or verb}{step.said.strip()}"
