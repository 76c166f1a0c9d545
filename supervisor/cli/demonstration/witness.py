"""What the event stream tells: every event once, also across the death of a supervisor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from supervisor.api.client import ENDED, Client
from supervisor.model.errors import QuarterdeckError, SupervisorUnreachable

RECONNECT_S = 0.05

Json = dict[str, Any]


class Overdue(QuarterdeckError):
    """What was waited for did not happen in time."""


@dataclass(slots=True)
class Seen:
    """A session, as the stream tells of it. ``tool`` and ``argument`` are what it does now."""

    id: str
    name: str
    status: str
    executor: str = ""
    tool: str = ""
    argument: str = ""
    reason: str = ""

    @property
    def busy(self) -> bool:
        """Whether it runs and has begun to do something."""
        return self.status == "running" and bool(self.tool)


class Witness:
    """Follows the event stream and keeps what it tells; ``told`` is called for each event."""

    def __init__(self, client: Client, sessions: dict[str, Seen], told: Callable[[Json, Seen | None], None]) -> None:
        self._client = client
        self._told = told
        self._news = asyncio.Event()
        self.sessions = sessions
        self.events: list[Json] = []

    async def watch(self) -> None:
        """Follow the stream until cancelled; a supervisor that is away is waited for."""
        while True:
            try:
                async for event in self._client.follow(self.events[-1]["seq"] if self.events else 0):
                    self._take(event)
            except SupervisorUnreachable:
                await asyncio.sleep(RECONNECT_S)

    async def until(self, check: Callable[[], object], seconds: float, what: str) -> None:
        """Return when ``check`` is true; Overdue, naming ``what`` was awaited, after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                while not check():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError as error:
            raise Overdue(f"Within {seconds:g} s it was not seen that {what}.") from error

    def named(self, name: str) -> Seen:
        """Return a session by its name; one that was not told of yet has no status."""
        return next((seen for seen in self.sessions.values() if seen.name == name), Seen("", name, ""))

    def of(self, kind: str, session: str | None = None) -> list[Json]:
        """Return the events of a type, of one session or of all."""
        return [each for each in self.events if each["type"] == kind and session in (None, each["session"])]

    @property
    def busy(self) -> list[Seen]:
        """The sessions that are at work now."""
        return [seen for seen in self.sessions.values() if seen.busy]

    @property
    def all_ended(self) -> bool:
        """Whether no session is under way."""
        return all(seen.status in ENDED for seen in self.sessions.values())

    def _take(self, event: Json) -> None:
        self.events.append(event)
        payload, session = event["payload"], event["session"]
        if event["type"] == "session_created":
            self.sessions[session] = Seen(session, payload["name"], payload["status"])
        seen = self.sessions.get(session)
        if seen is not None:
            _update(seen, event["type"], payload)
        self._told(event, seen)
        self._news.set()


def _update(seen: Seen, kind: str, payload: Json) -> None:
    match kind:
        case "status_changed":
            seen.status, seen.reason = payload["to"], payload["reason"]
        case "attempt_started":
            seen.executor = payload["executor"]
        case "tool_use":
            seen.tool, seen.argument = payload["tool"], payload["argument"]
        case "retry":
            seen.tool, seen.argument = "retry", f"{payload['error']}, {payload['attempt']} of {payload['max']}"
        case "thinking" | "message":
            seen.argument = payload["text"]
            seen.tool = {"thinking": "thinks", "message": "says"}[kind]
