"""Agents: `AgentAdapter` knows a command line and a stream, and never touches a process; `PolicyPort` judges acts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from config.profiles import AgentProfile
from supervisor.model.acts import Act, Judgement
from supervisor.model.entities import ExecutorName, Mode
from supervisor.model.events import NewEvent


class PolicyPort(Protocol):
    """The rules in force."""

    def judge(self, act: Act, root: Path) -> Judgement:
        """Judge an act by the rules for the project at ``root``. Never raises: what is unclear is asked about."""
        ...


@dataclass(frozen=True, slots=True)
class Turn:
    """One start of an agent."""

    session: str
    profile: AgentProfile
    mode: Mode
    executor: ExecutorName
    cwd: Path
    folder: Path
    prompt: str | None = None
    argv: tuple[str, ...] = ()
    resume: str | None = None
    hook_command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Invocation:
    """The process that a turn starts. ``files`` are written (0600) before it is started."""

    argv: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    stdin: Literal["null", "pipe"] = "null"
    first_input: bytes = b""
    files: dict[Path, str] = field(default_factory=dict)


class Line(msgspec.Struct, frozen=True, gc=False):
    """One whole line of a spool, without its newline. ``stream`` is stdout, stderr or tty."""

    data: bytes
    stream: Literal["stdout", "stderr", "tty"]
    time: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to an agent's question. ``message`` tells it why not, ``choice`` is the chosen option's value;
    ``interrupt`` also ends its turn."""

    allow: bool
    message: str = ""
    choice: str | None = None
    interrupt: bool = False


class AgentAdapter(Protocol):
    """One agent's command line and stream. Pure: no process, no clock, no state."""

    name: str

    def invocation(self, turn: Turn) -> Invocation:
        """Return what to start for a turn; InvalidInput when the turn makes no sense."""
        ...

    def parse(self, line: Line) -> Sequence[NewEvent]:
        """Return the events of one line. Never raises: what it cannot read it keeps as UNKNOWN."""
        ...

    def hook_events(self, payload: dict[str, object], time: int) -> Sequence[NewEvent]:
        """Return the events that a hook's input means."""
        ...

    def message(self, text: str) -> bytes | None:
        """Return what delivers a message over stdin, or None where the agent reads none."""
        ...

    def interrupt(self) -> bytes | None:
        """Return what interrupts the turn over stdin, or None where a signal must do it."""
        ...

    def answer(self, asked: Mapping[str, Any], verdict: Verdict) -> bytes | None:
        """Return what answers a PERMISSION_ASKED event (its payload) over stdin; None where only its screen can.

        It may be written twice: the agent must take the second for none.
        """
        ...

    def permission(self, payload: dict[str, Any], time: int) -> NewEvent | None:
        """Return the PERMISSION_ASKED event that a hook's or a tool's blocking request means, or None for another."""
        ...

    def permission_answer(self, asked: Mapping[str, Any], verdict: Verdict) -> dict[str, Any]:
        """Return the JSON that the process which made such a request prints."""
        ...
