"""What the expressions of a running plan know (docs/plan-expressions.md, "Names")."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from supervisor.engine.planruns.state import State
from supervisor.engine.plans.conditions import FILE
from supervisor.engine.plans.flattening import whole
from supervisor.engine.plans.operations import Unknown
from supervisor.model.plan.task import Task as PlannedTask
from supervisor.model.plans import Task

LARGEST: Final = 65_536
"""Bytes of an output that an expression reads; a larger one is not known."""


class Knowledge:
    """Looks names up for a task that works in ``folder``. Blocks: outputs are files."""

    def __init__(self, state: State, task: str, folder: Path) -> None:
        self._state = state
        self._task = task
        self._folder = folder

    def __call__(self, name: str) -> object:
        """Return what a name means now. Raises LookupError, or returns Unknown, when there is no such thing."""
        if name.startswith(FILE):
            path = self._inside(self._folder, name.removeprefix(FILE))
            return path is not None and path.exists()
        head, _, rest = name.partition(".")
        if head == "outputs":
            return self._output(self._state.program.jobs[self._task].task, self._folder, rest)
        if head == "inputs":
            return self._state.program.jobs[self._task].task.inputs[rest]
        if head == "plan":
            return {"id": self._state.plan.id, "revision": self._state.plan.revision, "title": self._state.plan.title}[
                rest
            ]
        if head == "tasks":
            return self._of_task(rest)
        raise KeyError(name)

    def _of_task(self, rest: str) -> object:
        # In a subplan its own tasks are meant, then those around it. An id may hold dots: the longest is meant.
        holder = whole(self._task)
        while True:
            beside = [each for each in self._state.board.tasks if whole(each) == holder]
            for task_id in sorted(beside, key=len, reverse=True):
                name = f"{task_id.rpartition('/')[2]}."
                if rest.startswith(name):
                    return self._fact(self._state.board.tasks[task_id], rest.removeprefix(name))
            if holder is None:
                raise KeyError(rest)
            holder = whole(holder)

    def _fact(self, task: Task, what: str) -> object:
        if what.startswith("outputs."):
            folder = Path(self._state.plan.worktree or self._folder)
            return self._output(self._state.program.jobs[task.id].task, folder, what.removeprefix("outputs."))
        seconds = None if task.ended_at is None or task.started_at is None else (task.ended_at - task.started_at) / 1000
        facts: dict[str, Any] = {"status": task.status.value, "attempts": task.attempts, "seconds": seconds}
        found = {**task.result, **facts}[what]
        return Unknown(f"tasks.{task.id}.{what} is not known yet") if found is None else found

    def _output(self, planned: PlannedTask, folder: Path, name: str) -> object:
        """Return what a task put into the file that is its output: JSON where it is that, else text."""
        path = self._inside(folder, planned.outputs[name])
        if path is None or not path.is_file():
            return Unknown(f"there is no file {planned.outputs[name]}")
        if path.stat().st_size > LARGEST:
            return Unknown(f"{planned.outputs[name]} is larger than {LARGEST:,} bytes")
        text = path.read_text(errors="replace").strip()
        try:
            return json.loads(text)
        except ValueError:
            return text

    @staticmethod
    def _inside(folder: Path, path: str) -> Path | None:
        """Return a path below the folder; None when it leads elsewhere."""
        found = (folder / path).resolve()
        return found if found.is_relative_to(folder.resolve()) else None
