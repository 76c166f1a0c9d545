"""Plans over the API: requests and the JSON shapes of answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import Field

from supervisor.api.limits import limits_json
from supervisor.api.protocol import AbsolutePath, Body, Environment, PlainText, reason_json
from supervisor.engine.planning import Shown
from supervisor.engine.plans.flattening import holders
from supervisor.engine.plans.graph import layers
from supervisor.engine.plans.limits import WATCH
from supervisor.engine.plans.outline import said_before, whole_graph
from supervisor.engine.plans.program import UNDO
from supervisor.engine.plans.reusing import NOT_REMEMBERED, REUSED, hindrance
from supervisor.engine.plans.revising import Touched
from supervisor.engine.plans.undoing import Undo
from supervisor.model.entities import Attempt
from supervisor.model.plan.task import Task as PlannedTask
from supervisor.model.plans import Plan, Revision, Running, Task, TaskStatus
from supervisor.model.times import now_ms, to_rfc3339


class PlanBody(Body):
    """Create a plan in the project that holds ``cwd``. ``where`` names the document in messages."""

    document: str
    where: PlainText = Field(default="the document", max_length=4096)
    cwd: AbsolutePath


class RehearseBody(Body):
    """See what a revision would change. ``running`` says what would become of tasks under way."""

    document: str
    where: PlainText = Field(default="the document", max_length=4096)
    running: Running = "refuse"


class ReviseBody(RehearseBody):
    """Revise a plan."""

    rationale: PlainText = Field(min_length=1, max_length=10_000)


class StartBody(Body):
    """Start a plan; its commands and agents get the environment of who starts it."""

    environment: Environment = Field(default_factory=dict)


class AdvanceBody(Body):
    """Let the next ready task run, or all that are ready."""

    level: bool = False


class RunBody(Body):
    """Let a task run; with ``force`` also when what it gave before could be taken."""

    force: bool = False


class RollbackBody(Body):
    """Roll a task back, or with ``dry_run`` say what that would do."""

    dry_run: bool = False


class CompleteBody(Body):
    """Say that a task is done; ``evidence`` is what shows it."""

    evidence: PlainText = Field(min_length=1, max_length=10_000)


class GateBody(Body):
    """Decide what a gate asks."""

    rationale: PlainText | None = Field(default=None, max_length=10_000)


def listed_json(plan: Plan, project_name: str | None, tasks: Mapping[TaskStatus, int]) -> dict[str, Any]:
    """Return a plan as clients get it in lists; ``tasks`` says how many have each status."""
    return {**plan_json(plan, project_name), "task_counts": dict(tasks)}


def plan_json(plan: Plan, project_name: str | None = None) -> dict[str, Any]:
    """Return a plan without its tasks."""
    return {
        "id": plan.id,
        "title": plan.title,
        "project": plan.project,
        "project_name": project_name,
        "owner": plan.owner,
        "priority": plan.priority,
        "advance": plan.advance,
        "status": plan.status,
        "status_reason": reason_json(plan.reason),
        "revision": plan.revision,
        "branch": plan.branch,
        "base_commit": plan.base_commit,
        "worktree": plan.worktree,
        "created_at": to_rfc3339(plan.created_at),
        "started_at": to_rfc3339(plan.started_at),
        "ended_at": to_rfc3339(plan.ended_at),
        "archived_at": to_rfc3339(plan.archived_at),
    }


def shown_json(shown: Shown, project_name: str, asked: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return a plan with its tasks and revisions; ``next_task`` is the first that has not begun.

    ``layer`` of a task is how many tasks stand on the longest way to it, ``asks`` the approvals that wait for a person:
    about it, of its commands or of its session (``asked``, by task).
    """
    by_id = shown.documents()
    documents = list(by_id.values())
    after = said_before(documents)
    within = holders(shown.tasks)
    now = now_ms()
    left = shown.left()
    waiting = (task.id for task in shown.tasks if task.status in (TaskStatus.PENDING, TaskStatus.READY))
    layer = {task: number for number, tasks in enumerate(layers(whole_graph(documents, within))) for task in tasks}
    return {
        **listed_json(shown.plan, project_name, Counter(task.status for task in shown.tasks)),
        "deadline": shown.planned.deadline,
        "next_task": next(waiting, None),
        "tasks": [
            {
                **task_json(task, after[task.id], within[task.id], removed=task.id in left),
                "limits": limits_json(task, by_id[task.id], now),
                "layer": layer[task.id],
                "asks": list(asked.get(task.id, ())),
            }
            for task in shown.tasks
        ],
        "revisions": revisions_json(shown.revisions),
    }


