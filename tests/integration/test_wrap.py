"""`wrap` and the other commands for tools, as processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from executors.runner.identity import running
from supervisor.cli import tools
from supervisor.cli.main import run
from tests.support.hook_server import HookServer
from tests.wait import wait_until

PROGRAM = str(Path(sys.executable).with_name("quarterdeck"))


def wrap(*arguments: str, timeout: float = 30, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, "wrap", *arguments], capture_output=True, text=True, timeout=timeout, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -15 $$", 143)])
def test_the_exit_code_is_the_commands(script: str, code: int) -> None:
    assert wrap("--", "sh", "-c", script).returncode == code


def test_output_and_input_are_the_commands_own() -> None:
    done = subprocess.run(
        [PROGRAM, "wrap", "--", "sh", "-c", "cat; echo --json $#", "--json"], input="in\n", capture_output=True,
        text=True, timeout=30, check=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("in\n--json 0\n", "")


def test_a_command_that_is_not_there_is_said() -> None:
    done = wrap("--", "no-such-program")
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot be started" in done.stderr
    assert wrap("--timeout", "-1", "--", "true").returncode == 2
    assert wrap().returncode == 2


def test_a_timeout_ends_the_whole_tree_also_what_left_the_group(tmp_path: Path) -> None:
    marker = f"4242{os.getpid()}"
    script = f"trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep {marker}' & (sleep {marker} &) ; wait"
    began = time.monotonic()
    done = wrap("--timeout", "0.5", "--", "sh", "-c", script, timeout=40)
    assert done.returncode == 124
    assert "ran longer than 0.5 s" in done.stderr
    assert time.monotonic() - began < 20
    left = [pid for pid in running() if marker in command_line(pid)]
    assert left == []


def command_line(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


def test_signals_are_passed_on(tmp_path: Path) -> None:
    script = "trap 'echo told; exit 5' TERM; echo ready; while :; do sleep 0.05; done"
    child = subprocess.Popen([PROGRAM, "wrap", "--", "sh", "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGTERM)
    assert child.communicate(timeout=20)[0] == "told\n"
    assert child.returncode == 5


def test_heartbeats_are_sent_while_it_runs(tmp_path: Path) -> None:
    with contextlib.closing(HookServer(tmp_path / "s.sock")) as server:
        done = wrap("--heartbeat", "0.05", "--", "sleep", "0.6", QUARTERDECK_SOCKET=str(tmp_path / "s.sock"))
        assert done.returncode == 0
        wait_until(lambda: len(server.requests) >= 3, 10, "heartbeats")
        assert server.requests[0][0].startswith("POST /emit ")


async def test_in_this_process_too(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "become_subreaper", lambda: None)
    monkeypatch.setattr(tools, "GRACE_S", 0.2)
    assert await tools._wrap(30, None, ("sh", "-c", "exit 3")) == 3
    assert await tools._wrap(30, None, ("sh", "-c", "kill -9 $$")) == 137
    stubborn = ("sh", "-c", "trap '' TERM; while :; do sleep 0.05; done")
    monkeypatch.setattr(tools, "descendants", own_children)
    assert await tools._wrap(30, 0.3, stubborn) == 124
    assert "ran longer" in capfd.readouterr().err
    loop = asyncio.get_running_loop()
    loop.call_later(0.3, os.kill, os.getpid(), signal.SIGHUP)
    assert await tools._wrap(30, None, ("sleep", "60")) == 129
    monkeypatch.setenv("QUARTERDECK_SOCKET", "/nowhere.sock")
    assert await tools._wrap(0.05, None, ("sleep", "0.2")) == 0


def own_children() -> list[int]:
    from executors.runner.identity import below

    return below({os.getpid()}, running())


def test_wrap_and_hook_through_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(["wrap", "--", "true"]) == 0
    assert run(["wrap", "--", "no-such-program"]) == 1
    monkeypatch.setenv("QUARTERDECK_SOCKET", "/nowhere.sock")
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert run(["hook", "claude"]) == 0
