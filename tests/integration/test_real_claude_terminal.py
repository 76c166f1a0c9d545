"""Claude in a real tmux: its hooks report, its screen is read, and it asks before it runs something."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from executors.agents.program import HOOK_COMMAND
from tests.support.agents import NOON, kinds
from tests.support.claude_terminal import Driven
from tests.support.model_server import Answer, Call, ModelServer

pytestmark = [pytest.mark.claude, pytest.mark.tmux]


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
    driven.until_asked()
    driven.until_screen("asking", "permission dialog")
    assert driven.hooks() == ["SessionStart", "UserPromptSubmit", "PreToolUse"]
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
        "agent_session", "message_delivered", "tool_use", "message_delivered", "message", "turn_ended", "idle", "idle",
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
