"""Whether a task is run, or what it gave before is taken: when nothing that it depends on has changed since it ran
last in its project, and what it made is there, or is kept and can be put back.

In doubt it runs. Nothing that goes wrong here ends a task.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from supervisor.engine.planruns.depending import before, identity, kept_of, parts_of, unread
from supervisor.engine.planruns.fingerprints import Unknowable, tree
from supervisor.engine.planruns.keeping import keep_all
from supervisor.engine.planruns.restoring import NotThere, put_back
from supervisor.engine.plans.limits import WATCH
from supervisor.engine.plans.reusing import (
    FORCED,
    FORMER,
    INPUTS,
    MADE,
    NOT_REMEMBERED,
    REUSED,
    changes,
    declared,
    remembered,
    reused,
    runs,
    shortened,
    whole_hash,
)
from supervisor.engine.plans.sheet import LAST_FAILURE, Start
from supervisor.model.errors import QuarterdeckError
from supervisor.model.plan.task import Task as PlannedTask
from supervisor.model.plans import Task
from supervisor.store import tasks

if TYPE_CHECKING:
    from supervisor.engine.planruns.doing import Doing
    from supervisor.engine.planruns.loop import Loop

log = logging.getLogger(__name__)

NOT_BEFORE: Final = "It has not run before in this project."
NOT_TAKEN: Final = "It did not succeed when it ran last."
NOT_TAKEN_ALONG: Final = frozenset({LAST_FAILURE, "why_run", REUSED, WATCH})
"""What of an earlier result is of that run alone."""


class Runs(Exception):
    """What a task gave before cannot be taken; the message says why."""


@dataclass(frozen=True, slots=True)
class Former:
    """What a task gave when it ran last. ``here``: in this plan, in this revision or as it was when that was made."""

    plan: str
    result: Mapping[str, Any]
    input_hash: str | None
    here: bool


async def recall(doing: Doing, loop: Loop, start: Start) -> None:
    """Find out whether a task runs, and tell the loop: it goes on with what it gave before, or with its work."""
    parts: dict[str, str] = {}
    hashed: str | None = None
    try:
        found = await _depends(doing, loop, start.task)
        parts, hashed = shortened(found), whole_hash(found)
        former = await _former(doing, loop, start, parts, hashed)
        result = await _taken(doing, loop, start, former)
    except Unknowable as error:
        why, hashed = f"What it depends on is not known: {error}.", None
    except (Runs, NotThere) as error:
        why = str(error)
    except (QuarterdeckError, OSError, ValueError) as error:
        log.warning("%s: what %s gave before cannot be taken: %s", loop.name, start.task, error)
        why = f"What it gave before cannot be taken: {error}"
    else:
        text = f"Unchanged inputs: it was not run, what it gave in {former.plan} was taken."
        done = hashed
        loop.post(lambda turn, _: reused(turn, start.task, start.attempt, start.number, text, result, done))
        return
    wanted = hashed
    loop.post(lambda turn, _: runs(turn, start.task, start.attempt, start.number, why, parts, wanted))


async def remember(doing: Doing, loop: Loop, start: Start) -> None:
    """Note what a task has made, so that it can be taken again, if what it depends on is still what it was."""
    task, planned = loop.state.board.tasks[start.task], loop.state.program.jobs[start.task].task
    made: dict[str, str | None] | None = None
    why, run = "", identity(loop.state, task, start.attempt)
    try:
        if task.input_hash is None:
            raise Unknowable("what it depends on was not known when it began")
        parts = await _depends(doing, loop, start.task)
        if whole_hash(parts) != task.input_hash:
            changed = changes(task.result.get(INPUTS, {}), shortened(parts))
            raise Unknowable(changed.replace("since it ran", "while it ran").rstrip("."))
        made = await _made(planned, await _folder(doing, loop, start, start.attempt))
    except (Unknowable, QuarterdeckError, OSError, ValueError) as error:
        why = f"{error}."
    loop.post(lambda turn, _: remembered(turn, start.task, start.attempt, start.number, run, made, why))


async def _depends(doing: Doing, loop: Loop, task: str) -> dict[str, str]:
    state = loop.state
    if state.strayed:
        raise Unknowable("the plan's worktree has another branch checked out")
    planned = state.program.jobs[task].task
    settings = doing.services.config_for(Path(state.project.root)).settings
    earlier = before(state, task, doing.places.scratches)
    kept = await doing.services.ledger.store.read(kept_of, state, planned)
    parts = await asyncio.to_thread(parts_of, state, task, settings, earlier, kept)
    if missing := unread(state, task, parts):
        raise Unknowable(f"it reads {missing}, and there is none")
    return parts


async def _former(doing: Doing, loop: Loop, start: Start, parts: Mapping[str, str], hashed: str) -> Former:
    """Return what a task gave when it ran last, if that may be taken. Raises Runs."""
    task, plan = loop.state.board.tasks[start.task], loop.state.plan
    if by := task.result.get(FORCED):
        raise Runs(f"{by} has it run whether anything has changed or not.")
    # An attempt of this definition is the last that this plan knows of; what other plans did since counts, too.
    here = FORMER in task.result or start.attempt > task.forgiven + 1
    other: Task | None = await doing.services.ledger.store.read(_elsewhere, plan.project, task, here)
    if here:
        found = Former(plan.id, task.result.get(FORMER, {}), task.input_hash, here=True)
        if MADE in found.result and other is not None and _is_later(other, found.result[MADE]):
            raise Runs(f"It ran in {other.plan} since.")
    elif other is None:
        raise Runs(NOT_BEFORE)
    else:
        if other.ended_at is None and MADE not in other.result:
            raise Runs(f"It has not ended in {other.plan}.")
        found = Former(other.plan, other.result, other.input_hash, here=other.plan == plan.id)
    if why := found.result.get(NOT_REMEMBERED) or (task.result.get(NOT_REMEMBERED) if here else None):
        raise Runs(f"What it gave was not remembered: {why}")
    if found.input_hash != hashed:
        raise Runs(changes(found.result.get(INPUTS) or task.result.get(INPUTS, {}), parts) or NOT_TAKEN)
    if MADE not in found.result:
        raise Runs(NOT_TAKEN)
    return found


def _is_later(other: Task, made: Mapping[str, Any]) -> bool:
    """Whether a task ran in another plan after what was made was made."""
    theirs = other.result.get(MADE)
    if theirs is not None:
        return bool(theirs["run"] != made["run"] and theirs["at"] > made["at"])
    return other.ended_at is None or other.ended_at > made["at"]


def _elsewhere(conn: sqlite3.Connection, project: str, task: Task, other_plans: bool) -> Task | None:
    return tasks.last_elsewhere(conn, project, task, other_plans=other_plans)


async def _taken(doing: Doing, loop: Loop, start: Start, former: Former) -> dict[str, Any]:
    """Return the result that a task has from before, once what it made is there. Raises Runs."""
    state = loop.state
    planned = state.program.jobs[start.task].task
    # What is taken is no attempt: its scratch folder is that of the one before.
    folder = await _folder(doing, loop, start, start.attempt - 1)
    files = former.result[MADE]["files"]
    restored = await put_back(doing.artifacts, former.plan, start.task, files, folder)
    if restored and planned.place != "none":
        doing.saving.touched(planned)
    result = {name: value for name, value in former.result.items() if name not in NOT_TAKEN_ALONG}
    if restored or not former.here:
        result["kept"] = await keep_all(doing.artifacts, state, start.task, folder)
    return {**result, REUSED: {"plan": former.plan, "restored": restored}}


async def _made(planned: PlannedTask, folder: Path) -> dict[str, str | None]:
    """Return what is in what a task has made. Raises Unknowable when something of it is not there."""
    found = await asyncio.to_thread(lambda: {path: tree(folder, path) for path in declared(planned)})
    for path, digest in found.items():
        if digest is None and path not in planned.writes:
            raise Unknowable(f"it was to make {path}, and there is none")
    return found


async def _folder(doing: Doing, loop: Loop, start: Start, attempt: int) -> Path:
    """Return where what a task makes is: what is made in a worktree of its own is merged into the plan's."""
    if loop.state.program.jobs[start.task].task.place == "none":
        return await doing.places.scratch(start.task, attempt)
    return Path(loop.state.plan.worktree or loop.state.project.root)
