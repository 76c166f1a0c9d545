"""Clean-up that loses nothing."""

# ruff: noqa: ASYNC240 - nothing else runs in the loop of a test

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from supervisor.engine.ports.workspaces import Workspace, WorktreeState
from supervisor.model.errors import QuarterdeckError
from tests.support.git import Place, commit, git, repository, write


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(repository(tmp_path / "project"), tmp_path / "worktrees")


@pytest.fixture
async def made(place: Place) -> Workspace:
    return await place.prepare()


async def state(place: Place, made: Workspace) -> WorktreeState:
    return await place.workspaces.state(made.path, made.branch, made.base_commit)


async def remove(place: Place, made: Workspace) -> WorktreeState:
    return await place.workspaces.remove(place.root, made.path, made.branch, made.base_commit)


def branches(place: Place) -> list[str]:
    return git(place.root, "branch", "--format=%(refname:short)").splitlines()


async def test_unused_worktree_goes_with_its_branch(place: Place, made: Workspace) -> None:
    write(made.path / "ignored.log", "x")
    assert await state(place, made) == WorktreeState(exists=True)
    left = await remove(place, made)
    assert not left.exists
    assert "removed too" in left.detail
    assert not made.path.exists()
    assert branches(place) == ["main"]
    assert not list((place.worktrees / ".records").iterdir())


async def test_counts(place: Place, made: Workspace) -> None:
    commit(made.path, {"one.txt": "1"})
    commit(made.path, {"two.txt": "2"})
    write(made.path / "a.txt", "changed")
    write(made.path / "staged.txt", "s")
    git(made.path, "add", "staged.txt")
    write(made.path / "deep/er/new ü.txt", "n")
    write(made.path / "deep/er/new2.txt", "n")
    assert await state(place, made) == WorktreeState(exists=True, modified=2, untracked=2, unmerged_commits=2)


@pytest.mark.parametrize("work", ["modified", "untracked", "committed", "detached"])
async def test_work_is_kept(place: Place, made: Workspace, work: str) -> None:
    if work == "modified":
        write(made.path / "a.txt", "changed")
    elif work == "untracked":
        write(made.path / "new.txt", "new")
    else:
        if work == "detached":
            git(made.path, "switch", "-q", "--detach")
        commit(made.path, {"new.txt": "new"})
    left = await remove(place, made)
    assert left.exists
    assert left.holds_work
    assert "holds work" in left.detail
    assert made.path.exists()
    assert made.branch in branches(place)
    assert (await place.prepare()).reused


async def test_merged_work_may_go(place: Place, made: Workspace) -> None:
    commit(made.path, {"new.txt": "new"})
    await place.workspaces.merge(place.root, made.branch, "main", "m")
    left = await remove(place, made)
    assert not left.exists
    assert branches(place) == ["main"]


async def test_pushed_work_may_go(place: Place, made: Workspace, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "remote.git")
    git(place.root, "remote", "add", "origin", tmp_path / "remote.git")
    commit(made.path, {"new.txt": "new"})
    git(made.path, "push", "-q", "-u", "origin", made.branch)
    assert not (await remove(place, made)).exists
    assert f"branch.{made.branch}" not in git(place.root, "config", "--list")


async def test_branch_of_the_person_stays(place: Place) -> None:
    git(place.root, "branch", "topic")
    made = await place.prepare(branch="topic")
    assert not (await remove(place, made)).exists
    assert "topic" in branches(place)


async def test_worktree_of_the_person_stays(place: Place, tmp_path: Path) -> None:
    git(place.root, "worktree", "add", "-q", "-b", "feature/x", tmp_path / "x")
    made = await place.prepare(task="do-x")
    left = await remove(place, made)
    assert left.exists
    assert "not made for a session" in left.detail
    assert sorted(path.name for path in tmp_path.iterdir()) == ["project", "worktrees", "x"]


async def test_locked_worktree_stays(place: Place, made: Workspace) -> None:
    git(place.root, "worktree", "lock", made.path)
    left = await remove(place, made)
    assert left.exists
    assert "locked" in left.detail


async def test_missing_folder_is_reported_and_unmerged_commits_stay(place: Place, made: Workspace) -> None:
    commit(made.path, {"new.txt": "new"})
    shutil.rmtree(made.path)
    assert "is gone" in (await state(place, made)).detail
    left = await remove(place, made)
    assert not left.exists
    assert "only it has 1 commits" in left.detail
    assert made.branch in branches(place)
    assert git(place.root, "worktree", "list").count("\n") == 0


async def test_moved_folder_is_reported(place: Place, made: Workspace, tmp_path: Path) -> None:
    git(place.root, "worktree", "move", made.path, tmp_path / "elsewhere")
    left = await remove(place, made)
    assert f"moved to {tmp_path / 'elsewhere'}" in left.detail
    assert (tmp_path / "elsewhere/a.txt").exists()


async def test_removing_twice(place: Place, made: Workspace) -> None:
    await remove(place, made)
    assert not (await remove(place, made)).exists


async def test_folder_and_branch_already_gone(place: Place, made: Workspace) -> None:
    git(place.root, "worktree", "remove", made.path)
    git(place.root, "branch", "-D", made.branch)
    assert "branch was gone too" in (await remove(place, made)).detail


async def test_agent_that_switched_branches(place: Place, made: Workspace) -> None:
    git(made.path, "switch", "-q", "-c", "other")
    commit(made.path, {"new.txt": "new"})
    assert not (await remove(place, made)).exists
    assert branches(place) == ["main", "other"]


async def test_other_worktrees_with_missing_folders_are_not_pruned(
    place: Place, made: Workspace, tmp_path: Path
) -> None:
    git(place.root, "worktree", "add", "-q", "-b", "usb", tmp_path / "usb")
    (tmp_path / "usb").rename(tmp_path / "unplugged")
    await remove(place, made)
    assert "usb" in git(place.root, "worktree", "list")


async def test_submodules_with_work_are_kept(place: Place, tmp_path: Path) -> None:
    library = repository(tmp_path / "library")
    git(place.root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", library, "lib")
    commit(place.root, {})
    made = await place.prepare()
    assert not (await state(place, made)).holds_work
    head = git(made.path / "lib", "rev-parse", "HEAD")
    commit(made.path / "lib", {"x": "x"})
    git(made.path / "lib", "switch", "-q", "--detach", head)
    git(made.path / "lib", "switch", "-q", "--detach", "@{-1}")
    left = await remove(place, made)
    assert (left.exists, left.modified) == (True, 1)
    assert "lib" in left.detail
    git(made.path / "lib", "switch", "-q", "--detach", head)
    assert not (await remove(place, made)).exists
    assert not made.path.exists()


async def test_repository_that_was_moved_is_named_with_the_way_back(place: Place, made: Workspace) -> None:
    write(made.path / "new.txt", "kept")
    moved = place.root.rename(place.root.with_name("elsewhere"))
    with pytest.raises(QuarterdeckError) as found:
        await state(place, made)
    assert f"{place.root} was moved or removed" in found.value.message
    assert f"worktree repair '{made.path}'" in found.value.hint
    git(moved, "worktree", "repair", made.path)
    assert (await state(place, made)).untracked == 1
