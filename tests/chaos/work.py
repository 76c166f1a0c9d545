"""What a round lets sessions do, so that an exact oracle can tell what was lost or done twice.

A command appends to its own ledger when it does its work (two lines are two times), prints numbered lines, and
exits with a code of its own. Some ask first, in every way there is, and may do it only when they are allowed: agents on
their stdin, tools that exit to ask, and a process that stands and waits. Agents are sent a message, too.
"""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from typing import Any, Literal

Executor = Literal["local", "tmux", "docker"]
Kind = Literal["command", "agent", "tool", "stand"]
Answer = Literal["approve", "reject", "expire"]

LINES = 25
PAUSE_S = 0.06
LEDGER = "ledger.txt"
MESSAGE = "and one thing more"
EXPIRES_S = 3


@dataclass(frozen=True)
class Job:
    """One session of a round. ``code`` is the exit code that it must have, ``answer`` what its question gets."""

    name: str
    executor: Executor
    code: int = 0
    kind: Kind = "command"
    answer: Answer | None = None

    @property
    def is_agent(self) -> bool:
        """Whether it is an agent, and not a command."""
        return self.kind == "agent"

    @property
    def works(self) -> int:
        """How often it must have done its work."""
        return 1 if self.answer in (None, "approve") else 0

    @property
    def attempts(self) -> int:
        """How many attempts it must have had: a tool that exits to ask is started again when it may go on."""
        return 2 if self.kind == "tool" and self.answer == "approve" else 1

    def body(self, image: str) -> dict[str, Any]:
        """Return what is posted to start it."""
        body: dict[str, Any] = {"name": self.name, "executor": self.executor}
        if self.is_agent:
            return body | {"agent": "scripted", "prompt": _script(self.answer or "approve")}
        if self.executor == "docker":
            body["image"] = image
        return body | {"argv": ["sh", "-c", self._command()]}

    def _command(self) -> str:
        work = f"echo start >> {LEDGER}"
        match self.kind, self.answer:
            case "tool", "approve":
                return f'[ "$AUTO_APPROVAL" ] && {{ {work}; {_PRINTS} exit 0; }}; {_asks("approve")}'
            case "tool", answer:
                return f'[ "$AUTO_APPROVAL" ] && {work}; {_PRINTS} {_asks(answer or "reject")}'
            case "stand", _:
                return f'[ "$({_STAND})" = allow ] && {work}; {_PRINTS} exit 0'
        return f"{work}; {_PRINTS} exit {self.code}"


_PRINTS = f'i=0; while [ "$i" -lt {LINES} ]; do echo "line $i"; sleep {PAUSE_S}; i=$((i+1)); done;'
_STAND = shlex.join([sys.executable, "-P", "-m", "supervisor.cli.main", "ask", "chaos-approve"])


def _asks(answer: Answer) -> str:
    event: dict[str, Any] = {"type": "approval_needed", "protocol": 1, "question": f"chaos-{answer}"}
    if answer == "expire":
        event["expires_s"] = EXPIRES_S
    return f"echo {shlex.quote(json.dumps(event))}; exit 90"


def _script(answer: Answer) -> str:
    steps = [
        {"say": "line 0"},
        # No rule speaks of this program, so a person is asked.
        {"ask": {"run": f"./chaos-{answer}; echo start >> {LEDGER}"}},
        *({"say": f"line {number}", "delay": PAUSE_S} for number in range(1, LINES)),
    ]
    return json.dumps(steps)


def jobs(executors: list[Executor], each: int) -> list[Job]:
    """Return the sessions of a round: so many per executor, two of the local ones agents; and five more that ask."""
    found = []
    for executor in executors:
        for number in range(each):
            if executor == "local" and number < 2:
                found.append(Job(f"local-{number}", "local", kind="agent", answer=("approve", "reject")[number]))
            else:
                found.append(Job(f"{executor}-{number}", executor, (number * 7) % 120))
    return [
        *found,
        Job("agent-approve", "local", kind="agent", answer="approve"),
        Job("tool-approve", "local", kind="tool", answer="approve"),
        Job("tool-reject", "local", 90, "tool", "reject"),
        Job("tool-expire", "local", 90, "tool", "expire"),
        Job("stand-approve", "local", kind="stand", answer="approve"),
    ]
