"""Where the tasks of a plan work: in its worktree, in one of their own, or in a scratch folder.

The plan's branch is ``qd/<plan>``; a worktree of its own has ``qd/<plan>--<task>`` and is merged back into it. Git
works on one thing of a plan at a time.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from supervisor.engine.planruns.straying import Strayed, strayed
from supervisor.engine.plans.flattening import branch_name
from supervisor.engine.ports.workspaces import MergeResult, Workspace, WorkspaceRequest
from supervisor.engine.services import Services
from supervisor.model.entities import Project
from supervisor.model.plan.task import Task
from supervisor.model.plans import Plan

LONGEST_NAME = 90
"""What git's side of the house takes as the name of a worktree, with room for a number behind it."""

_VERBS = {"implement": "feat", "debug": "fix", "refactor": "refactor", "research": "docs", "synthesize": "docs"}
SUBJECT_TASKS = 3


def branch_of(plan: str) -> str:
    """Return the branch of a plan."""
    return f"qd/{plan}"


def own_name(plan: str, task: str, attempt: int) -> str:
    """Return what a task's own worktree is called: ``plan--task``, with the attempt's number from the second on."""
    name = f"{plan}--{branch_name(task)}"
    if len(name) > LONGEST_NAME:
        name = f"{name[: LONGEST_NAME - 13]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
    return name if attempt == 1 else f"{name}.{attempt}"


@dataclass(slots=True)
class Places:
    """The places of one plan's tasks. ``folder`` is the plan's own, outside of git: logs and scratch folders."""

    services: Services
    project: Project
    plan: str
    folder: Path
    _git: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def scratches(self) -> Path:
        """Where the scratch folders are, each with the name that a worktree would have (`own_name`)."""
        return self.folder / "scratch"

    async def plan_worktree(self, base: str | None) -> Workspace:
        """Make or find the plan's worktree."""
        return await self._prepare(self.plan, branch_of(self.plan), base)

    async def own_worktree(self, task: str, attempt: int) -> Workspace:
        """Make or find the worktree of its own of a task's attempt, forked from what the plan's branch has."""
        name = own_name(self.plan, task, attempt)
        return await self._prepare(name, f"qd/{name}", branch_of(self.plan))

    async def base_worktree(self, task: str, attempt: int, base: str) -> Workspace:
        """Make or find the worktree of what the plan began with (a commit), for the checks of a gate."""
        name = own_name(self.plan, task, attempt)
        return await self._prepare(name, f"qd/{name}", base)

    async def discard(self, base: Workspace) -> None:
        """Remove such a worktree, whatever checks have left in it."""
        places = [(base.path, base.branch)]
        await self.services.workspaces.discard(Path(self.project.root), places, base.base_commit, force=True)

    async def scratch(self, task: str, attempt: int) -> Path:
        """Make or find the scratch folder of a task's attempt."""
        folder = self.scratches / own_name(self.plan, task, attempt)
        await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        return folder

    async def save(self, plan: Plan, worktree: Path, tasks: Iterable[Task]) -> str | None:
        """Commit what these tasks changed in the plan's worktree; None when that is nothing.

        Raises Strayed, and commits nothing, when it has another branch checked out.
        """
        async with self._git:
            if sentence := await strayed(self.services.workspaces, plan):
                raise Strayed(sentence)
            return await self.services.workspaces.commit(worktree, saying(self.plan, list(tasks)))

    async def merge(self, worktree: Path, branch: str, task: Task) -> MergeResult:
        """Commit what is left in a task's own worktree, and merge its branch into the plan's."""
        message = saying(self.plan, [task])
        async with self._git:
            await self.services.workspaces.commit(worktree, message)
            root = Path(self.project.root)
            return await self.services.workspaces.merge(root, branch, branch_of(self.plan), message)

    async def remove(self, worktree: Path, branch: str, base_commit: str) -> None:
        """Remove a worktree of its own that was merged; one that holds something is kept."""
        await self.services.workspaces.remove(Path(self.project.root), worktree, branch, base_commit)

    async def _prepare(self, name: str, branch: str, base: str | None) -> Workspace:
        async with self._git:
            return await self.services.workspaces.prepare(
                WorkspaceRequest(
                    session=name,
                    project=self.project.id,
                    root=Path(self.project.root),
                    worktrees=self.services.paths.worktrees / self.project.id,
                    log=self.folder / "setup.log",
                    branch=branch,
                    base=base,
                )
            )


def saying(plan: str, tasks: list[Task]) -> str:
    """Return the message of a commit of what tasks changed: ``feat(plan): …``."""
    kinds = {_VERBS.get(task.kind, "chore") for task in tasks}
    verb = kinds.pop() if len(kinds) == 1 else "chore"
    names = [task.name for task in tasks[:SUBJECT_TASKS]]
    more = f" and {len(tasks) - SUBJECT_TASKS} more" if len(tasks) > SUBJECT_TASKS else ""
    subject = f"{verb}({plan}): {', '.join(names)}{more}" if names else f"chore({plan}): what was left"
    listed = "".join(f"\nTask: {task.id}" for task in tasks[:50])
    return f"{subject}\n{listed}".strip()
