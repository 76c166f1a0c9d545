"""An agent started with its adapter's invocation; its output read into events as it comes."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Literal

from config.profiles import AgentProfile
from executors.agents.registry import adapter_for
from supervisor.engine.ports.agents import Line, Verdict
from supervisor.model.events import NewEvent
from supervisor.model.times import now_ms
from tests.support.agents import REFUSED, kinds, turn
from tests.wait import wait_until


class AgentProcess:
    """Runs in ``cwd``; its files go to ``folder``. ``events`` grows while it runs."""

    def __init__(
        self, agent: AgentProfile, cwd: Path, folder: Path, env: Mapping[str, str], prompt: str, **fields: Any
    ) -> None:
        self.adapter = adapter_for(agent)
        invocation = self.adapter.invocation(turn(agent, prompt=prompt, cwd=cwd, folder=folder, **fields))
        for path, text in invocation.files.items():
            path.write_text(text)
        self.events: list[NewEvent] = []
        self.lines: list[bytes] = []
        self._taken = 0
        self.process = subprocess.Popen(
            invocation.argv,
            cwd=cwd,
            env={**env, **invocation.env},
            stdin=subprocess.PIPE if invocation.stdin == "pipe" else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, "stdout"), daemon=True),
            threading.Thread(target=self._read, args=(self.process.stderr, "stderr"), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        if invocation.first_input:
            self.write(invocation.first_input)

    def write(self, data: bytes | None) -> None:
        assert data
        assert self.process.stdin
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def say(self, text: str) -> None:
        self.write(self.adapter.message(text))

    def refuse(self, asked: NewEvent) -> None:
        self.answer(asked, REFUSED)

    def answer(self, asked: NewEvent, verdict: Verdict) -> None:
        self.write(self.adapter.answer(asked.payload, verdict))

    def allow(self, asked: NewEvent, choice: str | None = None) -> None:
        self.write(self.adapter.answer(asked.payload, Verdict(allow=True, choice=choice)))

    def until(self, kind: str, timeout: float = 30) -> NewEvent:
        """Return the next event of a kind after the last one that was waited for."""
        found: list[NewEvent] = []

        def here() -> bool:
            for index in range(self._taken, len(self.events)):
                if self.events[index].type == kind:
                    self._taken = index + 1
                    found.append(self.events[index])
                    return True
            return False

        wait_until(here, timeout, f"{kind} among {kinds(self.events)}")
        return found[0]

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Return the payloads of every event of a kind."""
        return [event.payload for event in self.events if event.type == kind]

    def end(self) -> int:
        """Close stdin, wait for the end, and return the exit code."""
        if self.process.stdin:
            self.process.stdin.close()
        code = self.process.wait(30)
        for reader in self._readers:
            reader.join(10)
        return code

    def close(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        for reader in self._readers:
            reader.join(10)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()

    def _read(self, stream: IO[bytes], name: Literal["stdout", "stderr"]) -> None:
        for line in stream:
            self.lines.append(line)
            self.events += self.adapter.parse(Line(line.rstrip(b"\n"), name, now_ms()))
