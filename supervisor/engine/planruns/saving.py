"""Committing what tasks change in their plan's worktree, with a checkpoint of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from supervisor.engine.checkpoints import Checkpoints
from supervisor.engine.planruns.places import Places
from supervisor.engine.planruns.state import State
from supervisor.model.plan.task import Task as PlannedTask
from supervisor.model.plans import Task, TaskStatus


@dataclass(slots=True)
class Saving:
    """Knows which tasks worked in one plan's worktree since it was last committed."""

    places: Places
    checkpoints: Checkpoints
    _unsaved: dict[str, PlannedTask] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def touched(self, task: PlannedTask) -> None:
        """Note that a task works in the worktree, or has; to be called before it begins."""
        self._unsaved[task.id] = task

    async def save(self, state: State, before: Sequence[str] = (), changed: Mapping[str, Task] | None = None) -> None:
        """Commit what tasks changed in the plan's worktree since the last time, and keep a checkpoint of it.

        There is one as well before the tasks ``before``, unless nothing has changed since the last. ``changed`` are
        tasks as they will be stored in a moment.
        """
        # One after the other: who finds nothing left to save must know that it is saved.
        async with self._lock:
            if not (self._unsaved or before) or state.plan.worktree is None:
                return
            saved = dict(self._unsaved)
            for task in saved:
                # What still runs goes on changing things: it is committed again later. So is what begins from here on.
                now = (changed or {}).get(task) or state.board.tasks.get(task)
                if now is None or now.status is not TaskStatus.RUNNING:
                    del self._unsaved[task]
            try:
                await self._commit(state, Path(state.plan.worktree), saved, before, changed)
            except BaseException:
                self._unsaved = {**saved, **self._unsaved}
                raise

    async def _commit(
        self,
        state: State,
        worktree: Path,
        saved: Mapping[str, PlannedTask],
        before: Sequence[str],
        changed: Mapping[str, Task] | None,
    ) -> None:
        order = {task: position for position, task in enumerate(state.program.jobs)}
        clean_since = None
        if saved:
            planned = sorted(saved.values(), key=lambda task: order.get(task.id, len(order)))
            commit = await self.places.save(state.plan, worktree, planned)
            clean_since = state.plan.base_commit if commit is None and not before else None
        last = max((*saved, *before), key=lambda task: order.get(task, -1))
        why = f"before {', '.join(before)}" if before else f"after {', '.join(saved)}"
        subject = self.checkpoints.of_plan(state.plan, last, changed)
        await self.checkpoints.make_if_changed(subject, why, "supervisor", clean_since=clean_since)
