"""What the peer of Codex relies on, seen on the real program with a scripted model."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from config.loading import load
from config.paths import Paths
from executors.agents.registry import adapter_for
from executors.agents.screen import read_screen
from supervisor.engine.ports.agents import Verdict
from tests.support.agent_process import AgentProcess
from tests.support.agents import ALLOWED, kinds, turn
from tests.support.mcp_server import MCP_SERVER
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
TOUCH_RULE = 'prefix_rule(pattern=["touch"], decision="allow")\n'


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path)


@pytest.fixture
def start(tmp_path: Path, repository: Path) -> Iterator[Start]:
    running: list[AgentProcess] = []

    def start(model: ModelServer, prompt: str = "go", resume: str | None = None, arguments: Any = ()) -> AgentProcess:
        env = codex_environment(tmp_path / "home", model.url, repository)
        agent = real("codex").model_copy(update={"arguments": tuple(arguments)})
        running.append(AgentProcess(agent, repository, tmp_path, env, prompt, resume=resume))
        return running[-1]

    yield start
    for agent in running:
        agent.close()


def command(text: str, **fields: Any) -> Call:
    return Call("exec_command", {"cmd": text, **fields})


def last_words(model: ModelServer) -> str:
    """Return what the model was told last by a person."""
    said = [item for item in model.requests[-1]["input"] if item.get("role") == "user"]
    return str(said[-1]["content"][0]["text"])


def test_a_turn_of_text(start: Start) -> None:
    with ModelServer([Answer("Hello.")]) as model:
        agent = start(model, "--say it")
        ended = agent.until("turn_ended")
        assert agent.end() == 0
    assert [said["text"] for said in agent.all("message")] == ["Hello."]
    assert [heard["text"] for heard in agent.all("message_delivered")] == ["--say it"]
    assert ended.payload["tokens"] == {"input": 100, "output": 20, "cached": 0}
    assert (ended.payload["is_error"], ended.payload["tokens_of"]) == (False, "conversation")
    assert "unknown" not in kinds(agent.events)


def test_what_is_allowed_runs_once(start: Start, repository: Path) -> None:
    with ModelServer([Answer("Running.", (command("echo ran >> log; cat log"),)), Answer("Ran.")]) as model:
        agent = start(model)
        asked = agent.until("permission_asked")
        assert not (repository / "log").exists()
        agent.answer(asked, ALLOWED)
        agent.answer(asked, ALLOWED)
        agent.until("turn_ended")
        assert agent.end() == 0
    act = {"kind": "execute", "command": "echo ran >> log; cat log", "cwd": str(repository)}
    assert (asked.payload["act"], asked.payload["argument"]) == (act, "echo ran >> log; cat log")
    assert (repository / "log").read_text() == "ran\n"
    assert [(result["text"], result["is_error"]) for result in agent.all("tool_result")] == [("ran\n", False)]
    assert len(agent.all("permission_asked")) == 1


def test_what_is_denied_does_not_run_and_the_model_hears_why(start: Start, repository: Path) -> None:
    answers = [Answer("", (command("touch one"), command("touch two"))), Answer("Then not.")]
    with ModelServer(answers) as model:
        agent = start(model)
        for _ in range(2):  # in either order
            asked = agent.until("permission_asked")
            agent.answer(asked, Verdict(allow=False, message=f"Not {asked.payload['argument']}."))
            agent.answer(asked, ALLOWED)
        assert not agent.until("turn_ended").payload["is_error"]
        assert agent.end() == 0
        heard = json.dumps(model.requests[-1]["input"])
    assert "shell (touch one) was not allowed: Not touch one." in heard
    assert "shell (touch two) was not allowed: Not touch two." in heard
    assert [result["is_error"] for result in agent.all("tool_result")] == [True, True]
    assert not list(repository.glob("[ot]*"))


@pytest.mark.parametrize(
    "text", ["ls", "cat README.md", "echo x > new", "git status", "bash -c 'touch new'", "curl x.test"]
)
def test_every_command_asks(start: Start, repository: Path, text: str) -> None:
    with ModelServer([Answer("", (command(text),)), Answer("So be it.")]) as model:
        agent = start(model)
        asked = agent.until("permission_asked")
        assert asked.payload["act"]["command"] == text
        agent.refuse(asked)
        agent.until("turn_ended")
        assert agent.end() == 0
    assert not (repository / "new").exists()
    assert not agent.all("error") or {error["kind"] for error in agent.all("error")} == {"warning"}


def test_a_command_in_another_folder(start: Start, tmp_path: Path) -> None:
    with ModelServer([Answer("", (command("touch new", workdir=str(tmp_path)),)), Answer("Then not.")]) as model:
        agent = start(model)
        asked = agent.until("permission_asked")
        agent.refuse(asked)
        agent.until("turn_ended")
    assert asked.payload["act"] == {"kind": "execute", "command": "touch new", "cwd": str(tmp_path)}
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("allow", [True, False])
def test_a_change_of_a_file(start: Start, repository: Path, allow: bool) -> None:
    with ModelServer([Answer("Editing.", (command(PATCH),)), Answer("Edited.")]) as model:
        agent = start(model)
        asked = agent.until("permission_asked")
        assert (repository / "README.md").read_text() == "hello\n"
        agent.answer(asked, Verdict(allow=allow))
        agent.until("turn_ended")
        assert agent.end() == 0
    assert asked.payload["act"] == {"kind": "write", "paths": [str(repository / "README.md")]}
    assert "+goodbye" in asked.payload["input"]["changes"][0]["diff"]
    assert (repository / "README.md").read_text() == ("goodbye\n" if allow else "hello\n")
    assert [result["is_error"] for result in agent.all("tool_result")] == [not allow]


def test_a_terminal_cannot_be_had(start: Start, repository: Path) -> None:
    """What is typed into an approved `bash` would run without being asked about."""
    answers = [Answer("", (command("bash", tty=True, yield_time_ms=500),)), Answer("Then not.")]
    with ModelServer(answers) as model:
        agent = start(model)
        agent.until("turn_ended")
        assert "TTY execution is disabled" in json.dumps(model.requests[-1]["input"])
    assert agent.all("permission_asked") == []


def test_a_rule_of_the_repository_allows_nothing(start: Start, repository: Path) -> None:
    (repository / ".codex" / "rules").mkdir(parents=True)
    (repository / ".codex" / "rules" / "default.rules").write_text(TOUCH_RULE)
    (repository / ".codex" / "config.toml").write_text(
        'approval_policy = "never"\nsandbox_mode = "danger-full-access"\n'
    )
    with ModelServer([Answer("", (command("touch new"),)), Answer("Then not.")]) as model:
        agent = start(model)
        agent.refuse(agent.until("permission_asked"))
        agent.until("turn_ended")
    assert not (repository / "new").exists()


def test_a_rule_of_the_user_that_allows_is_reported(start: Start, tmp_path: Path) -> None:
    rules = tmp_path / "home" / ".codex" / "rules"
    rules.mkdir(parents=True)
    (rules / "default.rules").write_text(TOUCH_RULE)
    with ModelServer([Answer("", (command("touch new"),)), Answer("Done.")]) as model:
        agent = start(model)
        agent.until("turn_ended")
    (report,) = [event for event in agent.events if event.payload.get("kind") == "not_asked"]
    assert report.severity == "warning"
    assert "touch new" in report.payload["text"]


def test_instructions_of_a_repository_still_count(start: Start, repository: Path) -> None:
    (repository / "AGENTS.md").write_text("Speak softly.\n")
    with ModelServer([Answer("Yes.")]) as model:
        start(model).until("turn_ended")
        assert "Speak softly." in json.dumps(model.requests[0])


def test_its_settings_cannot_hand_the_answer_to_a_model(start: Start, repository: Path) -> None:
    given = ("-c", 'approval_policy="never"', "-c", 'approvals_reviewer="auto_review"')
    with ModelServer([Answer("", (command("touch new"),)), Answer("Then not.")]) as model:
        agent = start(model, arguments=given)
        agent.refuse(agent.until("permission_asked"))
        agent.until("turn_ended")
    assert not (repository / "new").exists()


def test_a_question(start: Start) -> None:
    options = [{"label": "Red (Recommended)", "description": "warm"}, {"label": "Blue", "description": "cold"}]
    asks = {"questions": [{"id": "c", "header": "Colour", "question": "Which colour?", "options": options}]}
    with ModelServer([Answer("", (Call("request_user_input", asks),)), Answer("Blue it is.")]) as model:
        agent = start(model, arguments=("-c", "features.default_mode_request_user_input=true"))
        asked = agent.until("permission_asked").payload
        agent.write(agent.adapter.answer(asked, Verdict(allow=True, choice="Blue")))
        agent.until("turn_ended")
        assert '{\\"answers\\":{\\"c\\":{\\"answers\\":[\\"Blue\\"]}}}' in json.dumps(model.requests[-1]["input"])
    assert (asked["act"], asked["question"]) == ({"kind": "question"}, "Which colour?")
    assert [option["value"] for option in asked["options"]] == ["Red (Recommended)", "Blue"]
    assert asked["default"] == "Red (Recommended)"


@pytest.mark.parametrize("allow", [True, False])
def test_a_tool_of_an_mcp_server(start: Start, tmp_path: Path, allow: bool) -> None:
    log = tmp_path / "mcp.log"
    server = (
        "-c",
        'mcp_servers.t.command="python3"',
        "-c",
        f"mcp_servers.t.args={json.dumps([str(MCP_SERVER), str(log)])}",
    )
    answers = [Answer("", (Call("poke", {"what": "x"}, "mcp__t"), Call("elicit", {}, "mcp__t"))), Answer("Done.")]
    with ModelServer(answers) as model:
        agent = start(model, arguments=server)
        poke = agent.until("permission_asked")
        agent.answer(poke, Verdict(allow=allow))
        form = agent.until("permission_asked")
        agent.answer(form, Verdict(allow=allow, choice="blue"))
        agent.until("turn_ended")
    assert poke.payload["act"] == {"kind": "mcp"}
    assert (poke.payload["tool"], poke.payload["input"]) == ("mcp__t__poke", {"what": "x"})
    assert [option["value"] for option in form.payload["options"]] == ["red", "blue"]
    assert ("poke" in log.read_text()) is allow
    assert ('"blue"' in "".join(result["text"] for result in agent.all("tool_result"))) is allow
    reported = [error["text"] for error in agent.all("error") if error["kind"] == "not_asked"]
    assert len(reported) == 1  # a server that says of a tool that it only reads is believed
    assert "mcp__t__elicit" in reported[0]


def test_a_sub_agent_asks_as_well(start: Start, repository: Path) -> None:
    spawn = Call("spawn_agent", {"message": "do it", "task_name": "sub"}, "multi_agent_v1")
    answers = [Answer("", (spawn,)), *[Answer("", (command("touch new"),))] * 2, *[Answer("Done.")] * 2]
    with ModelServer(answers) as model:
        agent = start(model)
        for _ in range(2):
            agent.answer(agent.until("permission_asked"), Verdict(allow=False, message="Never."))
        agent.until("turn_ended")
        assert agent.end() == 0
    assert not (repository / "new").exists()


def test_an_interrupt_ends_the_turn_and_not_the_agent(start: Start) -> None:
    with ModelServer([Answer("A slow answer.", hold=threading.Event()), Answer("Awake.")]) as model:
        agent = start(model)
        wait_until(lambda: model.requests, 30, "the request")
        agent.write(agent.adapter.interrupt())
        ended = agent.until("turn_ended")
        assert (ended.payload["subtype"], ended.payload["is_error"], ended.severity) == ("interrupted", True, "warning")
        agent.say("go on")
        assert not agent.until("turn_ended").payload["is_error"]
        assert agent.end() == 0


def test_an_interrupt_withdraws_the_question(start: Start, repository: Path) -> None:
    with ModelServer([Answer("", (command("touch new"),)), Answer("Never said.")]) as model:
        agent = start(model)
        asked = agent.until("permission_asked")
        agent.write(agent.adapter.interrupt())
        assert agent.until("permission_withdrawn").payload["request_id"] == asked.payload["request_id"]
        agent.until("turn_ended")
        agent.answer(asked, ALLOWED)
        assert agent.end() == 1
    assert not (repository / "new").exists()


def test_a_refusal_may_end_the_turn(start: Start, repository: Path) -> None:
    with ModelServer([Answer("", (command("touch new"),)), Answer("I see.")]) as model:
        agent = start(model)
        agent.answer(agent.until("permission_asked"), Verdict(allow=False, message="Stop it.", interrupt=True))
        assert agent.until("turn_ended").payload["subtype"] == "interrupted"
        agent.say("Why did you?")
        agent.until("turn_ended")
        assert agent.end() == 0
        heard = json.dumps(model.requests[-1]["input"])
    assert "Stop it." in heard
    assert not (repository / "new").exists()


def test_a_message_is_heard_within_the_turn(start: Start) -> None:
    with ModelServer([Answer("", (command("true"),)), Answer("Understood.")]) as model:
        agent = start(model)
        asked = agent.until("permission_asked")
        agent.say("And hurry.")
        agent.answer(asked, ALLOWED)
        agent.until("turn_ended")
        assert agent.end() == 0
        assert last_words(model) == "And hurry."
    assert [heard["text"] for heard in agent.all("message_delivered")] == ["go", "And hurry."]


def test_a_closed_stdin_denies_and_finishes_the_turn(start: Start, repository: Path) -> None:
    answers = [Answer("", (command("touch one"),)), Answer("", (command("touch two"),)), Answer("Then not.")]
    with ModelServer(answers) as model:
        agent = start(model)
        agent.until("permission_asked")
        assert agent.end() == 0
    assert [said["text"] for said in agent.all("message")] == ["Then not."]
    assert len(agent.all("permission_withdrawn")) == 2
    assert not list(repository.glob("[ot]*"))


def test_a_resumed_conversation_keeps_its_id_and_its_figures(start: Start) -> None:
    with ModelServer([Answer("one"), Answer("two")]) as model:
        first = start(model, "first")
        first.until("turn_ended")
        assert first.end() == 0
        conversation = first.all("agent_session")[0]["id"]
        second = start(model, "second", resume=conversation)
        ended = second.until("turn_ended")
        assert second.end() == 0
        said = json.dumps(model.requests[1]["input"])
    assert second.all("agent_session")[0]["id"] == conversation
    assert "first" in said
    assert "second" in said
    assert ended.payload["tokens"] == {"input": 200, "output": 40, "cached": 0}


def test_a_resumed_conversation_asks(start: Start, repository: Path) -> None:
    with ModelServer([Answer("one"), Answer("", (command("touch new"),)), Answer("Then not.")]) as model:
        first = start(model)
        first.until("turn_ended")
        first.end()
        second = start(model, resume=first.all("agent_session")[0]["id"])
        second.refuse(second.until("permission_asked"))
        second.until("turn_ended")
    assert not (repository / "new").exists()


def test_a_conversation_that_is_not_there_says_so(start: Start) -> None:
    with ModelServer([]) as model:
        agent = start(model, "x", resume="11111111-1111-4111-8111-111111111111")
        assert agent.process.wait(30) == 1
        agent.close()
    assert any("does not take the session up" in printed["text"] for printed in agent.all("output"))


@pytest.mark.parametrize(
    "answer", [Answer(status=500, error={"error": {"message": "boom"}}), Answer("Half.", cut=True)]
)
def test_an_api_error(start: Start, answer: Answer) -> None:
    with ModelServer([answer] * 6) as model:
        agent = start(model, "x")
        ended = agent.until("turn_ended")
        assert agent.end() == 1
    assert (ended.payload["is_error"], ended.payload["subtype"]) == (True, "failed")
    assert agent.all("retry")
    assert agent.all("error")
    assert agent.all("usage_limit") == []


def test_a_usage_limit_and_its_end(start: Start) -> None:
    resets = int(time.time()) // 60 * 60 + 7200
    error = {"error": {"type": "usage_limit_reached", "message": "x", "plan_type": "plus", "resets_at": resets}}
    with ModelServer([Answer(status=429, error=error)] * 4) as model:
        agent = start(model, "x")
        agent.until("turn_ended")
        assert agent.end() == 1
    (limit,) = agent.all("usage_limit")
    assert (limit["status"], limit["resets_at"]) == ("rejected", resets * 1000)


@pytest.mark.parametrize("code", ["insufficient_quota", "rate_limit_exceeded"])
def test_quota_failures_are_limits_without_an_end(start: Start, code: str) -> None:
    error = {"error": {"code": code, "type": code, "message": "no more"}}
    with ModelServer([Answer(status=429, error=error)] * 6) as model:
        agent = start(model, "x")
        agent.until("turn_ended")
        assert agent.end() == 1
    (limit,) = agent.all("usage_limit")
    assert (limit["status"], limit["resets_at"]) == ("rejected", None)


def test_a_killed_agent_ends_its_peer(start: Start) -> None:
    with ModelServer([Answer("", (command("touch new"),))]) as model:
        agent = start(model)
        agent.until("permission_asked")
        below = psutil.Process(agent.process.pid).children(recursive=True)
        for process in below:
            process.send_signal(signal.SIGKILL)
        assert agent.process.wait(30) == 1
        agent.close()
    assert agent.all("permission_withdrawn")
    assert "agent_died" in [error["kind"] for error in agent.all("error")]
    assert any(re.search("ended unexpectedly, by signal 9", printed["text"]) for printed in agent.all("output"))


def test_the_agent_ends_with_its_peer(start: Start) -> None:
    with ModelServer([Answer("A slow answer.", hold=threading.Event())]) as model:
        agent = start(model)
        wait_until(lambda: model.requests, 30, "the request")
        below = psutil.Process(agent.process.pid).children(recursive=True)
        agent.process.kill()
        assert psutil.wait_procs(below, 10)[1] == []


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
