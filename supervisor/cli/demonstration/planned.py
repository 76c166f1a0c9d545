"""The last act of the demonstration: a plan whose gate waits for a person."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from supervisor.api.client import Client
from supervisor.cli.demonstration.show import Show
from supervisor.cli.demonstration.witness import Json

PLAN: Final = "plan-inspect"
GATE: Final = "ok"
DOCUMENT: Final = """\
id: plan-inspect
title: Inspect the lighthouse
advance: auto
tasks:
  - {id: lamp, title: Test the lamp, command: "sh test.sh > lamp.log", success_criteria: ["test -s lamp.log"]}
  - {id: files, title: Count the files, command: "ls > files.log"}
  - {id: ok, title: Inspected, kind: gate, needs: [lamp, files], checks: ["test -s files.log"], approval: true}
  - {id: log, title: Write the log, needs: [ok], command: "read found < lamp.log && echo $found > inspection.log"}
"""
WHY: Final = "The lamp burns"


async def inspect(client: Client, repository: Path, environment: dict[str, str], show: Show) -> tuple[bool, str]:
    """Run the plan through its gate; returns whether it went as it should, and what was read back."""
    await show.act("A plan: two tasks side by side, then a gate that waits for you")
    await client.post("/plans", {"document": DOCUMENT, "where": "inspect.yaml", "cwd": str(repository)})
    await client.post(f"/plans/{PLAN}/start", {"environment": environment})
    held = await client.wait_until_plan_rests(PLAN)
    at_gate = _statuses(held)
    await show.act("The gate asks, with what speaks for it; what needs it waits. It is approved")
    await client.post(f"/plans/{PLAN}/gates/{GATE}/approve", {"rationale": WHY})
    plan = await client.wait_until_plan_rests(PLAN)
    gate = next(task for task in plan["tasks"] if task["id"] == GATE)
    stopped = at_gate == {"lamp": "completed", "files": "completed", GATE: "waiting_approval", "log": "pending"}
    done = plan["status"] == "completed" and set(_statuses(plan).values()) == {"completed"}
    proven = next(task for task in plan["tasks"] if task["id"] == "lamp")["result"].get("proofs", [])
    text = f"{PLAN}: {len(plan['tasks'])} tasks, {len(proven)} proof; {gate['status_reason']['text']}, then log ran"
    return stopped and done and WHY in gate["status_reason"]["text"], text


def _statuses(plan: Json) -> dict[str, str]:
    return {task["id"]: task["status"] for task in plan["tasks"]}
