"""Session start: from its acceptance until a reader of the event stream sees the first output, for each executor."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path

from supervisor.api.client import ENDED, Client
from tests.benchmarks.figures import Figure, median, ms, sized
from tests.benchmarks.stage import Stage, folder, stage, wait_for
from tests.support.dockerd import IMAGE, docker_engine
from tests.support.git import git

STARTS = 12
TIMES, PLUS_S = 1.3, 0.05
OUTPUT_TIMEOUT_S = 30.0

Raw = Callable[[], object]


async def started(place: Stage, client: Client, **fields: str) -> tuple[float, float]:
    """Start a session; returns the seconds until its first output is in the event stream.

    Once since it was asked for, once since the supervisor accepted it.
    """
    seen: dict[str, float] = {}
    stream = client.follow(await client.last_seq(), type="output")

    async def follow() -> None:
        async for event in stream:
            seen.setdefault(event["session"], time.time())
            if event["session"] == wanted:
                return

    wanted = ""
    reader = asyncio.create_task(follow())
    await asyncio.sleep(0.05)  # the stream is open when the clock starts
    began = time.time()
    session = (await client.post("/sessions", place.request("echo", "hi", **fields)))["session"]
    wanted = session["id"]
    if wanted not in seen:
        async with asyncio.timeout(OUTPUT_TIMEOUT_S):
            await reader
    reader.cancel()
    await wait_for(client, {wanted}, *ENDED)
    accepted = datetime.fromisoformat(session["created_at"]).timestamp()
    return seen[wanted] - began, seen[wanted] - accepted


def raw_start(root: Path, into: Path, spawn: Raw) -> Raw:
    """Return what a script would do: add a worktree on a new branch, then spawn."""
    number = count()

    def start() -> None:
        name = f"raw-{next(number)}"
        git(root, "worktree", "add", "-q", "-b", name, into / name)
        spawn()

    return start


async def local(scale: float) -> list[Figure]:
    """Plain processes."""
    return [await _compare("local", scale, lambda: subprocess.check_output(["echo", "hi"]))]


async def tmux(scale: float) -> list[Figure]:
    """Windows of tmux, against `tmux new-window`."""
    with raw_tmux() as command:
        return [await _compare("tmux", scale, lambda: subprocess.check_call([*command, "new-window", "-d", "echo hi"]))]


@contextmanager
def raw_tmux() -> Iterator[list[str]]:
    """Return how a tmux server of its own is commanded, for as long as the context lasts."""
    with folder() as place:
        command = ["tmux", "-S", str(place / "raw.sock"), "-f", "/dev/null"]
        subprocess.run([*command, "new-session", "-d", "sleep", "600"], check=True)
        try:
            yield command
        finally:
            subprocess.run([*command, "kill-server"], check=True)


async def docker(scale: float) -> list[Figure]:
    """Containers, against `docker run -d`; needs the docker command and an engine."""
    if not shutil.which("docker") or not (os.environ.get("QUARTERDECK_TEST_DOCKER_HOST") or shutil.which("dockerd")):
        return [Figure("starts", "session start, docker", "not measured: no Docker here")]
    with docker_engine() as address:
        command = ["docker", "-H", address, "run", "-d", "--network", "none", IMAGE, "echo", "hi"]
        return [await _compare("docker", scale, lambda: subprocess.check_output(command), address, image=IMAGE)]


async def _compare(executor: str, scale: float, spawn: Raw, engine: str | None = None, **fields: str) -> Figure:
    asked: list[float] = []
    ours: list[float] = []
    limit: list[float] = []
    async with stage(docker={"host": engine}) as place, place.client() as client:
        raw = raw_start(place.repository, place.paths.state / "raw", spawn)
        await started(place, client, executor=executor, **fields)
        for _ in range(sized(STARTS, scale)):
            began = time.perf_counter()
            await asyncio.to_thread(raw)
            limit.append(time.perf_counter() - began)
            since_asked, since_accepted = await started(place, client, executor=executor, **fields)
            asked.append(since_asked)
            ours.append(since_accepted)
    ratio, allowed = median(ours) / median(limit), TIMES * median(limit) + PLUS_S
    return Figure(
        "starts",
        f"session start, {executor}",
        f"{ms(ours)}, {ratio:.1f}x; since it was asked for {median(asked) * 1000:.0f} ms",
        f"raw: {ms(limit)}",
        f"<= 1.3x + 50 ms = {allowed * 1000:.0f} ms",
        median(ours) <= allowed,
    )


async def measure(scale: float) -> list[Figure]:
    """Session starts on all three executors."""
    return [*await local(scale), *await tmux(scale), *await docker(scale)]
