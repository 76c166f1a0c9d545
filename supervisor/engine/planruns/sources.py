"""What a task is repeated for: the items that other tasks put out, or that an artifact holds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from supervisor.engine.ledger import Ledger
from supervisor.engine.planruns.places import Places
from supervisor.engine.planruns.state import State
from supervisor.engine.plans.flattening import whole
from supervisor.engine.plans.repeating import items_in, limit_of
from supervisor.engine.spool import SpoolReader
from supervisor.model.errors import QuarterdeckError
from supervisor.model.plan.parts import Artifact
from supervisor.store import attempts

LARGEST: Final = 4_194_304
"""Bytes of a file or of a command's output that items are read from."""


class NotFoundOut(QuarterdeckError):
    """It cannot be found out what a task is repeated for."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Looks for the items of the tasks of one plan."""

    ledger: Ledger
    state: State
    places: Places

    async def items(self, task: str) -> tuple[list[str], int]:
        """Return the items of a task that is repeated, and how many more there are than its limit allows.

        Raises NotFoundOut, with the reason.
        """
        planned = self.state.program.jobs[task].task
        over = planned.fan_out.over if planned.fan_out is not None else None
        scope = whole(task)
        source = over if scope is None else f"{scope}/{over}"
        if over is None:
            texts = [text for need in planned.needs for text in await self._put_out(need)]
            if not texts:
                raise NotFoundOut(
                    f"Nothing that {task} needs puts out what it could be repeated for: give such a task `outputs`."
                )
        elif source in self.state.program.jobs:
            texts = await self._put_out(str(source))
            if not texts:
                raise NotFoundOut(f"{over} puts out nothing that {task} could be repeated for: give it `outputs`.")
        else:
            texts = [await asyncio.to_thread(self._artifact, over)]
        try:
            found = [item for text in texts for item in items_in(text)]
        except ValueError as error:
            raise NotFoundOut(f"{task} cannot be repeated: {error}.") from None
        most = limit_of(planned)
        return found[:most], max(0, len(found) - most)

    async def _put_out(self, task: str) -> list[str]:
        """Return what a task put out: the file that is its first output, else what its commands wrote; of one that has
        parts, what these put out."""
        planned = self.state.program.jobs[task].task
        if self.state.program.jobs[task].repeated is not None or (planned.subplan is not None and not planned.outputs):
            return [text for part in self.state.program.progress.parts(task) for text in await self._put_out(part)]
        if planned.outputs:
            path = next(iter(planned.outputs.values()))
            if planned.place == "none":
                folder = await self.places.scratch(task, self.state.board.tasks[task].attempts)
            else:
                folder = Path(self.state.plan.worktree or self.state.project.root)
            return [await asyncio.to_thread(_text, folder, path, f"The output of {task}")]
        return await self._written(task)

    async def _written(self, task: str) -> list[str]:
        """Return what the commands of a task wrote, in its last attempt."""
        steps = self.state.program.jobs[task].steps
        made = await self.ledger.store.read(attempts.of_task, self.state.plan.id, task)
        last = {attempt.step: attempt for attempt in made}
        work = [
            last[number]
            for number, step in enumerate(steps)
            if step.what == "command" and not (step.proves or step.before) and number in last
        ]
        logs = [self.places.folder / f"{attempt.id}.log" for attempt in work]
        return ["".join(await asyncio.to_thread(lambda: [_stdout(log) for log in logs]))] if logs else []

    def _artifact(self, name: str) -> str:
        """Return what is in the file of an artifact, in the plan's worktree. Blocks."""
        listed: list[Artifact] = list(self.state.planned.artifacts)
        listed += [each for job in self.state.program.jobs.values() for each in job.task.artifacts]
        paths = [each.path for each in listed if each.name == name and each.path]
        paths += [path for job in self.state.program.jobs.values() if (path := job.task.outputs.get(name))]
        folder = Path(self.state.plan.worktree or self.state.project.root)
        return _text(folder, paths[0] if paths else name, f"The artifact {name}")


def _text(folder: Path, path: str, what: str) -> str:
    """Return what is in a file below a folder. Blocks; raises NotFoundOut."""
    found = (folder / path).resolve()
    if not found.is_relative_to(folder.resolve()):
        raise NotFoundOut(f"{what}, {path}, leads out of the folder.")
    try:
        if found.stat().st_size > LARGEST:
            raise NotFoundOut(f"{what}, {path}, is larger than {LARGEST:,} bytes.")
        return found.read_text(errors="replace")
    except OSError as error:
        raise NotFoundOut(f"{what}, {path}, cannot be read: {error.strerror}.") from None


def _stdout(log: Path) -> str:
    """Return what a command wrote to its stdout. Blocks; raises NotFoundOut when that is too much."""
    try:
        if log.stat().st_size > LARGEST:
            raise NotFoundOut(f"A command put out more than {LARGEST:,} bytes: give its task `outputs`.")
        data = log.read_bytes()
    except FileNotFoundError:
        return ""
    records = SpoolReader().read(data[: data.rfind(b"\n") + 1], 0)
    return "".join(f"{record.data.decode(errors='replace')}\n" for record in records if record.stream == "stdout")
