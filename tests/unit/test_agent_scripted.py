"""The scripted agent: its streams are read by the real adapters, and what it does is real."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from config.profiles import AgentProfile
from executors.agents import scripted
from executors.agents.program import SCRIPTED
from executors.agents.registry import adapter_for
from supervisor.model.events import NewEvent
from tests.support.agent_process import AgentProcess
from tests.support.agents import kinds, profile, read_all, turn
from tests.wait import wait_until

AGENT = profile("claude", command=("{python}", "-I", "-S", "{scripted}", "--shape", "claude"))
ENV = {"PATH": os.environ["PATH"]}


Start = Callable[..., AgentProcess]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Start]:
    running: list[AgentProcess] = []

    def start(steps: list[dict[str, Any]] | str, **fields: Any) -> AgentProcess:
        prompt = steps if isinstance(steps, str) else json.dumps(steps)
        running.append(AgentProcess(AGENT, tmp_path, tmp_path, ENV, prompt, **fields))
        return running[-1]

    yield start
    for one in running:
        one.close()


def plain(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-S", SCRIPTED, *arguments],
        cwd=folder, env=ENV, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip


EDITS = [
    {"think": "hm"},
    {"say": "Working."},
    {"write": {"path": "src/a.txt", "content": "one\n"}},
    {"edit": {"path": "src/a.txt", "old": "one", "new": "two"}},
    {"run": "cat src/a.txt"},
    {"say": "Done."},
]


def test_what_it_does_is_real(started: Start, tmp_path: Path) -> None:
    agent = started(EDITS)
    ended = agent.until("turn_ended")
    assert agent.end() == 0
    assert (tmp_path / "src" / "a.txt").read_text() == "two\n"
    assert kinds(agent.events) == [
        "agent_session", "message_delivered", "thinking", "message", "tool_use", "tool_result", "tool_use",
        "tool_result", "tool_use", "tool_result", "message", "turn_ended",
    ]  # fmt: skip
    assert ended.payload["text"] == "Done."
    assert ended.payload["tokens"] == {"input": 600, "output": 120, "cached": 0}
    assert ended.payload["process_cost_usd"] == 0.006
    results = [event.payload["text"] for event in agent.events if event.type == "tool_result"]
    assert results[-1] == "two"


def test_it_is_deterministic(started: Start) -> None:
    def stream() -> list[NewEvent]:
        agent = started([{"say": "hi"}, {"run": "echo x"}])
        agent.end()
        return [msgspec.structs.replace(event, time=0) for event in agent.events]

    assert stream() == stream()


def test_words_are_answered(started: Start) -> None:
    agent = started("hello there")
    assert agent.until("message").payload["text"] == "You said: hello there"


def test_messages_are_further_turns(started: Start) -> None:
    agent = started([{"say": "one"}])
    agent.until("turn_ended")
    agent.say("two")
    assert agent.until("message_delivered").payload["text"] == "two"
    assert agent.until("turn_ended").payload["process_cost_usd"] == 0.002
    assert agent.end() == 0


def test_a_message_while_it_works_waits_for_the_next_turn(started: Start) -> None:
    agent = started([{"say": "one"}, {"sleep": 0.2}, {"say": "still one"}])
    agent.until("message")
    agent.say("two")
    assert agent.until("turn_ended").payload["text"] == "still one"
    assert agent.until("turn_ended").payload["text"] == "You said: two"


def test_a_resumed_session_keeps_its_id(started: Start) -> None:
    agent = started("hi", resume="abc")
    assert agent.until("agent_session").payload["id"] == "abc"


def test_a_question_waits_for_its_answer(started: Start, tmp_path: Path) -> None:
    agent = started([{"ask": {"run": "touch asked"}}, {"say": "ok"}])
    asked = agent.until("permission_asked")
    assert asked.payload["argument"] == "touch asked"
    agent.refuse(asked)
    assert agent.until("tool_result").payload["is_error"]
    agent.until("turn_ended")
    assert agent.end() == 0
    assert not (tmp_path / "asked").exists()


def test_an_allowed_question_runs_once(started: Start, tmp_path: Path) -> None:
    agent = started([{"ask": {"run": "echo ran >> asked"}}, {"ask": {"run": "touch never"}}])
    asked = agent.until("permission_asked")
    agent.allow(asked)
    agent.allow(asked)  # again: it is no answer to the next question
    agent.refuse(agent.until("permission_asked"))
    agent.until("turn_ended")
    assert (tmp_path / "asked").read_text() == "ran\n"
    assert not (tmp_path / "never").exists()


def test_what_runs_is_the_input_that_the_answer_carries(started: Start, tmp_path: Path) -> None:
    agent = started([{"ask": {"run": "touch asked"}}, {"ask": {"run": "touch bare"}}])
    for given in ({"behavior": "allow", "updatedInput": {"command": "touch changed"}}, {"behavior": "allow"}):
        request = agent.until("permission_asked").payload["request_id"]
        response = {"subtype": "success", "request_id": request, "response": given}
        agent.write(json.dumps({"type": "control_response", "response": response}).encode() + b"\n")
    agent.until("turn_ended")
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".json"] == ["changed"]


def test_a_question_of_its_own_is_answered_by_a_choice(started: Start) -> None:
    agent = started([{"question": {"text": "Which colour?", "options": ["Red", "Blue"]}}])
    asked = agent.until("permission_asked")
    assert [option["value"] for option in asked.payload["options"]] == ["Red", "Blue"]
    agent.allow(asked, "Blue")
    assert agent.until("tool_result").payload["text"] == 'Your questions have been answered: "Which colour?"="Blue".'
    assert agent.until("turn_ended").payload["text"] == "Blue"


def test_an_interrupt_withdraws_a_question(started: Start) -> None:
    agent = started([{"ask": {"run": "true"}}])
    asked = agent.until("permission_asked")
    agent.write(agent.adapter.interrupt())
    assert agent.until("permission_withdrawn").payload["request_id"] == asked.payload["request_id"]


def test_a_closed_stdin_denies(started: Start) -> None:
    agent = started([{"ask": {"run": "touch asked"}}])
    agent.until("permission_asked")
    assert agent.end() == 0
    assert "stream closed" in next(e for e in agent.events if e.type == "tool_result").payload["text"]


@pytest.mark.parametrize("step", [{"hang": True}, {"sleep": 60}, {"ask": {"run": "true"}}])
def test_an_interrupt_ends_the_turn_and_not_the_process(started: Start, step: dict[str, Any]) -> None:
    agent = started([{"say": "now"}, step])
    agent.until("message")
    agent.write(agent.adapter.interrupt())
    assert agent.until("turn_ended").payload["subtype"] == "error_during_execution"
    agent.say("go on")
    assert agent.until("turn_ended").payload["text"] == "You said: go on"
    assert agent.end() == 0


def test_an_interrupt_between_turns_is_harmless(started: Start) -> None:
    agent = started("one")
    agent.until("turn_ended")
    agent.write(agent.adapter.interrupt())
    agent.say("two")
    assert agent.until("turn_ended").payload["text"] == "You said: two"
    assert agent.end() == 0


def test_a_failure(started: Start) -> None:
    agent = started([{"fail": "API Error: 500 boom"}, {"say": "never"}])
    ended = agent.until("turn_ended")
    assert (ended.payload["is_error"], ended.payload["text"]) == (True, "API Error: 500 boom")
    assert agent.end() == 1
    assert kinds(agent.events).count("error") == 1


def test_a_retry_and_a_warning(started: Start) -> None:
    retry = {"attempt": 1, "max": 3, "delay_ms": 1, "error": "overloaded"}
    agent = started([{"retry": retry}, {"limit": {"status": "allowed_warning", "resets_in": 60}}])
    assert agent.until("retry").payload == retry
    assert agent.until("usage_limit").payload["status"] == "warning"
    agent.until("turn_ended")


def test_a_usage_limit_ends_the_turn(started: Start) -> None:
    agent = started([{"limit": {"status": "rejected", "resets_in": 60}}])
    agent.until("turn_ended")
    assert agent.end() == 1
    limits = [event.payload for event in agent.events if event.type == "usage_limit"]
    assert limits[0]["status"] == "rejected"
    assert limits[0]["resets_at"] % 1000 == 0


def test_a_signal_ends_what_hangs(started: Start) -> None:
    agent = started([{"say": "now"}, {"hang": True}])
    agent.until("message")
    agent.process.send_signal(signal.SIGTERM)
    assert agent.process.wait(10) == -signal.SIGTERM


def test_what_lies_outside_is_left_alone(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    script = tmp_path / "script.json"
    script.write_text(
        json.dumps([{"write": {"path": "../x", "content": ""}}, {"edit": {"path": "y", "old": "a", "new": ""}}])
    )
    done = plain(inner, "--shape", "plain", "--script", str(script))
    assert "outside" in done.stdout
    assert "not found" in done.stdout
    assert not (tmp_path / "x").exists()


def test_the_plain_shape_prints_lines_and_exits(tmp_path: Path) -> None:
    steps = [{"say": "words"}, {"print": {"type": "progress", "done": 1}}, {"warn": "careful"}, {"exit": 7}]
    done = plain(tmp_path, "--shape", "plain", "--", json.dumps(steps))
    assert (done.returncode, done.stderr) == (7, "careful\n")
    assert kinds(read_all("command", done.stdout.encode().splitlines())) == ["output", "progress"]


def test_in_a_terminal_it_runs_hooks_and_shows_a_screen(tmp_path: Path) -> None:
    log = tmp_path / "hooks"
    agent = AgentProfile.model_validate({**AGENT.model_dump(), "name": "scripted"})
    hook = ("sh", "-c", f'printf "%s\\n" "$(cat)" >> {log}')
    steps = [{"say": "hi"}, {"run": "echo x"}, {"ask": {"run": "touch asked"}}]
    given = turn(agent, prompt=json.dumps(steps), mode="dispatch", executor="tmux", folder=tmp_path, hook_command=hook)
    invocation = adapter_for(agent).invocation(given)
    for path, text in invocation.files.items():
        path.write_text(text)
    done = subprocess.run(
        invocation.argv, cwd=tmp_path, env=ENV, input='1\n[{"fail": "boom"}]\n', capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1

    def names() -> list[str]:
        return [json.loads(line)["hook_event_name"] for line in log.read_text().splitlines() if line]

    wait_until(lambda: "PermissionRequest" in names(), 10, "the hook that asks beside the dialog")
    assert [name for name in names() if name != "PermissionRequest"] == [
        "SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "PreToolUse", "PostToolUse", "Stop",
        "UserPromptSubmit", "StopFailure",
    ]  # fmt: skip
    assert (tmp_path / "asked").exists()
    assert "❯ 1. Yes" in done.stdout
    assert "\x1b]2;✳" in done.stdout


@pytest.mark.parametrize(
    ("printed", "typed", "runs"),
    [
        ({"behavior": "allow"}, "", True),
        ({"behavior": "deny", "message": "Not now."}, "", False),
        (None, "1\n", True),
        (None, "2\n", False),
        (None, "", False),
    ],
)
def test_in_a_terminal_a_hook_or_the_dialog_decides(
    tmp_path: Path, printed: dict[str, Any] | None, typed: str, runs: bool
) -> None:
    answer = tmp_path / "answer.json"
    if printed:
        document = {"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": printed}}
        answer.write_text(json.dumps(document))
    # The asking hook prints the answer, or waits; `$0` is the verb that the settings add.
    hook = ("sh", "-c", f'[ "$0" = permission ] || exit 0; if [ -e {answer} ]; then cat {answer}; else sleep 2; fi')
    steps = [{"ask": {"run": "touch asked"}}]
    agent = turn(AGENT, prompt=json.dumps(steps), mode="dispatch", executor="tmux", folder=tmp_path, hook_command=hook)
    invocation = adapter_for(AGENT).invocation(agent)
    for path, text in invocation.files.items():
        path.write_text(text)
    with subprocess.Popen(
        invocation.argv, cwd=tmp_path, env=ENV, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(typed)
        process.stdin.flush()
        if printed is None and not typed:
            process.stdin.close()
        for line in process.stdout:
            if "✳" in line:
                break
        process.stdin.close()
        shown = process.stdout.read()
        assert process.wait(10) == 0, shown
    assert (tmp_path / "asked").exists() == runs


@pytest.mark.parametrize(
    ("arguments", "stdin", "agent"),
    [
        (["--shape", "plain", "--", "PROMPT"], "", "command"),
        (["-p"], "MESSAGE\n", "claude"),
        (["--", "PROMPT"], "no\nmore\n", "command"),
    ],
)
def test_every_shape_tells_the_same_story(
    arguments: list[str],
    stdin: str,
    agent: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    retry = {"attempt": 1, "max": 2, "delay_ms": 1, "error": "busy"}
    limit = {"status": "allowed_warning", "resets_in": 9}
    prompt = json.dumps([*EDITS, {"retry": retry}, {"limit": limit}, {"ask": {"run": "touch asked"}}, {"fail": "boom"}])
    message = json.dumps({"type": "user", "message": {"content": prompt}})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["scripted", *(prompt if word == "PROMPT" else word for word in arguments)])
    monkeypatch.setattr(sys, "stdin", io.StringIO(stdin.replace("MESSAGE", message)))
    assert scripted.main() == (0 if "more" in stdin else 1)
    events = read_all(agent, capsys.readouterr().out.encode().splitlines())
    assert "unknown" not in kinds(events)
    assert "boom" in json.dumps([event.payload for event in events])
    assert (tmp_path / "src" / "a.txt").read_text() == "two\n"
    assert not (tmp_path / "asked").exists()


def test_a_step_that_is_none_is_said(tmp_path: Path) -> None:
    done = plain(tmp_path, "--shape", "plain", "--", '[{"dance": 1}]')
    assert done.returncode == 1
    assert "'dance' is no step" in done.stderr
