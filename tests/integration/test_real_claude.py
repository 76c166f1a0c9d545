"""What the claude adapter relies on, seen on the real program with a scripted model."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from executors.agents.claude import REFUSAL
from tests.support.agent_process import AgentProcess
from tests.support.agents import kinds
from tests.support.model_server import Answer, Call, ModelServer
from tests.support.real_agents import claude_environment, make_repository, real
from tests.wait import wait_until

pytestmark = pytest.mark.claude

Start = Callable[..., AgentProcess]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make_repository(tmp_path)


@pytest.fixture
def start(tmp_path: Path, repository: Path) -> Iterator[Start]:
    running: list[AgentProcess] = []

    def start(model: ModelServer, prompt: str, resume: str | None = None) -> AgentProcess:
        env = claude_environment(tmp_path / "home", model.url)
        running.append(AgentProcess(real("claude"), repository, tmp_path, env, prompt, resume=resume))
        return running[-1]

    yield start
    for agent in running:
        agent.close()


def test_a_tool_call_is_asked_for_and_refused(start: Start, repository: Path) -> None:
    call = Call("Bash", {"command": "touch made && rm README.md", "description": "make"})
    with ModelServer([Answer("Touching.", (call,)), Answer("I was refused.")]) as model:
        agent = start(model, "touch it")
        asked = agent.until("permission_asked")
        assert asked.payload["argument"] == "touch made && rm README.md"
        agent.refuse(asked)
        assert agent.until("tool_result").payload["text"] == REFUSAL
        ended = agent.until("turn_ended").payload
        assert agent.end() == 0
    assert ended["text"] == "I was refused."
    assert ended["tokens"] == {"input": 200, "output": 40, "cached": 0}
    assert [denied["tool"] for denied in ended["denials"]] == ["Bash"]
    assert not (repository / "made").exists()
    assert (repository / "README.md").exists()


@pytest.mark.parametrize("tool", ["Write", "Edit"])
def test_an_edit_is_asked_for_though_the_project_allows_it(start: Start, repository: Path, tool: str) -> None:
    readme = str(repository / "README.md")
    inputs = {
        "Write": {"file_path": str(repository / "new.txt"), "content": "x"},
        "Edit": {"file_path": readme, "old_string": "hello", "new_string": "bye"},
    }
    read = Answer("", (Call("Read", {"file_path": readme}),))
    with ModelServer([read, Answer("", (Call(tool, inputs[tool]),)), Answer("Done.")]) as model:
        agent = start(model, "edit")
        agent.allow(agent.until("permission_asked"))
        asked = agent.until("permission_asked")
        assert asked.payload["tool"] == tool
        agent.refuse(asked)
        agent.until("turn_ended")
        assert agent.end() == 0
    assert not (repository / "new.txt").exists()
    assert Path(readme).read_text() == "hello\n"
    assert [used["tool"] for used in agent.all("tool_use")] == ["Read", tool]


def test_an_allowed_edit_is_made(start: Start, repository: Path) -> None:
    given = {"file_path": str(repository / "new.txt"), "content": "made\n"}
    with ModelServer([Answer("", (Call("Write", given),)), Answer("Done.")]) as model:
        agent = start(model, "write")
        agent.allow(agent.until("permission_asked"))
        assert agent.until("turn_ended").payload["denials"] == []
        assert agent.end() == 0
    assert (repository / "new.txt").read_text() == "made\n"


def test_a_resumed_session_keeps_its_id_and_starts_its_cost_again(start: Start) -> None:
    with ModelServer([Answer("one"), Answer("two")]) as model:
        first = start(model, "first")
        ended = first.until("turn_ended").payload
        assert first.end() == 0
        session = first.all("agent_session")[0]["id"]
        second = start(model, "second", resume=session)
        again = second.until("turn_ended").payload
        assert second.end() == 0
        said = json.dumps(model.requests[1]["messages"])
    assert second.all("agent_session")[0]["id"] == session
    assert "first" in said
    assert "second" in said
    assert ended["process_cost_usd"] == again["process_cost_usd"] > 0


def test_a_session_that_is_not_there_says_so(start: Start) -> None:
    with ModelServer([]) as model:
        agent = start(model, "x", resume="11111111-1111-4111-8111-111111111111")
        assert "No conversation found" in agent.until("turn_ended").payload["text"]
        assert agent.end() == 1
        assert model.requests == []


def test_further_messages_are_further_turns_and_confirmed(start: Start) -> None:
    with ModelServer([Answer("one"), Answer("two")]) as model:
        agent = start(model, "first")
        agent.until("turn_ended")
        agent.say("second")
        assert agent.until("message_delivered").payload["text"] == "second"
        agent.until("turn_ended")
        assert agent.end() == 0
    assert [given["text"] for given in agent.all("message_delivered")] == ["first", "second"]
    costs = [ended["process_cost_usd"] for ended in agent.all("turn_ended")]
    assert costs[0] < costs[1]


def test_a_message_while_it_works_arrives_in_the_same_turn(start: Start, repository: Path) -> None:
    hold = threading.Event()
    read = Call("Read", {"file_path": str(repository / "README.md")})
    with ModelServer([Answer("Reading it.", (read,), hold=hold), Answer("Read.")]) as model:
        agent = start(model, "read")
        wait_until(lambda: model.requests, 30, "the first request")
        agent.say("and this")
        agent.say("and that")
        hold.set()
        agent.allow(agent.until("permission_asked"))
        agent.until("turn_ended")
        assert agent.end() == 0
        said = json.dumps(model.requests[1]["messages"])
    # What waits together is sometimes echoed as one message.
    echoed = "\n".join(given["text"] for given in agent.all("message_delivered"))
    assert echoed == "read\nand this\nand that"
    assert "and this" in said


def test_an_interrupt_ends_the_turn_and_keeps_the_process(start: Start) -> None:
    hold = threading.Event()
    with ModelServer([Answer("A slow answer.", hold=hold), Answer("Gone on.")]) as model:
        agent = start(model, "slowly")
        wait_until(lambda: model.requests, 30, "the first request")
        agent.write(agent.adapter.interrupt())
        ended = agent.until("turn_ended")
        assert (ended.payload["subtype"], ended.severity) == ("error_during_execution", "warning")
        assert ended.payload["terminal_reason"].startswith("aborted")
        agent.say("go on")
        assert agent.until("turn_ended").payload["text"] == "Gone on."
        agent.write(agent.adapter.interrupt())  # between turns: answered, and harmless
        wait_until(lambda: len(agent.all("progress")) > 2, 10, "the answer to the interrupt")
        assert agent.end() == 0


def test_an_api_error(start: Start) -> None:
    error = {"type": "error", "error": {"type": "api_error", "message": "boom"}}
    with ModelServer([Answer(status=500, error=error)] * 3) as model:
        agent = start(model, "x")
        ended = agent.until("turn_ended").payload
        assert agent.end() == 1
    assert ended["is_error"]
    assert "500 boom" in ended["text"]
    assert [retry["error"] for retry in agent.all("retry")] == ["server_error"]
    assert [error["kind"] for error in agent.all("error")] == ["server_error"]
    assert agent.all("usage_limit") == []


def test_a_usage_limit(start: Start) -> None:
    error = {"type": "error", "error": {"type": "rate_limit_error", "message": "limited"}}
    with ModelServer([Answer(status=429, error=error, headers={"retry-after": "1"})] * 3) as model:
        agent = start(model, "x")
        agent.until("turn_ended")
        assert agent.end() == 1
    assert [limit["status"] for limit in agent.all("usage_limit")] == ["rejected"]


def test_a_cut_stream_keeps_its_figures(start: Start) -> None:
    with ModelServer([Answer("Half of an answer.", cut=True)] * 3) as model:
        agent = start(model, "x")
        agent.until("turn_ended")
        agent.end()
    assert "unknown" not in kinds(agent.events)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_signal_may_leave_no_end_of_the_turn(start: Start, sent: signal.Signals, code: int) -> None:
    """An early SIGINT exits 0 and yet nothing was done: only an end of the turn counts as one."""
    with ModelServer([Answer("A slow answer.", hold=threading.Event())]) as model:
        agent = start(model, "slowly")
        wait_until(lambda: model.requests, 30, "the request")
        agent.process.send_signal(sent)
        assert agent.end() == code
    assert not any(not ended["is_error"] for ended in agent.all("turn_ended"))


def test_nothing_that_it_prints_is_unknown(start: Start) -> None:
    with ModelServer([Answer("hi")]) as model:
        agent = start(model, "x")
        agent.until("turn_ended")
        agent.end()
    assert kinds(agent.events) == ["agent_session", "message_delivered", "message", "turn_ended"]
