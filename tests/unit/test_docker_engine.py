"""Which engine is meant, and the words for one that cannot be used."""

from __future__ import annotations

import errno
import hashlib
import json
import socket
from pathlib import Path

import pytest

from executors.docker.engine import DEFAULT_ADDRESS, DockerEngine, unreachable
from executors.docker.executor import DockerExecutor
from executors.local import LocalExecutor
from supervisor.model.errors import Unavailable


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def deaf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A socket on which nobody listens any more."""
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind("deaf.sock")
    return "unix://deaf.sock"


async def test_the_configured_address_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///env.sock")
    assert await DockerEngine("unix:///given.sock").address() == "unix:///given.sock"
    assert await DockerEngine().address() == "unix:///env.sock"


async def test_without_anything_it_is_dockers_own_socket() -> None:
    assert await DockerEngine().address() == DEFAULT_ADDRESS


async def test_the_current_context_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ".docker"
    # The folder of a context is named by a digest of its name.
    meta = folder / "contexts" / "meta" / hashlib.sha256(b"mine").hexdigest()
    meta.mkdir(parents=True)
    about = {"Name": "mine", "Metadata": {}, "Endpoints": {"docker": {"Host": "unix:///context.sock"}}}
    (meta / "meta.json").write_text(json.dumps(about))
    (folder / "config.json").write_text(json.dumps({"currentContext": "mine"}))
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    assert await DockerEngine().address() == "unix:///context.sock"


async def test_an_engine_on_another_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://elsewhere:2375")
    with pytest.raises(Unavailable, match="on this machine") as refused:
        await DockerEngine().check()
    assert "unix socket" in refused.value.hint


async def test_a_missing_socket_says_how_to_get_docker(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no Docker socket") as missing:
        await DockerExecutor(LocalExecutor(), f"unix://{tmp_path / 'none'}").check()
    assert "docker.io" in missing.value.hint


async def test_a_socket_without_a_daemon_says_to_start_it(deaf: str) -> None:
    with pytest.raises(Unavailable, match="does not answer") as silent:
        await DockerEngine(deaf).check("image")
    assert "systemctl start docker" in silent.value.hint


def test_a_path_too_long_for_a_socket_is_no_socket() -> None:
    assert "no Docker socket" in unreachable("unix:///" + "x" * 200).message


def test_a_forbidden_socket_names_the_group(monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may use every socket, so that the refusal itself cannot be had everywhere.
    monkeypatch.setattr("executors.docker.engine._connect_problem", lambda address: errno.EACCES)
    problem = unreachable("unix:///run/docker.sock")
    assert "may not use" in problem.message
    assert "usermod -aG docker" in problem.hint
