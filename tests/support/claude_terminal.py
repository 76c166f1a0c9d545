"""The real Claude in a terminal, with a stand-in for the supervisor."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable
from pathlib import Path

from config.loading import load
from config.paths import Paths
from executors.agents.registry import adapter_for
from executors.agents.screen import read_screen
from supervisor.engine.ports.agents import Turn, Verdict
from tests.support.agents import NOON
from tests.support.hook_server import PENDING, HookServer, reply
from tests.support.model_server import ModelServer
from tests.support.real_agents import claude_environment, make_repository, real
from tests.support.terminal import Terminal
from tests.wait import wait_until


class Driven:
    """Claude in a terminal, with what its hooks said and what its screen shows."""

    def __init__(
        self,
        tmp_path: Path,
        model: ModelServer,
        prompt: str,
        hook_command: tuple[str, ...],
        change: Callable[[Path], None] = lambda repository: None,
    ) -> None:
        agent = real("claude")
        repository = make_repository(tmp_path)
        change(repository)
        self.adapter = adapter_for(agent)
        invocation = self.adapter.invocation(
            Turn("ses_1", agent, "dispatch", "tmux", repository, tmp_path, prompt, hook_command=hook_command)
        )
        for path, text in invocation.files.items():
            path.write_text(text)
        self.server = HookServer(tmp_path / "api.sock")
        self.server.permission = reply(PENDING)
        env = (
            claude_environment(tmp_path / "home", model.url)
            | invocation.env
            | {
                "TERM": "xterm-256color",
                "LANG": "C.UTF-8",
                "QUARTERDECK_SOCKET": str(self.server.path),
                "QUARTERDECK_TOKEN": "token",
                "QUARTERDECK_SESSION": "ses_1",
            }
        )
        self.patterns = load(Paths.below(tmp_path / "none"), environ={}).settings.agents["claude"].screen
        self.terminal = Terminal(tmp_path / "tmux.sock", invocation.argv, repository, env)
        self.repository = repository

    def hooks(self) -> list[str]:
        return [given["hook_event_name"] for given in self.server.hooks]

    def until_hook(self, name: str, count: int = 1) -> None:
        wait_until(lambda: self.hooks().count(name) >= count, 30, f"{name} among {self.hooks()}")

    def until_screen(self, state: str, name: str) -> None:
        wait_until(
            lambda: read_screen(self.patterns, *self.terminal.screen()) == (state, name), 30, f"{state} on the screen"
        )

    def until_asked(self, count: int = 1) -> None:
        wait_until(lambda: len(self.server.asked) >= count, 30, f"{count} questions")

    def decide(self, verdict: Verdict) -> None:
        """Answer what is asked, and all that is asked later."""
        asked = self.adapter.permission(self.server.asked[-1]["request"], NOON)
        assert asked
        answer = self.adapter.permission_answer(asked.payload, verdict)
        self.server.permission = reply({"status": "decided", "answer": answer})

    def close(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):  # it went with its last program
            self.terminal.run("kill-server")
        self.server.close()
