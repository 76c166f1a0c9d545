"""Plans that run inside a test's supervisor."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor.engine.deciding import Decision
from supervisor.engine.planning import Shown
from supervisor.engine.plans.revising import Touched
from supervisor.model.approvals import Approval
from supervisor.model.plans import Plan, PlanStatus, Running, Task, TaskStatus
from supervisor.store import approvals
from tests.support.git import git
from tests.support.supervised import PERSON, Supervised, eventually

Document = dict[str, Any]


def sh(task: str, command: str, *needs: str, **more: Any) -> Document:
    """A task that is a command."""
    return {"id": task, "command": command, "needs": list(needs), **more}


def scripted(task: str, steps: list[dict[str, Any]], *needs: str, **more: Any) -> Document:
    """A task for the scripted agent."""
    return {"id": task, "agent": "scripted", "prompt": json.dumps(steps), "needs": list(needs), **more}


@dataclass
class RunningPlan:
    """A plan in a supervisor."""

    inside: Supervised
    id: str

    async def shown(self) -> Shown:
        """The plan as it stands."""
        return await self.inside.engine.planning.show(self.id)

    async def plan(self) -> Plan:
        """The plan itself."""
        return (await self.shown()).plan

    async def task(self, task: str) -> Task:
        """One of its tasks."""
        return next(each for each in (await self.shown()).tasks if each.id == task)

    async def statuses(self) -> dict[str, str]:
        """The status of each task."""
        return {task.id: task.status.value for task in (await self.shown()).tasks}

    async def when(self, check: Callable[[Shown], object], what: str) -> Shown:
        """The plan once ``check`` is true of it."""
        now = await self.shown()

        async def look() -> bool:
            nonlocal now
            now = await self.shown()
            return bool(check(now))

        def stands() -> str:
            tasks = ", ".join(f"{task.id} {task.status}: {task.reason.text}" for task in now.tasks)
            return f"{what}; {self.id} is {now.plan.status}: {now.plan.reason.text}; {tasks}"

        await eventually(look, what=stands)
        return now

    async def reaches(self, *statuses: PlanStatus) -> Shown:
        """The plan once it has one of these statuses."""
        return await self.when(lambda shown: shown.plan.status in statuses, " or ".join(statuses))

    async def task_is(self, task: str, status: TaskStatus) -> Task:
        """The task once it has this status."""
        shown = await self.when(
            lambda shown: next(each for each in shown.tasks if each.id == task).status is status, f"{task} {status}"
        )
        return next(each for each in shown.tasks if each.id == task)

    async def asks(self) -> Approval:
        """The one question that waits."""
        (approval,) = await self.inside.engine.store.read(approvals.pending)
        return approval

    async def decide(self, *, approve: bool, rationale: str | None = None) -> None:
        """Decide the one question that waits."""
        decision = Decision((await self.asks()).id, approve=approve, rationale=rationale)
        await self.inside.engine.broker.decide([decision], PERSON)

    async def revise(self, *tasks: Document, running: Running = "refuse", **more: Any) -> list[Touched]:
        """Revise it to have these tasks, as the API does; returns which of those under way that touches."""
        document = json.dumps({"id": self.id, "advance": "auto", "tasks": list(tasks), **more}).encode()
        planning = self.inside.engine.planning
        _, touched = await planning.revise(self.id, document, "plan.json", "It must change", PERSON, running)
        self.inside.engine.plan_runs.revised(self.id)
        return touched

    async def git(self, *arguments: str) -> str:
        """What git says in the plan's worktree."""
        return git(Path(str((await self.plan()).worktree)), *arguments)

    async def file(self, path: str) -> str:
        """A file of the plan's worktree."""
        return (Path(str((await self.plan()).worktree)) / path).read_text()


async def created(inside: Supervised, *tasks: Document, plan: str = "plan-x", **more: Any) -> RunningPlan:
    """Create a plan that advances by itself unless it says otherwise."""
    document = {"id": plan, "advance": "auto", "tasks": list(tasks), **more}
    await inside.engine.planning.create(json.dumps(document).encode(), "plan.json", inside.repository, PERSON)
    return RunningPlan(inside, plan)


async def started(inside: Supervised, *tasks: Document, plan: str = "plan-x", **more: Any) -> RunningPlan:
    """Create a plan and start it."""
    running = await created(inside, *tasks, plan=plan, **more)
    await start(running)
    return running


async def start(running: RunningPlan) -> None:
    """Start a plan with the environment of the test."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(running.inside.paths.state)}
    await running.inside.engine.plan_runs.start(running.id, environment, PERSON)
