"""How peers read their agents: recordings, and what recordings do not hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from executors.peers.acp_stream import AcpStream, act_of, outcome_of, tokens_of
from executors.peers.codex import distrust
from executors.peers.codex_stream import CodexStream, questions_of, result_of, script_of
from executors.peers.files import Files, OutOfBounds
from executors.peers.forms import filled, question_of_form
from executors.peers.voice import Answer, Line
from tests.support.agents import RECORDINGS

YES = Answer(allow=True)
NO = Answer(message="no")


def messages(name: str, sender: str) -> list[Line]:
    lines = (json.loads(line) for line in (RECORDINGS / name).read_text().splitlines())
    return [line["msg"] for line in lines if line["dir"] == f"{sender}->client"]


# --- Codex ----------------------------------------------------------------------------------


def codex(name: str) -> tuple[CodexStream, list[Line], list[Line]]:
    """Return the stream after a recording, its lines, and the requests that came."""
    stream, lines, requests = CodexStream(), list[Line](), list[Line]()
    for message in messages(f"codex/{name}.jsonl", "server"):
        if message.get("id") == 2:
            stream.thread = message["result"]["thread"]["id"]
        if "method" in message and "id" in message:
            requests.append(message)
            question = stream.question(message["method"], message["params"])
            assert question is not None
            lines.append(question.line("r"))
        elif "method" in message:
            lines += stream.lines(message["method"], message["params"])
    return stream, lines, requests


def types(lines: list[Line]) -> list[str]:
    return [line["type"] for line in lines if line["type"] not in ("error", "progress")]


@pytest.mark.parametrize(("name", "failed"), [("appserver_accept", False), ("appserver_decline", True)])
def test_codex_runs_a_command(name: str, failed: bool) -> None:
    stream, lines, _ = codex(name)
    assert types(lines) == ["message", "tool_use", "permission_asked", "tool_result", "message"]
    _, used, asked, result, _ = (line for line in lines if line["type"] in types(lines))
    assert (used["tool"], used["argument"]) == ("shell", "touch x.txt")
    assert asked["act"] == {"kind": "execute", "command": "touch x.txt", "cwd": "/workspace"}
    assert asked["input"]["command"] == "/bin/bash -lc 'touch x.txt'"
    assert asked["input"]["reason"] == "Need to touch a file"
    assert result["is_error"] is failed
    assert stream.tokens == {"input": 3600, "output": 15, "cached": 1500}
    assert not [line for line in lines if line.get("kind") == "not_asked"]


def test_codex_patches_a_file() -> None:
    _, lines, requests = codex("appserver_patch_accept")
    asked = next(line for line in lines if line["type"] == "permission_asked")
    assert asked["act"] == {"kind": "write", "paths": ["/workspace/README.md"]}
    assert "+goodbye" in asked["input"]["changes"][0]["diff"]
    (request,) = requests
    assert result_of(request["method"], request["params"], YES) == {"decision": "accept"}
    assert result_of(request["method"], request["params"], NO) == {"decision": "decline"}
    assert result_of(request["method"], request["params"], Answer(interrupt=True)) == {"decision": "cancel"}
    assert result_of(request["method"], request["params"], None) == {"decision": "decline"}


def test_what_codex_ran_without_asking_is_reported() -> None:
    stream = CodexStream()
    stream.thread = "t"
    item = {"type": "commandExecution", "id": "c1", "command": "/bin/bash -lc 'touch x'", "status": "completed"}
    lines = stream.lines("item/completed", {"threadId": "t", "item": item})
    assert [line.get("kind") for line in lines if line["type"] == "error"] == ["not_asked"]
    assert "touch x" in lines[1]["text"]


def test_what_codex_typed_without_asking_is_reported() -> None:
    stream, typed = CodexStream(), {"itemId": "c", "processId": "1", "stdin": "rm x\n"}
    stream.question("item/commandExecution/requestApproval", {"itemId": "c", "kind": "writeStdin", "command": "rm x"})
    assert stream.lines("item/commandExecution/terminalInteraction", typed) == []
    (report,) = stream.lines("item/commandExecution/terminalInteraction", typed)
    assert (report["kind"], report["severity"]) == ("not_asked", "warning")
    assert stream.lines("item/commandExecution/terminalInteraction", {**typed, "stdin": ""}) == []


@pytest.mark.parametrize(
    ("command", "runs"),
    [
        ("/bin/bash -lc 'touch x.txt'", "touch x.txt"),
        ("bash -c ls", "ls"),
        ("/bin/zsh -lc 'ls'", ["/bin/zsh", "-lc", "ls"]),
        ("rm -rf build", ["rm", "-rf", "build"]),
        ("bash -lc 'a' b", ["bash", "-lc", "a", "b"]),
        ("it's torn", "it's torn"),
        (None, None),
    ],
)
def test_what_a_codex_command_runs(command: str | None, runs: object) -> None:
    assert script_of(command) == runs


def test_a_codex_command_says_where_it_runs() -> None:
    params = {"itemId": "c", "command": "/bin/bash -lc 'rm -rf build'", "cwd": "/etc/my app"}
    question = CodexStream().question("item/commandExecution/requestApproval", params)
    assert question is not None
    assert question.act == {"kind": "execute", "command": "rm -rf build", "cwd": "/etc/my app"}


@pytest.mark.parametrize(
    ("fields", "act"),
    [
        ({"kind": "writeStdin", "command": "write_stdin --session-id 1 'x'"}, {"kind": "other"}),
        ({"command": None}, {"kind": "other"}),
        (
            {"command": "curl x", "networkApprovalContext": {"host": "x.test", "protocol": "https"}},
            {"kind": "fetch", "url": "https://x.test"},
        ),
    ],
)
def test_codex_asks_for_other_things_than_commands(fields: Line, act: Line) -> None:
    question = CodexStream().question("item/commandExecution/requestApproval", {"itemId": "c", **fields})
    assert question is not None
    assert question.act == act


def test_a_patch_that_was_not_shown_is_no_write() -> None:
    question = CodexStream().question("item/fileChange/requestApproval", {"itemId": "c"})
    assert question is not None
    assert question.act == {"kind": "other"}


def test_codex_asks_for_permissions_for_one_turn() -> None:
    params = {"itemId": "c", "cwd": "/w", "permissions": {"network": {"enabled": True}}, "reason": "to fetch"}
    method = "item/permissions/requestApproval"
    question = CodexStream().question(method, params)
    assert question is not None
    assert (question.tool, question.act) == ("request_permissions", {"kind": "other"})
    assert result_of(method, params, YES) == {"permissions": params["permissions"], "scope": "turn"}
    assert result_of(method, params, NO) == {"permissions": {}, "scope": "turn"}


def test_codex_calls_a_tool_of_an_mcp_server() -> None:
    meta = {"codex_approval_kind": "mcp_tool_call", "tool_name": "poke", "tool_params": {"what": "x"}}
    schema = {"type": "object", "properties": {}}
    params = {"serverName": "t", "mode": "form", "_meta": meta, "message": "Allow?", "requestedSchema": schema}
    stream = CodexStream()
    item = {"type": "mcpToolCall", "id": "m1", "server": "t", "tool": "poke", "status": "inProgress", "arguments": {}}
    stream.lines("item/started", {"item": item})
    question = stream.question("mcpServer/elicitation/request", params)
    assert question is not None
    assert (question.tool, question.input, question.act) == ("mcp__t__poke", {"what": "x"}, {"kind": "mcp"})
    assert result_of("mcpServer/elicitation/request", params, YES) == {"action": "accept", "content": {}}
    assert result_of("mcpServer/elicitation/request", params, NO) == {"action": "decline"}
    done = {**item, "status": "completed", "result": {"content": [{"type": "text", "text": "poked"}]}}
    assert [(line["type"], line["text"]) for line in stream.lines("item/completed", {"item": done})] == [
        ("tool_result", "poked")
    ]


def test_an_mcp_server_asks_through_codex() -> None:
    method = "mcpServer/elicitation/request"
    schema = {"properties": {"colour": {"type": "string", "enum": ["red", "blue"]}}, "required": ["colour"]}
    params = {"serverName": "t", "mode": "form", "message": "Which colour?", "requestedSchema": schema}
    question = CodexStream().question(method, params)
    assert question is not None
    assert [option["value"] for option in question.options] == ["red", "blue"]
    chosen = result_of(method, params, Answer(allow=True, choice="blue"))
    assert chosen == {"action": "accept", "content": {"colour": "blue"}}
    assert result_of(method, params, Answer(allow=True, message="red"))["content"] == {"colour": "red"}
    assert result_of(method, params, YES) == {"action": "decline"}
    assert result_of(method, params, Answer(interrupt=True)) == {"action": "cancel"}
    asked = {"serverName": "t", "mode": "url", "message": "Log in", "url": "https://x.test"}
    question = CodexStream().question(method, asked)
    assert question is not None
    assert question.act == {"kind": "question", "url": "https://x.test"}


def test_the_questions_of_codex_itself() -> None:
    options = [{"label": "Red (Recommended)", "description": "warm"}, {"label": "Blue", "description": "cold"}]
    asked = [{"id": "c", "header": "C", "question": "Which?", "options": options}, {"id": "d", "question": "Why?"}]
    (name, first), (_, second) = questions_of({"questions": asked})
    assert name == "c"
    assert (first.question, first.default) == ("Which?", "Red (Recommended)")
    assert first.options[1] == {"value": "Blue", "label": "Blue", "description": "cold"}
    assert second.options == ()


@pytest.mark.parametrize(
    ("method", "params", "found"),
    [
        (
            "turn/plan/updated",
            {"plan": [{"step": "a", "status": "inProgress"}, {"step": "b", "status": "pending"}]},
            {
                "type": "plan_update",
                "entries": [{"content": "a", "status": "in_progress"}, {"content": "b", "status": "pending"}],
            },
        ),
        (
            "error",
            {"willRetry": True, "error": {"message": "Reconnecting... 1/5", "additionalDetails": "busy"}},
            {"type": "retry", "attempt": 1, "max": 5, "delay_ms": 0, "error": "busy"},
        ),
        (
            "error",
            {"willRetry": False, "error": {"message": "no", "codexErrorInfo": {"httpConnectionFailed": {}}}},
            {"type": "error", "text": "no", "kind": "httpConnectionFailed"},
        ),
        ("brand/new", {"x": 1}, {"type": "unknown", "line": '{"method": "brand/new", "params": {"x": 1}}'}),
    ],
)
def test_other_notifications_of_codex(method: str, params: Line, found: Line) -> None:
    assert CodexStream().lines(method, params) == [found]


def test_what_sub_agents_of_codex_say_is_not_what_it_says() -> None:
    stream = CodexStream()
    stream.thread = "main"
    said = {"type": "agentMessage", "id": "m", "text": "hi"}
    assert stream.lines("item/completed", {"threadId": "sub", "item": said}) == []
    ran = {"type": "commandExecution", "id": "c", "command": "ls", "status": "inProgress"}
    assert types(stream.lines("item/started", {"threadId": "sub", "item": ran})) == ["tool_use"]


def test_a_repository_without_codex_settings_keeps_its_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    root = tmp_path / "root"
    (root / ".git").mkdir(parents=True)
    (root / "src").mkdir()
    assert distrust(root / "src") == []
    (root / ".codex").mkdir()
    assert distrust(root / "src")[1].count('trust_level = "untrusted"') == 2
    assert json.dumps(str(root)) in distrust(root / "src")[1]


def test_a_linked_worktree_is_trusted_as_its_repository_is(tmp_path: Path) -> None:
    root, linked = tmp_path / "root", tmp_path / "linked"
    inner = root / ".git" / "worktrees" / "linked"
    inner.mkdir(parents=True)
    (inner / "commondir").write_text("../..\n")
    linked.mkdir()
    (linked / ".git").write_text(f"gitdir: {inner}\n")
    (root / ".codex").mkdir()
    assert json.dumps(str(root)) in distrust(linked)[1]


# --- ACP ------------------------------------------------------------------------------------


def acp(name: str) -> tuple[AcpStream, list[Line], list[Line]]:
    stream, lines, asked = AcpStream(), list[Line](), list[Line]()
    for message in messages(f"acp/{name}.jsonl", "agent"):
        match message.get("method"):
            case "session/update":
                lines += stream.lines(message["params"]["update"])
            case "session/request_permission":
                asked.append(message["params"])
                question, before = stream.question(message["params"])
                lines += [*before, question.line("r")]
    return stream, lines + stream.flush(), asked


@pytest.mark.parametrize("name", ["claude_text", "opencode_text"])
def test_acp_agents_speak(name: str) -> None:
    _, lines, _ = acp(name)
    assert types(lines) == ["message"]


@pytest.mark.parametrize(
    ("name", "tool", "command", "failed"),
    [
        ("claude_allow", "Bash", "touch x.txt && rm -f README.md", False),
        ("claude_reject", "Bash", "touch x.txt && rm -f README.md", True),
        ("opencode_allow", "bash", "touch x.txt", False),
    ],
)
def test_acp_agents_run_commands(name: str, tool: str, command: str, failed: bool) -> None:
    stream, lines, asked = acp(name)
    assert types(lines) == ["message", "tool_use", "permission_asked", "tool_result", "message"]
    question = next(line for line in lines if line["type"] == "permission_asked")
    act = {"kind": "execute", "command": command} | ({"cwd": "/workspace"} if tool == "bash" else {})
    assert (question["tool"], question["act"]) == (tool, act)
    assert question["input"]["command"] == command
    assert next(line for line in lines if line["type"] == "tool_use")["argument"] == command
    assert next(line for line in lines if line["type"] == "tool_result")["is_error"] is failed
    assert stream.cost_usd == pytest.approx(0.0012)
    (params,) = asked
    assert outcome_of(params, YES)["optionId"] in ("allow", "once")
    assert outcome_of(params, NO)["optionId"] == "reject"
    assert outcome_of(params, None) == {"outcome": "cancelled"}


def test_an_acp_agent_writes_a_file() -> None:
    _, lines, _ = acp("opencode_write_allow")
    question = next(line for line in lines if line["type"] == "permission_asked")
    assert question["act"] == {"kind": "write", "paths": ["/workspace/new.txt"]}
    assert question["input"]["content"] == "one\n"


@pytest.mark.parametrize(
    ("call", "act"),
    [
        ({"kind": "execute", "rawInput": {"command": ["rm", "x"]}}, {"kind": "execute", "command": ["rm", "x"]}),
        ({"kind": "read", "rawInput": {"command": "rm x"}}, {"kind": "execute", "command": "rm x"}),
        (
            {"kind": "execute", "rawInput": {"command": "ls", "workdir": "/etc"}},
            {"kind": "execute", "command": "ls", "cwd": "/etc"},
        ),
        (
            {"kind": "execute", "rawInput": {"command": ["a", "b c"], "cwd": ".."}},
            {"kind": "execute", "command": ["a", "b c"], "cwd": ".."},
        ),
        ({"kind": "execute", "title": "make"}, {"kind": "other"}),
        ({"kind": "edit", "rawInput": {}}, {"kind": "other"}),
        (
            {"kind": "edit", "content": [{"type": "diff", "path": "/a", "newText": "x"}]},
            {"kind": "write", "paths": ["/a"]},
        ),
        ({"kind": "delete", "locations": [{"path": "/a"}]}, {"kind": "delete", "paths": ["/a"]}),
        ({"kind": "move", "rawInput": {"source": "/a", "destination": "/b"}}, {"kind": "move", "paths": ["/a", "/b"]}),
        ({"kind": "read", "rawInput": {"path": "a"}}, {"kind": "read", "paths": ["a"]}),
        ({"kind": "search", "rawInput": {"pattern": "x"}}, {"kind": "search", "paths": []}),
        ({"kind": "fetch", "rawInput": {"url": "https://x.test"}}, {"kind": "fetch", "url": "https://x.test"}),
        ({"kind": "fetch"}, {"kind": "fetch"}),
        ({"kind": "think"}, {"kind": "other"}),
        (
            {"kind": "read", "_meta": {"claudeCode": {"toolName": "mcp__s__t"}}, "rawInput": {"path": "/a"}},
            {"kind": "mcp"},
        ),
        ({}, {"kind": "other"}),
    ],
)
def test_what_an_acp_call_would_do(call: Line, act: Line) -> None:
    assert act_of(call) == act


def options(*kinds: str) -> Line:
    return {"options": [{"kind": kind, "optionId": f"{kind}{n}", "name": kind} for n, kind in enumerate(kinds)]}


@pytest.mark.parametrize(
    ("kinds", "answer", "chosen"),
    [
        (("allow_always", "allow_once", "reject_once"), YES, "allow_once1"),
        (("allow_always", "reject_once"), YES, "reject_once1"),
        (("allow_always", "reject_always"), YES, None),
        (("allow_once", "reject_always"), NO, None),
        (("allow_once", "allow_once", "reject_once"), YES, "reject_once2"),
        (("allow_once", "allow_once", "reject_once"), Answer(allow=True, choice="allow_once1"), "allow_once1"),
        (("allow_once", "allow_once", "reject_once"), Answer(allow=True, choice="reject_once2"), "reject_once2"),
        (("allow_once", "allow_once", "reject_once"), Answer(choice="allow_once1"), "reject_once2"),
        ((), YES, None),
    ],
)
def test_only_an_option_that_allows_once_allows(kinds: tuple[str, ...], answer: Answer, chosen: str | None) -> None:
    outcome = outcome_of(options(*kinds), answer)
    assert outcome == ({"outcome": "selected", "optionId": chosen} if chosen else {"outcome": "cancelled"})


def test_a_choice_among_options_is_a_question() -> None:
    params = {"toolCall": {"toolCallId": "q", "title": "Which?"}, **options("allow_once", "allow_once", "reject_once")}
    question, _ = AcpStream().question(params)
    assert (question.act, question.question) == ({"kind": "question"}, "Which?")
    assert [option["value"] for option in question.options] == ["allow_once0", "allow_once1"]


def test_other_updates_of_acp() -> None:
    stream = AcpStream()
    plan = {"sessionUpdate": "plan", "entries": [{"content": "a", "priority": "high", "status": "pending"}]}
    assert stream.lines(plan) == [{"type": "plan_update", "entries": plan["entries"]}]
    thought = {"sessionUpdate": "agent_thought_chunk", "content": {"type": "text", "text": "hm"}}
    assert stream.lines(thought) == []
    said = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "so"}}
    assert stream.lines(said) == [{"type": "thinking", "text": "hm"}]
    assert types(stream.lines({"sessionUpdate": "new_kind"})) == ["unknown"]
    assert stream.flush() == [{"type": "message", "text": "so"}]
    assert tokens_of({"inputTokens": 3, "outputTokens": 2, "cachedReadTokens": 4, "cachedWriteTokens": 1}) == {
        "input": 8, "output": 2, "cached": 4,
    }  # fmt: skip
    assert tokens_of(None) == {"input": 0, "output": 0, "cached": 0}


# --- files and forms ------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "work" / ".git").mkdir(parents=True)
    (tmp_path / "work" / "out").symlink_to(tmp_path)
    (tmp_path / "work" / "a.txt").write_text("1\n2\n3\n")
    return Files(tmp_path / "work")


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "out/x", "", ".", ".git/config", "sub/.git/hooks/x", "a\0b", None, 3]
)
def test_what_lies_outside_is_out_of_bounds(files: Files, path: object) -> None:
    with pytest.raises(OutOfBounds):
        files.place(path)


def test_files_are_read_and_written_inside(files: Files) -> None:
    assert files.read("a.txt", None, None) == "1\n2\n3\n"
    assert files.read(str(files.root / "a.txt"), 2, 1) == "2\n"
    assert files.read("a.txt", 2, None) == "2\n3\n"
    files.write("new/b.txt", "é\r\n")
    assert (files.root / "new" / "b.txt").read_bytes() == "é\r\n".encode()


def test_a_grant_is_for_one_text_and_once(files: Files) -> None:
    place = files.place("a.txt")
    files.grant("a.txt", "x")
    assert not files.is_granted(place, "y")
    assert not files.is_granted(place, "x")
    files.grant("a.txt", "x")
    assert files.is_granted(place, "x")
    assert not files.is_granted(place, "x")
    files.grant("/etc/passwd", "x")
    assert files.granted == {}


def form(field: Line, *required: str) -> Line:
    return {"type": "object", "properties": {"f": field}, "required": list(required)}


@pytest.mark.parametrize(
    ("field", "values", "choice", "content"),
    [
        ({"type": "string", "enum": ["a", "b"], "enumNames": ["A", "B"]}, ["a", "b"], "b", {"f": "b"}),
        ({"type": "string", "oneOf": [{"const": "a", "title": "A"}]}, ["a"], "a", {"f": "a"}),
        ({"type": "boolean"}, ["true", "false"], "false", {"f": False}),
        ({"type": "array", "items": {"type": "string", "enum": ["a"]}}, ["a"], "a", {"f": ["a"]}),
        ({"type": "string"}, [], "words", {"f": "words"}),
        ({"type": "integer"}, [], "3", {"f": 3}),
        ({"type": "integer"}, [], "three", None),
        ({"type": "string"}, [], None, None),
        ({"type": "string", "default": "d"}, [], None, {"f": "d"}),
    ],
)
def test_forms_with_one_field(field: Line, values: list[str], choice: str | None, content: Any) -> None:
    question = question_of_form("t", "Which?", form(field, "f"))
    assert [option["value"] for option in question.options] == values
    assert filled(form(field, "f"), choice) == content


def test_forms_that_are_none() -> None:
    assert question_of_form("t", "", None).question
    assert filled(None, "x") == {}
    two = {"properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a"]}
    assert question_of_form("t", "Both?", two).options == ()
    assert filled(two, "x") is None
