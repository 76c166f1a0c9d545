"""What commands do when the supervisor, the output, a folder or a repository fails them."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.paths import Paths
from supervisor.api.client import Client
from supervisor.cli.connection import is_alive, is_running
from supervisor.model.errors import SupervisorUnreachable
from tests.support.commandline import CommandLine
from tests.support.git import git, repository
from tests.wait import wait_until

pytestmark = pytest.mark.timeout(90)

PROGRAM = str(Path(sys.executable).with_name("quarterdeck"))
UNTIL_GO = "while ! test -e go; do sleep 0.05; done; echo went"


@pytest.fixture
def quarterdeck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[CommandLine]:
    monkeypatch.chdir(repository(tmp_path / "shop"))
    line = CommandLine(tmp_path / "home", monkeypatch, capsys)
    monkeypatch.setenv("QUARTERDECK_HOME", str(line.home))
    yield line
    line("stop", "--all")


def spawn(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [PROGRAM, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def shell(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=50, check=False)


def pid_of(paths: Paths) -> int:
    return int(paths.lock.read_text())


def kill(paths: Paths) -> int:
    pid = pid_of(paths)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_alive(paths), 10, "its end")
    return pid


def running(quarterdeck: CommandLine, name: str) -> Path:
    wait_until(lambda: quarterdeck("sessions", "show", name).code == 0, 20, "the session")
    wait_until(lambda: quarterdeck.session(name)["status"] == "running", 20, "it runs")
    return Path(quarterdeck.session(name)["worktree"])


async def answer(paths: Paths, *, timeout_s: float) -> None:
    async with Client(paths.socket, paths.token_file, timeout_s=timeout_s) as client:
        await client.get("/queue")


def test_a_supervisor_that_hangs_is_told_soon(quarterdeck: CommandLine) -> None:
    quarterdeck("sessions")
    pid = pid_of(quarterdeck.paths)
    os.kill(pid, signal.SIGSTOP)
    try:
        status = quarterdeck("status", "--json")
        assert status.code == 0
        assert (status.json["running"], status.json["health"], status.json["pid"]) == (True, "unhealthy", pid)
        assert f"does not answer (pid {pid})" in quarterdeck("status").out
        with pytest.raises(SupervisorUnreachable, match=r"did not answer in time.*kill it"):
            asyncio.run(answer(quarterdeck.paths, timeout_s=0.2))
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: quarterdeck("status", "--json").json["health"] == "healthy", 20, "it answers again")


def test_a_wait_starts_a_killed_supervisor_again(quarterdeck: CommandLine) -> None:
    waiting = spawn("run", "--name", "w", "--wait", "--json", "--", "sh", "-c", UNTIL_GO)
    worktree = running(quarterdeck, "w")
    kill(quarterdeck.paths)
    wait_until(lambda: is_running(quarterdeck.paths), 20, "another supervisor")
    (worktree / "go").touch()
    out, err = waiting.communicate(timeout=30)
    assert (waiting.returncode, err) == (0, "")
    assert json.loads(out)["session"]["status"] == "completed"


def test_a_followed_log_starts_a_killed_supervisor_again(quarterdeck: CommandLine) -> None:
    quarterdeck("run", "--name", "w", "--", "sh", "-c", f"echo began; {UNTIL_GO}")
    worktree = running(quarterdeck, "w")
    following = spawn("sessions", "logs", "--follow", "w")
    assert following.stdout is not None
    assert following.stdout.readline() == "began\n"
    kill(quarterdeck.paths)
    wait_until(lambda: is_running(quarterdeck.paths), 20, "another supervisor")
    (worktree / "go").touch()
    out, err = following.communicate(timeout=30)
    assert (following.returncode, out, err) == (0, "went\n", "")


def test_followed_events_start_a_killed_supervisor_again(quarterdeck: CommandLine) -> None:
    quarterdeck("emit", "progress", '{"n": 0}')
    following = spawn("events", "--follow", "--json", "--after", "0", "--type", "progress")
    assert following.stdout is not None
    assert json.loads(following.stdout.readline())["payload"] == {"n": 0}
    kill(quarterdeck.paths)
    wait_until(lambda: is_running(quarterdeck.paths), 20, "another supervisor")
    quarterdeck("emit", "progress", '{"n": 1}')
    assert json.loads(following.stdout.readline())["payload"] == {"n": 1}
    following.send_signal(signal.SIGINT)
    following.communicate(timeout=10)


def test_with_no_start_nothing_is_started_again(quarterdeck: CommandLine) -> None:
    quarterdeck("run", "--name", "w", "--", "sh", "-c", f"echo began; {UNTIL_GO}")
    running(quarterdeck, "w")
    following = spawn("events", "--follow", "--no-start", "--after", "0")
    assert following.stdout is not None
    following.stdout.readline()
    kill(quarterdeck.paths)
    with pytest.raises(subprocess.TimeoutExpired):
        following.communicate(timeout=1)
    assert not is_running(quarterdeck.paths)
    following.send_signal(signal.SIGINT)
    following.communicate(timeout=10)


def test_output_that_was_closed_or_is_full_is_no_traceback(quarterdeck: CommandLine) -> None:
    quarterdeck("sessions")
    closed = shell(f"{PROGRAM} sessions >&-; echo $?")
    assert (closed.stdout, closed.stderr) == ("0\n", "")
    assert shell(f"{PROGRAM} sessions <&- >&- 2>&-; echo $?").stdout == "0\n"
    for command in ("sessions --json", "sessions", "audit export"):
        full = shell(f"{PROGRAM} {command} >/dev/full")
        assert full.returncode == 1, command
        assert full.stderr == (
            "quarterdeck: The output cannot be written: No space left on device. Is its disk full?\n"
        ), command


def test_a_prompt_file_that_never_ends_is_refused(quarterdeck: CommandLine) -> None:
    for command in ("run --prompt-file /dev/zero", "run --prompt-file - </dev/zero"):
        endless = shell(f"{PROGRAM} {command}")
        assert (endless.returncode, "at most 1 MiB" in endless.stderr) == (2, True), endless.stderr


def test_the_module_reports_for_its_session_too(quarterdeck: CommandLine) -> None:
    module = f"{sys.executable} -m supervisor.cli.main"
    script = f"{module} beat && {module} emit progress '{{\"done\": 1}}'"
    session = quarterdeck("run", "--name", "tool", "--wait", "--json", "--", "sh", "-c", script).json["session"]
    assert session["status"] == "completed", quarterdeck("sessions", "logs", "tool").out
    assert session["last_heartbeat_at"] is not None
    events = quarterdeck("events", "--session", "tool", "--type", "progress", "--json").json["events"]
    assert [event["payload"] for event in events] == [{"done": 1}]


@pytest.mark.parametrize("branch", ["-x", "a..b", "", "a b", "x.lock", "HEAD"])
def test_what_cannot_be_a_branch_is_refused_at_once(quarterdeck: CommandLine, branch: str) -> None:
    printed = quarterdeck("run", f"--branch={branch}", "--json", "--", "true")
    assert (printed.code, "branch" in printed.json["error"]["message"]) == (2, True)
    assert quarterdeck("sessions", "--json").json["sessions"] == []


def test_an_empty_command_is_refused_at_once(quarterdeck: CommandLine) -> None:
    printed = quarterdeck("run", "--json", "--", "")
    assert (printed.code, printed.json["error"]["message"]) == (2, "The command's name is empty.")


def test_a_branch_is_merged_though_its_worktree_is_gone(quarterdeck: CommandLine) -> None:
    where = Path.cwd()
    for key, value in (("user.name", "Ada"), ("user.email", "ada@example.org")):
        git(where, "config", key, value)
    quarterdeck("run", "--name", "work", "--wait", "--", "sh", "-c", "echo new > new.txt")
    quarterdeck("commit", "work", "-m", "Work")
    session = quarterdeck.session("work")
    shutil.rmtree(session["worktree"])
    refused = quarterdeck("diff", "work")
    assert (refused.code, "if that is still there" in refused.err) == (3, True)
    assert "Merged" in quarterdeck("merge", "work").out
    assert (where / "new.txt").read_text() == "new\n"
    git(where, "worktree", "prune")
    git(where, "branch", "-D", session["branch"])
    gone = quarterdeck("merge", "work")
    assert (gone.code, session["branch"] in gone.err) == (3, True), gone.err


@pytest.mark.parametrize("fate", ["moved", "deleted"])
def test_sessions_of_a_lost_repository_are_archived(quarterdeck: CommandLine, tmp_path: Path, fate: str) -> None:
    where = Path.cwd()
    quarterdeck("run", "--name", "work", "--wait", "--", "sh", "-c", "echo new > new.txt")
    worktree = Path(quarterdeck.session("work")["worktree"])
    os.chdir(tmp_path)
    if fate == "moved":
        where.rename(tmp_path / "elsewhere")
    else:
        shutil.rmtree(where)
    archived = quarterdeck("archive", "work", "--json")
    assert archived.code == 0, archived.err
    assert archived.json["worktree_kept"] is True
    assert archived.json["detail"]
    assert archived.json["detail"] in archived.json["session"]["status_reason"]["text"]
    assert (worktree / "new.txt").read_text() == "new\n"
    removed = quarterdeck("project", "remove", "shop")
    assert (removed.code, "does no harm" in removed.err) == (4, True)


def test_what_is_kept_is_for_its_owner_only(quarterdeck: CommandLine) -> None:
    umask = os.umask(0o022)
    try:
        session = quarterdeck("run", "--name", "w", "--wait", "--json", "--", "true").json["session"]
        paths = quarterdeck.paths
        folder = Path(session["log_path"]).parent
        private = [folder / "metadata.json", paths.state / "audit.anchor", paths.lock, paths.run / "host.log"]
        assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in private} == {
            file.name: 0o600 for file in private
        }
    finally:
        os.umask(umask)


def test_an_agents_log_is_a_transcript(quarterdeck: CommandLine) -> None:
    steps = json.dumps([{"say": "Looking."}, {"say": "Done."}])
    done = quarterdeck("run", "--name", "agent", "--wait", "--agent", "scripted", "--prompt", steps)
    assert done.code == 0, done.out
    shown = quarterdeck("sessions", "logs", "agent").out
    lines = shown.splitlines()
    assert '{"' not in "".join(lines[lines.index("Looking.") :])
    assert "Done." in lines
    assert quarterdeck("sessions", "logs", "agent", "--follow").out == shown
    raw = quarterdeck("sessions", "logs", "agent", "--raw").out
    stored = quarterdeck("sessions", "logs", "agent", "--json").json["lines"]
    assert raw.splitlines() == [line["text"] for line in stored]
    assert raw != shown
