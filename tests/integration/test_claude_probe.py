"""The probe of a Claude program: the real one passes, and stand-ins that misbehave are refused."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from executors.agents import claude_probe
from executors.agents.claude_probe import probe
from executors.agents.program import SCRIPTED
from supervisor.model.errors import Refused
from tests.support.real_agents import real

FAKE = """
import json, os, pathlib, sys, urllib.request
if "--version" in sys.argv:
    print("1.0", open(sys.argv[0] + ".calls", "a").write("v"))
    raise SystemExit
def post(messages):
    body = json.dumps({"messages": messages, "tools": [1], "stream": True}).encode()
    url = os.environ["ANTHROPIC_BASE_URL"] + "/v1/messages"
    with urllib.request.urlopen(urllib.request.Request(url, body)) as answer:
        return answer.read().decode()
def out(**line):
    print(json.dumps(line), flush=True)
sys.stdin.readline()
called = post([])
command = json.loads(json.loads(called.split("data: ")[3].split("\\n")[0])["delta"]["partial_json"])["command"]
BODY
out(type="result", subtype="success", is_error=False, result="")
sys.stdin.read()
"""
ASK = """
request = {"subtype": "can_use_tool", "tool_name": "Bash", "input": {"command": command}}
out(type="control_request", request_id="r", request=request)
message = json.loads(sys.stdin.readline())["response"]["response"]["message"]
post([{"type": "tool_result", "content": message}])
"""

Fake = Callable[[str], list[str]]


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    def fake(body: str) -> list[str]:
        program = tmp_path / "claude"
        program.write_text(f"#!{sys.executable}{FAKE.replace('BODY', body)}")
        program.chmod(0o755)
        return [str(program)]

    return fake


def check(argv: list[str], tmp_path: Path) -> None:
    asyncio.run(probe(argv, {"PATH": os.environ["PATH"]}, tmp_path / "cache"))


def cached(tmp_path: Path) -> int:
    return len(list((tmp_path / "cache").glob("*.json")))


@pytest.mark.claude
def test_the_real_one_passes_and_is_checked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    argv = list(real("claude").command)
    check(argv, tmp_path)
    assert cached(tmp_path) == 1
    monkeypatch.setattr(claude_probe, "_check", None)
    check(argv, tmp_path)


def test_one_that_asks_and_obeys_passes_until_it_changes(fake: Fake, tmp_path: Path) -> None:
    check(fake(ASK), tmp_path)
    check(fake(ASK + "\n"), tmp_path)
    assert cached(tmp_path) == 2


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (ASK + "os.system(command)", "ran a command that was denied"),
        ("os.system(command)", "ran a command that was denied"),
        (ASK + "open('hooked', 'w')", "ran a hook of a repository"),
        ("", "did not ask"),
        (ASK.replace("message}", "'done'}"), "did not ask before a command, or not as expected"),
        ("raise SystemExit(1)", "did not ask"),
        ("print('x' * 9_000_000)", "a line that is too long"),
    ],
)
def test_one_that_does_not_obey_is_refused(fake: Fake, tmp_path: Path, body: str, reason: str) -> None:
    with pytest.raises(Refused, match=reason) as refused:
        check(fake(body), tmp_path)
    assert refused.value.hint
    assert cached(tmp_path) == 0


def test_one_that_hangs_is_refused(fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claude_probe, "TIMEOUT_S", 2.0)
    with pytest.raises(Refused, match="did not end a turn within"):
        check(fake("sys.stdin.read()"), tmp_path)


def test_one_that_cannot_be_started_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="was not found"):
        check([str(tmp_path / "none")], tmp_path)
    broken = tmp_path / "broken"
    broken.write_text("#!/no/such/interpreter\n")
    broken.chmod(0o755)
    with pytest.raises(Refused, match="cannot be started"):
        check([str(broken)], tmp_path)


def test_the_scripted_agent_needs_none(tmp_path: Path) -> None:
    check([sys.executable, "-I", "-S", str(SCRIPTED)], tmp_path)
    assert cached(tmp_path) == 0
