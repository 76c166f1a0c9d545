"""What a decision about a task is bound to: the content that the person was asked about (docs/decisions/0023)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from supervisor.engine.planruns.committing import BOUND
from supervisor.engine.planruns.state import State
from supervisor.engine.plans.sheet import MOVING
from supervisor.engine.plans.subject import beside, counting
from supervisor.engine.plans.turn import Turn
from supervisor.engine.ports.workspaces import Workspaces
from supervisor.model.approvals import Approval
from supervisor.model.errors import QuarterdeckError
from supervisor.model.plan.task import Task as PlannedTask
from supervisor.model.plans import Task
from supervisor.model.times import now_ms

NAMED: Final = 5
"""Paths that a sentence names."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What was in a worktree when a person was asked, at ``at`` (ms).

    ``files`` are digests of what is shown as evidence, also of files that git ignores. ``shared`` says that it is the
    plan's worktree, in which others may work; ``moving`` are paths that are known to go on changing there.
    """

    worktree: str
    commit: str
    tree: str
    at: int
    shared: bool
    files: Mapping[str, str]
    moving: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """What is not any more as it was when a person was asked. ``moving`` is what of it cannot be told from the work of
    others, who still are at it."""

    paths: tuple[str, ...]
    moving: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def words(self) -> str:
        """Say what has changed, in one sentence."""
        more = f" and {len(self.paths) - NAMED} more" if len(self.paths) > NAMED else ""
        named = ", ".join(self.paths[:NAMED])
        also = f" {', '.join(self.others)} still works there." if self.moving else ""
        return f"What it is about has changed since it was asked: {named}{more}.{also}"


@dataclass(slots=True)
class Subjects:
    """Finds what decisions are bound to, and whether it still is so."""

    workspaces: Workspaces

    async def of(self, state: State, turn: Turn, task: Task, planned: PlannedTask, worktree: Path) -> Subject:
        """Return what a question is about that is asked now, of a task that works in ``worktree``."""
        at = now_ms()
        now = await self.workspaces.present(worktree)
        shared = str(worktree) == turn.plan.worktree
        moving: tuple[str, ...] = ()
        if shared and beside(state.program, {**state.board.tasks, **turn.changed}, task.id, at):
            moving = tuple(task.result.get(MOVING, ()))
        return Subject(
            str(worktree), now.commit, now.tree, at, shared, await _digests(worktree, evidence(planned)), moving
        )

    async def change(self, state: State, approval: Approval) -> Change | None:
        """Return what has changed since a question was asked; None when that is nothing, or it is bound to nothing."""
        if approval.asked.get(BOUND) is None or approval.task is None:
            return None
        subject = msgspec.convert(approval.asked[BOUND], Subject)
        try:
            found = await self._found(state, approval.task, subject)
        except (QuarterdeckError, OSError) as error:
            return Change((f"{subject.worktree} ({error})",), (), ())
        if not found:
            return None
        running = self._beside(state, approval.task, subject, now_ms())
        return Change(tuple(found), tuple(found) if running else (), tuple(each.id for each in running))

    async def _found(self, state: State, task: str, subject: Subject) -> list[str]:
        worktree = Path(subject.worktree)
        now = await self.workspaces.present(worktree)
        digests = await _digests(worktree, subject.files)
        files = {path for path, digest in subject.files.items() if digests[path] != digest} - set(subject.moving)
        if (now.commit, now.tree) == (subject.commit, subject.tree):
            return sorted(files)
        changed = await self.workspaces.changed(worktree, subject.tree, now.tree)
        if now.commit != subject.commit:
            # What was committed since is what it was before, or what was approved; nothing else.
            committed = await self.workspaces.changed(worktree, subject.commit, now.commit)
            changed |= committed & await self.workspaces.changed(worktree, subject.tree, now.commit)
        others = self._beside(state, task, subject, subject.at)
        shown: frozenset[str] = frozenset()
        if others and changed and state.plan.base_commit is not None:
            shown = await self.workspaces.changed(worktree, state.plan.base_commit, subject.tree)
        return sorted({*counting(changed, shown, others, subject.moving), *files})

    @staticmethod
    def _beside(state: State, task: str, subject: Subject, since: int) -> list[PlannedTask]:
        return beside(state.program, state.board.tasks, task, since) if subject.shared else []


def evidence(planned: PlannedTask) -> list[str]:
    """Return the files that a task shows as evidence, or that are held against a schema."""
    return [*planned.evidence, *planned.evidence_required, *planned.schemas, *planned.schemas.values()]


def as_stored(subject: Subject) -> dict[str, Any]:
    """Return a subject as it is kept in a question."""
    stored: dict[str, Any] = msgspec.to_builtins(subject)
    return stored


async def _digests(worktree: Path, paths: Iterable[str]) -> dict[str, str]:
    return await asyncio.to_thread(lambda: {path: _digest(worktree / path) for path in paths})


def _digest(path: Path) -> str:
    """Return the digest of a file; empty when it is none. A folder's files are in the tree, unless git ignores them."""
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return ""
