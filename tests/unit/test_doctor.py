from __future__ import annotations

import os
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from config.paths import Paths
from config.profiles import AgentProfile
from config.settings import Docker, Settings, Storage
from executors import doctor
from executors.check import Check
from executors.doctor import examine


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.below(tmp_path / "home", {})


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH; programs in it are shell scripts."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def install(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def runs(pid_file: Path) -> bool:
    return Path("/proc", pid_file.read_text().strip()).exists()


async def look(paths: Paths, settings: Settings | None = None, **more: Any) -> dict[str, Check]:
    checks = await examine(paths, settings or Settings(), **{"environ": {}, **more})
    assert all(check.hint for check in checks if check.status == "error")
    return {check.name: check for check in checks}


async def test_on_this_machine_everything_needed_is_fine(paths: Paths) -> None:
    found = await look(paths)
    assert [found[name].status for name in ("git", "sqlite", "disk", "sockets", "secrets")] == ["ok"] * 5


@pytest.mark.parametrize(
    ("printed", "status"),
    [
        ("git version 2.39.5", "ok"),
        ("git version 2.47.1 (Apple Git-1)", "ok"),
        ("git version 2.37.9", "warning"),
        ("git version 1.8.3.1", "warning"),
        ("", "warning"),
    ],
)
async def test_git_versions(paths: Paths, programs: Path, printed: str, status: str) -> None:
    install(programs, "git", f"echo '{printed}'")
    assert (await look(paths))["git"].status == status


@pytest.mark.parametrize(
    ("printed", "status"),
    [
        ("tmux 3.3a", "ok"),
        ("tmux next-3.4", "ok"),
        ("tmux 3.2", "ok"),
        ("tmux 3.1c", "warning"),
        ("tmux 2.9", "warning"),
    ],
)
async def test_tmux_versions(paths: Paths, programs: Path, printed: str, status: str) -> None:
    install(programs, "tmux", f"echo '{printed}'")
    assert (await look(paths))["tmux"].status == status


async def test_what_is_missing_says_how_to_get_it(paths: Paths, programs: Path) -> None:
    found = await look(paths)
    assert (found["git"].status, found["tmux"].status) == ("error", "warning")
    assert "apt install git" in found["git"].hint
    assert "apt install tmux" in found["tmux"].hint


async def test_a_program_that_hangs_is_given_up_and_ended(
    paths: Paths, programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "DEADLINE_S", 0.3)
    install(programs, "git", f"echo $$ > {tmp_path}/pid; exec /bin/sleep 60")
    assert "no answer" in (await look(paths))["git"].detail
    assert not runs(tmp_path / "pid")


async def test_a_program_that_cannot_be_started_is_an_error(paths: Paths, programs: Path) -> None:
    (programs / "git").write_bytes(b"\x7fELF not really")
    (programs / "git").chmod(0o755)
    assert (await look(paths))["git"].status == "error"


@pytest.mark.parametrize(
    ("version", "status", "says"),
    [((3, 51, 3), "ok", "3.51.3"), ((3, 40, 1), "ok", "only the supervisor writes"), ((3, 34, 0), "error", "3.37")],
)
async def test_sqlite_versions(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], status: str, says: str
) -> None:
    monkeypatch.setattr("sqlite3.sqlite_version_info", version)
    monkeypatch.setattr("sqlite3.sqlite_version", ".".join(map(str, version)))
    check = (await look(paths))["sqlite"]
    assert check.status == status
    assert says in check.detail


