"""Codex: its command line and its stream beyond the recordings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from executors.agents.registry import adapter_for
from supervisor.model.errors import InvalidInput
from tests.support.agents import NOON, REFUSED, asked, kinds, profile, read, turn

CODEX = adapter_for(profile("codex"))


def test_exec_reads_nothing_from_stdin() -> None:
    invocation = CODEX.invocation(turn(profile("codex"), prompt="-n"))
    assert invocation.argv == ("codex", "exec", "-s", "workspace-write", "--json", "--", "-n")
    assert invocation.stdin == "null"
    assert not invocation.files


def test_resume_names_the_conversation_before_the_prompt() -> None:
    agent = profile("codex", model="gpt", arguments=("-c", "x=1"))
    argv = CODEX.invocation(turn(agent, prompt="more", resume="th1")).argv
    assert argv == (
        "codex", "exec", "-s", "workspace-write", "resume", "--json", "--model", "gpt", "-c", "x=1",
        "--", "th1", "more",
    )  # fmt: skip


def test_a_terminal_leaves_no_daemon_and_asks() -> None:
    argv = CODEX.invocation(turn(profile("codex"), mode="dispatch", executor="tmux", prompt="go")).argv
    assert argv == ("codex", "--no-daemon", "-a", "on-request", "--", "go")


def test_a_terminal_resumes() -> None:
    argv = CODEX.invocation(turn(profile("codex"), mode="dispatch", executor="tmux", prompt="go", resume="th1")).argv
    assert argv == ("codex", "resume", "--no-daemon", "-a", "on-request", "--", "th1", "go")


@pytest.mark.parametrize("fields", [{"argv": ("ls",)}, {}])
def test_a_turn_that_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        CODEX.invocation(turn(profile("codex"), **fields))
    assert refused.value.hint


def test_exec_takes_nothing_over_stdin() -> None:
    assert CODEX.message("x") is None
    assert CODEX.interrupt() is None
    assert CODEX.answer(asked("r"), REFUSED) is None


def item(stage: str, **fields: Any) -> str:
    return json.dumps({"type": f"item.{stage}", "item": {"id": "i1", **fields}})


@pytest.mark.parametrize(
    ("fields", "tool", "argument"),
    [
        ({"type": "command_execution", "command": "ls -l"}, "shell", "ls -l"),
        ({"type": "file_change", "changes": [{"path": "/a"}, {"path": "/b"}, 3]}, "apply_patch", "/a, /b"),
        ({"type": "mcp_tool_call", "server": "s", "tool": "t", "arguments": {"q": "x"}}, "mcp__s__t", '{"q":"x"}'),
        ({"type": "web_search", "query": "words"}, "web_search", "words"),
    ],
)  # fmt: skip
def test_tools(fields: dict[str, Any], tool: str, argument: str) -> None:
    (started,) = read("codex", item("started", **fields))
    assert (started.type, started.payload["tool"]) == ("tool_use", tool)
    assert started.payload["argument"] == argument
    (updated,) = read("codex", item("updated", **fields))
    assert updated.type == "progress"
    (done,) = read("codex", item("completed", **fields, status="completed"))
    assert (done.type, done.payload["is_error"]) == ("tool_result", False)


@pytest.mark.parametrize("fields", [{"status": "failed"}, {"status": "declined"}, {"exit_code": 2}])
def test_failed_tools(fields: dict[str, Any]) -> None:
    (event,) = read("codex", item("completed", type="command_execution", aggregated_output="no", **fields))
    assert event.payload == {"id": "i1", "is_error": True, "text": "no"}


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (item("completed", type="reasoning", text="hm"), "thinking"),
        (item("completed", type="todo_list", items=[{"text": "a", "completed": False}]), "progress"),
        (item("started", type="agent_message", text=""), "progress"),
        (item("started", type="new_kind"), "progress"),
        (item("completed", type="new_kind"), "unknown"),
        ('{"type":"item.completed","item":3}', "unknown"),
        ('{"type":"new.event"}', "unknown"),
        ('{"type":"thread.star', "unknown"),
    ],
)
def test_other_lines(line: str, kind: str) -> None:
    assert kinds(read("codex", line)) == [kind]


def test_figures_of_a_turn_are_those_of_the_conversation() -> None:
    usage = {"input_tokens": 400, "cached_input_tokens": 100, "output_tokens": 80}
    (event,) = read("codex", json.dumps({"type": "turn.completed", "usage": usage}))
    assert event.payload["tokens"] == {"input": 400, "output": 80, "cached": 100}
    assert event.payload["tokens_of"] == "conversation"
    assert event.payload["process_cost_usd"] is None


def test_a_turn_without_figures() -> None:
    (event,) = read("codex", '{"type":"turn.completed"}')
    assert event.payload["tokens"] == {"input": 0, "output": 0, "cached": 0}


def test_a_limit_with_its_end() -> None:
    line = {"type": "turn.failed", "error": {"message": "hit your usage limit. Try again in 2 hours."}}
    limit, ended = read("codex", json.dumps(line))
    assert limit.payload["resets_at"] == NOON + 2 * 3_600_000
    assert ended.payload["subtype"] == "failed"


def test_a_rejected_call_shows_only_on_stderr() -> None:
    line = (
        "2026-11-21T09:36:17.642656Z ERROR codex_core::tools::router: error=approval policy is Never; reject "
        "command — you cannot ask for escalated permissions if the approval policy is Never"
    )
    (event,) = read("codex", line, "stderr")
    assert event.type == "permission_refused"
    assert event.payload["text"] == line
    assert kinds(read("codex", "Reading additional input from stdin...", "stderr")) == ["output"]


def test_what_a_terminal_repaints_is_no_event() -> None:
    assert read("codex", b"\x1b[2J\xe2\x80\xba Ask Codex", "tty") == []


def test_it_has_no_hooks() -> None:
    assert kinds(CODEX.hook_events({"hook_event_name": "Stop"}, NOON)) == ["unknown"]
