"""After a plan: its branch is merged, and it is put away with what the next person needs to know."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from supervisor.engine.control import Control
from supervisor.engine.ledger import Transaction
from supervisor.engine.planning import Planning
from supervisor.engine.planruns.handoff import Story, handoff
from supervisor.engine.planruns.passes import kept, revoke
from supervisor.engine.planruns.state import folder_of
from supervisor.engine.plans.exporting import as_json
from supervisor.engine.ports.workspaces import MergeResult, WorktreeState
from supervisor.engine.services import Services
from supervisor.model.approvals import Approval
from supervisor.model.entities import Attempt, Project, Session
from supervisor.model.errors import NotFound, QuarterdeckError, Refused
from supervisor.model.events import EventType
from supervisor.model.plans import PLAN_ENDED, Plan, PlanStatus
from supervisor.model.statuses import SESSION_ENDED, SessionStatus
from supervisor.model.times import now_ms
from supervisor.store import approvals, attempts, plans, projects, sessions

FOLDER: Final = Path(".quarterdeck") / "plans"
"""Where an archived plan is left, in the project; git ignores it."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Merges and archives plans."""

    services: Services
    planning: Planning
    control: Control

    async def merge(self, plan_id: str, into: str | None, actor: str) -> tuple[Plan, str, MergeResult]:
        """Merge a plan's branch into another (the default one); Refused, with where, when they conflict."""
        plan, project = await self._found(plan_id)
        if plan.status not in PLAN_ENDED:
            raise Refused(f"{plan.id} is {plan.status}.", hint="Wait until it has ended, or cancel it.")
        if plan.branch is None:
            raise NotFound(f"{plan.id} has no branch: it was never started.")
        target = into or project.default_branch
        message = f"Merge {plan.branch} into {target}\n\n{plan.title}"
        result = await self.services.workspaces.merge(Path(project.root), plan.branch, target, message)

        def store(transaction: Transaction) -> None:
            after = {"into": target, "commit": result.commit, "merged": result.merged}
            transaction.audit(actor, "plan.merge", plan.id, after=after)
            if result.merged:
                transaction.plan_event(EventType.BRANCH_MERGED, plan, into=target, commit=result.commit)

        await self.services.ledger.commit(store)
        if not result.merged:
            raise Refused(
                f"{plan.branch} does not merge into {target}: {result.detail} "
                f"In conflict: {', '.join(result.conflicts)}.",
                hint=f"Merge {target} into the branch in {plan.worktree} and settle the conflicts there.",
            )
        return plan, target, result

    async def archive(self, plan_id: str, actor: str) -> tuple[Plan, Path, WorktreeState]:
        """Put an ended plan away: its document and a handoff readme stay in the project, its branch in git.

        Its sessions are archived with it. Worktrees go only when nothing in them would be lost. Returns where the
        readme is, and what was kept.
        """
        plan, project = await self._found(plan_id)
        if plan.status not in PLAN_ENDED and plan.status is not PlanStatus.PENDING:
            raise Refused(f"{plan.id} is {plan.status}.", hint="Wait until it has ended, or cancel it.")
        if plan.archived_at is not None:
            raise Refused(f"{plan.id} was archived already.")
        story = await self._story(plan_id)
        folder = Path(project.root) / FOLDER
        readme = await asyncio.to_thread(_write, folder, story)
        for session in story.sessions:
            if session.status in SESSION_ENDED and session.status is not SessionStatus.ARCHIVED:
                await self.control.archive(session.id, actor)
        left = await self._remove_worktree(plan, project)
        token = await asyncio.to_thread(kept, folder_of(self.services.paths.state, plan.id))

        def store(transaction: Transaction) -> Plan:
            revoke(transaction.conn, token)
            current = plans.get(transaction.conn, plan.id)
            archived = replace(current, archived_at=transaction.now, worktree=plan.worktree if left.exists else None)
            plans.update(transaction.conn, archived)
            transaction.plan_event(EventType.PLAN_ARCHIVED, archived, readme=str(readme), kept=left.detail)
            transaction.audit(actor, "plan.archive", plan.id, after={"readme": str(readme)})
            return archived

        return await self.services.ledger.commit(store), readme, left

    async def _found(self, plan_id: str) -> tuple[Plan, Project]:
        def look(conn: sqlite3.Connection) -> tuple[Plan, Project]:
            plan = plans.get(conn, plan_id)
            return plan, projects.get(conn, plan.project)

        return await self.services.ledger.store.read(look)

    async def _story(self, plan_id: str) -> Story:
        shown = await self.planning.show(plan_id)

        def look(conn: sqlite3.Connection) -> tuple[list[Attempt], list[Session], list[Approval]]:
            made = [each for task in shown.tasks for each in attempts.of_task(conn, plan_id, task.id)]
            return made, sessions.of_plan(conn, plan_id), approvals.of_plan(conn, plan_id)

        return Story(shown, *await self.services.ledger.store.read(look), now_ms())

    async def _remove_worktree(self, plan: Plan, project: Project) -> WorktreeState:
        """Remove the plan's worktree. Commits are safe on its branch; files that are in no commit keep it."""
        if plan.worktree is None or plan.branch is None or plan.base_commit is None:
            return WorktreeState(exists=False)
        worktree = Path(plan.worktree)
        try:
            return await self.services.workspaces.remove(Path(project.root), worktree, plan.branch, plan.base_commit)
        except QuarterdeckError as error:
            # Its repository was moved or removed. What cannot be looked at stays.
            return WorktreeState(exists=await asyncio.to_thread(worktree.exists), detail=error.message)


def _write(folder: Path, story: Story) -> Path:
    """Write the document and the readme, each whole or not at all. Blocks."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = story.shown.plan
    for name, text in ((f"{plan.id}.json", as_json(story.shown.planned)), (f"{plan.id}.md", handoff(story))):
        temporary = folder / f".{name}.{os.getpid()}"
        temporary.write_text(text)
        temporary.replace(folder / name)
    return folder / f"{plan.id}.md"
