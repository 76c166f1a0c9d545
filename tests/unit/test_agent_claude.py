"""Claude: its command line, its stream beyond the recordings, and its hooks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from executors.agents.claude import ClaudeAdapter
from executors.agents.claude_settings import GATED_TOOLS, REPORTED
from supervisor.model.errors import InvalidInput
from tests.support.agents import NOON, RECORDINGS, REFUSED, asked, kinds, profile, read, turn

CLAUDE = ClaudeAdapter()
LS = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}
OUT = {"type": "tool_result", "tool_use_id": "t1", "content": "out", "is_error": True}
SETTINGS = Path("/state/ses_1/claude-settings.json")
SOURCES = ("--setting-sources", "user", "--add-dir", "/work")

# --- command line ---------------------------------------------------------------------------


def test_headless_reads_its_prompt_from_stdin_and_asks_there() -> None:
    invocation = CLAUDE.invocation(turn(profile("claude"), prompt="--help me"))
    assert invocation.argv == (
        "claude", "-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose",
        "--replay-user-messages", "--permission-prompt-tool", "stdio", "--settings", str(SETTINGS), *SOURCES,
    )  # fmt: skip
    assert invocation.stdin == "pipe"
    assert json.loads(invocation.first_input)["message"]["content"] == [{"type": "text", "text": "--help me"}]
    assert invocation.first_input.endswith(b"\n")


def test_every_gated_tool_must_be_asked_for() -> None:
    invocation = CLAUDE.invocation(turn(profile("claude"), prompt="x"))
    settings = json.loads(invocation.files[SETTINGS])
    assert settings == {
        "permissions": {"ask": ["*"], "defaultMode": "default"},
        "sandbox": {"autoAllowBashIfSandboxed": False},
        "disableAllHooks": False,
    }


def test_a_repositorys_own_settings_count_only_when_the_profile_says_so() -> None:
    own = profile("claude", repository_settings=True)
    invocation = CLAUDE.invocation(turn(own, prompt="x"))
    assert invocation.argv[-2:] == ("--settings", str(SETTINGS))
    assert invocation.env == {}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--settings", "x"), ("--settings=x",), ("--managed-settings", "{}"), ("--setting-sources=project",),
        ("--permission-prompt-tool", "mcp__x__y"), ("--dangerously-skip-permissions",),
        ("--allow-dangerously-skip-permissions",), ("--permission-mode", "bypassPermissions"),
        ("--permission-mode=acceptEdits",), ("--verbose", "--permission-mode", "auto"),
    ],
)  # fmt: skip
def test_arguments_that_would_take_the_questions_away_are_refused(arguments: tuple[str, ...]) -> None:
    for fields in ({"arguments": arguments}, {"command": ("claude", *arguments)}):
        with pytest.raises(InvalidInput, match="is given --"):
            CLAUDE.invocation(turn(profile("claude", **fields), prompt="x"))


@pytest.mark.parametrize("arguments", [("--permission-mode", "plan"), ("--permission-mode",), ("--mcp-config", "x")])
def test_other_arguments_are_passed_on(arguments: tuple[str, ...]) -> None:
    assert (
        CLAUDE.invocation(turn(profile("claude", arguments=arguments), prompt="x")).argv[-len(arguments) :] == arguments
    )


def test_model_resume_and_arguments_of_the_profile() -> None:
    agent = profile("claude", command=("npx", "claude"), model="opus", arguments=("--max-turns", "3"))
    argv = CLAUDE.invocation(turn(agent, prompt="x", resume="abc")).argv
    assert argv[:2] == ("npx", "claude")
    assert argv[-6:] == ("--model", "opus", "--resume", "abc", "--max-turns", "3")


def test_a_container_is_given_its_settings_in_words() -> None:
    invocation = CLAUDE.invocation(turn(profile("claude"), prompt="x", executor="docker"))
    assert not invocation.files
    given = invocation.argv[invocation.argv.index("--settings") + 1]
    assert json.loads(given)["permissions"]["ask"] == ["*"]


def test_a_terminal_gets_the_prompt_as_argument_and_reports_by_hooks() -> None:
    invocation = CLAUDE.invocation(
        turn(profile("claude"), mode="dispatch", executor="tmux", prompt="-do", hook_command=("q d", "-I"))
    )
    assert invocation.argv == ("claude", "--settings", str(SETTINGS), *SOURCES, "--", "-do")
    assert invocation.stdin == "null"
    assert invocation.first_input == b""
    settings = json.loads(invocation.files[SETTINGS])
    assert settings["permissions"]["ask"] == list(GATED_TOOLS)
    hooks = settings["hooks"]
    assert set(hooks) == {*REPORTED, "PermissionRequest"}
    (asks,) = hooks["PermissionRequest"][0]["hooks"]
    assert asks == {"type": "command", "command": "'q d' -I permission claude", "timeout": 1_209_600}
    assert hooks["Stop"][0]["hooks"][0]["command"] == "'q d' -I hook claude"


def test_a_terminal_needs_no_prompt() -> None:
    invocation = CLAUDE.invocation(turn(profile("claude"), mode="dispatch", executor="tmux", resume="abc"))
    assert invocation.argv[-2:] == ("--resume", "abc")


@pytest.mark.parametrize("fields", [{"argv": ("ls",)}, {}])
def test_a_turn_that_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        CLAUDE.invocation(turn(profile("claude"), **fields))
    assert refused.value.hint


def test_what_it_never_passes() -> None:
    for mode in ("autonomous", "dispatch"):
        invocation = CLAUDE.invocation(turn(profile("claude"), prompt="x", mode=mode))
        words = " ".join([*invocation.argv, *invocation.files.values()])
        assert "acceptEdits" not in words
        assert "bypass" not in words
        assert "--session-id" not in words


def test_messages_interrupt_and_refusal_are_lines() -> None:
    assert json.loads(CLAUDE.message("a\nb"))["message"]["content"][0]["text"] == "a\nb"
    assert CLAUDE.message("a\nb").count(b"\n") == 1
    assert json.loads(CLAUDE.interrupt())["request"] == {"subtype": "interrupt"}
    answer = json.loads(CLAUDE.answer(asked("r1"), REFUSED) or b"")
    assert answer["response"]["request_id"] == "r1"
    assert answer["response"]["response"]["behavior"] == "deny"
    assert answer["response"]["response"]["message"]


def test_a_question_on_the_screen_is_not_answered_over_stdin() -> None:
    assert CLAUDE.answer(asked(None), REFUSED) is None


# --- stream ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        LS,
        {"type": "tool_use", "tool_use_id": "t1", "tool_name": "Bash", "tool_input": {"command": "ls"}},
        {"type": "tool_use", "id": "t1", "tool": {"name": "Bash", "input": {"command": "ls"}}},
        {"type": "tool_use", "id": "t1", "tool": "Bash", "input": {"command": "ls"}},
        {"type": "assistant", "content": [LS]},
        {"type": "assistant", "message": [{**LS, "type": "mcp_tool_use"}]},
        {"type": "assistant", "message": {"content": [LS]}},
    ],
)
def test_every_shape_of_a_tool_call(line: dict[str, Any]) -> None:
    (event,) = read("claude", json.dumps(line))
    assert event.type == "tool_use"
    assert event.payload == {"id": "t1", "tool": "Bash", "input": {"command": "ls"}, "argument": "ls"}


@pytest.mark.parametrize(
    "line",
    [
        OUT,
        {"type": "tool_result", "id": "t1", "output": "out", "is_error": True},
        {"type": "user", "message": {"content": [{**OUT, "content": [{"type": "text", "text": "out"}]}]}},
    ],
)
def test_every_shape_of_a_tool_result(line: dict[str, Any]) -> None:
    (event,) = read("claude", json.dumps(line))
    assert event.payload == {"id": "t1", "is_error": True, "text": "out"}
    assert event.severity == "warning"


@pytest.mark.parametrize(("key", "cost"), [("total_cost_usd", 0.5), ("total_cost", 0.5), ("cost_usd", 0.5)])
def test_every_spelling_of_the_cost(key: str, cost: float) -> None:
    (event,) = read("claude", json.dumps({"type": "result", "subtype": "success", "is_error": False, key: cost}))
    assert event.payload["process_cost_usd"] == cost


def test_a_result_without_figures_has_none() -> None:
    (event,) = read("claude", '{"type":"result","num_turns":"many","usage":[],"modelUsage":[1]}')
    assert event.payload["process_cost_usd"] is None
    assert event.payload["turns"] is None
    assert event.payload["tokens"] == {"input": 0, "output": 0, "cached": 0}


@pytest.mark.parametrize(
    ("status", "kind", "severity"),
    [
        ("allowed", "progress", "debug"),
        ("allowed_warning", "usage_limit", "warning"),
        ("rejected", "usage_limit", "error"),
        ("new", "unknown", "debug"),
    ],
)
def test_rate_limit_events(status: str, kind: str, severity: str) -> None:
    info = {"status": status, "resetsAt": 1795266000, "rateLimitType": "five_hour"}
    (event,) = read("claude", json.dumps({"type": "rate_limit_event", "rate_limit_info": info}))
    assert (event.type, event.severity) == (kind, severity)
    if kind == "usage_limit":
        assert event.payload["resets_at"] == 1795266000000
        assert event.payload["text"] == "five_hour"


def test_a_result_that_says_limit_is_a_usage_limit() -> None:
    line = {"type": "result", "is_error": True, "result": "Claude AI usage limit reached|1795266000"}
    limit, ended = read("claude", json.dumps(line))
    assert limit.payload == {
        "status": "rejected",
        "resets_at": 1795266000000,
        "text": "Claude AI usage limit reached|1795266000",
    }
    assert ended.payload["is_error"]


def test_a_good_answer_about_limits_is_none() -> None:
    line = {"type": "result", "is_error": False, "result": "I fixed the usage limit reached|1795266000 parser"}
    assert kinds(read("claude", json.dumps(line))) == ["turn_ended"]


def test_a_withdrawn_question() -> None:
    (event,) = read("claude", '{"type":"control_cancel_request","request_id":"r1"}')
    assert (event.type, event.payload) == ("permission_withdrawn", {"request_id": "r1"})


def test_a_replayed_message_was_delivered() -> None:
    line = {"type": "user", "message": {"role": "user", "content": "hello"}, "isReplay": True}
    (event,) = read("claude", json.dumps(line))
    assert (event.type, event.payload) == ("message_delivered", {"text": "hello"})


def test_an_error_of_the_api_is_no_message() -> None:
    line = {"type": "assistant", "error": "server_error", "message": {"content": [{"type": "text", "text": "boom"}]}}
    (event,) = read("claude", json.dumps(line))
    assert (event.type, event.payload) == ("error", {"text": "boom", "kind": "server_error"})


def test_a_line_of_several_blocks_is_several_events() -> None:
    blocks = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "so"}, {"type": "new"}, 3]
    events = read("claude", json.dumps({"type": "assistant", "message": {"content": blocks}}))
    assert kinds(events) == ["thinking", "message", "unknown", "unknown"]


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_words_beside_the_protocol_are_output(stream: str) -> None:
    (event,) = read("claude", "\x1b[31mNo conversation found\x1b[0m", stream)
    assert (event.type, event.payload) == ("output", {"text": "No conversation found", "stream": stream})


@pytest.mark.parametrize("line", [b'{"type":"assi', b'{"type":"\xff', b'{"a":1}', b'{"type":["x"]}', b'{"type":"new"}'])
def test_what_cannot_be_read_is_kept(line: bytes) -> None:
    (event,) = read("claude", line)
    assert event.type == "unknown"
    assert event.payload["line"].encode(errors="replace")[:4] == line[:4]
    assert event.payload.get("not_utf8", False) is (b"\xff" in line)


def test_what_a_terminal_repaints_is_no_event() -> None:
    for line in (RECORDINGS / "claude" / "tui" / "03_idle_start.txt").read_bytes().splitlines():
        assert read("claude", line, "tty") == []


def test_an_empty_line_is_no_event() -> None:
    assert read("claude", b"  ") == []


def test_hostile_text_stays_data() -> None:
    text = "[/bold]'; DROP TABLE sessions; -- \x00 \x1b[2J ../../etc/passwd"
    (event,) = read("claude", json.dumps({"type": "assistant", "message": {"content": text}}))
    assert event.payload == {"text": text}


def test_a_huge_string_is_clipped() -> None:
    (event,) = read("claude", json.dumps({"type": "assistant", "message": {"content": "x" * 10_000_000}}))
    assert len(event.payload["text"].encode()) == 16 * 1024


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(
    ["subtype", "message", "content", "request", "request_id", "usage", "modelUsage", "result", "errors",
     "permission_denials", "rate_limit_info", "error", "tool", "input", "item", "event", "is_error", "num_turns"]
)  # fmt: skip
TYPES = st.sampled_from(
    ["system", "assistant", "user", "result", "control_request", "control_response", "control_cancel_request",
     "rate_limit_event", "tool_use", "tool_result", "error", "agent_session", "message", "permission_asked",
     "turn_ended", "usage_limit", "progress", "plan_update", "retry", "unknown", "other"]
)  # fmt: skip


@given(st.sampled_from(["claude", "codex", "command"]), TYPES, st.dictionaries(KEYS, JSON, max_size=6))
def test_no_line_raises_and_every_payload_can_be_stored(agent: str, kind: str, rest: dict[str, Any]) -> None:
    for event in read(agent, json.dumps({"type": kind, **rest})):
        msgspec.json.encode(event.payload)


@given(st.sampled_from(["claude", "codex", "command"]), st.binary(max_size=200))
def test_no_garbage_raises(agent: str, data: bytes) -> None:
    for prefix in (b"", b"{", b'{"type":"x'):
        for event in read(agent, prefix + data):
            msgspec.json.encode(event.payload)


# --- hooks ----------------------------------------------------------------------------------


def hook_kinds(payload: dict[str, object]) -> list[str]:
    events = CLAUDE.hook_events(payload, NOON)
    assert {(event.source, event.time) for event in events} == {("hook", NOON)}
    return kinds(events)


def recorded_hooks() -> list[dict[str, object]]:
    given = json.loads((RECORDINGS / "claude" / "hooks-interactive.json").read_bytes())
    return list(given["events"])


def test_every_recorded_hook_has_a_meaning() -> None:
    for payload in recorded_hooks():
        assert "unknown" not in hook_kinds(payload), payload["hook_event_name"]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"hook_event_name": "SessionStart", "session_id": "s"}, ["agent_session"]),
        ({"hook_event_name": "UserPromptSubmit", "prompt": "p"}, ["message_delivered"]),
        ({"hook_event_name": "PreToolUse", "tool_name": "Bash"}, ["tool_use"]),
        ({"hook_event_name": "PostToolUse", "tool_name": "Bash", "tool_response": None}, ["tool_result"]),
        ({"hook_event_name": "PostToolUseFailure", "error": "boom"}, ["tool_result"]),
        ({"hook_event_name": "PermissionRequest", "tool_name": "Bash"}, ["permission_asked"]),
        ({"hook_event_name": "Notification", "notification_type": "permission_prompt"}, ["permission_asked"]),
        ({"hook_event_name": "Notification", "notification_type": "idle_prompt"}, ["idle"]),
        ({"hook_event_name": "Notification", "message": "else"}, ["progress"]),
        ({"hook_event_name": "Stop", "last_assistant_message": "done"}, ["message", "turn_ended", "idle"]),
        ({"hook_event_name": "Stop"}, ["turn_ended", "idle"]),
        ({"hook_event_name": "StopFailure", "error": "server_error"}, ["error", "turn_ended"]),
        ({"hook_event_name": "StopFailure", "error": "rate_limit"}, ["error", "usage_limit", "turn_ended"]),
        ({"hook_event_name": "SessionEnd", "reason": "other"}, ["idle"]),
        ({"hook_event_name": "SubagentStop"}, ["unknown"]),
        ({}, ["unknown"]),
    ],
)
def test_hooks(payload: dict[str, object], expected: list[str]) -> None:
    assert hook_kinds(payload) == expected


def test_what_a_command_printed_is_the_text_of_its_result() -> None:
    response = {"stdout": "out", "stderr": "err", "interrupted": False}
    (event,) = CLAUDE.hook_events(
        {"hook_event_name": "PostToolUse", "tool_use_id": "t", "tool_response": response}, NOON
    )
    assert event.payload == {"id": "t", "is_error": False, "text": "out\nerr"}


@pytest.mark.parametrize("name", ["PostToolUse", "PostToolUseFailure"])
def test_a_finished_tool_says_what_it_was_given(name: str) -> None:
    payload: dict[str, object] = {"hook_event_name": name, "tool_name": "Bash", "tool_input": {"command": "ls"}}
    (event,) = CLAUDE.hook_events(payload, NOON)
    assert (event.payload["tool"], event.payload["input"]) == ("Bash", {"command": "ls"})


def test_another_tools_answer_is_kept_as_json() -> None:
    (event,) = CLAUDE.hook_events(
        {"hook_event_name": "PostToolUse", "tool_use_id": "t", "tool_response": {"type": "create"}}, NOON
    )
    assert event.payload["text"] == '{"type":"create"}'
