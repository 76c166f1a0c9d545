"""What policy is asked about the commands of a plan, before it starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from supervisor.engine.plans.program import Step
from supervisor.model.acts import Act
from supervisor.model.plan.task import Task

SQLITE: Final = "sqlite:"


def act_of(task: Task, step: Step, root: Path, project: str) -> Act:
    """Return what a command of a task does, as policy judges it: a line, an address, a file, or a tool."""
    about: dict[str, Any] = {
        "cwd": str(root), "worktree": str(root), "agent": "command", "mode": "autonomous", "project": project,
    }  # fmt: skip
    if step.given and task.http is not None:
        return Act(kind="fetch", tool="http", url=task.http.url, **about)
    if step.given and task.db is not None:
        if task.db.url.startswith(SQLITE):
            return Act(kind="write", tool="db", paths=(task.db.url.removeprefix(SQLITE),), **about)
        return Act(kind="other", tool="db", **about)
    return Act(kind="execute", tool="command", command=step.text, **about)
