"""Claude in a real tmux: its hooks report, its screen is read, and it asks before it runs something."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.loading import load
from config.paths import Paths
from executors.agents.program import HOOK_COMMAND
from executors.agents.registry import adapter_for
from executors.agents.screen import read_screen
from supervisor.engine.ports import Turn
from tests.support.agents import NOON, kinds
from tests.support.hook_server import HookServer
from tests.support.model_server import Answer, Call, ModelServer
from tests.support.real_agents import claude_environment, make_repository, real
from tests.support.terminal import Terminal
from tests.wait import wait_until

pytestmark = [pytest.mark.claude, pytest.mark.tmux]


class Driven:
    """Claude in a terminal, with what its hooks said and what its screen shows."""

    def __init__(self, tmp_path: Path, model: ModelServer, prompt: str, hook_command: tuple[str, ...]) -> None:
        agent = real("claude")
        repository = make_repository(tmp_path)
        self.adapter = adapter_for(agent)
        invocation = self.adapter.invocation(
            Turn("ses_1", agent, "dispatch", "tmux", repository, tmp_path, prompt, hook_command=hook_command)
        )
        for path, text in invocation.files.items():
            path.write_text(text)
        self.server = HookServer(tmp_path / "api.sock")
        env = claude_environment(tmp_path / "home", model.url) | {
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "QUARTERDECK_SOCKET": str(self.server.path),
            "QUARTERDECK_TOKEN": "token",
            "QUARTERDECK_SESSION": "ses_1",
        }
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

    def close(self) -> None:
        self.terminal.run("kill-server")
        self.server.close()


@pytest.fixture
def model() -> Iterator[ModelServer]:
    call = Call("Bash", {"command": "touch made", "description": "make a file"})
    with ModelServer([Answer("Touching.", (call,)), Answer("Second answer."), Answer("Third.")]) as model:
        yield model


@pytest.fixture
def driven(tmp_path: Path, model: ModelServer) -> Iterator[Driven]:
    driven = Driven(tmp_path, model, "touch it", HOOK_COMMAND)
    yield driven
    driven.close()


def test_hooks_and_screen_agree(driven: Driven) -> None:
    driven.until_hook("PermissionRequest")
    driven.until_screen("asking", "permission dialog")
    assert driven.hooks() == ["SessionStart", "UserPromptSubmit", "PreToolUse", "PermissionRequest"]
    assert not (driven.repository / "made").exists()

    driven.terminal.run("send-keys", "Escape")
    driven.until_screen("idle", "empty prompt")
    driven.terminal.type("something else")
    driven.until_hook("Stop")
    driven.until_screen("idle", "empty prompt")
    driven.terminal.type("/exit")
    driven.until_hook("SessionEnd")

    events = [event for given in driven.server.hooks for event in driven.adapter.hook_events(given, NOON)]
    assert kinds(events) == [
        "agent_session", "message_delivered", "tool_use", "permission_asked",
        "message_delivered", "message", "turn_ended", "idle", "idle",
    ]  # fmt: skip
    assert [event.payload["text"] for event in events if event.type == "message_delivered"] == [
        "touch it",
        "something else",
    ]
    assert not (driven.repository / "made").exists()


def test_an_approved_tool_runs_and_reports(driven: Driven) -> None:
    driven.until_screen("asking", "permission dialog")
    driven.terminal.run("send-keys", "Enter")
    driven.until_hook("Stop")
    assert (driven.repository / "made").exists()
    assert "PostToolUse" in driven.hooks()
    ((first, headers, _), *_) = driven.server.requests
    assert first == "POST /hooks/claude HTTP/1.1"
    assert headers["authorization"] == "Bearer token"


def test_without_a_supervisor_it_still_asks(tmp_path: Path, model: ModelServer) -> None:
    """A hook that fails changes nothing: no tool runs unasked, and the agent goes on."""
    driven = Driven(tmp_path, model, "touch it", (sys.executable, "-c", "raise SystemExit(1)"))
    try:
        driven.until_screen("asking", "permission dialog")
        assert driven.hooks() == []
        assert not (driven.repository / "made").exists()
    finally:
        driven.close()
