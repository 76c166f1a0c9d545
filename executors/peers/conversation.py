"""A conversation: the agent's process, its turns one after the other, and the supervisor's lines.

A peer stays as long as its stdin is open; at its end the running turn is finished, the agent is ended, and the
peer exits: 0, or 1 when the last turn failed, the agent died or could not be started.
"""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress

from executors.agents.limits import says_limit_reached
from executors.peers.voice import LINE_LIMIT, Desk, Line, complain, heard, say

GRACE_S = 1.5
"""Seconds that an agent has to end by itself after its stdin was closed, and again after SIGTERM."""


class AgentFailed(Exception):
    """The agent cannot be started, or does not take the session up; the text says why."""


class AgentGone(Exception):
    """The agent ended in the middle of something."""


class Peer(ABC):
    """One agent and one conversation with it."""

    def __init__(self, argv: Sequence[str]) -> None:
        self.argv = list(argv)
        self.name = os.path.basename(self.argv[0])  # noqa: PTH119 - a program's name is no path yet
        self.desk = Desk()
        self.failed = False
        self.notes: list[str] = []
        self.waiting: asyncio.Queue[str | None] = asyncio.Queue()
        self.process: Process

    @abstractmethod
    async def connect(self) -> None:
        """Begin or take up the session; AgentFailed when that cannot be."""

    @abstractmethod
    async def turn(self, text: str) -> None:
        """Take one message to its end."""

    @abstractmethod
    async def interrupt(self) -> None:
        """End the running turn; nothing happens when there is none."""

    @abstractmethod
    async def listened(self) -> None:
        """Return when the agent has said its last."""

    async def message(self, text: str) -> None:
        """Take a message in: it is the next turn, unless an agent can hear it within the running one."""
        self.waiting.put_nowait(text)

    def ended(self, failure: str | None, subtype: str, tokens: Line, **more: object) -> None:
        """Say that the turn is over, and why when it failed."""
        self.failed = failure is not None
        if failure is not None and says_limit_reached(failure):
            say({"type": "usage_limit", "status": "rejected", "text": failure})
        line = {"type": "turn_ended", "is_error": self.failed, "subtype": subtype, "text": failure or ""}
        say({**line, "tokens": tokens, **more})

    async def converse(self) -> int:
        """Start the agent and stay until everything is said; returns the exit code."""
        try:
            self.process = await asyncio.create_subprocess_exec(*self.argv, stdin=PIPE, stdout=PIPE, limit=LINE_LIMIT)
        except OSError as error:
            raise AgentFailed(f"{self.name} cannot be started: {error.strerror or error}") from error
        reading = asyncio.create_task(self._read(), name="stdin")
        working = asyncio.create_task(self._work(), name="turns")
        dying = asyncio.create_task(self._gone(), name="agent")
        try:
            await asyncio.wait({working, dying}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done() or isinstance(working.exception(), AgentGone):
                await asyncio.wait({dying}, timeout=GRACE_S)
                self._died()
                return 1
            if reading.done() and (problem := reading.exception()):
                complain(f"stdin cannot be read: {problem}")
            working.result()
            return int(self.failed)
        finally:
            for task in (reading, working, dying):
                task.cancel()
            self.desk.close()
            await self._end()

    async def _read(self) -> None:
        try:
            async for line in heard():
                match line.get("type"):
                    case "message" if isinstance(line.get("text"), str):
                        await self.message(line["text"])
                    case "answer":
                        self.desk.answer(line)
                    case "interrupt":
                        await self.interrupt()
                    case other:
                        complain(f"A line on stdin has the type {other!r}; it was ignored.")
        finally:
            self.desk.close()
            self.waiting.put_nowait(None)

    async def _work(self) -> None:
        await self.connect()
        while (text := await self.waiting.get()) is not None:
            await self.turn(text)

    async def _gone(self) -> None:
        await self.process.wait()
        with suppress(TimeoutError):  # what it said before its end still counts
            await asyncio.wait_for(self.listened(), GRACE_S)

    def _died(self) -> None:
        match self.process.returncode:
            case None:
                text = f"{self.name} broke off the conversation, or what it said cannot be read."
            case code if code < 0:
                text = f"{self.name} ended unexpectedly, by signal {-code}."
            case code:
                text = f"{self.name} ended unexpectedly, exit code {code}."
        say({"type": "error", "text": text, "kind": "agent_died"})
        complain(text)

    async def _end(self) -> None:
        if self.process.stdin:
            self.process.stdin.close()
        for stop in (self.process.terminate, self.process.kill, None):
            with suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), GRACE_S)
                return
            if stop is not None:
                with suppress(ProcessLookupError):
                    stop()


def run(peer: Peer) -> int:
    """Run a peer's conversation as a program; returns the exit code."""
    try:
        return asyncio.run(peer.converse())
    except AgentFailed as failure:
        complain(str(failure))
        return 1
