"""What limits of tasks need to know of what runs: when it was last heard of, and how it ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from supervisor.engine.plans import escalating
from supervisor.engine.plans.limits import LOOKED, SILENCES, Signs, Watch, bounds, next_look, used, watch_of
from supervisor.engine.plans.program import UNDO
from supervisor.engine.plans.turn import Turn
from supervisor.engine.ports.processes import ExitRecord
from supervisor.model.entities import Attempt, Session
from supervisor.model.plan.task import Task as PlannedTask
from supervisor.model.plans import Task, TaskStatus
from supervisor.model.times import now_ms

if TYPE_CHECKING:
    from supervisor.engine.planruns.doing import Doing
    from supervisor.engine.planruns.state import State
    from supervisor.engine.plans.program import Step

JUMP_MS: Final = 2_000
"""What is less is the pace of clocks, and of this program under load."""

STOPPED: Final = "the process was stopped"
"""What the activity of a session says whose process somebody stopped."""

BEATS: Final = 2
"""A session is given the time of so many beats of its runner, however short the limit of its task is."""


class Wall:
    """How far the clock on the wall jumps: somebody sets it, or the machine sleeps, and what runs with it.

    ``steady`` is a clock, in seconds, that nobody sets and that stands still while the machine sleeps.
    """

    def __init__(self, now: int, steady: Callable[[], float] = time.monotonic) -> None:
        self._steady = steady
        self._seen = self._read = now, steady()

    def gap(self, now: int) -> int:
        """Return by how many milliseconds it went further than time did since `seen`; 0 for what is no jump."""
        self._read = now, self._steady()
        gap = now - self._seen[0] - round((self._read[1] - self._seen[1]) * 1_000)
        return gap if abs(gap) >= JUMP_MS else 0

    def seen(self) -> None:
        """What was last read has been taken into account."""
        self._seen = self._read


@dataclass(slots=True)
class Watching:
    """When what runs for the tasks of one plan was last heard of, as far as limits ask for it."""

    doing: Doing
    signs: dict[str, Signs]

    def due(self, state: State, now: int) -> int | None:
        """Return when limits are to be looked at next, if time alone changes them."""
        found = [
            next_look(planned, watch, step, self.signs.get(task.id, Signs()), now)
            for task, planned, step in _watched(state)
            if (watch := watch_of(task)) is not None
        ]
        return min((each for each in found if each is not None), default=None)

    async def listen(self, state: State) -> None:
        """Find out when those were last heard of that have been silent for some time."""
        now = now_ms()
        silent = [each for each in _silenced(state) if self._is_silent(*each, now)]
        if silent:
            self.signs |= await self._look(state, silent)

    async def heard(self, state: State, task: str) -> Signs | None:
        """Return when what runs for a task was last heard of; None when nothing runs that its silence limits."""
        found = await self._look(state, [each for each in _silenced(state) if each[0].id == task])
        return found.get(task)

    def _is_silent(self, task: Task, planned: PlannedTask, step: Step, now: int) -> bool:
        watch, known = watch_of(task) or Watch(), self.signs.get(task.id, Signs())
        limits = {limit: bound for limit, bound in bounds(planned, watch, step).items() if limit in SILENCES}
        return any(used(limit, watch, known, now) >= LOOKED * bound for limit, bound in limits.items())

    async def _look(self, state: State, silent: list[tuple[Task, PlannedTask, Step]]) -> dict[str, Signs]:
        if not silent:
            return {}
        found: dict[str, Signs] = {}
        now = now_ms()
        live = {each.task: each for each in await self.doing.agents.live_attempts(state.plan.id)}
        needed = any(planned.heartbeat is not None and step.what == "command" for _, planned, step in silent)
        alive = await self.doing.commands.alive() if needed else set()
        for task, planned, step in silent:
            if step.what == "session":
                session = await self.doing.agents.session_of(task)
                found[task.id] = Signs() if session is None else self._of_session(session, planned, now)
            elif (attempt := live.get(task.id)) is not None:
                found[task.id] = await self._of_command(task.id, attempt, alive)
        return found

    async def _of_command(self, task: str, attempt: Attempt, alive: set[str]) -> Signs:
        log = self.doing.places.folder / f"{attempt.id}.log"
        known = self.signs.get(task, Signs())
        output = max(attempt.claimed_at, await asyncio.to_thread(_written, log))
        return Signs(output, now_ms() if attempt.id in alive else max(attempt.claimed_at, known.life))

    def _of_session(self, session: Session, planned: PlannedTask, now: int) -> Signs:
        """Return when a session was last heard of. Its runner beats every now and then; who is stopped does nothing."""
        began = session.started_at or 0
        output, life = max(began, session.last_output_at or 0), max(began, session.last_heartbeat_at or 0)
        if session.activity.state == "stalled" and session.activity.argument == STOPPED:
            return Signs(output, min(life, session.activity.at or life))
        settings = self.doing.services.config_for(None).settings
        profile = settings.agents.get(session.agent)
        beats_s = BEATS * (profile.heartbeat_s if profile is not None else 0)
        short_ms = round((beats_s - (planned.heartbeat or beats_s)) * 1_000)
        return Signs(output, min(now, life + max(0, short_ms)))


def taken(turn: Turn, task: str, attempt: int, number: int, record: ExitRecord | None) -> ExitRecord | None:
    """Return how a command ended, as it is kept: what a limit ended has run into that limit."""
    if record is None or number >= UNDO or not turn.is_at(task, attempt, number):
        return record
    if record.cause in ("start_to_close", "no_output"):
        escalating.ended_by_runner(turn, task, "timeout" if record.cause == "start_to_close" else "no_output")
    watch = watch_of(turn.task(task))
    if watch is None or watch.cut is None or watch.cut.to == "skipped" or record.cause in ("exit", "spawn_failed"):
        return record
    silent = watch.cut.limit in SILENCES
    return replace(record, cause="no_output" if silent else "start_to_close", message=watch.cut.why)


def _watched(state: State) -> list[tuple[Task, PlannedTask, Step | None]]:
    """Return what runs, or waits to be tried again, with the step that is under way."""
    board, found = state.board, []
    for task_id in board.watched:
        task, job = board.tasks[task_id], state.program.jobs[task_id]
        running = task.status is TaskStatus.RUNNING and task.step < len(job.steps)
        found.append((task, job.task, job.steps[task.step] if running else None))
    return found


def _silenced(state: State) -> list[tuple[Task, PlannedTask, Step]]:
    """Return what runs and must not be silent for too long."""
    found = []
    for task, planned, step in _watched(state):
        watch = watch_of(task)
        if (
            watch is not None
            and step is not None
            and watch.cut is None
            and SILENCES & bounds(planned, watch, step).keys()
        ):
            found.append((task, planned, step))
    return found


def _written(log: Path) -> int:
    """Return when a log was last written; 0 when it is not there. Blocks."""
    try:
        return log.stat().st_mtime_ns // 1_000_000
    except FileNotFoundError:
        return 0
