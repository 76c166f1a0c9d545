"""Lock files that somebody left behind, and locks that are in use."""

# ruff: noqa: ASYNC220, ASYNC240 - nothing else runs in the loop of a test

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from executors.git import leftover, run
from executors.git.run import ask, git
from supervisor.model.errors import NotFound, QuarterdeckError, Refused, Unavailable
from tests.support.git import git as person
from tests.support.git import repository, write


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(run, "LOCK_PATIENCE_S", 0.2)
    root = repository(tmp_path / "project")
    write(root / "new.txt", "new")
    return root


@pytest.fixture
def lock(root: Path) -> Path:
    lock = write(root / ".git/index.lock", "")
    os.utime(lock, (time.time() - 3600,) * 2)
    return lock


@pytest.fixture
def holder(root: Path, lock: Path) -> Iterator[subprocess.Popen[bytes]]:
    with lock.open("rb") as opened:
        process = subprocess.Popen(["sleep", "60"], stdin=opened, cwd="/")
    yield process
    process.kill()
    process.wait()


async def test_old_lock_of_nobody_is_removed(root: Path, lock: Path) -> None:
    await git(root, "add", "new.txt")
    assert not lock.exists()


async def test_young_lock_is_reported_with_its_age(root: Path) -> None:
    lock = write(root / ".git/index.lock", "")
    with pytest.raises(Refused, match=f"{lock} is 0 s old, its holder is not known") as caught:
        await git(root, "add", "new.txt")
    assert "by itself" in caught.value.hint
    assert lock.exists()


async def test_lock_that_is_open_is_kept(root: Path, lock: Path, holder: subprocess.Popen[bytes]) -> None:
    with pytest.raises(Refused, match=f"3600 s old, process {holder.pid} may hold it"):
        await git(root, "add", "new.txt")
    assert lock.exists()


async def test_lock_is_kept_while_git_works_in_its_worktree(root: Path, tmp_path: Path) -> None:
    person(root, "worktree", "add", "-q", tmp_path / "linked")
    lock = write(root / ".git/worktrees/linked/index.lock", "")
    os.utime(lock, (0, 0))
    with subprocess.Popen(
        ["git", "cat-file", "--batch"], cwd=tmp_path / "linked", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as busy:
        with pytest.raises(Refused, match=f"process {busy.pid} may hold it"):
            await git(tmp_path / "linked", "add", "-A")
        busy.communicate()
    await git(tmp_path / "linked", "add", "-A")


async def test_configuration_lock_is_known_too(root: Path) -> None:
    lock = write(root / ".git/config.lock", "")
    os.utime(lock, (0, 0))
    await git(root, "config", "a.b", "c")
    assert not lock.exists()


def test_a_lock_that_goes_by_itself_is_clear(tmp_path: Path) -> None:
    assert leftover.clear(tmp_path / "index.lock")
    assert "taken again" in leftover.refusal(tmp_path / "index.lock").message


async def test_failures_are_in_the_words_of_git(root: Path) -> None:
    with pytest.raises(QuarterdeckError, match=r"git rev-parse failed: Needed a single revision\.") as caught:
        await git(root, "rev-parse", "--verify", "nothing")
    assert str(root) in caught.value.hint


async def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="cannot be entered"):
        await ask(tmp_path / "gone", "status")


async def test_missing_git(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Unavailable, match="git is not installed"):
        await ask(root, "status")


async def test_deadline_stops_everything_that_was_started(root: Path, tmp_path: Path) -> None:
    person(root, "config", "alias.slow", f"!echo $$ > '{tmp_path}/pid'; exec sleep 60")
    with pytest.raises(QuarterdeckError, match=r"stopped after 0\.3 s"):
        await ask(root, "slow", deadline_s=0.3)
    pid = int((tmp_path / "pid").read_text())
    state = Path(f"/proc/{pid}/stat")
    assert not state.exists() or ") Z" in state.read_text()


async def test_repository_of_another_user(root: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(root, 12345, 12345)
    os.chown(root / ".git", 12345, 12345)
    assert await git(root, "rev-parse", "--is-inside-work-tree") == "true\n"
