"""The peer of ACP agents with a scripted agent: files, forms, and agents that break the rules."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.engine.ports.agents import Verdict
from tests.support.acp_agent import ACP_AGENT
from tests.support.agent_process import AgentProcess
from tests.support.agents import ALLOWED, profile

Start = Callable[..., AgentProcess]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


@pytest.fixture
def start(tmp_path: Path, work: Path) -> Iterator[Start]:
    running: list[AgentProcess] = []

    def start(
        *steps: dict[str, Any], command: tuple[str, ...] = (sys.executable, str(ACP_AGENT)), **more: Any
    ) -> AgentProcess:
        agent = profile("acp", command=command, **{name: more.pop(name) for name in ("model",) if name in more})
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(work)}
        running.append(AgentProcess(agent, work, tmp_path, env, json.dumps(steps), **more))
        return running[-1]

    yield start
    for agent in running:
        agent.close()


def said(agent: AgentProcess) -> list[str]:
    return [message["text"] for message in agent.all("message")]


def write(path: object, text: str) -> dict[str, Any]:
    return {"method": "fs/write_text_file", "params": {"path": str(path), "content": text}}


def permission(path: Path, text: str) -> dict[str, Any]:
    diff = {"type": "diff", "path": str(path), "oldText": None, "newText": text}
    call = {"toolCallId": "c", "title": "write", "kind": "edit", "content": [diff], "locations": [{"path": str(path)}]}
    options = [
        {"optionId": "y", "kind": "allow_once", "name": "Yes"},
        {"optionId": "n", "kind": "reject_once", "name": "No"},
    ]
    return {"method": "session/request_permission", "params": {"toolCall": call, "options": options}}


@pytest.mark.parametrize("allow", [True, False])
def test_a_file_is_written_only_when_it_is_allowed(start: Start, work: Path, allow: bool) -> None:
    agent = start(write(work / "sub" / "new", "text"))
    asked = agent.until("permission_asked")
    assert asked.payload["act"] == {"kind": "write", "paths": [str(work / "sub" / "new")]}
    assert asked.payload["input"] == {"path": str(work / "sub" / "new"), "content": "text"}
    agent.answer(asked, Verdict(allow=allow, message="" if allow else "Not there."))
    agent.until("turn_ended")
    assert agent.end() == 0
    new = work / "sub" / "new"
    assert (new.read_text() if new.exists() else None) == ("text" if allow else None)
    assert ("Not there." in said(agent)[-1]) is not allow


def test_what_was_just_allowed_is_not_asked_again_but_anything_else_is(start: Start, work: Path) -> None:
    agent = start(permission(work / "a", "one"), write(work / "a", "one"), write(work / "a", "two"))
    agent.answer(agent.until("permission_asked"), ALLOWED)
    asked = agent.until("permission_asked")
    assert asked.payload["input"]["content"] == "two"
    agent.refuse(asked)
    agent.until("turn_ended")
    assert (work / "a").read_text() == "one"


@pytest.mark.parametrize("path", ["../outside", "/etc/quarterdeck-test", "link/outside", ".git/config"])
def test_nothing_is_written_or_read_outside(start: Start, work: Path, tmp_path: Path, path: str) -> None:
    (work / "link").symlink_to(tmp_path)
    (tmp_path / "outside").write_text("secret")
    agent = start(write(path, "x"), {"method": "fs/read_text_file", "params": {"path": path}})
    agent.until("turn_ended")
    assert agent.end() == 0
    assert agent.all("permission_asked") == []
    assert all("-32000" in answer for answer in said(agent) if answer.startswith("{"))
    assert "secret" not in "".join(said(agent))
    assert (tmp_path / "outside").read_text() == "secret"


def test_a_file_is_read(start: Start, work: Path) -> None:
    (work / "a").write_text("one\ntwo\n")
    agent = start({"method": "fs/read_text_file", "params": {"path": str(work / "a"), "line": 2, "limit": 1}})
    agent.until("turn_ended")
    assert json.loads(said(agent)[-1]) == {"content": "two\n"}


@pytest.mark.parametrize(
    ("verdict", "answer"),
    [
        (Verdict(allow=True, choice="blue"), {"action": "accept", "content": {"colour": "blue"}}),
        (Verdict(allow=True), {"action": "decline"}),
        (Verdict(allow=False), {"action": "decline"}),
    ],
)
def test_a_form(start: Start, verdict: Verdict, answer: dict[str, Any]) -> None:
    field = {"type": "string", "enum": ["red", "blue"], "default": None}
    schema = {"type": "object", "properties": {"colour": field}, "required": ["colour"]}
    params = {"mode": "form", "message": "Which colour?", "requestedSchema": schema}
    agent = start({"method": "elicitation/create", "params": params})
    asked = agent.until("permission_asked")
    assert (asked.payload["question"], asked.payload["act"]) == ("Which colour?", {"kind": "question"})
    assert [option["value"] for option in asked.payload["options"]] == ["red", "blue"]
    agent.answer(asked, verdict)
    agent.until("turn_ended")
    assert json.loads(said(agent)[-1]) == answer


def test_terminals_are_not_offered(start: Start, work: Path) -> None:
    agent = start({"method": "terminal/create", "params": {"command": "touch", "args": [str(work / "new")]}})
    agent.until("turn_ended")
    assert "-32601" in said(agent)[-1]
    assert not (work / "new").exists()


def test_a_mode_that_does_not_ask_is_left(start: Start) -> None:
    agent = start({"say": "hello"})
    agent.until("turn_ended")
    assert "mode default" in said(agent)


def test_a_refusal_that_ends_the_turn_cancels_it(start: Start, work: Path) -> None:
    agent = start(permission(work / "a", "one"))
    agent.answer(agent.until("permission_asked"), Verdict(allow=False, interrupt=True))
    agent.until("turn_ended")
    assert agent.end() == 0
    assert "got session/cancel" in said(agent)


def test_why_something_was_denied_follows_in_the_same_turn(start: Start, work: Path) -> None:
    agent = start(permission(work / "a", "one"))
    agent.answer(agent.until("permission_asked"), Verdict(allow=False, message="Never."))
    agent.until("turn_ended")
    assert agent.end() == 0
    assert said(agent)[-1] == f"heard write ({work / 'a'}) was not allowed: Never."
    assert len(agent.all("turn_ended")) == 1
    assert len(agent.all("message_delivered")) == 1


def test_a_question_too_large_to_be_shown_is_still_asked(start: Start, work: Path) -> None:
    agent = start(write(work / "big", "x" * 2_000_000))
    asked = agent.until("permission_asked")
    assert asked.payload["too_large"] > 2_000_000
    assert (asked.payload["input"], asked.payload["act"]) == ({}, {"kind": "write"})
    agent.refuse(asked)
    agent.until("turn_ended")
    assert not (work / "big").exists()


def test_what_is_not_understood_is_kept(start: Start) -> None:
    agent = start({"update": {"sessionUpdate": "brand_new", "x": 1}}, {"print": "no json"}, {"say": "on"})
    agent.until("turn_ended")
    assert agent.end() == 0
    assert "brand_new" in agent.all("unknown")[0]["line"]
    assert "on" in said(agent)


def test_an_agent_that_cannot_be_read_ends_the_peer(start: Start) -> None:
    agent = start({"say": "well"}, {"print": "[1]"}, {"say": "lost"})
    assert agent.process.wait(30) == 1
    agent.close()
    assert any("broke off the conversation" in printed["text"] for printed in agent.all("output"))


def test_lines_on_stdin_that_mean_nothing_are_ignored(start: Start) -> None:
    agent = start({"say": "one"})
    agent.until("turn_ended")
    agent.write(b'torn {"\n[1]\n{"type":"dance"}\n{"type":"answer","request_id":"none"}\n{"type":"interrupt"}\n')
    agent.say("two")
    agent.until("turn_ended")
    assert agent.end() == 0
    assert "heard two" in said(agent)


@pytest.mark.parametrize("code", [0, 3])
def test_an_agent_that_ends_in_the_middle(start: Start, code: int) -> None:
    agent = start({"say": "bye"}, {"exit": code})
    assert agent.process.wait(30) == 1
    agent.close()
    assert "bye" in said(agent)
    assert [error["kind"] for error in agent.all("error")] == ["agent_died"]
    assert any(f"exit code {code}" in printed["text"] for printed in agent.all("output"))


@pytest.mark.parametrize(
    ("command", "more", "complaint"),
    [
        (("/none/agent",), {}, "agent cannot be started: No such file or directory"),
        ((sys.executable, str(ACP_AGENT), "7"), {}, "speaks version 7 of the protocol, not 1"),
        ((sys.executable, str(ACP_AGENT)), {"resume": "s"}, "cannot take a session up again"),
        ((sys.executable, str(ACP_AGENT)), {"model": "m"}, "does not let its model be chosen"),
    ],
)
def test_an_agent_that_cannot_be_had(
    start: Start, command: tuple[str, ...], more: dict[str, Any], complaint: str
) -> None:
    agent = start(command=command, **more)
    assert agent.process.wait(30) == 1
    agent.close()
    assert any(complaint in printed["text"] for printed in agent.all("output"))
    assert not any("Traceback" in printed["text"] for printed in agent.all("output"))


def test_nothing_is_imported_from_the_sessions_folder(start: Start, work: Path) -> None:
    (work / "acp").mkdir()
    (work / "acp" / "__init__.py").write_text("raise SystemExit(66)")
    (work / "executors").mkdir()
    (work / "executors" / "__init__.py").write_text("raise SystemExit(66)")
    agent = start({"say": "well"})
    agent.until("turn_ended")
    assert agent.end() == 0


@pytest.mark.parametrize("name", ["plugin", "plugins"])
def test_opencode_is_not_started_where_a_repository_brings_plugins(start: Start, work: Path, name: str) -> None:
    (work / ".opencode" / name).mkdir(parents=True)
    (work / ".opencode" / name / "own.js").touch()
    program = work.parent / "opencode"
    program.write_text(f"#!/bin/sh\ntouch {work}/started\n")
    program.chmod(0o755)
    agent = start(command=(str(program), "acp"))
    assert agent.process.wait(30) == 1
    agent.close()
    assert any("own.js" in printed["text"] for printed in agent.all("output"))
    assert not (work / "started").exists()
