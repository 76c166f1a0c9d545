"""What a round lets sessions do, so that an exact oracle can tell what was lost or done twice.

A command appends to its own ledger when it starts (two lines are two starts), prints numbered lines, and
exits with a code of its own. An agent asks for something that is refused, and is sent a message.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

Executor = Literal["local", "tmux", "docker"]

LINES = 25
PAUSE_S = 0.06
LEDGER = "ledger.txt"
MESSAGE = "and one thing more"


@dataclass(frozen=True)
class Job:
    """One session of a round. ``code`` is the exit code that it must have."""

    name: str
    executor: Executor
    code: int = 0
    is_agent: bool = False

    def body(self, image: str) -> dict[str, Any]:
        """Return what is posted to start it."""
        body: dict[str, Any] = {"name": self.name, "executor": self.executor}
        if self.is_agent:
            return body | {"agent": "scripted", "prompt": SCRIPT}
        if self.executor == "docker":
            body["image"] = image
        return body | {"argv": ["sh", "-c", f"{COMMAND} exit {self.code}"]}


COMMAND = (
    f'echo start >> {LEDGER}; i=0; while [ "$i" -lt {LINES} ]; do echo "line $i"; sleep {PAUSE_S}; i=$((i+1)); done;'
)

SCRIPT = json.dumps(
    [
        {"say": "line 0"},
        {"ask": {"run": f"echo start >> {LEDGER}"}},
        *({"say": f"line {number}", "delay": PAUSE_S} for number in range(1, LINES)),
    ]
)


def jobs(executors: list[Executor], each: int) -> list[Job]:
    """Return the sessions of a round: so many per executor, two of the local ones agents."""
    found = []
    for executor in executors:
        for number in range(each):
            agent = executor == "local" and number < 2
            found.append(Job(f"{executor}-{number}", executor, 0 if agent else (number * 7) % 120, agent))
    return found
