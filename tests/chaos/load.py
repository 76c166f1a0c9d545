"""What a round runs: sessions that tell, outside of the supervisor, how often they were really started."""

from __future__ import annotations

import json
import random
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LINES = 15
PAUSE_S = 0.1
MESSAGE = "once more"


@dataclass(frozen=True, slots=True)
class Job:
    """One session: what is asked for, and what must come of it.

    The ledger gets a line per start (O_APPEND). A container cannot write to the host's folders: its ledger is in its
    clone.
    """

    name: str
    executor: str
    ledger: str
    exit_code: int
    is_agent: bool = False
    image: str | None = None

    def body(self, repository: Path, environment: dict[str, str]) -> dict[str, Any]:
        """Return the request that starts it."""
        asked = {"cwd": str(repository), "name": self.name, "executor": self.executor, "environment": environment}
        if self.is_agent:
            return {**asked, "agent": "scripted", "mode": "autonomous", "prompt": self._script()}
        return {**asked, "argv": ["sh", "-c", self._program()], "image": self.image}

    def line(self, number: int) -> str:
        """Return the text of one numbered line."""
        return f"{self.name} line {number}."

    def _program(self) -> str:
        loop = f'i=1; while [ $i -le {LINES} ]; do echo "{self.name} line $i."; i=$((i+1)); sleep {PAUSE_S}; done'
        return f"echo start >> {shlex.quote(self.ledger)}; {loop}; exit {self.exit_code}"

    def _script(self) -> str:
        start = f"echo start >> {shlex.quote(self.ledger)}"
        steps: list[dict[str, Any]] = [{"run": start}, {"ask": {"run": "touch never-allowed"}}, {"sleep": 1.0}]
        return json.dumps([*steps, {"say": f"{self.name} is done"}])


def jobs(
    executors: list[str], each: int, agents: int, ledgers: Path, image: str | None, chance: random.Random
) -> list[Job]:
    """Return the jobs of a round, in a random order."""
    found = [
        Job(
            name := f"{executor}-{number}",
            executor,
            "ledger" if executor == "docker" else str(ledgers / name),
            chance.choice((0, 0, 1, 3, 42, 127, 255)),
            image=image if executor == "docker" else None,
        )
        for executor in executors
        for number in range(each)
    ]
    found += [Job(f"agent-{n}", "local", str(ledgers / f"agent-{n}"), 0, is_agent=True) for n in range(agents)]
    chance.shuffle(found)
    return found
