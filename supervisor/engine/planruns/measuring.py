"""The checks of a gate that look back: at what the plan began with, and at what earlier plans have kept."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from supervisor.engine.artifacts import Artifacts
from supervisor.engine.planruns.places import Places
from supervisor.engine.planruns.state import State
from supervisor.engine.planruns.words import last_lines
from supervisor.engine.plans.comparing import Measured, compare, number_in
from supervisor.engine.plans.sheet import Start
from supervisor.engine.plans.turn import Turn
from supervisor.engine.ports.processes import ExitRecord
from supervisor.engine.ports.workspaces import Workspace
from supervisor.model.artifacts import Artifact
from supervisor.model.entities import Attempt
from supervisor.model.errors import QuarterdeckError, Refused
from supervisor.store import artifacts as kept

MEASURED: Final = "measured"
"""In a task's result: what its commands measured, by name."""

READ: Final = 65_536
"""Bytes of evidence that are read for its number."""

LINES: Final = 100


@dataclass(slots=True)
class Measuring:
    """Does these checks for one plan."""

    places: Places
    artifacts: Artifacts

    async def base(self, state: State, start: Start) -> Workspace:
        """Return the worktree of what the plan began with."""
        if state.plan.base_commit is None:
            raise Refused("Nobody knows what this plan began with.")
        return await self.places.base_worktree(start.task, start.attempt, state.plan.base_commit)

    async def tidy(self, state: State, start: Start) -> None:
        """Remove that worktree."""
        await self.places.discard(await self.base(state, start))

    async def is_there(self, state: State, start: Start, folder: Path) -> bool:
        """Whether there is a piece of evidence: a file, or what the plan has kept under that name."""
        (name,) = start.step.argv
        if await asyncio.to_thread((folder / name).exists):
            return True
        found = await self.artifacts.ledger.store.read(
            lambda conn: kept.find(conn, plan=state.plan.id, name=name, limit=10)
        )
        # What an earlier plan of this id has left is another one's.
        return any(each.created_at >= state.plan.created_at for each in found)

    async def recalled(self, state: State, name: str) -> Measured:
        """Return the number in the newest evidence, or artifact, that an earlier plan of the project kept."""
        found = await self.artifacts.ledger.store.read(
            lambda conn: kept.find(conn, project=state.project.id, name=name)
        )
        earlier = [each for each in found if each.plan != state.plan.id or each.created_at < state.plan.created_at]
        if not earlier:
            raise QuarterdeckError(f"No earlier plan has kept {name}: there is nothing to compare with.")
        text = await self._text(earlier[0])
        if (number := number_in(text.splitlines())) is None:
            raise QuarterdeckError(f"There is no number in the last line of {name} ({earlier[0].id}).")
        return Measured(0, number)

    async def _text(self, artifact: Artifact) -> str:
        with await self.artifacts.open(artifact) as file:
            return (await asyncio.to_thread(file.read, READ)).decode(errors="replace")

    async def of(self, attempt: Attempt, record: ExitRecord) -> Measured:
        """Return what a command measured that has ended."""
        lines = await asyncio.to_thread(last_lines, self.places.folder / f"{attempt.id}.log", LINES)
        return Measured(record.exit_code, number_in(text for stream, text in lines if stream == "stdout"))


def note(turn: Turn, start: Start, measured: Measured) -> None:
    """Note what a step measured, and go on."""
    known = dict(turn.task(start.task).result.get(MEASURED, {}))
    result = {MEASURED: {**known, start.step.measures: msgspec.to_builtins(measured)}}
    turn.step_ended(start.task, start.attempt, start.number, ok=True, why="", result=result)


def compare_noted(turn: Turn, start: Start) -> None:
    """Hold what was measured before against what was measured now."""
    if start.step.regression is None or not turn.is_at(start.task, start.attempt, start.number):
        return
    noted = turn.task(start.task).result.get(MEASURED, {})
    names = [f"{start.step.measures} {when}" for when in ("before", "now")]
    if missing := [name for name in names if name not in noted]:
        why = f"It was not measured: {', '.join(missing)}."
        turn.step_ended(start.task, start.attempt, start.number, ok=False, why=why)
        return
    before, now = (msgspec.convert(noted[name], Measured) for name in names)
    ok, why = compare(start.step.regression, before, now)
    turn.step_ended(start.task, start.attempt, start.number, ok=ok, why=why)
