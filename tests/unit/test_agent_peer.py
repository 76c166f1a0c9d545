"""The adapter of agents that have a peer: what it starts, and how it reads the peer's lines."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from executors.agents.registry import adapter_for
from executors.agents.text import LIMIT
from supervisor.engine.ports.agents import Verdict
from supervisor.model.errors import InvalidInput
from tests.support.agents import ALLOWED, NOON, REFUSED, asked, kinds, profile, read, turn

PEER = adapter_for(profile("codex"))


def payload(line: dict[str, Any]) -> dict[str, Any]:
    (event,) = read("codex", json.dumps(line))
    assert event.type == line["type"]
    return event.payload


@pytest.mark.parametrize("name", ["codex", "acp"])
def test_the_peer_is_started_and_given_the_prompt(name: str) -> None:
    agent = profile(name, command=("/opt/agent", "serve"), model="m1", arguments=("-x",))
    invocation = adapter_for(agent).invocation(turn(agent, prompt="--say it", resume="th1"))
    assert invocation.argv == (
        sys.executable, "-E", "-P", "-m", f"executors.peers.{name}", "--resume", "th1", "--model", "m1",
        "--", "/opt/agent", "serve", "-x",
    )  # fmt: skip
    assert invocation.stdin == "pipe"
    assert json.loads(invocation.first_input) == {"type": "message", "text": "--say it"}


def test_a_terminal_leaves_no_daemon_and_asks() -> None:
    argv = PEER.invocation(turn(profile("codex"), mode="dispatch", executor="tmux", prompt="go")).argv
    assert argv == ("codex", "--no-daemon", "-a", "on-request", "--", "go")


def test_a_terminal_resumes() -> None:
    agent = profile("codex", model="m1")
    argv = PEER.invocation(turn(agent, mode="dispatch", executor="tmux", prompt="go", resume="th1")).argv
    assert argv == ("codex", "resume", "--no-daemon", "-a", "on-request", "--model", "m1", "--", "th1", "go")


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("codex", {"argv": ("ls",)}),
        ("codex", {}),
        ("codex", {"prompt": "x", "executor": "docker"}),
        ("acp", {"prompt": "x", "executor": "docker"}),
        ("acp", {"prompt": "x", "mode": "dispatch", "executor": "tmux"}),
    ],
)
def test_a_turn_that_makes_no_sense_is_refused(name: str, fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        adapter_for(profile(name)).invocation(turn(profile(name), **fields))
    assert refused.value.hint


def test_what_is_said_to_it() -> None:
    assert json.loads(PEER.message("héllo") or b"") == {"type": "message", "text": "héllo"}
    assert json.loads(PEER.interrupt() or b"") == {"type": "interrupt"}
    verdict = Verdict(allow=True, message="m", choice="Blue", interrupt=False)
    assert json.loads(PEER.answer(asked("r1"), verdict) or b"") == {
        "type": "answer", "request_id": "r1", "allow": True, "message": "m", "choice": "Blue", "interrupt": False,
    }  # fmt: skip
    assert (PEER.answer(asked("r1"), REFUSED) or b"").endswith(b"\n")
    assert PEER.answer(asked(None), ALLOWED) is None
    assert PEER.permission({}, NOON) is None
    assert PEER.permission_answer({}, REFUSED)["allow"] is False
    assert kinds(PEER.hook_events({"hook_event_name": "Stop"}, NOON)) == ["unknown"]


def test_a_question_is_kept_whole() -> None:
    long = "x" * (2 * LIMIT)
    act = {"kind": "execute", "command": ["ls", "-l"], "cwd": "/w"}
    found = payload(
        {"type": "permission_asked", "request_id": "r", "tool": "shell", "input": {"command": long}, "act": act}
    )
    assert found["input"] == {"command": long}
    assert found["act"] == act
    assert found["argument"] == "ls -l"


def test_a_question_with_options() -> None:
    options = [{"value": "a", "label": "A", "description": "d"}, {"value": "b"}, {"label": "none"}, 3]
    line = {"type": "permission_asked", "request_id": "r", "tool": "t", "input": {}, "act": {"kind": "question"}}
    found = payload({**line, "question": "Which?", "options": options, "default": "b"})
    assert found["question"] == "Which?"
    assert found["options"] == [
        {"value": "a", "label": "A", "description": "d"},
        {"value": "b", "label": "b", "description": ""},
    ]
    assert found["default"] == "b"


def test_a_question_that_was_too_large_says_so() -> None:
    found = payload({"type": "permission_asked", "request_id": "r", "tool": "t", "input": {}, "too_large": 5_000_000})
    assert found["too_large"] == 5_000_000


@pytest.mark.parametrize(
    "act",
    [
        None,
        "execute",
        {"kind": "sudo"},
        {"kind": "execute", "command": 3},
        {"kind": "execute", "command": []},
        {"kind": "execute", "command": ["ls", 3]},
        {"kind": "execute", "command": "ls", "cwd": 3},
        {"kind": "write", "paths": "/etc"},
        {"kind": "write", "paths": [None]},
        {"kind": "fetch", "url": ["x"]},
    ],
)
def test_an_act_that_is_not_understood_is_other(act: object) -> None:
    line = {"type": "permission_asked", "request_id": "r", "tool": "t", "input": {}, "act": act}
    assert payload(line)["act"] == {"kind": "other"}


def test_the_end_of_a_turn() -> None:
    tokens = {"input": 3, "output": 2, "cached": "x"}
    ended = payload({"type": "turn_ended", "is_error": False, "tokens": tokens, "tokens_of": "conversation"})
    assert ended["tokens"] == {"input": 3, "output": 2, "cached": 0}
    assert ended["tokens_of"] == "conversation"
    assert (ended["is_error"], ended["subtype"], ended["process_cost_usd"]) == (False, "success", None)
    assert payload({"type": "turn_ended", "process_cost_usd": 0.5})["process_cost_usd"] == 0.5
    assert payload({"type": "turn_ended"})["is_error"]  # what is not said to be well is not


@pytest.mark.parametrize(
    ("fields", "resets_at"),
    [
        ({"resets_at": NOON + 5}, NOON + 5),
        ({"text": "Try again in 2 hours."}, NOON + 7_200_000),
        ({"text": "No more."}, None),
        ({"text": 3, "resets_at": True}, None),
    ],
)
def test_a_usage_limit(fields: dict[str, Any], resets_at: int | None) -> None:
    limit = payload({"type": "usage_limit", "status": "rejected", **fields})
    assert (limit["status"], limit["resets_at"]) == ("rejected", resets_at)


def test_severities() -> None:
    line = {"type": "error", "text": "ran", "kind": "not_asked"}
    given: list[dict[str, Any]] = [{}, {"severity": "warning"}, {"severity": 1}]
    found = [read("acp", json.dumps({**line, **more}))[0].severity for more in given]
    assert found == ["error", "warning", "error"]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ({"type": "agent_session", "id": "s", "model": "m"}, {"id": "s", "model": "m"}),
        ({"type": "message", "text": "hi"}, {"text": "hi"}),
        ({"type": "thinking", "text": "hm"}, {"text": "hm"}),
        (
            {"type": "tool_use", "id": "i", "tool": "shell", "input": {"command": "x"}, "argument": "ls"},
            {"id": "i", "tool": "shell", "input": {"command": "x"}, "argument": "ls"},
        ),
        (
            {"type": "tool_result", "id": "i", "is_error": False, "text": "t"},
            {"id": "i", "is_error": False, "text": "t"},
        ),
        (
            {"type": "retry", "attempt": 1, "max": 2, "delay_ms": 3, "error": "e"},
            {"attempt": 1, "max": 2, "delay_ms": 3, "error": "e"},
        ),
        ({"type": "permission_withdrawn", "request_id": "r"}, {"request_id": "r"}),
        ({"type": "message_delivered", "text": "t"}, {"text": "t"}),
        ({"type": "progress", "status": "usage", "used": 3}, {"status": "usage", "used": 3}),
        (
            {"type": "plan_update", "entries": [{"content": "a", "status": "pending"}, 3]},
            {"entries": [{"content": "a", "status": "pending"}]},
        ),
        ({"type": "unknown", "line": "{}"}, {"line": "{}"}),
    ],
)
def test_lines(line: dict[str, Any], found: dict[str, Any]) -> None:
    assert payload(line) == found


def test_other_lines() -> None:
    assert kinds(read("codex", '{"type":"new_kind","x":1}')) == ["unknown"]
    assert kinds(read("codex", '{"type":["x"]}')) == ["unknown"]
    assert kinds(read("codex", '{"type":"message","te')) == ["unknown"]
    assert kinds(read("codex", "words")) == ["output"]
    assert kinds(read("codex", "2026 ERROR words", "stderr")) == ["output"]
    assert read("codex", b"\x1b[2J\xe2\x80\xba Ask Codex", "tty") == []


def test_the_peers_are_modules() -> None:
    folder = Path(sys.modules["executors.agents.peer"].__file__ or "").parents[1] / "peers"
    assert (folder / "codex.py").exists()
    assert (folder / "acp.py").exists()
