"""What a task of a running plan depends on, each thing with a name and a digest.

Those are: what the document says of it, its inputs (what is in a file or an artifact that one names, too), its
environment, the files that it reads, and what comes before it: what that made, or, where it does not say what it
makes, that it ran.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.settings import Settings
from supervisor.engine.planruns.environment import COMMAND_AGENT
from supervisor.engine.planruns.fingerprints import files, joined, tree
from supervisor.engine.planruns.places import own_name
from supervisor.engine.planruns.state import State
from supervisor.engine.plans.reusing import MADE, declared, definition
from supervisor.model.plan.task import Task as PlannedTask
from supervisor.model.plans import Task
from supervisor.store import artifacts
from supervisor.store.rows import to_json

NAMED: Final = 40
"""Files of one pattern that are named when they change; of more, the pattern is."""

ARTIFACT: Final = "artifacts."
LONGEST_NAME: Final = 255
"""Bytes of an input that may name a file: a longer part of a path cannot be one's name."""


@dataclass(frozen=True, slots=True)
class Before:
    """A task that comes before: ``said`` is what is known of it, ``ran`` names its run, ``paths`` are what it makes."""

    name: str
    said: str
    ran: str
    folder: Path
    paths: tuple[str, ...]


def identity(state: State, task: Task, attempt: int) -> str:
    """Return a name of a run of a task: one plan of an id is not another."""
    return f"{state.plan.id}@{state.plan.created_at}/{task.id}/{attempt}"


def before(state: State, task_id: str, scratch: Path) -> list[Before]:
    """Return what comes before a task, also through what it is a part of. ``scratch`` holds the scratch folders."""
    program = state.program
    found: dict[str, Before] = {}
    node = program.progress.node(task_id)
    while True:
        for each in _sources((*node.needs, *(route.source for route in node.routes)), state):
            found[each.id] = _before(state, each, scratch)
        if node.within is None:
            return list(found.values())
        node = program.progress.node(node.within)


def _sources(names: Iterable[str], state: State) -> Iterable[Task]:
    """Return tasks; in the place of one that has parts and says nothing of what it makes, its parts."""
    for name in names:
        task, planned = state.board.tasks[name], state.program.jobs[name].task
        parts = state.program.progress.parts(name)
        yield from _sources(parts, state) if parts and not declared(planned) else (task,)


def _before(state: State, task: Task, scratch: Path) -> Before:
    planned = state.program.jobs[task.id].task
    said = to_json([task.status.value, task.result.get("evidence")])
    made = task.result.get(MADE)
    ran = str(made["run"]) if made else identity(state, task, task.attempts)
    if planned.runner == "gate":
        return Before(task.id, said, "", scratch, ())  # it lets through, and gives nothing
    folder = Path(state.plan.worktree or state.project.root)
    if planned.place == "none":
        folder = scratch / own_name(state.plan.id, task.id, task.attempts)
    return Before(task.id, said, ran, folder, tuple(declared(planned)))


def kept_of(conn: sqlite3.Connection, state: State, planned: PlannedTask) -> dict[str, str]:
    """Return what is kept of the artifacts that a task is given: name to hash, for each that is kept."""
    wanted: dict[str, str | None] = {
        each.name: each.from_ for each in planned.artifacts if each.from_ not in (None, planned.id)
    }
    wanted |= {text.removeprefix(ARTIFACT): None for text in _texts(planned) if text.startswith(ARTIFACT)}
    found: dict[str, str] = {}
    for name, task in wanted.items():
        kept = artifacts.find(conn, plan=state.plan.id, task=task, kind="artifact", name=name, limit=1)
        found[name] = kept[0].sha256 if kept else "nothing"
    return found


def _texts(planned: PlannedTask) -> Iterable[str]:
    for value in planned.inputs.values():
        yield from (each for each in (value if isinstance(value, tuple) else (value,)) if isinstance(each, str))


def parts_of(
    state: State, task_id: str, settings: Settings, earlier: Iterable[Before], kept: dict[str, str]
) -> dict[str, str]:
    """Return what a task depends on: name to digest. Blocks; raises Unknowable."""
    job = state.program.jobs[task_id]
    planned = job.task
    folder = Path(state.plan.worktree or state.project.root)
    profile = settings.agents.get(
        planned.agent or settings.default_agent if planned.runner == "agent" else COMMAND_AGENT
    )
    found = {
        "what it is": definition(job),
        "its inputs": _hash(to_json(planned.inputs)),
        "its environment": _hash(to_json(planned.environment)),
        "the profile that runs it": _hash("" if profile is None else profile.model_dump_json()),
    }
    found |= {f"the artifact {name}": digest for name, digest in kept.items()}
    for text in dict.fromkeys(_texts(planned)):
        if (digest := _file(folder, text)) is not None:
            found[text] = digest
    for each in earlier:
        made = {path: tree(each.folder, path) for path in each.paths}
        known = {path: digest for path, digest in made.items() if digest is not None}
        found[f"{each.name}, which comes before"] = _hash(to_json([each.said, known or each.ran]))
    for pattern in planned.reads:
        read = files(folder, pattern)
        found |= read if 0 < len(read) <= NAMED else {pattern: joined(read) if read else "nothing"}
    return found


def unread(state: State, task_id: str, parts: dict[str, str]) -> str:
    """Return the first that a task is to read and that is not there; empty when there is none."""
    return next((each for each in state.program.jobs[task_id].task.reads if parts.get(each) == "nothing"), "")


def _file(folder: Path, text: str) -> str | None:
    """Return the digest of the file that an input names; None when it names none."""
    if not text.isprintable() or text.startswith("/") or ".." in text or len(text.encode()) > LONGEST_NAME:
        return None
    return tree(folder, text) if text and (folder / text).is_file() else None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