async def test_agents_are_asked_for_their_version(paths: Paths, programs: Path) -> None:
    install(programs, "claude", "echo '2.1.197 (Claude Code)'; echo more")
    install(programs, "fake", "exit 1")
    agents = {
        "claude": AgentProfile(name="claude", adapter="claude"),
        "codex": AgentProfile(name="codex", adapter="codex", install_hint="npm install it"),
        "fake": AgentProfile(name="fake", adapter="claude", command=("fake", "--shape", "claude")),
        "command": AgentProfile(name="command", adapter="command"),
        "lint": AgentProfile(name="lint", adapter="command", command=("fake",)),
    }
    found = await look(paths, Settings(agents=agents))
    assert found["agent claude"] == Check("agent claude", "ok", "2.1.197 (Claude Code)")
    assert found["agent codex"] == Check("agent codex", "warning", "codex is not installed", "npm install it")
    assert found["agent fake"].status == found["agent lint"].status == "ok"
    assert "agent command" not in found


async def test_disk_space_is_held_against_the_floor(paths: Paths) -> None:
    async def disk(floor: int) -> str:
        return (await look(paths, Settings(storage=Storage(free_disk_floor_mb=floor))))["disk"].status

    free = os.statvfs("/tmp").f_bavail * os.statvfs("/tmp").f_frsize >> 20
    assert await disk(0) == "ok"
    assert await disk(free * 3 // 4) == "warning"
    assert await disk(free * 2) == "error"


async def test_a_runtime_folder_that_others_may_enter_is_an_error(paths: Paths) -> None:
    paths.create()
    assert (await look(paths))["sockets"].status == "ok"
    assert not list(paths.run.iterdir())
    paths.run.chmod(0o755)
    check = (await look(paths))["sockets"]
    assert check.status == "error"
    assert "chmod 700" in check.hint


@contextmanager
def engine(path: Path, answer: bytes) -> Iterator[Settings]:
    class Answer(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if self.request.recv(1000):
                self.request.sendall(answer)

    with socketserver.UnixStreamServer(str(path), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Settings(docker=Docker(host=f"unix://{path}"))
        server.shutdown()
        thread.join()


async def test_a_docker_engine_tells_its_version(paths: Paths, tmp_path: Path) -> None:
    with engine(tmp_path / "s", b'HTTP/1.0 200 OK\r\n\r\n{"Version": "27.1"}') as settings:
        check = (await look(paths, settings))["docker"]
    assert check == Check("docker", "ok", f"27.1 on unix://{tmp_path}/s")


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.0 500 no\r\n\r\nsorry", b"HTTP/1.0 200 OK\r\n\r\n{}"])
async def test_what_does_not_answer_like_docker_is_a_warning(paths: Paths, tmp_path: Path, answer: bytes) -> None:
    with engine(tmp_path / "s", answer) as settings:
        check = (await look(paths, settings))["docker"]
    assert check.status == "warning"
    assert check.hint


async def test_no_docker_is_a_warning_with_what_to_do(paths: Paths, tmp_path: Path) -> None:
    check = (await look(paths, Settings(docker=Docker(host=f"unix://{tmp_path}/none"))))["docker"]
    assert check.status == "warning"
    assert str(tmp_path / "none") in check.detail
    assert "Install" in check.hint


async def test_how_trees_are_ended_is_said(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await look(paths))["processes"].status == "ok"
    monkeypatch.setattr(doctor, "make_cgroup", lambda attempt: None)
    assert "subreaper" in (await look(paths))["processes"].detail
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    assert (await look(paths))["processes"].status == "warning"


async def test_secrets_are_counted_never_shown(paths: Paths) -> None:
    settings = Settings(secrets=("A_KEY", "B_KEY"))
    check = (await look(paths, settings, environ={"A_KEY": "s3cret-value"}))["secrets"]
    assert check == Check("secrets", "ok", "1 of 2 are set and kept out of all output")
    assert (await look(paths, settings, environ={"A_KEY": "short"}))["secrets"].status == "error"


async def test_a_socket_left_by_another_doctor_is_no_obstacle(paths: Paths) -> None:
    paths.create()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(paths.run / "doctor-1.sock"))
        assert (await look(paths))["sockets"].status == "ok"


async def test_isolation_is_told_on_request_only(paths: Paths) -> None:
    assert "isolation local" not in await look(paths)
    assert "isolation local" in await look(paths, security=True)
