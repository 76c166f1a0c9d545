"""What a plan would do: each of its tasks, where it works, and its steps. Nothing is looked at but the plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from supervisor.engine.plans.program import Job, Program, Step
from supervisor.model.plan.task import Workspace

PLACES: Final[dict[Workspace, str]] = {
    "plan": "in the plan's worktree",
    "own": "in a worktree of its own",
    "none": "in a scratch folder",
}


@dataclass(frozen=True, slots=True)
class Explained:
    """A task as it would be done: what comes before it, where it works, and its steps in words, in order."""

    task: str
    title: str
    after: tuple[str, ...]
    place: str
    steps: tuple[str, ...]


def explain(program: Program) -> list[Explained]:
    """Return what each task would do, in the order of the document."""
    return [_explained(program, name, job) for name, job in program.jobs.items()]


def _explained(program: Program, name: str, job: Job) -> Explained:
    node = program.progress.node(name)
    ways = (f"{route.source} (on {route.on})" for route in node.routes)
    steps = tuple(_said(job, step) for step in job.steps if step.what != "remember")
    return Explained(name, job.task.name, (*node.needs, *ways), PLACES[job.task.place], steps or ("nothing to do",))


def _said(job: Job, step: Step) -> str:
    text = step.text.strip()
    if step.what == "session":
        return f"{job.task.agent or 'the default agent'} works on: {text}"
    if step.what in ("merge", "parts", "repeat", "keep", "recall"):
        return text
    if step.what == "ask":
        about = f": {'; '.join(step.judged)}" if step.judged else "."
        return f"a person decides{about}"
    must = "must hold before: " if step.before else "must hold: " if step.proves else ""
    verb = "" if must else "run: " if not step.given else "request: "
    return f"{must or verb}{text}"
