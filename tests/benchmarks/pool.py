"""The warm pool: session starts in a repository of 20,000 files, also when the base has moved."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from pathlib import Path

from config.settings import Worktrees
from executors.git.lock import open_lock, try_lock
from executors.git.workspaces import GitWorkspaces
from tests.benchmarks.figures import Figure, median, ms, sized
from tests.benchmarks.stage import stage
from tests.benchmarks.starts import raw_start, started
from tests.support.git import commit

FILES = 20_000
STARTS = 5
COMMITS = 50
POOL = 1
BAR = 0.3


async def measure(scale: float) -> list[Figure]:
    """Compare starts from the pool with raw `git worktree add`; one worktree is kept warm."""
    warm: list[float] = []
    moved: list[float] = []
    limit: list[float] = []
    refills: list[float] = []
    async with stage(files=sized(FILES, scale), worktrees={"pool_size": POOL}) as place, place.client() as client:
        project = (await client.post("/projects", {"path": str(place.repository)}))["project"]["id"]
        worktrees = place.paths.worktrees / project
        raw = raw_start(place.repository, place.paths.state / "raw", lambda: subprocess.check_output(["echo", "hi"]))
        for number in range(sized(STARTS, scale)):
            refills.append(await _filled(project, place.repository, worktrees))
            warm.append((await started(place, client))[0])
            await _filled(project, place.repository, worktrees)
            began = time.perf_counter()
            await asyncio.to_thread(raw)
            limit.append(time.perf_counter() - began)
            for change in range(COMMITS):
                await asyncio.to_thread(commit, place.repository, {f"source/0/{change}.py": f"{number} {change}\n"})
            moved.append((await started(place, client))[0])
        events = (await client.get("/events", type="worktree_ready", limit=1000))["events"]
        assert all(event["payload"]["warm"] for event in events), "a worktree did not come from the pool"
    return [
        _figure("session start from the warm pool, 20,000 files", warm, limit),
        _figure(f"the same after the base moved by {COMMITS} commits", moved, limit),
        Figure("pool", "refill of one worktree, in the background", ms([took for took in refills if took > 0.05])),
    ]


def _figure(what: str, ours: list[float], limit: list[float]) -> Figure:
    ratio = median(ours) / median(limit)
    return Figure("pool", what, f"{ms(ours)}, {ratio:.2f}x", f"raw worktree add: {ms(limit)}", "<= 0.3x", ratio <= BAR)


async def _filled(project: str, root: Path, worktrees: Path) -> float:
    """Fill the pool where nobody does, and wait where somebody does; returns what the longest refill took."""
    workspaces = GitWorkspaces(lambda _: Worktrees(pool_size=POOL))
    longest = 0.0
    while True:
        began = time.perf_counter()
        await workspaces.refill(project, root, worktrees)
        longest = max(longest, time.perf_counter() - began)
        lock = open_lock(worktrees / ".pool.lock")
        is_free = try_lock(lock)
        os.close(lock)
        if is_free:
            return longest
        await asyncio.sleep(0.05)
