"""Keeping what a task of a plan made: its declared artifacts, and what shows that it was done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from supervisor.engine.artifacts import Artifacts
from supervisor.engine.planruns.state import State
from supervisor.model.artifacts import Kind
from supervisor.model.errors import NotFound, QuarterdeckError
from supervisor.model.plan.task import Task as PlannedTask
from supervisor.store import attempts

FILE: Final = "file"
"""The type of an artifact whose author said none."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file or folder that is to be kept: ``path`` below the folder in which the task works."""

    name: str
    path: str
    type: str
    kind: Kind
    retention: str | None = None
    statement: str = ""


def wanted(task: PlannedTask) -> Iterator[Wanted]:
    """Yield what a task declares."""
    for each in task.artifacts:
        if each.from_ in (None, task.id):
            yield Wanted(each.name, each.path or each.name, each.type or FILE, "artifact", each.retention)
    for path in task.evidence:
        yield Wanted(path, path, FILE, "evidence", statement=f"{task.name} was done")


async def keep_all(artifacts: Artifacts, state: State, task_id: str, folder: Path) -> list[str]:
    """Keep everything that a task declares, and return what was kept; the same again is kept once.

    Raises what forbids the first that cannot be kept: it is not there, too large, or holds a secret.
    """
    plan, planned = state.plan, state.program.jobs[task_id].task
    made = await artifacts.ledger.store.read(attempts.of_task, plan.id, task_id)
    kept = []
    for each in wanted(planned):
        try:
            found = await artifacts.keep(
                folder / each.path,
                each.name,
                each.type,
                plan.id,
                task_id,
                made[-1].id if made else None,
                {"path": each.path, "session": state.board.tasks[task_id].session},
                below=folder,
                kind=each.kind,
                retention=each.retention,
                statement=each.statement,
                actor=f"plan {plan.id}",
            )
        except NotFound as error:
            raise QuarterdeckError(f"It was to make {each.name}, and there is no {each.path}.") from error
        kept.append(f"{found.name} (version {found.version})")
    return kept
