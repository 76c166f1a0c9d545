"""What a running plan is in memory: read once, then changed with every turn that was committed."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from supervisor.engine.earlier import earlier
from supervisor.engine.ledger import Ledger
from supervisor.engine.plans.board import Board
from supervisor.engine.plans.program import Program, going_by, program
from supervisor.engine.plans.repeating import known_items
from supervisor.engine.plans.stored import planned_of
from supervisor.model.entities import Project
from supervisor.model.errors import NotFound
from supervisor.model.plan.plan import Plan as Planned
from supervisor.model.plans import Plan, Revision, Task
from supervisor.store import plans, projects, tasks


@dataclass(slots=True)
class State:
    """A plan with its document, what is done for it, and how its tasks stand.

    ``strayed`` says what is wrong when its worktree has another branch checked out (`straying`).
    """

    plan: Plan
    project: Project
    planned: Planned
    program: Program
    board: Board
    strayed: str = ""


async def load(ledger: Ledger, plan_id: str) -> State:
    """Read a plan as it stands in the revision in force; NotFound when there is none."""

    def look(conn: sqlite3.Connection) -> tuple[Plan, Project, Revision, list[Task]]:
        plan = plans.get(conn, plan_id)
        found = tasks.of_revision(conn, plan.id, plan.revision)
        return plan, projects.get(conn, plan.project), plans.revision(conn, plan.id, plan.revision), found

    plan, project, revision, found = await ledger.store.read(look)
    planned = await asyncio.to_thread(planned_of, revision)
    made = await asyncio.to_thread(program, planned, os.cpu_count() or 1, known_items(found))
    made = going_by(made, await earlier(ledger, plan_id, found, made.jobs))
    return State(plan, project, planned, made, Board(found))


def existing(state: State, task: str) -> str:
    """Return the id of a task that the plan has; NotFound for another."""
    if task not in state.board.tasks:
        raise NotFound(
            f"The plan {state.plan.id} has no task {task}.",
            hint=f"`quarterdeck plan show {state.plan.id}` lists its tasks.",
        )
    return task


def folder_of(state: Path, plan: str) -> Path:
    """Return where a plan's logs and scratch folders are, below the state folder."""
    return state / "plans" / plan
