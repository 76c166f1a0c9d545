"""What the codex adapter relies on, seen on the real program with a scripted model."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config.loading import load
from config.paths import Paths
from executors.agents.registry import adapter_for
from executors.agents.screen import read_screen
from tests.support.agent_process import AgentProcess
from tests.support.agents import kinds, turn
from tests.support.model_server import Answer, Call, ModelServer
from tests.support.real_agents import codex_environment, make_repository, real
from tests.support.terminal import Terminal
from tests.wait import wait_until

pytestmark = pytest.mark.codex

Start = Callable[..., AgentProcess]

PATCH = """apply_patch <<'EOF'
*** Begin Patch
*** Update File: README.md
@@
-hello
+goodbye
*** End Patch
EOF"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path)


@pytest.fixture
def start(tmp_path: Path, repository: Path) -> Iterator[Start]:
    running: list[AgentProcess] = []

    def start(model: ModelServer, prompt: str, resume: str | None = None) -> AgentProcess:
        env = codex_environment(tmp_path / "home", model.url, repository)
        running.append(AgentProcess(real("codex"), repository, tmp_path, env, prompt, resume=resume))
        return running[-1]

    yield start
    for agent in running:
        agent.close()


def command(text: str, **fields: Any) -> Call:
    return Call("exec_command", {"cmd": text, **fields})


def test_a_tool_call_runs_in_the_sandbox(start: Start, repository: Path) -> None:
    with ModelServer([Answer("Running.", (command("echo hi; echo more > new.txt"),)), Answer("Ran.")]) as model:
        agent = start(model, "--run it")
        assert agent.end() == 0
    assert "unknown" not in kinds(agent.events)
    (used,) = agent.all("tool_use")
    assert used["tool"] == "shell"
    assert "echo hi" in used["argument"]
    (result,) = agent.all("tool_result")
    assert (result["text"], result["is_error"]) == ("hi\n", False)
    assert [said["text"] for said in agent.all("message")] == ["Running.", "Ran."]
    assert (repository / "new.txt").read_text() == "more\n"


def test_an_edit(start: Start, repository: Path) -> None:
    with ModelServer([Answer("Editing.", (command(PATCH),)), Answer("Edited.")]) as model:
        agent = start(model, "edit")
        assert agent.end() == 0
    (used,) = agent.all("tool_use")
    assert (used["tool"], used["argument"]) == ("apply_patch", str(repository / "README.md"))
    assert (repository / "README.md").read_text() == "goodbye\n"


def test_a_failed_command(start: Start) -> None:
    with ModelServer([Answer("", (command("echo no >&2; exit 3"),)), Answer("Failed.")]) as model:
        agent = start(model, "x")
        assert agent.end() == 0
    assert [result["is_error"] for result in agent.all("tool_result")] == [True]


