"""What every peer shares with the supervisor: lines out, lines in, and questions that wait for an answer.

Lines are JSON objects with a ``type``. Out go the events of docs/architecture.md ("Events that adapters
produce"). In come ``message`` {text}, ``answer`` {request_id, allow, message, choice, interrupt} and ``interrupt``.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from executors.agents.text import clip_value

Line = dict[str, Any]

LINE_LIMIT = 64 * 1024 * 1024
"""Bytes that one line of an agent or of the supervisor may have."""

SAID_LIMIT = 1000 * 1024
"""Bytes that a line out may have: the supervisor reads no longer ones (a MiB), and would never see a question."""


@dataclass(frozen=True, slots=True)
class Question:
    """What an agent asks before it goes on; ``act`` says it in the words that policy judges."""

    tool: str
    input: Any
    act: Line
    question: str = ""
    options: tuple[Line, ...] = ()
    default: str | None = None

    @property
    def subject(self) -> str:
        """Return what is asked about, for a sentence."""
        return f"{self.tool} ({about})" if (about := about_of(self.act)) else self.tool

    def line(self, request: str) -> Line:
        """Return the line that asks it."""
        line = {"type": "permission_asked", "request_id": request, "tool": self.tool, "input": self.input}
        line["act"] = self.act
        if self.question:
            line["question"] = self.question
        if self.options:
            line |= {"options": list(self.options), "default": self.default}
        return line


def about_of(act: Line) -> str:
    """Return what an act is about, in one line: its command, its paths or its address."""
    command = act.get("command")
    if isinstance(command, list):
        return " ".join(command)
    return command or ", ".join(act.get("paths", ())) or act.get("url") or ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question. Whatever is not said clearly does not allow."""

    allow: bool = False
    message: str = ""
    choice: str | None = None
    interrupt: bool = False

    @property
    def words(self) -> str | None:
        """Return what answers a question that is open: the chosen option, or what was said."""
        return self.choice or self.message or None

    @classmethod
    def read(cls, line: Line) -> Answer:
        """Return the answer in a line."""
        message, choice = line.get("message"), line.get("choice")
        return cls(
            allow=line.get("allow") is True,
            message=message if isinstance(message, str) else "",
            choice=choice if isinstance(choice, str) else None,
            interrupt=line.get("interrupt") is True,
        )


@dataclass
class Desk:
    """The questions that wait. A second answer, or one to a question that was withdrawn, means nothing."""

    prefix: str = field(default_factory=lambda: secrets.token_hex(4))
    closed: bool = False
    _count: int = 0
    _open: dict[str, asyncio.Future[Answer | None]] = field(default_factory=dict)

    def ask(self, question: Question) -> str:
        """Put a question; returns the id that its answer has to name. Ids are unique among all processes."""
        self._count += 1
        request = f"{self.prefix}-{self._count}"
        self._open[request] = asyncio.get_running_loop().create_future()
        say(question.line(request))
        if self.closed:  # nobody can answer any more
            self.withdraw(request)
        return request

    async def wait(self, request: str) -> Answer | None:
        """Return the answer to a question, or None when it was withdrawn."""
        try:
            return await self._open[request]
        finally:
            self._open.pop(request, None)

    def answer(self, line: Line) -> None:
        """Take a line of type ``answer``."""
        waiting = self._open.get(str(line.get("request_id")))
        if waiting is not None and not waiting.done():
            waiting.set_result(Answer.read(line))

    def withdraw(self, request: str) -> None:
        """Say that a question is no longer asked."""
        waiting = self._open.get(request)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
            say({"type": "permission_withdrawn", "request_id": request})

    def withdraw_all(self) -> None:
        """Say so of every question that still waits."""
        for request in list(self._open):
            self.withdraw(request)

    def close(self) -> None:
        """Nobody answers any more: what waits is withdrawn, and so is what is still going to be asked."""
        self.closed = True
        self.withdraw_all()


def say(line: Line) -> None:
    """Print a line. Of one that would be too long the strings are clipped; a question loses its input and says so."""
    data = _encoded(line)
    if len(data) > SAID_LIMIT:
        if line["type"] == "permission_asked":
            line = {**line, "input": {}, "too_large": len(data), "act": {"kind": line["act"]["kind"]}}
        data = _encoded({key: clip_value(value) for key, value in line.items()})
    sys.stdout.buffer.write(data + b"\n")
    sys.stdout.buffer.flush()


def _encoded(line: Line) -> bytes:
    return json.dumps(line, ensure_ascii=False).encode(errors="replace")  # half a surrogate pair becomes "?"


def complain(text: str) -> None:
    """Print a line for people on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


async def heard() -> AsyncIterator[Line]:
    """Yield the lines that come on stdin until it ends; a line that cannot be read is complained about."""
    reader = asyncio.StreamReader(limit=LINE_LIMIT)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while data := await reader.readline():
        try:
            line = json.loads(data)
        except (ValueError, RecursionError):
            line = None
        if isinstance(line, dict):
            yield line
        else:
            complain("A line on stdin is no JSON object; it was ignored.")
