"""Taking a plan away for good, with its worktrees and branches, and nothing that exists nowhere else."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from supervisor.engine.planning import STARTED, Planning
from supervisor.engine.planruns.environment import FILE as ENVIRONMENT
from supervisor.engine.planruns.passes import FILE as TOKEN
from supervisor.engine.planruns.passes import kept, revoke
from supervisor.engine.planruns.places import own_name
from supervisor.engine.planruns.state import folder_of
from supervisor.engine.ports.workspaces import WorktreeState
from supervisor.engine.services import Services
from supervisor.model.entities import Project
from supervisor.model.errors import QuarterdeckError, Refused
from supervisor.model.plans import Plan, Task
from supervisor.store import attempts, plans, projects, sessions, tasks


@dataclass(frozen=True, slots=True)
class Found:
    """A plan with what may be on the disk because of it. ``taken`` are its sessions' worktrees, which go with them."""

    plan: Plan
    project: Project
    tasks: list[Task]
    taken: frozenset[str]


@dataclass(frozen=True, slots=True)
class Deleting:
    """Deletes plans."""

    services: Services
    planning: Planning

    async def delete(self, plan_id: str, actor: str, *, force: bool) -> tuple[Plan, WorktreeState]:
        """Take a plan away with its worktrees and branches; its events and audit entries stay.

        Refused while it is under way, and when something would be lost that exists nowhere else, unless ``force``.
        Returns what became of the worktrees.
        """
        found = await self.services.ledger.store.read(_found, plan_id)
        left = await self._discard(found, force=force)
        if left.holds_work and not force:
            raise Refused(
                f"{plan_id} holds work that exists nowhere else: {lost(left)}.",
                hint=f"`quarterdeck plan merge {plan_id}` merges its commits; --force deletes all of it for good.",
                code="holds_work",
            )
        folder = folder_of(self.services.paths.state, plan_id)
        token = await asyncio.to_thread(kept, folder)
        await self.services.ledger.commit(lambda t: revoke(t.conn, token))
        deleted = await self.planning.delete(plan_id, actor)
        # What was for its commands; their logs stay with the record of it.
        for name in (ENVIRONMENT, TOKEN):
            await asyncio.to_thread((folder / name).unlink, missing_ok=True)
        return deleted, left

    async def _discard(self, found: Found, *, force: bool) -> WorktreeState:
        plan = found.plan
        if plan.branch is None or plan.base_commit is None:
            return WorktreeState(exists=False)
        worktrees = self.services.paths.worktrees / found.project.id
        own = {own_name(plan.id, task.id, number) for task in found.tasks for number in range(1, task.attempts + 1)}
        standing = await asyncio.to_thread(lambda: [name for name in sorted(own) if (worktrees / name).exists()])
        places = [(worktrees / name, f"qd/{name}") for name in standing if str(worktrees / name) not in found.taken]
        places.append((Path(plan.worktree or worktrees / plan.id), plan.branch))
        root = Path(found.project.root)
        try:
            return await self.services.workspaces.discard(root, places, plan.base_commit, force=force)
        except QuarterdeckError as error:
            # Its repository was moved or removed. What cannot be looked at stays.
            return WorktreeState(exists=False, detail=error.message)


def lost(left: WorktreeState) -> str:
    """Say in words what worktrees and branches hold."""
    counted = [
        (left.unmerged_commits, "commit", " that no other branch has"),
        (left.modified, "changed file", ""),
        (left.untracked, "new file", ""),
    ]
    return ", ".join(f"{count} {what}{'' if count == 1 else 's'}{more}" for count, what, more in counted if count)


def _found(conn: sqlite3.Connection, plan_id: str) -> Found:
    plan = plans.get(conn, plan_id)
    if plan.status in STARTED:
        raise Refused(f"{plan.id} is {plan.status}.", hint="Only what does not run can be deleted.")
    if attempts.live_of_plan(conn, plan_id):
        raise Refused(f"Commands of {plan.id} are still being stopped.", hint="Delete it when they have ended.")
    taken = frozenset(str(session.worktree) for session in sessions.of_plan(conn, plan_id))
    found = tasks.of_revision(conn, plan_id, plan.revision)
    return Found(plan, projects.get(conn, plan.project), found, taken)
