"""One round: start sessions, kill the supervisor again and again, wait for the end, judge."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from config.paths import Paths
from supervisor.api.client import ENDED, Client
from supervisor.cli.putting import put
from supervisor.model.errors import QuarterdeckError, Refused, SupervisorUnreachable
from tests.chaos.oracle import Verdict, judge
from tests.chaos.victim import Victim
from tests.chaos.work import MESSAGE, Job

DEADLINE_S = 120.0
KILL_PAUSE_S = 0.3
DECIDERS = 2
FAILPOINT_S = 3.0
"""How long a round waits for its failpoint before it kills at random."""

KEEP_PAUSE_S = 0.1

ONCE = frozenset({"approval.expired", "approval.before_consume", "approval.after_consume"})
"""Failpoints that a round reaches once, and late: one question expires, one process stands and waits."""

ONCE_S = 15.0


@dataclass(frozen=True)
class Plan:
    """What a round does: the failpoint that is armed and how often the supervisor is killed at random."""

    failpoint: str
    jobs: Sequence[Job]
    random_kills: int
    docker_host: str
    image: str
    seed: int


@dataclass(frozen=True)
class Result:
    """What a round showed. ``folder`` is kept only when something was violated."""

    verdict: Verdict
    died_at_failpoint: bool
    kills: int
    seconds: float
    slowest_start_s: float
    folder: Path


async def play(plan: Plan, failpoint_log: Path) -> Result:
    """Play one round in a state folder of its own."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="qdc"))
    paths = Paths.below(folder / "h", environ={})
    paths.create()
    repository = _repository(folder / "repository")
    victim = Victim(paths, plan.docker_host, failpoint_log)
    chance = random.Random(plan.seed)  # noqa: S311 - chaos that can be repeated, not cryptography
    count = 1 if plan.failpoint in ONCE else chance.randint(1, 3)
    kept: list[str] = []
    victim.armed = "" if plan.failpoint.startswith("recovery.") else f"{plan.failpoint}@{count}"
    try:
        await _play(plan, victim, repository, chance, kept)
        await victim.stop()
        verdict = await asyncio.to_thread(judge, paths, plan.jobs, victim.starts, kept)
    finally:
        victim.kill()
        clean_up(paths)
    if not verdict.violations:
        shutil.rmtree(folder, ignore_errors=True)
    return Result(
        verdict,
        victim.died_at_failpoint,
        len(victim.starts) - 1,
        time.monotonic() - began,
        victim.slowest_start_s,
        folder,
    )


