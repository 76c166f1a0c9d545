"""Short commands without a worktree: claimed in the store, run by the host, their ends durable."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from executors.local import LocalExecutor
from executors.owned import OwnedRuns
from executors.runner.identity import boot_id
from supervisor.engine.ports.processes import ExitRecord, Launch
from supervisor.model.entities import Attempt, Work
from supervisor.model.statuses import AttemptStatus
from supervisor.model.times import now_ms
from supervisor.store import attempts
from supervisor.store.database import Store
from tests.benchmarks.figures import Figure, median, rate, sized
from tests.benchmarks.stage import folder
from tests.support.stores import store

COMMANDS = 1_000
ROUNDS = 5
AT_ONCE = 32
BAR = 0.5
TRUE = ("/bin/true",)


async def measure(scale: float) -> list[Figure]:
    """Compare with a bare asyncio loop, both with as many at once."""
    count = sized(COMMANDS, scale)
    ours: list[float] = []
    limit: list[float] = []
    for _ in range(ROUNDS):
        limit.append(count / await _timed(count, _bare))
        with folder() as place:
            (place / "run").mkdir()
            executor = LocalExecutor()
            async with store(place) as opened, OwnedRuns(place / "run", executor) as runs:
                work = Commands(opened, runs, place)
                runs.listen(work.ended, lambda: None)
                ours.append(count / await _timed(count, work.run))
            await executor.dismiss(place / "run")
    ratio = median(ours) / median(limit)
    return [
        Figure(
            "commands",
            f"{count:,} x /bin/true, each claim and end durable",
            f"{rate(ours)}, {ratio:.2f}x",
            f"bare asyncio: {rate(limit)}",
            ">= 0.5x",
            ratio >= BAR,
        )
    ]


class Commands:
    """Runs commands the way a plan does: claim, start, wait for the durable end, store it."""

    def __init__(self, opened: Store, runs: OwnedRuns, place: Path) -> None:
        self._store, self._runs, self._place = opened, runs, place
        self._boot = boot_id()
        self._ends: dict[str, asyncio.Future[int]] = {}

    async def run(self) -> None:
        """Run one command to its stored end."""
        attempt = await self._store.submit(
            lambda conn: attempts.claim(
                conn, session=None, executor="local", work=Work(argv=TRUE), boot_id=self._boot, now=now_ms()
            )
        )
        end = self._ends[attempt.id] = asyncio.get_running_loop().create_future()
        await self._runs.start(self._launch(attempt))
        code = await end
        assert code == 0, code
        ended = replace(attempt, status=AttemptStatus.COMPLETED, exit_code=code, ended_at=now_ms())
        await self._store.submit(lambda conn: attempts.update(conn, ended))

    def ended(self, record: ExitRecord) -> None:
        """Take an end that is told."""
        self._ends.pop(record.attempt).set_result(record.exit_code)

    def _launch(self, attempt: Attempt) -> Launch:
        return Launch(
            attempt=attempt.id,
            session="",
            number=attempt.number,
            token=attempt.fencing_token,
            run=self._place / "run",
            folder=self._place / "plan",
            argv=TRUE,
            env={"PATH": os.environ["PATH"]},
            cwd=self._place,
        )


async def _bare() -> None:
    process = await asyncio.create_subprocess_exec(*TRUE)
    assert await process.wait() == 0


async def _timed(count: int, one: Callable[[], Awaitable[None]]) -> float:
    places = asyncio.Semaphore(AT_ONCE)

    async def placed() -> None:
        async with places:
            await one()

    began = time.perf_counter()
    await asyncio.gather(*(placed() for _ in range(count)))
    return time.perf_counter() - began
