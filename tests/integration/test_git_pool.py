"""Worktrees that are kept ready."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from executors.git.lock import open_lock, try_lock
from tests.support.git import Place, commit, git, repository, write


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(repository(tmp_path / "project"), tmp_path / "worktrees", {"pool_size": 2})


def entries(place: Place) -> list[str]:
    return sorted(path.name for path in place.worktrees.glob(".pool-*") if path.is_dir())


async def refill(place: Place) -> float:
    return await place.workspaces.refill("prj", place.root, place.worktrees)


def check(place: Place, path: Path, session: str) -> None:
    assert git(path, "status", "--porcelain", "--branch") == f"## qd/{session}"
    assert git(path, "fsck", "--connectivity-only", check=False) == ""
    assert (path / "folder/b.txt").read_text() == "b\n"
    config = (place.root / ".git/config").read_text()
    assert "worktreeConfig" not in config
    assert "sparse" not in config


async def test_warm_start(place: Place) -> None:
    assert await refill(place) > 0
    assert entries(place) == [".pool-1", ".pool-2"]
    made = await place.prepare()
    assert (made.warm, made.reused, made.path) == (True, False, place.worktrees / "ses_1")
    assert made.base_commit == git(place.root, "rev-parse", "main")
    check(place, made.path, "ses_1")
    assert entries(place) == [".pool-2"]
    await refill(place)
    assert entries(place) == [".pool-1", ".pool-2"]


async def test_base_that_moved(place: Place) -> None:
    await refill(place)
    for number in range(5):
        commit(place.root, {"a.txt": f"{number}\n", f"new/{number}.txt": "x"})
    git(place.root, "rm", "-q", "new/0.txt")
    commit(place.root, {})
    made = await place.prepare()
    assert made.warm
    check(place, made.path, "ses_1")
    assert (made.path / "a.txt").read_text() == "4\n"
    assert not (made.path / "new/0.txt").exists()


async def test_refill_moves_what_is_behind(place: Place) -> None:
    await refill(place)
    head = commit(place.root, {"a.txt": "moved\n"})
    await refill(place)
    for name in entries(place):
        assert git(place.worktrees / name, "rev-parse", "HEAD") == head
        assert git(place.worktrees / name, "status", "--porcelain") == ""
    made = await place.prepare()
    check(place, made.path, "ses_1")


async def test_any_base_can_be_asked_for(place: Place) -> None:
    first = git(place.root, "rev-parse", "HEAD")
    commit(place.root, {"a.txt": "moved\n"})
    await refill(place)
    made = await place.prepare(base=first, branch="topic")
    assert made.warm
    assert git(made.path, "rev-parse", "HEAD") == first
    assert git(made.path, "status", "--porcelain", "--branch") == "## topic"


async def test_more_sessions_than_warm_worktrees(place: Place) -> None:
    await refill(place)
    made = await asyncio.gather(*(place.prepare(f"ses_{number}") for number in range(5)))
    assert sum(each.warm for each in made) == 2
    for number, each in enumerate(made):
        check(place, each.path, f"ses_{number}")


async def test_starts_and_refills_at_the_same_time(place: Place) -> None:
    await refill(place)
    jobs = [place.prepare(f"ses_{number}") for number in range(8)]
    made, *_ = await asyncio.gather(asyncio.gather(*jobs), refill(place), refill(place))
    assert len({each.path for each in made}) == 8
    await refill(place)
    assert entries(place) == [".pool-1", ".pool-2"]


async def test_half_made_entries_are_built_again(place: Place) -> None:
    await refill(place)
    (place.worktrees / ".pool-1.ready").unlink()
    (place.worktrees / ".pool-1/a.txt").write_text("half")
    write(place.root / ".git/worktrees/.pool-1/locked", "initializing")
    made = await place.prepare()
    assert (made.warm, entries(place)) == (True, [".pool-1"])
    await refill(place)
    assert (await place.prepare("ses_2")).warm
    assert git(place.worktrees / "ses_2", "status", "--porcelain") == ""


async def test_folder_without_a_worktree_is_built_again(place: Place) -> None:
    write(place.worktrees / ".pool-1/rubbish", "x")
    await refill(place)
    assert git(place.worktrees / ".pool-1", "status", "--porcelain") == ""


async def test_crash_between_taking_and_naming(place: Place) -> None:
    await refill(place)
    made = await place.prepare()
    git(made.path, "switch", "-q", "--detach")
    record = place.worktrees / ".records/ses_1.json"
    record.write_text(record.read_text().replace('"ready"', '"making"'))
    again = await place.prepare()
    check(place, again.path, "ses_1")


async def test_an_entry_that_git_does_not_know_is_passed_over(place: Place) -> None:
    await refill(place)
    git(place.root, "worktree", "remove", "--force", place.worktrees / ".pool-1")
    (place.worktrees / ".pool-1").mkdir()
    made = await place.prepare()
    assert made.warm
    check(place, made.path, "ses_1")
    assert not (await place.prepare("ses_2")).warm
    await refill(place)
    assert entries(place) == [".pool-1", ".pool-2"]


async def test_branch_in_the_way_leaves_nothing_behind(place: Place) -> None:
    await refill(place)
    git(place.root, "branch", "qd")  # qd/ses_1 cannot be a branch beside it
    with pytest.raises(Exception, match="qd"):
        await place.prepare()
    assert not (place.worktrees / "ses_1").exists()
    git(place.root, "branch", "-D", "qd")
    await place.prepare()


async def test_smaller_pool_lets_go(place: Place) -> None:
    await refill(place)
    place.settings["pool_size"] = 1
    await refill(place)
    assert entries(place) == [".pool-1"]
    place.settings["pool_size"] = 0
    await refill(place)
    assert entries(place) == []
    assert git(place.root, "worktree", "list").count("\n") == 0


async def test_one_refill_at_a_time(place: Place) -> None:
    lock = open_lock(place.worktrees / ".pool.lock")
    assert try_lock(lock)
    await refill(place)
    assert entries(place) == []


async def test_repositories_with_submodules_have_no_pool(place: Place, tmp_path: Path) -> None:
    library = repository(tmp_path / "library")
    git(place.root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", library, "lib")
    commit(place.root, {})
    await refill(place)
    assert entries(place) == []
