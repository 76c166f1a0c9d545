"""Making and finding worktrees."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

import pytest

from executors.git import leftover
from executors.git.records import Record, Records
from supervisor.engine.ports.workspaces import Workspaces
from supervisor.model.errors import InvalidInput, QuarterdeckError, Refused
from tests.support.git import Place, commit, git, repository, write
from tests.wait import until


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(repository(tmp_path / "project"), tmp_path / "worktrees")


def test_satisfies_the_port(place: Place) -> None:
    port: Workspaces = place.workspaces
    assert port is place.workspaces


async def test_new_worktree_on_its_own_branch(place: Place) -> None:
    made = await place.prepare()
    assert made.path == place.worktrees / "ses_1"
    assert (made.branch, made.reused, made.warm, made.warnings) == ("qd/ses_1", False, False, ())
    assert made.base_commit == git(place.root, "rev-parse", "main")
    assert git(made.path, "symbolic-ref", "HEAD") == "refs/heads/qd/ses_1"
    assert (made.path / "folder/b.txt").read_text() == "b\n"
    assert git(place.root, "status", "--porcelain") == ""
    assert git(place.root, "symbolic-ref", "HEAD") == "refs/heads/main"


async def test_same_session_twice_is_the_same_worktree(place: Place) -> None:
    first = await place.prepare()
    commit(place.root, {"a.txt": "moved on\n"})
    write(first.path / "work.txt", "unsaved")
    again = await place.prepare()
    assert (again.path, again.base_commit, again.reused) == (first.path, first.base_commit, True)
    assert (first.path / "work.txt").read_text() == "unsaved"


async def test_base_and_branch_are_as_asked(place: Place) -> None:
    first = git(place.root, "rev-parse", "HEAD")
    commit(place.root, {"a.txt": "second\n"})
    git(place.root, "tag", "-a", "v1", "-m", "v1", "HEAD~1")
    made = await place.prepare(branch="topic/x", base="v1")
    assert (made.branch, made.base_commit) == ("topic/x", first)
    assert git(made.path, "rev-parse", "HEAD") == first


async def test_existing_branch_is_checked_out(place: Place) -> None:
    git(place.root, "branch", "topic")
    commit(place.root, {"a.txt": "second\n"})
    made = await place.prepare(branch="topic")
    assert made.base_commit == git(place.root, "rev-parse", "topic")
    assert git(made.path, "branch", "--show-current") == "topic"


async def test_quarterdeck_folder_is_excluded_once(place: Place) -> None:
    exclude = place.root / ".git/info/exclude"
    exclude.write_text("mine")
    made = await place.prepare()
    await place.prepare("ses_2")
    assert exclude.read_text() == "mine\n.quarterdeck/\n"
    write(made.path / ".quarterdeck/x", "x")
    assert git(made.path, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("more", "kind", "words"),
    [
        ({"branch": "main"}, Refused, "default branch"),
        ({"base": "nonsense"}, InvalidInput, "no commit 'nonsense'"),
        ({"base": "--all"}, InvalidInput, "no commit '--all'"),
        ({"branch": "bad..name"}, InvalidInput, "not a valid branch name"),
        ({"branch": "@{-1}"}, InvalidInput, "not a valid branch name"),
        ({"branch": "-x"}, InvalidInput, "not a valid branch name"),
        ({"session": "../out"}, InvalidInput, "cannot name"),
        ({"session": ".pool-1"}, InvalidInput, "cannot name"),
    ],
)
async def test_refusals(place: Place, more: dict[str, str], kind: type[QuarterdeckError], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        await place.prepare(**more)
    assert caught.value.hint
    assert git(place.root, "branch", "--list", "qd/*") == ""
    assert not list(place.worktrees.glob("ses*"))
    assert (await place.prepare("ses_9")).branch == "qd/ses_9"


async def test_branch_checked_out_elsewhere_says_where(place: Place, tmp_path: Path) -> None:
    git(place.root, "worktree", "add", "-q", "-b", "topic", tmp_path / "other")
    with pytest.raises(Refused, match=str(tmp_path / "other")) as caught:
        await place.prepare(branch="topic")
    assert "--branch" in caught.value.hint
    shutil.rmtree(tmp_path / "other")
    with pytest.raises(Refused, match="a folder that is gone"):
        await place.prepare(branch="topic")


async def test_branch_of_the_main_worktree_is_refused(place: Place) -> None:
    git(place.root, "switch", "-q", "-c", "topic")
    with pytest.raises(Refused, match="already checked out"):
        await place.prepare(branch="topic")


async def test_foreign_folder_in_the_way(place: Place) -> None:
    write(place.worktrees / "ses_1/mine.txt", "mine")
    with pytest.raises(Refused, match="already a folder"):
        await place.prepare()
    assert (place.worktrees / "ses_1/mine.txt").read_text() == "mine"


async def test_spaces_and_unicode(tmp_path: Path) -> None:
    place = Place(repository(tmp_path / "ein Projekt – ñ\u4e2d"), tmp_path / "work trees ü")
    commit(place.root, {"ö file.txt": "x\n"})
    made = await place.prepare()
    assert (made.path / "ö file.txt").exists()
    assert (await place.prepare()).reused


async def test_detached_head(place: Place) -> None:
    git(place.root, "switch", "-q", "--detach")
    commit(place.root, {"a.txt": "elsewhere\n"})
    made = await place.prepare()
    assert made.base_commit == git(place.root, "rev-parse", "main")


async def test_hooks_of_the_repository_do_not_run(place: Place, tmp_path: Path) -> None:
    hook = write(place.root / ".git/hooks/post-checkout", f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    await place.prepare()
    assert not (tmp_path / "ran").exists()


async def test_forty_at_once(place: Place) -> None:
    made = await asyncio.gather(*(place.prepare(f"ses_{number}") for number in range(40)))
    assert len({each.path for each in made}) == 40
    assert all((each.path / "a.txt").exists() for each in made)
    assert git(place.root, "worktree", "list").count("qd/ses_") == 40


async def test_two_supervisors_at_once(place: Place) -> None:
    other = Place(place.root, place.worktrees)
    requests = [(place, other)[number % 2].prepare(f"ses_{number}") for number in range(12)]
    assert len({each.path for each in await asyncio.gather(*requests)}) == 12


async def test_task_finds_its_worktree_by_convention(place: Place, tmp_path: Path) -> None:
    feature = tmp_path / "feature"
    git(place.root, "worktree", "add", "-q", "-b", "feature/auth-05A", feature)
    commit(feature, {"auth.txt": "x"})
    write(feature / "unsaved.txt", "x")
    made = await place.prepare(task="implement-auth-05A")
    assert (made.path, made.branch, made.reused) == (feature, "feature/auth-05A", True)
    assert made.base_commit == git(feature, "rev-parse", "HEAD")
    assert (await place.prepare(task="implement-auth-05A")).path == feature
    assert (await place.prepare("ses_2", task="implement-auth-05B")).path == place.worktrees / "ses_2"
    assert (await place.prepare("ses_3", task="implement-auth-05A", branch="own")).branch == "own"


async def test_two_candidates_do_not_count(place: Place, tmp_path: Path) -> None:
    git(place.root, "worktree", "add", "-q", "-b", "feature/x", tmp_path / "one")
    git(place.root, "worktree", "add", "-q", "-f", tmp_path / "two", "feature/x")
    assert (await place.prepare(task="implement-x")).path == place.worktrees / "ses_1"


async def test_main_and_missing_worktrees_do_not_count(place: Place, tmp_path: Path) -> None:
    git(place.root, "switch", "-q", "-c", "feature/x")
    git(place.root, "worktree", "add", "-q", "-b", "feature/y", tmp_path / "gone")
    shutil.rmtree(tmp_path / "gone")
    assert (await place.prepare("ses_1", task="implement-x")).path == place.worktrees / "ses_1"
    assert (await place.prepare("ses_2", task="implement-y")).path == place.worktrees / "ses_2"


# --- after a crash, or after somebody else's hand ------------------------------------------


def half_made(place: Place, *, own_branch: bool = True) -> None:
    base = git(place.root, "rev-parse", "main")
    record = Record("ses_1", str(place.worktrees / "ses_1"), "qd/ses_1", base, own_branch=own_branch)
    Records(place.worktrees).write(record)


async def test_crash_before_git_began(place: Place) -> None:
    half_made(place)
    assert (await place.prepare()).branch == "qd/ses_1"


async def test_crash_after_the_branch_was_made(place: Place) -> None:
    half_made(place)
    git(place.root, "branch", "qd/ses_1")
    made = await place.prepare()
    assert git(made.path, "branch", "--show-current") == "qd/ses_1"


async def test_crash_in_the_middle_of_the_checkout(place: Place) -> None:
    half_made(place)
    path = place.worktrees / "ses_1"
    git(place.root, "worktree", "add", "-q", "--no-checkout", "-b", "qd/ses_1", path)
    admin = place.root / ".git/worktrees/ses_1"
    write(admin / "locked", "initializing")
    write(admin / "index.lock", "")
    write(path / "a.txt", "half a fi")
    made = await place.prepare()
    assert (made.path / "a.txt").read_text() == "one\ntwo\nthree\n"
    assert git(made.path, "status", "--porcelain") == ""
    assert not (place.root / ".git/worktrees/ses_1/locked").exists()


async def test_crash_left_only_a_folder(place: Place) -> None:
    half_made(place)
    write(place.worktrees / "ses_1/a.txt", "half")
    assert git((await place.prepare()).path, "status", "--porcelain") == ""


async def test_crash_while_an_existing_branch_was_checked_out_keeps_it(place: Place) -> None:
    git(place.root, "branch", "qd/ses_1")
    half_made(place, own_branch=False)
    assert (await place.prepare()).branch == "qd/ses_1"


async def test_lost_record_adopts_the_worktree(place: Place) -> None:
    made = await place.prepare()
    head = commit(made.path, {"new.txt": "x"})
    Records(place.worktrees).drop("ses_1")
    again = await place.prepare()
    assert (again.path, again.base_commit, again.reused) == (made.path, made.base_commit, True)
    assert git(again.path, "rev-parse", "HEAD") == head


async def test_damaged_record_counts_as_none(place: Place) -> None:
    made = await place.prepare()
    write(place.worktrees / ".records/ses_1.json", "{")
    assert (await place.prepare()).base_commit == made.base_commit


async def test_kept_branch_is_taken_up_again(place: Place) -> None:
    made = await place.prepare()
    head = commit(made.path, {"new.txt": "x"})
    git(place.root, "worktree", "remove", made.path)
    Records(place.worktrees).drop("ses_1")
    again = await place.prepare()
    assert git(again.path, "rev-parse", "HEAD") == head
    assert again.base_commit == made.base_commit


async def test_missing_folder_is_made_again_and_said(place: Place) -> None:
    made = await place.prepare()
    commit(made.path, {"new.txt": "x"})
    shutil.rmtree(made.path)
    again = await place.prepare()
    assert (again.path / "new.txt").exists()
    assert "was gone" in again.warnings[0]


async def test_missing_folder_and_branch_is_refused(place: Place) -> None:
    made = await place.prepare()
    git(place.root, "worktree", "remove", made.path)
    git(place.root, "branch", "-D", made.branch)
    with pytest.raises(Refused, match="and so is its branch"):
        await place.prepare()


async def test_moved_folder_is_reported(place: Place, tmp_path: Path) -> None:
    made = await place.prepare()
    git(place.root, "worktree", "move", made.path, tmp_path / "elsewhere")
    with pytest.raises(Refused, match=f"checked out in {tmp_path / 'elsewhere'}"):
        await place.prepare()


async def test_worktree_switched_to_another_branch(place: Place) -> None:
    made = await place.prepare()
    git(made.path, "switch", "-q", "-c", "other")
    assert "is on other" in (await place.prepare()).warnings[0]
    git(made.path, "switch", "-q", "--detach")
    assert "on no branch" in (await place.prepare()).warnings[0]
    git(place.root, "switch", "-q", "-c", "aside")
    git(made.path, "switch", "-q", "main")
    with pytest.raises(Refused, match="default branch main"):
        await place.prepare()


async def test_cancelled_while_git_runs_is_finished_by_the_next_call(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is killed in the wrong instant leaves a lock, which counts as left behind after a while.
    monkeypatch.setattr(leftover, "SETTLED_S", 0.2)
    for delay in (0.0, 0.004, 0.008, 0.012, 0.016):
        task = asyncio.create_task(place.prepare())
        await asyncio.sleep(delay)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    made = await place.prepare()
    assert git(made.path, "status", "--porcelain") == ""
    assert git(made.path, "branch", "--show-current") == "qd/ses_1"


_SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from tests.support.git import Place
asyncio.run(Place(Path(sys.argv[1]), Path(sys.argv[2])).prepare())
"""


async def test_git_that_outlives_a_killed_supervisor_keeps_the_lock(place: Place, tmp_path: Path) -> None:
    marker = tmp_path / "began"
    commit(place.root, {"slow.txt": "slow\n"})
    git(place.root, "config", "filter.slow.smudge", f"touch '{marker}'; sleep 0.5; cat; touch '{marker}.done'")
    write(place.root / ".git/info/attributes", "slow.txt filter=slow\n")
    command = (sys.executable, "-c", _SUPERVISOR, str(place.root), str(place.worktrees))
    supervisor = await asyncio.create_subprocess_exec(*command, cwd=Path(__file__).parents[2])
    await until(marker.exists)
    supervisor.kill()
    await supervisor.wait()
    git(place.root, "config", "filter.slow.smudge", f"test -e '{marker}.done' && cat")
    git(place.root, "config", "filter.slow.required", "true")
    made = await place.prepare()
    assert (made.path / "slow.txt").read_text() == "slow\n"
    assert git(made.path, "branch", "--show-current") == "qd/ses_1"
