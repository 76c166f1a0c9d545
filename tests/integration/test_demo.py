from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.cli.demonstration import story
from supervisor.cli.main import run
from tests.support.terminal import Terminal
from tests.wait import wait_until

COMMAND = [sys.executable, "-m", "supervisor.cli.main", "demo"]


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    """Somebody without a home, a git identity or a terminal, whose temporary folder can be looked into."""
    temporary = tmp_path / "tmp"
    temporary.mkdir(exist_ok=True)
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(temporary), **more}


def demo(tmp_path: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(tmp_path, **more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., int]]:
    """Run the demonstration in this process."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    monkeypatch.setattr(tempfile, "tempdir", environment(tmp_path)["TMPDIR"])
    monkeypatch.setenv("QUARTERDECK_QUEUE__CONCURRENT", "1")  # what a person configured has no say in it
    yield lambda *arguments: run(["demo", *arguments])
    for number, handler in handlers.items():
        signal.signal(number, handler)


def processes(folder: Path) -> list[str]:
    """Return the command lines of what runs and speaks of a folder, by itself or by its environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in text and int(process.name) != os.getpid():
            found.append((process / "cmdline").read_text())
    return found


def leaves_nothing(tmp_path: Path) -> None:
    assert list((tmp_path / "tmp").iterdir()) == []
    wait_until(lambda: not processes(tmp_path / "tmp"), 10, "all processes of the demonstration are gone")


def only(tmp_path: Path, *tools: str) -> str:
    """Return a PATH on which there are only these tools."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in tools:
        (folder / tool).symlink_to(str(shutil.which(tool)))
    return str(folder)


def by_name(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {session["name"]: session for session in document["sessions"]}


@pytest.mark.tmux
def test_all_of_it_works_and_nothing_is_left_behind(
    tmp_path: Path, here: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "demo.svg"
    before = dict(os.environ)
    code = here("--headless", "--picture", str(picture))
    printed = capsys.readouterr().out
    assert code == 0, printed
    assert dict(os.environ) == before
    assert "✓ All 12 checks hold" in printed
    assert re.search(r"write-guide +✓ completed +tmux", printed)
    assert re.search(r"took over [34] sessions of \d+: 0 lost, 0 started", printed)
    assert max(map(len, printed.splitlines())) <= 80
    assert "\x1b" not in printed
    assert "fix-lamp" in picture.read_text()
    leaves_nothing(tmp_path)


@pytest.mark.tmux
def test_the_summary_for_programs_is_one_document_about_real_sessions(tmp_path: Path) -> None:
    done = demo(tmp_path, "--json", "--keep")
    document = json.loads(done.stdout)
    assert (done.returncode, document["ok"], document["skipped"]) == (0, True, [])
    sessions = by_name(document)
    assert {name: session["status"] for name, session in sessions.items()} == {
        "fix-lamp": "completed",
        "fog-horn": "completed",
        "paint-tower": "failed",
        "write-guide": "completed",
        "count-stars": "cancelled",
    }
    kept = Path(document["kept"])
    repository = kept / "lighthouse"
    assert "-lt 18" in subprocess.check_output(["git", "show", "main:lamp.sh"], cwd=repository, text=True)
    log = Path(sessions["fix-lamp"]["log_path"]).read_text()
    assert "3 tests passed" in log
    wait_until(lambda: not processes(kept), 10, "nothing runs in what was kept")
    shutil.rmtree(kept)


def test_without_tmux_that_session_is_said_to_be_skipped_and_runs_as_a_process(
    tmp_path: Path,
    here: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", only(tmp_path, "git", "sh", "ls", "sleep"))
    code = here("--json")
    document = json.loads(capsys.readouterr().out)
    assert (code, document["ok"]) == (0, True), document["checks"]
    assert "tmux is not installed" in document["skipped"][0]
    assert "apt install tmux" in document["skipped"][0]
    assert by_name(document)["write-guide"]["executor"] == "local"
    leaves_nothing(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_one_ends_and_removes_everything(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [*COMMAND, "--headless"],
        env=environment(tmp_path, PYTHONUNBUFFERED="1"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if "sh test.sh" in line:
                break
        running.send_signal(number)
        rest = running.communicate(timeout=40)[0]
    assert running.returncode == 130, rest
    assert "Traceback" not in rest
    leaves_nothing(tmp_path)


def test_what_does_not_work_is_said_and_is_the_exit_code(
    tmp_path: Path,
    here: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(story, "AT_ONCE", 9)
    monkeypatch.setattr(story, "PATIENCE_S", 1.0)
    code = here("--json")
    document = json.loads(capsys.readouterr().out)
    assert (code, document["ok"]) == (1, False)
    [check] = document["checks"]
    assert "not seen that 9 sessions work at once" in check["detail"]
    leaves_nothing(tmp_path)


def test_without_git_it_says_what_to_install(tmp_path: Path) -> None:
    done = demo(tmp_path, PATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert "git is not installed" in done.stderr
    leaves_nothing(tmp_path)


@pytest.mark.tmux
def test_a_terminal_sees_the_sessions_live_and_then_the_summary(tmp_path: Path) -> None:
    shown = environment(tmp_path, TERM="xterm-256color", LANG="C.UTF-8", NO_COLOR="1")
    command = " ".join(COMMAND)
    terminal = Terminal(tmp_path / "tmux.sock", ["sh", "-c", f"{command}; echo code=$?; sleep 60"], tmp_path, shown)
    try:
        wait_until(
            lambda: "runs in" in terminal.screen()[1] and "● running" in terminal.screen()[1], 20, "live picture"
        )
        wait_until(lambda: "code=0" in terminal.screen()[1], 50, "the summary")
        screen = terminal.screen()[1]
        assert "✓ All 12 checks hold" in screen
        assert "runs in" not in screen, "the live picture gives way to the summary"
    finally:
        terminal.run("kill-server")
