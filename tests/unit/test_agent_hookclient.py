"""The hook client: what it posts, and that it never stands in an agent's way."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from executors import hookclient
from executors.agents.program import HOOK_COMMAND
from tests.support.hook_server import HookServer


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[HookServer]:
    server = HookServer(tmp_path / "api.sock")
    yield server
    server.close()


def run(path: Path, *arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    env = {"QUARTERDECK_SOCKET": str(path), "QUARTERDECK_TOKEN": "secret", "QUARTERDECK_SESSION": "ses_1"}
    return subprocess.run(
        [*HOOK_COMMAND, *arguments], input=stdin, env=env | environment, capture_output=True, text=True, check=False
    )


def test_a_hook_posts_its_input(supervisor: HookServer) -> None:
    given = json.dumps({"hook_event_name": "Stop", "text": "Grüße\x00"})
    done = run(supervisor.path, "hook", "claude", stdin=given)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    ((first, headers, body),) = supervisor.requests
    assert first == "POST /hooks/claude HTTP/1.1"
    assert headers["authorization"] == "Bearer secret"
    assert headers["x-quarterdeck-session"] == "ses_1"
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == json.loads(given)


def test_a_beat_is_an_event(supervisor: HookServer) -> None:
    assert run(supervisor.path, "beat").returncode == 0
    ((first, _, body),) = supervisor.requests
    assert first == "POST /emit HTTP/1.1"
    assert json.loads(body) == {"type": "heartbeat", "payload": {}}


def test_emit_with_and_without_a_payload(supervisor: HookServer) -> None:
    assert run(supervisor.path, "emit", "progress", '{"done": "é"}').returncode == 0
    assert run(supervisor.path, "emit", "my.own-type_2").returncode == 0
    assert [json.loads(body) for _, _, body in supervisor.requests] == [
        {"type": "progress", "payload": {"done": "é"}},
        {"type": "my.own-type_2", "payload": {}},
    ]


@pytest.mark.parametrize("arguments", [["--test-alert", "high"], ["--test-alert=high"]])
def test_a_test_alert_is_an_event(supervisor: HookServer, arguments: list[str]) -> None:
    assert run(supervisor.path, "emit", *arguments).returncode == 0
    assert [json.loads(body) for _, _, body in supervisor.requests] == [
        {"type": "test_alert", "payload": {"severity": "high"}}
    ]


def test_a_megabyte_arrives_whole(supervisor: HookServer) -> None:
    given = json.dumps({"tool_input": "x" * 1_000_000})
    assert run(supervisor.path, "hook", "claude", stdin=given).returncode == 0
    assert supervisor.requests[0][2] == given.encode()


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["hook"], ["emit"], ["emit", 'a"b'], ["emit", ""], ["beat", "x"], ["x"],
        ["emit", "--test-alert"], ["emit", "--test-alert", "urgent"], ["emit", "--test-alert=low", "high"],
    ],
)  # fmt: skip
def test_wrong_usage(tmp_path: Path, arguments: list[str]) -> None:
    done = run(tmp_path / "none", *arguments)
    assert done.returncode == (0 if arguments[:1] == ["hook"] else 2)
    assert done.stdout == ""


@pytest.mark.parametrize("agent", ["../x", "a b", "claude?x"])
def test_an_agents_name_is_no_path(tmp_path: Path, agent: str) -> None:
    assert run(tmp_path / "none", "hook", agent, stdin="{}").returncode == 0
    assert "Usage" in (tmp_path / "hooks.log").read_text()


def test_without_a_supervisor_a_hook_is_silent_and_logs(tmp_path: Path) -> None:
    done = run(tmp_path / "none", "hook", "claude", stdin="{}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    log = (tmp_path / "hooks.log").read_text()
    assert "ses_1 hook claude: No supervisor answers" in log
    assert (tmp_path / "hooks.log").stat().st_mode & 0o777 == 0o600


def test_without_a_supervisor_an_event_says_so(tmp_path: Path) -> None:
    done = run(tmp_path / "none", "emit", "progress")
    assert done.returncode == 5
    assert "No supervisor answers" in done.stderr


def test_outside_of_a_session(tmp_path: Path) -> None:
    assert run(tmp_path, "beat", QUARTERDECK_SOCKET="").returncode == 2
    done = run(tmp_path, "hook", "claude", QUARTERDECK_SOCKET="")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 403 Forbidden\r\n\r\n", b"", b"nonsense\r\n", b"\xff\xfe"])
def test_a_refusal_is_said(supervisor: HookServer, answer: bytes) -> None:
    supervisor.answer = answer
    done = run(supervisor.path, "emit", "progress")
    assert done.returncode == 1
    assert "refused" in done.stderr
    assert run(supervisor.path, "hook", "claude", stdin="{}").returncode == 0
    assert "refused" in (supervisor.path.parent / "hooks.log").read_text()


def test_a_supervisor_that_hangs_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        monkeypatch.setattr(hookclient, "TIMEOUT_S", 0.05)
        monkeypatch.setenv("QUARTERDECK_SOCKET", str(path))
        with pytest.raises(hookclient.ReportError, match="No supervisor answers"):
            hookclient.post("/emit", b"{}")


def test_the_log_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUARTERDECK_SOCKET", str(tmp_path / "none"))
    monkeypatch.setattr(hookclient, "LOG_LIMIT", 100)
    for _ in range(20):
        assert hookclient.main(["hook", "a b"]) == 0
    assert (tmp_path / "hooks.log").stat().st_size < 400


def test_a_log_that_cannot_be_written_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUARTERDECK_SOCKET", str(tmp_path / "missing" / "api.sock"))
    assert hookclient.main(["hook", "a b"]) == 0
    assert list(tmp_path.iterdir()) == []


def test_requests_are_built_from_the_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    assert hookclient.request(["beat"]) == ("/emit", b'{"type":"heartbeat","payload":{}}')
    assert hookclient.request(["emit", "x"]) == ("/emit", b'{"type":"x","payload":{}}')
    assert hookclient.request(["emit", "x", "[1]"]) == ("/emit", b'{"type":"x","payload":[1]}')
    assert hookclient.main(["nonsense"]) == 2
