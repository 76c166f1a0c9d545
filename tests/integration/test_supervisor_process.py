"""The supervisor as a process of its own: started on demand, alone, stopped, and why it did not start."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from config.paths import Paths
from supervisor.cli import connection
from supervisor.cli.connection import _give_way, is_alive, is_running
from tests.support.commandline import CommandLine
from tests.support.git import repository
from tests.wait import wait_until

PROGRAM = str(Path(sys.executable).with_name("quarterdeck"))
ROOT = Path(__file__).parents[2]


@pytest.fixture
def quarterdeck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[CommandLine]:
    monkeypatch.chdir(repository(tmp_path / "shop"))
    line = CommandLine(tmp_path / "home", monkeypatch, capsys)
    monkeypatch.setenv("QUARTERDECK_HOME", str(line.home))
    yield line
    line("stop", "--all")


def spawn(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [PROGRAM, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        **options,
    )  # fmt: skip


def pid_of(paths: Paths) -> int:
    return int(paths.lock.read_text())


def test_nothing_is_started_unasked(quarterdeck: CommandLine) -> None:
    assert quarterdeck("status", "--json").json == {"running": False}
    assert "No supervisor runs" in quarterdeck("status").out
    assert quarterdeck("stop", "--json").json == {"stopping": False, "sessions_stopped": 0}
    for command in (["sessions"], ["queue"], ["run", "--", "true"], ["attach", "x"], ["agents"]):
        printed = quarterdeck(command[0], "--no-start", *command[1:])
        assert printed.code == 5, command
    assert json.loads(quarterdeck("sessions", "--no-start", "--json").out)["error"]["code"] == "supervisor_unreachable"
    assert not quarterdeck.paths.socket.exists()


def test_many_commands_at_once_start_one_supervisor(quarterdeck: CommandLine) -> None:
    commands = [spawn("sessions", "--json") for _ in range(8)]
    answers = [(*command.communicate(timeout=50), command.returncode) for command in commands]
    assert [(json.loads(out), err, code) for out, err, code in answers] == [({"sessions": []}, "", 0)] * 8
    assert quarterdeck("status", "--json").json["pid"] == pid_of(quarterdeck.paths)
    assert quarterdeck.paths.log.read_text().count("Started server process") == 1


def test_what_a_crash_left_behind_is_no_hindrance(quarterdeck: CommandLine) -> None:
    paths = quarterdeck.paths
    paths.create()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(paths.socket))
    paths.lock.write_text("1")
    assert not is_running(paths)
    assert not is_alive(paths)
    assert quarterdeck("sessions").code == 0


def test_a_relative_home_means_the_callers(quarterdeck: CommandLine) -> None:
    quarterdeck.monkeypatch.chdir(quarterdeck.home.parent)
    done = subprocess.run(
        [PROGRAM, "status"], env={**os.environ, "QUARTERDECK_HOME": "home"}, capture_output=True, check=True
    )
    assert b"No supervisor" in done.stdout
    relative = {**os.environ, "QUARTERDECK_HOME": "home"}
    subprocess.run([PROGRAM, "sessions"], env=relative, capture_output=True, check=True, timeout=50)
    assert quarterdeck("status", "--json").json["home"] == str(quarterdeck.home)


def test_sessions_go_on_without_it_and_end_with_stop_all(quarterdeck: CommandLine) -> None:
    started = quarterdeck("run", "--name", "long", "--json", "--", "sh", "-c", "echo $$; exec sleep 300").json
    wait_until(lambda: quarterdeck("sessions", "logs", "long").out.strip(), 10, "the session's pid")
    pid = int(quarterdeck("sessions", "logs", "long").out)
    assert quarterdeck("stop").code == 0
    assert not is_alive(quarterdeck.paths)
    os.kill(pid, 0)
    # At once again: what is still stopping is waited for.
    found = quarterdeck.session("long")
    assert (found["id"], found["status"], found["attempts"]) == (started["session"]["id"], "running", 1)
    assert quarterdeck("stop").code == 0
    assert quarterdeck("stop", "--all", "--json").json["sessions_stopped"] == 1
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert quarterdeck.session("long")["status"] == "cancelled"


def test_a_second_one_in_the_foreground_is_refused(quarterdeck: CommandLine) -> None:
    quarterdeck("sessions")
    second = spawn("serve")
    _, err = second.communicate(timeout=30)
    assert second.returncode == 4
    assert f"already runs (pid {pid_of(quarterdeck.paths)})" in err
    assert "Traceback" not in err


def test_a_signal_stops_it_soon_though_streams_are_open(quarterdeck: CommandLine) -> None:
    server = spawn("serve")
    wait_until(lambda: is_running(quarterdeck.paths), 20, "the supervisor")
    followers = [spawn("events", "--follow", "--json") for _ in range(3)]
    wait_until(lambda: sockets(server.pid) >= 4, 20, "open streams")
    server.send_signal(signal.SIGTERM)
    server.communicate(timeout=10)
    assert server.returncode == 0
    for follower in followers:
        follower.send_signal(signal.SIGINT)
        out, err = follower.communicate(timeout=10)
        assert (follower.returncode, out, err.strip()) == (130, "", "")


def sockets(pid: int) -> int:
    links = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # It was closed in this moment.
            links.append(str(link.readlink()))
    listening = Path("/proc/net/unix").read_text()
    return sum(1 for link in links if link.startswith("socket:") and link[8:-1] in listening)


def test_a_follower_sees_every_number_across_a_restart(quarterdeck: CommandLine) -> None:
    quarterdeck("emit", "progress", '{"n": 0}')
    follower = spawn("events", "--follow", "--json", "--after", "0", "--type", "progress")
    assert follower.stdout is not None
    assert json.loads(follower.stdout.readline())["payload"] == {"n": 0}
    os.kill(pid_of(quarterdeck.paths), signal.SIGKILL)
    wait_until(lambda: not is_alive(quarterdeck.paths), 10, "its end")
    quarterdeck("emit", "progress", '{"n": 1}')
    assert json.loads(follower.stdout.readline())["payload"] == {"n": 1}
    follower.send_signal(signal.SIGINT)
    assert follower.wait(10) == 130
    follower.communicate()


def test_an_interrupted_wait_leaves_the_session_alone(quarterdeck: CommandLine) -> None:
    quarterdeck("sessions")
    waiting = spawn("run", "--name", "long", "--wait", "--", "sleep", "300")
    wait_until(lambda: "long" in quarterdeck("sessions").out, 10, "the session")
    wait_until(lambda: quarterdeck.session("long")["status"] == "running", 10, "it runs")
    waiting.send_signal(signal.SIGINT)
    out, err = waiting.communicate(timeout=10)
    assert (waiting.returncode, out, err.strip()) == (130, "", "")
    assert quarterdeck.session("long")["status"] == "running"


def test_a_wait_goes_on_over_a_kill_of_the_supervisor(quarterdeck: CommandLine) -> None:
    waiting = spawn(
        "run", "--name", "w", "--wait", "--json", "--", "sh", "-c", "while ! test -e go; do sleep 0.05; done"
    )
    wait_until(lambda: is_running(quarterdeck.paths) and "w " in quarterdeck("sessions").out, 20, "the session")
    wait_until(lambda: quarterdeck.session("w")["status"] == "running", 10, "it runs")
    os.kill(pid_of(quarterdeck.paths), signal.SIGKILL)
    wait_until(lambda: not is_alive(quarterdeck.paths), 10, "its end")
    worktree = quarterdeck.session("w")["worktree"]
    (Path(worktree) / "go").touch()
    out, err = waiting.communicate(timeout=30)
    assert (waiting.returncode, err) == (0, "")
    assert json.loads(out)["session"]["status"] == "completed"


def test_a_supervisor_that_comes_second_does_not_wait_for_its_turn(quarterdeck: CommandLine) -> None:
    quarterdeck("sessions")
    second = subprocess.Popen(["sleep", "300"])
    _give_way(quarterdeck.paths, second)
    assert second.wait(10) == -signal.SIGTERM
    with subprocess.Popen(["sleep", "300"]) as first:
        quarterdeck.paths.lock.write_text(str(first.pid))
        _give_way(quarterdeck.paths, first)
        assert first.poll() is None
        first.kill()


def test_a_broken_configuration_is_said_and_nothing_starts(quarterdeck: CommandLine) -> None:
    quarterdeck.paths.create()
    quarterdeck.paths.config_file.write_text("queue:\n  concurrent: many\n")
    printed = quarterdeck("sessions", "--json")
    assert printed.code == 5
    assert "queue.concurrent" in printed.json["error"]["message"]
    assert "config.yaml" in printed.json["error"]["message"]
    assert "Traceback" not in quarterdeck.paths.log.read_text()
    checked = quarterdeck("config", "check", "--json")
    assert checked.code == 2
    assert checked.json["error"]["code"] == "invalid_config"
    quarterdeck.paths.config_file.unlink()


@pytest.mark.parametrize("kind", ["damaged", "newer"])
def test_a_database_that_cannot_be_used_is_said_and_left_alone(quarterdeck: CommandLine, kind: str) -> None:
    database = quarterdeck.paths.database
    quarterdeck("sessions")
    quarterdeck("stop")
    for extra in database.parent.glob("quarterdeck.db-*"):
        extra.unlink()
    if kind == "damaged":
        database.write_bytes(b"not a database, but long enough to be taken for one" * 100)
    else:
        with sqlite3.connect(database) as conn:
            conn.execute("PRAGMA user_version = 9999")
        conn.close()
    before = database.read_bytes()
    printed = quarterdeck("sessions")
    assert printed.code == 5
    assert re.search("database", printed.err)
    assert "Traceback" not in printed.err + quarterdeck.paths.log.read_text()
    assert database.read_bytes() == before
    database.unlink()


def test_a_supervisor_that_never_answers_is_given_up(quarterdeck: CommandLine) -> None:
    quarterdeck.monkeypatch.setattr(connection, "START_TIMEOUT_S", 0.05)
    printed = quarterdeck("sessions")
    assert printed.code == 5
    assert "it said nothing" in printed.err
    quarterdeck.monkeypatch.undo()
    os.environ["QUARTERDECK_HOME"] = str(quarterdeck.home)
    wait_until(lambda: is_running(quarterdeck.paths), 20, "the late supervisor")


def test_systemd_is_told_when_it_is_ready_alive_and_stopping(quarterdeck: CommandLine, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        server = spawn(
            "serve", env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
        )
        assert manager.recv(100) == b"READY=1"
        assert is_running(quarterdeck.paths)
        assert [manager.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        quarterdeck("run", "--name", "env", "--wait", "--", "sh", "-c", "echo ${NOTIFY_SOCKET-none}")
        assert quarterdeck("sessions", "logs", "env").out == "none\n"
        server.send_signal(signal.SIGTERM)
        told = [manager.recv(100)]
        while told[-1] != b"STOPPING=1":
            told.append(manager.recv(100))
        server.communicate(timeout=10)
        assert server.returncode == 0


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_the_unit_file_is_one(tmp_path: Path) -> None:
    text = (ROOT / "deploy/systemd/quarterdeck.service").read_text()
    assert {"Type=notify", "KillMode=process", "OOMPolicy=continue"} < set(text.splitlines())
    unit = tmp_path / "quarterdeck.service"
    unit.write_text(text.replace("%h/.local/bin/quarterdeck", PROGRAM))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.tmux
def test_a_terminal_session_is_entered_and_left_again(quarterdeck: CommandLine, tmp_path: Path) -> None:
    quarterdeck(
        "run", "--name", "term", "--mode", "dispatch", "--", "sh", "-c", "echo welcome; read x; echo got $x; sleep 300"
    )
    wait_until(lambda: "welcome" in quarterdeck("sessions", "logs", "term").out, 20, "the session's greeting")
    assert "needs a terminal" in quarterdeck("attach", "term").err
    screen = ["tmux", "-S", str(tmp_path / "person.sock")]

    def shown() -> str:
        return subprocess.run([*screen, "capture-pane", "-p"], capture_output=True, text=True, check=True).stdout

    environment = {**os.environ, "TERM": "xterm-256color"}
    environment.pop("TMUX", None)
    subprocess.run(
        [*screen, "-f", os.devnull, "new-session", "-d", "-x", "90", "-y", "20", "sh"], env=environment, check=True
    )
    try:
        # The person's own tmux keeps its prefix; the inner one is reached by typing into it.
        subprocess.run([*screen, "set", "-g", "prefix", "C-a"], check=True)
        subprocess.run([*screen, "send-keys", f"TMUX= {PROGRAM} attach term; echo left", "Enter"], check=True)
        wait_until(lambda: "welcome" in shown(), 20, "the session's screen")
        subprocess.run([*screen, "send-keys", "hello", "Enter"], check=True)
        wait_until(lambda: "got hello" in shown(), 10, "the answer")
        subprocess.run([*screen, "send-keys", "C-b", "d"], check=True)
        wait_until(lambda: "\nleft" in shown(), 10, "the person's own shell")
    finally:
        subprocess.run([*screen, "kill-server"], check=True)
    assert quarterdeck.session("term")["status"] == "running"


COMPLETE = """
eval "$({program} completion bash)"
complete -p quarterdeck
COMP_WORDS=({words})
COMP_CWORD={last}
_quarterdeck_completion quarterdeck
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize(
    ("words", "expected"),
    [("quarterdeck sess", "sessions"), ("quarterdeck sessions ex", "explain"), ("quarterdeck run --exe", "--executor"),
     ("quarterdeck nonsense x", "")],
)  # fmt: skip
def test_bash_completes(words: str, expected: str) -> None:
    script = COMPLETE.format(program=PROGRAM, words=words, last=len(words.split()) - 1)
    environment = {**os.environ, "PATH": f"{Path(PROGRAM).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=30, check=True, env=environment
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[1:] == ([expected] if expected else [""])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_completion_script(quarterdeck: CommandLine, shell: str) -> None:
    printed = quarterdeck("completion", shell)
    assert printed.code == 0
    assert "_QUARTERDECK_COMPLETE" in printed.out