def task_json(task: Task, after: list[str], within: str | None, *, removed: bool) -> dict[str, Any]:
    """Return how a task stands; ``after`` says what comes before it: what it needs, and the ways to it; ``within`` the
    task that it is a part of, or null; ``removed`` that it still ran when a revision removed it."""
    return {
        "id": task.id,
        "title": task.title,
        "kind": task.kind,
        "needs": list(task.needs),
        "after": after,
        "within": within,
        "status": task.status,
        "status_reason": reason_json(task.reason),
        "attempts": task.attempts,
        "session": task.session,
        "result": {name: value for name, value in task.result.items() if name != WATCH},
        "step": task.step,
        "not_before": to_rfc3339(task.not_before),
        "started_at": to_rfc3339(task.started_at),
        "ended_at": to_rfc3339(task.ended_at),
        "goes_by": task.goes_by,
        "fate": task.fate,
        "removed": removed,
    }


def touched_json(touched: Sequence[Touched]) -> list[dict[str, Any]]:
    """Return the tasks under way that a revision touches, and what becomes of them."""
    return [asdict(each) for each in touched]


def step_json(attempt: Attempt, log: Path, lines: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return how a command of a task went; ``output`` is what it put out last, ``log`` the file with all of it."""
    return {
        "attempt": attempt.id,
        "number": attempt.number,
        "step": attempt.step,
        "rollback": attempt.step is not None and attempt.step >= UNDO,
        "argv": list(attempt.work.argv),
        "status": attempt.status,
        "exit_code": attempt.exit_code,
        "reason": attempt.reason,
        "started_at": to_rfc3339(attempt.started_at),
        "ended_at": to_rfc3339(attempt.ended_at),
        "log": str(log),
        "output": [{"stream": stream, "text": text} for stream, text in lines],
    }


def reuse_json(task: Task, planned: PlannedTask) -> dict[str, Any] | None:
    """Return why a task that is idempotent ran or did not; null for one that is not."""
    if not planned.idempotent:
        return None
    return {
        "always_runs": hindrance(planned) or None,
        "why_run": task.result.get("why_run"),
        "not_remembered": task.result.get(NOT_REMEMBERED),
        "taken_from": task.result[REUSED]["plan"] if REUSED in task.result else None,
        "input_hash": task.input_hash,
    }


def undo_json(undo: Undo) -> dict[str, Any]:
    """Return what rolling a task back does, or why it cannot be done now."""
    return {
        "task": undo.task,
        "commands": list(undo.commands),
        "place": undo.place,
        "waiting": list(undo.waiting),
        "built_on": list(undo.built_on),
        "refusal": undo.refusal or None,
        "hint": undo.hint or None,
    }


def revision_json(revision: Revision) -> dict[str, Any]:
    """Return what is told of a revision without its document."""
    return {
        "number": revision.number,
        "parent": revision.parent,
        "rationale": revision.rationale,
        "author": revision.author,
        "created_at": to_rfc3339(revision.created_at),
    }


def revisions_json(revisions: Sequence[Revision]) -> list[dict[str, Any]]:
    """Return revisions, oldest first."""
    return [revision_json(revision) for revision in revisions]
