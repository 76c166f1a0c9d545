"""What a person is asked about a task of a plan: the question, what speaks for and against it, and the content."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from supervisor.engine.planruns.agents import Agents
from supervisor.engine.planruns.committing import Asked
from supervisor.engine.planruns.places import Places
from supervisor.engine.planruns.state import State
from supervisor.engine.planruns.subjects import Subject, Subjects, as_stored
from supervisor.engine.plans.sheet import CHANGED, Start
from supervisor.engine.plans.turn import Turn
from supervisor.engine.services import Services
from supervisor.model.plan.task import Task as PlannedTask
from supervisor.model.plans import Plan, Task

CHANGES_SHOWN: Final = 20_000
"""Characters of the list of changed files that a person is shown at a gate."""

DIFF_SHOWN: Final = 200_000
"""Characters of a diff that a person reviews there; how to see a longer one is said behind them."""

CHANGED_SHOWN: Final = 100
"""Paths that a person is shown that have changed while they were asked."""


@dataclass(slots=True)
class Asking:
    """Puts together what a person is asked about the tasks of one plan."""

    services: Services
    agents: Agents
    places: Places

    async def asked(self, state: State, turn: Turn, start: Start) -> Asked:
        """Return what a person is asked about a task, with all that speaks for or against it."""
        task, planned = turn.task(start.task), state.program.jobs[start.task].task
        preview: dict[str, object] = {
            "plan": f"{state.plan.id}: {state.plan.title}",
            "task": f"{task.id}: {planned.name}",
        }
        if planned.description:
            preview["description"] = planned.description
        if start.step.judged:
            preview["to judge"] = list(start.step.judged)
        if proofs := task.result.get("proofs"):
            preview["checked"] = [f"{'holds' if each['holds'] else 'does not hold'}: {each['text']}" for each in proofs]
        if planned.approver_role:
            preview["who decides"] = f"somebody with the role {planned.approver_role}"
        if changed := task.result.get(CHANGED):
            preview["changed since it was asked before"] = changed[:CHANGED_SHOWN]
        preview["completed before"] = [f"{each}: {_outcome(turn.task(each))}" for each in task.needs]
        worktree, base = await self._subject(turn.plan, start, task, planned)
        subject = None
        if worktree is not None:
            subject = await Subjects(self.services.workspaces).of(state, turn, task, planned, worktree)
            preview |= await self._content(subject, base, whole=planned.diff_review)
        what = "Is this done as it should be" if start.step.judged else "May it go on"
        bound = None if subject is None else as_stored(subject)
        by = f" Decided by: {planned.approver_role}." if planned.approver_role else ""
        return Asked(f"{planned.name}: {what}?{by}", preview, bound, planned.approver_role)

    async def _subject(
        self, plan: Plan, start: Start, task: Task, planned: PlannedTask
    ) -> tuple[Path | None, str | None]:
        """Return the worktree that a decision is about, and what it began with: the task's own, or the whole plan's."""
        if planned.place == "own" and not start.step.before:
            if (session := await self.agents.session_of(task)) is not None and session.worktree is not None:
                return Path(session.worktree), session.base_commit
            workspace = await self.places.own_worktree(start.task, start.attempt)
            return workspace.path, workspace.base_commit
        if plan.worktree is None or (planned.place == "none" and planned.kind != "gate"):
            return None, None
        return Path(plan.worktree), plan.base_commit

    async def _content(self, subject: Subject, base: str | None, *, whole: bool) -> dict[str, object]:
        """Return what a person is shown of the content that is decided about."""
        shown: dict[str, object] = {}
        worktree, tree = Path(subject.worktree), subject.tree
        # Of the very tree that the decision is bound to, whatever happens there meanwhile.
        if base is not None:
            if changes := await self.services.workspaces.diff(worktree, base, stat=True, now=tree):
                shown["changes"] = _cut(changes, CHANGES_SHOWN)
            if whole:
                diff = await self.services.workspaces.diff(worktree, base, now=tree)
                all_of_it = f"; all of it: git -C {worktree} diff {base[:12]} {tree[:12]}"
                shown["diff"] = _cut(diff, DIFF_SHOWN, all_of_it) or "nothing"
        shown["bound to"] = f"commit {subject.commit[:12]}, files {subject.tree[:12]}"
        if subject.moving:
            shown["not bound, others write it"] = list(subject.moving[:CHANGED_SHOWN])
        return shown


def _cut(text: str, limit: int, more: str = "") -> str:
    return text if len(text) <= limit else f"{text[:limit]}\n… and {len(text) - limit:,} characters more{more}"


def _outcome(task: Task) -> str:
    return f"{task.status}, {task.reason.text}"
