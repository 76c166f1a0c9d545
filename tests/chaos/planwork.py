"""A plan for a chaos round, and what has to come of it however often the supervisor is killed.

Every task appends its id to a ledger when it really runs, so that one that ran twice, or never, is seen.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Document = dict[str, Any]

GATE_EACH = 40
AGENT_EACH = 25
RETRY_EACH = 9
FAILURE_EACH = 21


@dataclass
class Work:
    """The document, and what is expected: the status of each task, and how often it ran."""

    document: Document
    statuses: dict[str, str] = field(default_factory=dict)
    runs: dict[str, int] = field(default_factory=dict)

    @property
    def files(self) -> set[str]:
        """The files that the plan's branch has at the end."""
        kinds = {task["id"]: task.get("kind") for task in self.document["tasks"]}
        done = (task for task, status in self.statuses.items() if status == "completed")
        return {f"out/{task}.txt" for task in done if kinds[task] != "gate"}


def work(count: int, ledger: Path, seed: int) -> Work:
    """Make a plan of so many tasks: chains and joins, gates, failures with recoveries, retries, agents."""
    dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
    made = Work({"id": "plan-chaos", "title": "Chaos", "advance": "auto", "parallel": 6, "tasks": []})
    ids: list[str] = []
    for number in range(count):
        task = f"t{number}"
        roots = not ids or dice.random() > 0.85
        needs = [] if roots else sorted({dice.choice(ids[-25:]) for _ in range(dice.randint(1, 2))})
        made.document["tasks"].append(_task(made, task, number, needs, ledger))
        # Most of what fails is a leaf, else nearly all of the plan would be skipped.
        if made.statuses[task] == "completed" or dice.random() < 0.15:
            ids.append(task)
        if number % FAILURE_EACH == FAILURE_EACH - 1:
            # What goes on after a failure: a recovery that is taken only then.
            fix = f"{task}-fix"
            made.document["tasks"].append({"id": fix, "command": _line(fix, ledger)})
            failed = made.statuses[task] == "failed"
            made.statuses[fix] = "completed" if failed else "skipped"
            made.runs[fix] = int(failed)
    return made


def _task(made: Work, task: str, number: int, needs: list[str], ledger: Path) -> Document:
    possible = all(made.statuses[need] == "completed" for need in needs)
    document: Document = {"id": task, "needs": needs}
    status, runs = "completed", 1
    if number % GATE_EACH == GATE_EACH - 1:
        document |= {"kind": "gate", "approval": True, "checks": ["true"]}
        runs = 0
    elif number % FAILURE_EACH == FAILURE_EACH - 1:
        document |= {"command": f"{_line(task, ledger)}; exit 1", "next": {"failure": f"{task}-fix"}}
        status = "failed"
    elif number % AGENT_EACH == AGENT_EACH - 1:
        steps = [{"run": _line(task, ledger)}, {"say": "done"}]
        document |= {"agent": "scripted", "prompt": json.dumps(steps), "success_criteria": [f"test -f out/{task}.txt"]}
    elif number % RETRY_EACH == RETRY_EACH - 1:
        line = f"{_line(task, ledger)}; test $(grep -cx {task} {ledger}) -ge 2"
        document |= {"command": line, "retry": {"attempts": 3, "delay": 0.05}}
        runs = 2
    else:
        document |= {"command": _line(task, ledger), "success_criteria": [f"test -s out/{task}.txt"]}
    made.statuses[task] = status if possible else "skipped"
    made.runs[task] = runs if possible else 0
    return document


def _line(task: str, ledger: Path) -> str:
    return f"echo {task} >> {ledger}; mkdir -p out; echo {task} > out/{task}.txt; sleep 0.0{len(task) % 10}"
