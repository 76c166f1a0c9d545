"""Plans as the API has them, made by hand: for tests of what is drawn of them."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from panels.view.plan import PlanView, plan_view
from supervisor.engine.plans.graph import layers
from supervisor.engine.plans.outline import said_before, task_graph
from tests.support.plans import plan as planned

Json = dict[str, Any]
NOON = "2026-11-29T12:00:00.000Z"

SHOP = """\
id: plan-shop
title: Ship the new search
advance: auto
owner: mia
milestones:
  - {id: M1, title: Checked, needs: [ok], due: 2026-12-24}
tasks:
  - {id: schema, title: Change the schema, command: make schema, success_criteria: ["test -f schema.sql"]}
  - {id: lint, title: Lint, command: make lint}
  - {id: index, title: Build the index, needs: [schema], command: make index}
  - {id: unit, title: Unit tests, needs: [schema, lint], agent: claude, prompt: "Make all tests pass"}
  - {id: flaky, title: Flaky tests, needs: [lint], command: make flaky, next: {failure: repair}}
  - {id: repair, title: Repair the tests, command: make repair}
  - {id: ok, title: "Go live?", kind: gate, needs: [index], approval: true, checks: ["test -f index.db"]}
  - {id: deploy, title: Deploy to all regions, kind: deploy, needs: [ok, unit], command: make deploy}
  - {id: notify, title: Tell everybody, needs: [deploy, flaky], command: make notify}
"""

BUSY: dict[str, Json] = {
    "schema": {"status": "completed", "started_at": "2026-11-29T11:50:00.000Z", "ended_at": "2026-11-29T11:51:00.000Z",
               "attempts": 1, "result": {"exit_code": 0, "proofs": [
                   {"text": "test -f schema.sql", "holds": True, "why": ""}]}},
    "lint": {"status": "completed", "started_at": "2026-11-29T11:50:00.000Z", "ended_at": "2026-11-29T11:50:20.000Z"},
    "index": {"status": "completed", "started_at": "2026-11-29T11:51:00.000Z", "ended_at": "2026-11-29T11:55:00.000Z"},
    "unit": {"status": "running", "started_at": "2026-11-29T11:51:00.000Z", "attempts": 1, "session": "ses_1"},
    "flaky": {"status": "failed", "started_at": "2026-11-29T11:50:30.000Z", "ended_at": "2026-11-29T11:51:30.000Z",
              "attempts": 1, "result": {"exit_code": 2, "last_failure": "It ended with exit code 2."}},
    "repair": {"status": "completed", "started_at": "2026-11-29T11:51:30.000Z", "ended_at": "2026-11-29T11:52:00.000Z"},
    "ok": {"status": "waiting_approval", "started_at": "2026-11-29T11:55:00.000Z", "attempts": 1},
    "notify": {"status": "skipped", "ended_at": "2026-11-29T11:51:30.000Z"},
}  # fmt: skip


def answer(document: str, states: dict[str, Json] | None = None, **fields: Any) -> tuple[Json, str]:
    """A plan as ``GET /plans/{id}`` has it, with its document in JSON; ``states`` are of tasks, by id."""
    plan = planned(document)
    after, said = said_before(plan.tasks), plan.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    layer = {task: number for number, each in enumerate(layers(task_graph(plan.tasks))) for task in each}
    tasks = [
        {
            "id": task.id, "title": task.name, "kind": task.kind, "needs": list(task.needs), "after": after[task.id],
            "layer": layer[task.id], "status": "pending", "attempts": 0, "session": None, "result": {},
            "started_at": None, "ended_at": None, **(states or {}).get(task.id, {}),
        }
        for task in plan.tasks
    ]  # fmt: skip
    for task in tasks:
        task.setdefault("status_reason", {"signal": "plan", "text": f"It is {task['status']}.", "at": NOON})
    revision = {"number": 1, "parent": None, "rationale": "", "author": "person", "created_at": NOON}
    whole = {
        "id": plan.id, "title": plan.name, "project": "prj_1", "project_name": "shop", "owner": plan.owner,
        "priority": 0, "advance": plan.advance, "status": "running",
        "status_reason": {"signal": "person", "text": "person started it.", "at": NOON}, "revision": 1,
        "branch": f"qd/{plan.id}", "base_commit": "0" * 40, "worktree": "/nowhere/plan", "created_at": NOON,
        "started_at": NOON, "ended_at": None, "archived_at": None, "next_task": None, "tasks": tasks,
        "task_counts": dict(Counter(task["status"] for task in tasks)), "revisions": [revision], **fields,
    }  # fmt: skip
    return whole, json.dumps(said)


def viewed(document: str, states: dict[str, Json] | None = None, **fields: Any) -> PlanView:
    """The same, as the app has it."""
    whole, said = answer(document, states, **fields)
    return plan_view(whole, json.loads(said))


def listed(document: str, states: dict[str, Json] | None = None, **fields: Any) -> Json:
    """The same, as ``GET /plans`` has it."""
    whole, _ = answer(document, states, **fields)
    return {name: value for name, value in whole.items() if name not in ("tasks", "revisions", "next_task")}


def gate_approval(plan: str, task: str, **fields: Any) -> Json:
    """A question about a task, as ``GET /approvals`` has it."""
    return {
        "id": f"app_{task}", "subject_type": "gate", "subject": task, "project": "prj_1", "project_name": "shop",
        "plan": plan, "task": task, "session": None, "session_name": None, "attempt": None,
        "question": "Go live?: May it go on?", "options": [], "default": None, "risk": "medium",
        "preview": {"checked": ["holds: test -f index.db"], "changes": " index.db | 1 +"}, "judgement": {},
        "digest": "72af50164a9a6f6b5acf06bd21101bb6", "status": "pending", "reason": "It waits for a decision.",
        "decision": None, "requested_by": f"plan {plan}", "decided_by": None, "rationale": None,
        "created_at": "2026-11-29T11:55:00.000Z", "decided_at": None, "expires_at": None, "consumed_at": None, **fields,
    }  # fmt: skip