async def _play(plan: Plan, victim: Victim, repository: Path, chance: random.Random, kept: list[str]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    starting = asyncio.create_task(_start_all(plan, victim.paths, repository))
    telling = asyncio.create_task(_tell_all(plan, victim.paths))
    killing = asyncio.create_task(_kill(plan, victim, chance))
    keeping = asyncio.create_task(_keep_all(victim.paths, repository, kept))
    deciding = [asyncio.create_task(_decide_all(victim.paths)) for _ in range(DECIDERS)]
    try:
        while time.monotonic() < deadline:
            if not victim.is_running:
                if plan.failpoint.startswith("recovery.") and len(victim.starts) == 1:
                    victim.armed = plan.failpoint
                await victim.start()
            if starting.done() and killing.done() and await _all_ended(victim.paths, len(plan.jobs)):
                return
            await asyncio.sleep(0.05)
    finally:
        for task in (starting, telling, killing, keeping, *deciding):
            task.cancel()
        await asyncio.gather(starting, telling, killing, keeping, *deciding, return_exceptions=True)


async def _start_all(plan: Plan, paths: Paths, repository: Path) -> None:
    async with asyncio.TaskGroup() as group:
        for job in plan.jobs:
            group.create_task(_start(job, plan.image, paths, repository))


async def _start(job: Job, image: str, paths: Paths, repository: Path) -> None:
    """Start a session exactly once, whatever happens to the supervisor that is asked."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(repository.parent), "TERM": "xterm-256color"}
    body = {**job.body(image), "cwd": str(repository), "environment": environment}
    while True:
        try:
            async with Client(paths.socket, paths.token_file) as client:
                known = await client.get("/sessions")
                if job.name not in {session["name"] for session in known["sessions"]}:
                    await client.post("/sessions", body)
                return
        except SupervisorUnreachable:
            await asyncio.sleep(0.05)


async def _tell_all(plan: Plan, paths: Paths) -> None:
    async with asyncio.TaskGroup() as group:
        for job in plan.jobs:
            if job.is_agent:
                group.create_task(_tell(job.name, paths))


async def _tell(name: str, paths: Paths) -> None:
    """Send a running agent a message, once: what the supervisor took before it died must not be said again."""
    while True:
        try:
            async with Client(paths.socket, paths.token_file) as client:
                session: dict[str, Any] = (await client.get(f"/sessions/{name}"))["session"]
                if session["status"] in ENDED:
                    return
                if session["status"] == "running" and session["messages"]:
                    break
        except QuarterdeckError:
            pass  # It is being started again, or does not know the session yet.
        await asyncio.sleep(0.05)
    with suppress(QuarterdeckError):
        async with Client(paths.socket, paths.token_file) as client:
            await client.post(f"/sessions/{name}/send", {"text": MESSAGE})


async def _keep_all(paths: Paths, repository: Path, kept: list[str]) -> None:
    """Put one artifact after the other, and note the ids of those of which the supervisor said that they are kept."""
    for number in itertools.count():
        content = BytesIO(f"content {number}\n".encode() * 1000)
        with suppress(QuarterdeckError):
            async with Client(paths.socket, paths.token_file) as client:
                artifact = await put(client, content, {"name": f"kept-{number}", "cwd": str(repository)})
                kept.append(artifact["id"])
        await asyncio.sleep(KEEP_PAUSE_S)


async def _decide_all(paths: Paths) -> None:
    """Answer questions as they say they want to be answered; of several who do so, one wins each."""
    while True:
        with suppress(QuarterdeckError):
            async with Client(paths.socket, paths.token_file) as client:
                for approval in (await client.get("/approvals"))["approvals"]:
                    await _decide(client, approval)
        await asyncio.sleep(0.1)


async def _decide(client: Client, approval: dict[str, Any]) -> None:
    text = f"{approval['subject']} {approval['question']}"
    with suppress(Refused):  # Another was faster.
        if "chaos-approve" in text:
            await client.post(f"/approvals/{approval['id']}/approve", {})
        elif "chaos-reject" in text:
            await client.post(f"/approvals/{approval['id']}/reject", {"reason": "chaos"})


async def _kill(plan: Plan, victim: Victim, chance: random.Random) -> None:
    """Let the failpoint have its chance, then kill at random moments."""
    recovery = plan.failpoint.startswith("recovery.")
    patience = 0.0 if recovery else ONCE_S if plan.failpoint in ONCE else FAILPOINT_S
    while patience > 0 and not victim.died_at_failpoint:
        await asyncio.sleep(KILL_PAUSE_S)
        patience -= KILL_PAUSE_S
    for _ in range(max(plan.random_kills, int(recovery))):
        # Before sessions run there is nothing to recover.
        await asyncio.sleep((2.0 if recovery else KILL_PAUSE_S) + chance.random() * 1.5)
        victim.kill()


async def _all_ended(paths: Paths, count: int) -> bool:
    try:
        async with Client(paths.socket, paths.token_file) as client:
            found = (await client.get("/sessions"))["sessions"]
    except SupervisorUnreachable:
        return False
    return len(found) == count and all(session["status"] in ENDED for session in found)


def _repository(root: Path) -> Path:
    root.mkdir(parents=True)
    (root / "README.md").write_text("chaos\n")
    identity = ["-c", "user.name=Chaos", "-c", "user.email=chaos@localhost"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], [*identity, "commit", "-q", "-m", "First"]):
        subprocess.run(["git", *arguments], cwd=root, check=True)
    return root


def clean_up(paths: Paths) -> None:
    """End what a failed round may have left: its tmux server, its runners."""
    subprocess.run(["tmux", "-S", paths.run / "tmux.sock", "kill-server"], capture_output=True, check=False)
    for started in paths.run.glob("*.started"):
        runner = json.loads(started.read_text() or "{}").get("runner_pid", 0)
        if runner > 1:
            subprocess.run(["kill", "-TERM", str(runner)], capture_output=True, check=False)
