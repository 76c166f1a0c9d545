"""One round: start everything, kill the supervisor again and again, let it end, count."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.paths import Paths
from supervisor.api.client import ENDED
from supervisor.model.errors import QuarterdeckError, Refused, SupervisorUnreachable
from tests.chaos.load import MESSAGE, jobs
from tests.chaos.oracle import violations
from tests.chaos.victim import Victim
from tests.support.git import repository
from tests.wait import until

ADOPTION_S = 5.0
ROUND_TIMEOUT_S = 60.0
FAILPOINT_TIMEOUT_S = 8.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What every round is made of."""

    executors: list[str]
    each: int = 10
    agents: int = 3
    random_kills: int = 2
    docker_host: str | None = None
    image: str | None = None


@dataclass
class Result:
    """What came of a round; ``home`` is kept when something was wrong."""

    failpoint: str
    home: Path
    sessions: int
    kills: int = 0
    died_there: bool = False
    reached: set[str] = field(default_factory=set)
    adopted_s: float = 0.0
    wrong: list[str] = field(default_factory=list)


class Round:
    """A fresh home, and one supervisor that dies at ``failpoint`` and at random points."""

    def __init__(self, plan: Plan, failpoint: str, chance: random.Random) -> None:
        self._plan, self._chance = plan, chance
        home = Path(tempfile.mkdtemp(prefix="qdc"))
        self._paths = Paths.below(home / "h")
        self._paths.create()
        self._repository = repository(home / "repository")
        (home / "ledgers").mkdir()
        self._configure()
        self._jobs = jobs(plan.executors, plan.each, plan.agents, home / "ledgers", plan.image, chance)
        self._victim = Victim(self._paths)
        self.result = Result(failpoint, home, len(self._jobs))

    async def run(self) -> Result:
        """Play it; whatever goes wrong is in the result."""
        result = self.result
        try:
            async with asyncio.timeout(ROUND_TIMEOUT_S):
                await self._play()
        except (AssertionError, TimeoutError, QuarterdeckError) as error:
            result.wrong.append(f"{type(error).__name__}: {error}")
        finally:
            await self._victim.stop()
        result.reached = self._victim.reached
        result.wrong += violations(self._paths, self._jobs)
        if not result.wrong:
            shutil.rmtree(result.home, ignore_errors=True)
        return result

    async def _play(self) -> None:
        if self.result.failpoint.startswith("recovery."):  # reached only where there is something to recover
            await self._live(self._chance.uniform(0.5, 1.5))
        await self._live(FAILPOINT_TIMEOUT_S, self.result.failpoint)
        for _ in range(self._plan.random_kills):
            await self._live(self._chance.uniform(0.05, 1.5))
        await self._adopt()
        await self._work()
        await self._all_ended()

    async def _live(self, life_s: float, failpoint: str = "") -> None:
        """One life of the supervisor: it gets work, and dies at its failpoint or after ``life_s``."""
        if await self._victim.start(failpoint):
            work = asyncio.create_task(self._work())
            with suppress(AssertionError):
                await until(lambda: self._victim.is_dead, life_s)
            self.result.died_there |= bool(failpoint) and self._victim.is_dead
            await self._victim.kill()
            await work
        else:
            self.result.died_there |= bool(failpoint)
        self.result.kills += 1

    async def _work(self) -> None:
        """Ask for what is not there yet, and send every agent its message, until the supervisor is gone."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._paths.home)}
        with suppress(SupervisorUnreachable):
            async with self._victim.client() as client:
                known = {session["name"] for session in (await client.get("/sessions"))["sessions"]}
                for job in self._jobs:
                    if job.name not in known:
                        await client.post("/sessions", job.body(self._repository, environment))
            await self._message()

    async def _message(self) -> None:
        sent = {name for (name,) in self._select("SELECT name FROM sessions WHERE id IN (SELECT session FROM outbox "
                                                 "WHERE kind = 'message')")}  # fmt: skip
        waiting = {job.name for job in self._jobs if job.is_agent} - sent
        async with self._victim.client() as client:
            while waiting:
                for session in (await client.get("/sessions"))["sessions"]:
                    if session["name"] in waiting and session["status"] not in ("queued", "preparing"):
                        waiting.discard(session["name"])
                        with suppress(Refused):  # it has ended meanwhile
                            await client.post(f"/sessions/{session['id']}/send", {"text": MESSAGE})
                await asyncio.sleep(0.05)

    async def _adopt(self) -> None:
        """Start it for good, and measure until everything that was under way is taken up."""
        under_way = {session for (session,) in self._select("SELECT session FROM attempts WHERE ended_at IS NULL")}
        [(last,)] = self._select("SELECT coalesce(max(seq), 0) FROM events")
        began = time.monotonic()
        assert await self._victim.start(), f"the supervisor does not start, see {self._paths.log}"
        await until(lambda: under_way <= self._recovered(last), 30.0, "everything is adopted")
        self.result.adopted_s = time.monotonic() - began
        if self.result.adopted_s > ADOPTION_S:
            self.result.wrong.append(f"adopted only after {self.result.adopted_s:.1f} s")

    async def _all_ended(self) -> None:
        async with self._victim.client() as client:
            while any(s["status"] not in ENDED for s in (await client.get("/sessions"))["sessions"]):  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    def _configure(self) -> None:
        settings = {
            "storage": {"free_disk_floor_mb": 0},
            "queue": {"concurrent": 100, "waiting": 100},
            **({"docker": {"host": self._plan.docker_host}} if self._plan.docker_host else {}),
        }
        self._paths.config_file.write_text(json.dumps(settings))

    def _recovered(self, after: int) -> set[str]:
        query = f"SELECT session FROM events WHERE type = 'recovered' AND seq > {after:d}"  # noqa: S608 - a number
        return {session for (session,) in self._select(query)}

    def _select(self, query: str) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self._paths.database}?mode=ro", uri=True)) as conn:
            return conn.execute(query).fetchall()
