"""A whole supervisor inside a test: a throw-away home, a repository, the real daemon, a client."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import psutil

from config.paths import Paths
from executors.runner.tree import Cgroup
from supervisor.api.client import Client
from supervisor.daemon import Daemon
from supervisor.engine.engine import Engine
from supervisor.engine.intake import RunRequest
from supervisor.engine.ports.agents import PolicyPort
from supervisor.model.entities import Attempt, Session
from supervisor.model.events import Event
from supervisor.model.statuses import SESSION_ENDED, SessionStatus
from supervisor.store import attempts, events, sessions
from tests.support.git import repository
from tests.support.runners import cgroups_in, runners
from tests.wait import wait_until

PERSON = "person:test"


@dataclass
class Supervised:
    """A running supervisor; ``engine`` is its inside, ``client`` its outside."""

    paths: Paths
    repository: Path
    engine: Engine
    client: Client

    async def run(self, *argv: str, **fields: Any) -> Session:
        """Store a session for a command, or for an agent with ``prompt``."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.paths.state), **fields.pop("environment", {})}
        request = RunRequest(cwd=self.repository, argv=argv, environment=environment, **fields)
        return await self.engine.run(request, PERSON)

    async def script(self, *steps: dict[str, Any], **fields: Any) -> Session:
        """Store a session of the scripted agent."""
        return await self.run(agent="scripted", prompt=json.dumps(steps), **fields)

    async def session(self, session: Session) -> Session:
        """A session as it is now."""
        return await self.engine.store.read(sessions.get, session.id)

    async def attempts(self, session: Session) -> list[Attempt]:
        """The attempts of a session, in order."""
        return await self.engine.store.read(attempts.of_session, session.id)

    async def events(self, session: Session | None = None, *types: str) -> list[Event]:
        """The events of a session, or all, oldest first."""
        after, found = 0, list[Event]()
        while page := await self.engine.store.read(
            partial(events.since, session=session.id if session else None), after
        ):
            after = page[-1].seq
            found += page
        return [event for event in found if not types or event.type in types]

    async def payloads(self, session: Session | None, *types: str) -> list[dict[str, Any]]:
        """What the events of these types say."""
        return [msgspec.json.decode(event.payload) for event in await self.events(session, *types)]

    async def when(self, session: Session, check: Callable[[Session], object], what: str = "") -> Session:
        """The session once ``check`` is true of it."""
        now = session

        async def look() -> bool:
            nonlocal now
            now = await self.session(session)
            return bool(check(now))

        await eventually(look, what=lambda: f"{what}; {now.name} is {now.status}: {now.reason.text}; {now.activity}")
        return now

    async def reaches(self, session: Session, *statuses: SessionStatus) -> Session:
        """The session once it has one of these statuses."""
        return await self.when(session, lambda now: now.status in statuses, " or ".join(statuses))

    async def ended(self, session: Session) -> Session:
        """The session once it has ended."""
        return await self.reaches(session, *SESSION_ENDED)

    async def printed(self, session: Session, text: str) -> None:
        """Return when a session has printed a line with this text, and that is stored."""

        async def look() -> bool:
            return any(text in event.payload for event in await self.events(session, "output"))

        await eventually(look, what=lambda: f"{session.name} prints {text}")


async def eventually(check: Callable[[], Awaitable[bool]], *, what: Callable[[], str]) -> None:
    """Return when a condition that has to be awaited is true; fail after twenty seconds."""
    try:
        async with asyncio.timeout(20):
            while not await check():  # noqa: ASYNC110 - the condition is in a database
                await asyncio.sleep(0.01)
    except TimeoutError as error:
        raise AssertionError(f"not within 20 s: {what()}") from error


@dataclass
class Home:
    """A state folder and a repository; supervisors come and go on it."""

    paths: Paths
    repository: Path

    def configure(self, **settings: Any) -> None:
        """Write the configuration; the floor of free disk is off unless it is set."""
        settings = {"storage": {"free_disk_floor_mb": 0}, **settings}
        self.paths.config_file.write_text(json.dumps(settings))

    @asynccontextmanager
    async def supervised(self, policy: PolicyPort | None = None) -> AsyncIterator[Supervised]:
        """A supervisor until the end of the context; what runs then goes on. Without a policy the shipped one."""
        async with Daemon(self.paths, policy) as daemon, Client(self.paths.socket, self.paths.token_file) as client:
            yield Supervised(self.paths, self.repository, daemon.engine, client)


@contextmanager
def throwaway_home(folder: Path) -> Iterator[Home]:
    """A home whose processes are killed afterwards, and whose runtime folder is short enough for sockets."""
    run = Path(tempfile.mkdtemp(prefix="qd"))
    paths = Paths(state=folder / "state", config_file=folder / "config.yaml", run=run)
    paths.create()
    home = Home(paths, repository(folder / "repository"))
    home.configure()
    try:
        yield home
    finally:
        for process in runners(run):
            with suppress(psutil.NoSuchProcess):
                for below in (*process.children(recursive=True), process):
                    with suppress(psutil.NoSuchProcess):
                        below.kill()
        for path in cgroups_in(run):
            wait_until(lambda path=path: not Cgroup(path).processes())  # type: ignore[misc]
            Cgroup(path).remove()
        shutil.rmtree(run, ignore_errors=True)