def test_what_it_may_not_run_is_refused_and_said(start: Start, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    call = command(f"touch {outside}", sandbox_permissions="require_escalated", justification="because")
    with ModelServer([Answer("", (call,)), Answer("Not allowed.")]) as model:
        agent = start(model, "x")
        assert agent.end() == 0
    assert ["approval policy" in refused["text"] for refused in agent.all("permission_refused")] == [True]
    assert not outside.exists()


def test_a_resumed_conversation_keeps_its_id_and_its_figures(start: Start) -> None:
    with ModelServer([Answer("one"), Answer("two")]) as model:
        first = start(model, "first")
        assert first.end() == 0
        conversation = first.all("agent_session")[0]["id"]
        second = start(model, "second", resume=conversation)
        assert second.end() == 0
        said = json.dumps(model.requests[1]["input"])
    assert second.all("agent_session")[0]["id"] == conversation
    assert "first" in said
    assert "second" in said
    assert first.all("turn_ended")[0]["tokens"] == {"input": 100, "output": 20, "cached": 0}
    assert second.all("turn_ended")[0]["tokens"] == {"input": 200, "output": 40, "cached": 0}
    assert second.all("turn_ended")[0]["tokens_of"] == "conversation"


def test_a_conversation_that_is_not_there_says_so(start: Start) -> None:
    with ModelServer([]) as model:
        agent = start(model, "x", resume="11111111-1111-4111-8111-111111111111")
        assert agent.end() == 1
    assert any("no rollout found" in printed["text"] for printed in agent.all("output"))


@pytest.mark.parametrize(
    "answer", [Answer(status=500, error={"error": {"message": "boom"}}), Answer("Half.", cut=True)]
)
def test_an_api_error(start: Start, answer: Answer) -> None:
    with ModelServer([answer] * 6) as model:
        agent = start(model, "x")
        assert agent.end() == 1
    (ended,) = agent.all("turn_ended")
    assert (ended["is_error"], ended["subtype"]) == (True, "failed")
    assert agent.all("retry")
    assert agent.all("usage_limit") == []


def test_a_usage_limit_and_its_end(start: Start) -> None:
    resets = int(time.time()) // 60 * 60 + 7200
    error = {"error": {"type": "usage_limit_reached", "message": "x", "plan_type": "plus", "resets_at": resets}}
    with ModelServer([Answer(status=429, error=error)] * 4) as model:
        agent = start(model, "x")
        assert agent.end() == 1
    (limit,) = agent.all("usage_limit")
    assert (limit["status"], limit["resets_at"]) == ("rejected", resets * 1000)


@pytest.mark.parametrize("code", ["insufficient_quota", "rate_limit_exceeded"])
def test_quota_failures_are_limits_without_an_end(start: Start, code: str) -> None:
    error = {"error": {"code": code, "type": code, "message": "no more"}}
    with ModelServer([Answer(status=429, error=error)] * 6) as model:
        agent = start(model, "x")
        assert agent.end() == 1
    (limit,) = agent.all("usage_limit")
    assert (limit["status"], limit["resets_at"]) == ("rejected", None)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 1), (signal.SIGTERM, None)])
def test_a_signal_leaves_no_end_of_the_turn(start: Start, sent: signal.Signals, code: int | None) -> None:
    with ModelServer([Answer("A slow answer.", hold=threading.Event())]) as model:
        agent = start(model, "x")
        wait_until(lambda: model.requests, 30, "the request")
        agent.process.send_signal(sent)
        assert agent.end() == code or code is None
    assert agent.process.returncode != 0
    assert agent.all("turn_ended") == []


@pytest.mark.tmux
def test_its_screen(tmp_path: Path, repository: Path) -> None:
    agent = real("codex")
    patterns = load(Paths.below(tmp_path / "none"), environ={}).settings.agents["codex"].screen
    hold = threading.Event()
    call = command(f"touch {tmp_path}/outside", sandbox_permissions="require_escalated", justification="because")
    with ModelServer([Answer("Slow words.", (call,), hold=hold), Answer("Done.")]) as model:
        env = codex_environment(tmp_path / "home", model.url, repository)
        env |= {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
        given = turn(agent, mode="dispatch", executor="tmux", cwd=repository, folder=tmp_path, prompt="go")
        argv = adapter_for(agent).invocation(given).argv
        terminal = Terminal(tmp_path / "tmux.sock", argv, repository, env)

        def shown() -> str | None:
            found = read_screen(patterns, *terminal.screen())
            return found[0] if found else None

        def approved() -> bool:
            state = shown()
            if state == "asking":  # a dialog that has just appeared ignores the first keys
                terminal.run("send-keys", "y")
            return state == "idle"

        try:
            wait_until(lambda: model.requests and shown() == "working", 30, "working on the screen")
            hold.set()
            wait_until(lambda: shown() == "asking", 30, "asking on the screen")
            wait_until(approved, 30, "idle on the screen")
            assert "Done." in terminal.screen()[1]
        finally:
            terminal.run("kill-server")
