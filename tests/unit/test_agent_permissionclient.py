"""The client that asks: it prints what was decided, waits for whoever is not there, and allows nothing by itself."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from executors.agents.program import HOOK_COMMAND
from tests.support.hook_server import PENDING, HookServer, reply
from tests.wait import wait_until

REQUEST = json.dumps({"hook_event_name": "PermissionRequest", "tool_name": "Bash", "tool_input": {"command": "é"}})
ANSWER: dict[str, Any] = {"hookSpecificOutput": {"decision": {"behavior": "deny", "message": "Nein, grün."}}}

Ask = Callable[..., "subprocess.Popen[bytes]"]


DECIDED = reply({"status": "decided", "answer": ANSWER})
WAITS = reply(PENDING)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[HookServer]:
    server = HookServer(tmp_path / "api.sock")
    yield server
    server.close()


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Ask]:
    running: list[subprocess.Popen[bytes]] = []

    def ask(*prefix: str, agent: str = "claude", socket: str = str(tmp_path / "api.sock")) -> subprocess.Popen[bytes]:
        env = {"QUARTERDECK_SOCKET": socket, "QUARTERDECK_TOKEN": "secret", "QUARTERDECK_SESSION": "ses_1"}
        command = [*prefix, *HOOK_COMMAND, "permission", agent]
        pipe = subprocess.PIPE
        running.append(subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, stderr=pipe))
        stdin = running[-1].stdin
        assert stdin
        stdin.write(REQUEST.encode())
        stdin.close()
        running[-1].stdin = None
        return running[-1]

    yield ask
    for one in running:
        one.kill()
        one.communicate()


def bodies(server: HookServer) -> list[dict[str, Any]]:
    return [json.loads(body) for _, _, body in server.requests]


def said(tmp_path: Path) -> str:
    log = tmp_path / "hooks.log"
    return log.read_text() if log.exists() else ""


def test_a_decision_is_printed(supervisor: HookServer, ask: Ask) -> None:
    supervisor.answer = DECIDED
    asking = ask()
    printed, errors = asking.communicate(timeout=10)
    assert (json.loads(printed), errors, asking.returncode) == (ANSWER, b"", 0)
    ((first, headers, _),) = supervisor.requests
    assert first == "POST /permissions/claude HTTP/1.1"
    assert (headers["authorization"], headers["x-quarterdeck-session"]) == ("Bearer secret", "ses_1")
    (body,) = bodies(supervisor)
    assert body == {"key": body["key"], "wait_s": 25, "request": json.loads(REQUEST)}
    assert len(body["key"]) == 32


def test_it_asks_again_with_the_same_key_until_it_is_decided(supervisor: HookServer, ask: Ask) -> None:
    supervisor.answer = WAITS
    asking = ask()
    wait_until(lambda: len(supervisor.requests) >= 2, 10, "a second question")
    supervisor.answer = DECIDED
    assert json.loads(asking.communicate(timeout=10)[0]) == ANSWER
    first, *others = bodies(supervisor)
    assert all(other == first for other in others)


def test_every_question_has_its_own_key(supervisor: HookServer, ask: Ask) -> None:
    supervisor.answer = DECIDED
    for _ in range(2):
        ask().communicate(timeout=10)
    assert len({body["key"] for body in bodies(supervisor)}) == 2


def test_another_way_of_writing_the_answer_is_read_as_well(supervisor: HookServer, ask: Ask) -> None:
    supervisor.answer = reply(json.dumps({"answer": ANSWER, "status": "decided"}, indent=1).encode())
    assert json.loads(ask().communicate(timeout=10)[0]) == ANSWER


@pytest.mark.parametrize(
    "answer",
    [
        reply({"error": "no"}, "401 Unauthorized"),
        reply({"error": "withdrawn"}, "409 Conflict"),
        reply({"status": "decided", "answer": None}),
        reply({"status": "decided"}),
        reply({"status": "else", "answer": ANSWER}),
        reply([]),
        reply(b"no json"),
        reply(b'{"status":"decided","answer":{"a":1}'),
    ],
)
def test_what_decides_nothing_prints_nothing(supervisor: HookServer, ask: Ask, tmp_path: Path, answer: bytes) -> None:
    supervisor.answer = answer
    asking = ask()
    assert asking.communicate(timeout=10) == (b"", b"")
    assert asking.returncode == 1
    assert "ses_1 permission: " in said(tmp_path)


@pytest.mark.parametrize(
    "answer",
    [
        reply({}, "500 Internal Server Error"), reply({}, "503 Service Unavailable"), reply({}, "302 Found"), b"",
        DECIDED[:-4], DECIDED + b"}", DECIDED.replace(b"content-length", b"x-length"), b"nonsense\r\n\r\n",
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_asked_for_again(supervisor: HookServer, ask: Ask, answer: bytes) -> None:
    supervisor.answer = answer
    asking = ask()
    wait_until(lambda: len(supervisor.requests) >= 2, 10, "a second question")
    assert asking.poll() is None
    supervisor.answer = DECIDED
    assert json.loads(asking.communicate(timeout=15)[0]) == ANSWER


def test_it_waits_for_a_supervisor_to_come(ask: Ask, tmp_path: Path) -> None:
    asking = ask()
    wait_until(lambda: "No supervisor answers" in said(tmp_path), 10, "a word in the log")
    server = HookServer(tmp_path / "api.sock")
    server.answer = DECIDED
    try:
        assert json.loads(asking.communicate(timeout=15)[0]) == ANSWER
    finally:
        server.close()
    assert said(tmp_path).count("No supervisor answers") == 1
    assert "a supervisor answers again" in said(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_withdraws_the_question(supervisor: HookServer, ask: Ask, number: int) -> None:
    supervisor.answer = WAITS
    asking = ask()
    wait_until(lambda: len(supervisor.requests) >= 2, 10, "a second question")
    asking.send_signal(number)
    assert asking.communicate(timeout=10)[0] == b""
    assert asking.returncode == 1
    first, *_, last = bodies(supervisor)
    assert last == {**first, "wait_s": 0, "withdrawn": True}


def test_it_ends_when_nobody_reads_its_answer_any_more(supervisor: HookServer, ask: Ask) -> None:
    supervisor.answer = WAITS
    asking = ask()
    wait_until(lambda: supervisor.requests, 10, "the question")
    assert asking.stdout
    asking.stdout.close()
    asking.stdout = None
    assert asking.wait(10) == 1
    assert bodies(supervisor)[-1]["withdrawn"] is True


def ended(pid: int) -> bool:
    """Whoever inherits orphans here may leave them as zombies."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_it_ends_when_its_parent_is_gone(ask: Ask, tmp_path: Path) -> None:
    """Its output may still be open in somebody else's hands."""
    shell = ask("sh", "-c", '"$@" & echo $! >&2; wait', "sh")
    assert shell.stderr
    # A shell gives what runs in the background no stdin; the question is then empty, which does not matter here.
    child = int(shell.stderr.readline())
    wait_until(lambda: "No supervisor answers" in said(tmp_path), 10, "a word in the log")
    shell.send_signal(signal.SIGKILL)
    shell.wait(10)
    wait_until(lambda: ended(child), 10, "the end of the client")


@pytest.mark.parametrize("agent", ["../x", "a b", ""])
def test_an_agents_name_is_no_path(supervisor: HookServer, ask: Ask, agent: str) -> None:
    asking = ask(agent=agent)
    printed, errors = asking.communicate(timeout=10)
    assert (printed, asking.returncode) == (b"", 1)
    assert b"Usage" in errors
    assert supervisor.requests == []


def test_outside_of_a_session_it_decides_nothing(ask: Ask) -> None:
    asking = ask(socket="")
    assert asking.communicate(timeout=10)[0] == b""
    assert asking.returncode == 1
