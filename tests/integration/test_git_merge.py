"""Merges."""

from __future__ import annotations

from pathlib import Path

import pytest

from executors.git import merging, run
from executors.git.run import Answer
from supervisor.engine.ports.workspaces import MergeResult
from supervisor.model.errors import NotFound, QuarterdeckError, Refused
from tests.support.git import Place, commit, git, repository, write


@pytest.fixture
def place(tmp_path: Path) -> Place:
    root = repository(tmp_path / "project")
    git(root, "branch", "topic")
    return Place(root, tmp_path / "worktrees")


async def merge(place: Place, branch: str = "qd/ses_1", into: str = "topic") -> MergeResult:
    return await place.workspaces.merge(place.root, branch, into, "Bring it in")


async def test_into_a_branch_that_is_checked_out_nowhere(place: Place) -> None:
    made = await place.prepare()
    commit(made.path, {"new.txt": "n\n"})
    before = git(place.root, "rev-parse", "topic")
    result = await merge(place)
    assert result.merged
    assert result.commit == git(place.root, "rev-parse", "topic")
    assert git(place.root, "log", "-1", "--format=%s|%P|%an", "topic") == (
        f"Bring it in|{before} {git(made.path, 'rev-parse', 'HEAD')}|Quarterdeck"
    )
    assert git(place.root, "show", "topic:new.txt") == "n"
    assert git(place.root, "status", "--porcelain", "--branch") == "## main"


async def test_a_second_merge_has_nothing_to_do(place: Place) -> None:
    made = await place.prepare()
    commit(made.path, {"new.txt": "n\n"})
    first = await merge(place)
    second = await merge(place)
    assert (second.merged, second.commit) == (True, first.commit)
    assert "already" in second.detail


async def test_into_the_branch_of_the_main_worktree(place: Place) -> None:
    made = await place.prepare()
    commit(made.path, {"new.txt": "n\n"})
    commit(place.root, {"other.txt": "o\n"})
    write(place.root / "a.txt", "unsaved, but not touched by the merge\n")
    write(place.root / "untracked.txt", "u")
    result = await merge(place, into="main")
    assert result.merged
    assert (place.root / "new.txt").read_text() == "n\n"
    assert git(place.root, "status", "--porcelain").splitlines() == [" M a.txt", "?? untracked.txt"]


@pytest.mark.parametrize("mine", ["a.txt", "new.txt"])
async def test_changes_in_the_way_are_named_and_kept(place: Place, mine: str) -> None:
    made = await place.prepare()
    commit(made.path, {"a.txt": "theirs\n", "new.txt": "n\n"})
    write(place.root / mine, "unsaved\n")
    before = git(place.root, "rev-parse", "main")
    with pytest.raises(Refused, match=f"changes to files of this merge: {mine}") as caught:
        await merge(place, into="main")
    assert "Nothing was changed" in caught.value.hint
    assert git(place.root, "rev-parse", "main") == before
    assert (place.root / mine).read_text() == "unsaved\n"
    assert not (place.root / ".git/MERGE_HEAD").exists()


async def test_a_merge_of_the_person_is_not_disturbed(place: Place) -> None:
    made = await place.prepare()
    commit(made.path, {"new.txt": "n\n"})
    git(place.root, "switch", "-q", "topic")
    commit(place.root, {"a.txt": "topic\n"})
    git(place.root, "switch", "-q", "main")
    commit(place.root, {"a.txt": "main\n"})
    git(place.root, "merge", "-q", "topic", check=False)
    with pytest.raises(QuarterdeckError, match="cannot move"):
        await merge(place, into="main")
    assert (place.root / ".git/MERGE_HEAD").exists()


async def test_conflict_changes_nothing(place: Place) -> None:
    made = await place.prepare()
    commit(made.path, {"a.txt": "mine\n", "folder/ü b.txt": "mine\n", "fine.txt": "f\n"})
    commit(place.root, {"a.txt": "theirs\n", "folder/ü b.txt": "theirs\n"})
    before = git(place.root, "for-each-ref")
    result = await merge(place, into="main")
    assert (result.merged, result.commit) == (False, None)
    assert result.conflicts == ("a.txt", "folder/ü b.txt")
    assert "nothing was changed" in result.detail
    assert git(place.root, "for-each-ref") == before
    assert git(place.root, "status", "--porcelain") == ""


async def test_missing_branches(place: Place) -> None:
    for branch, into in (("nothing", "main"), ("main", "nothing")):
        with pytest.raises(NotFound, match="no branch nothing"):
            await merge(place, branch, into)


async def test_git_before_2_38(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async def old(where: Path, *arguments: str | Path, **options: object) -> Answer:
        if arguments[0] == "merge-tree":
            return Answer(129, b"", "usage: git merge-tree <base-tree> <branch1> <branch2>")
        return await run.ask(where, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(merging, "ask", old)
    made = await place.prepare()
    commit(made.path, {"new.txt": "n\n"})
    commit(place.root, {"other.txt": "o\n"})
    assert (await merge(place, into="main")).merged
    assert (place.root / "new.txt").exists()
    commit(made.path, {"a.txt": "mine\n"})
    commit(place.root, {"a.txt": "theirs\n"})
    assert (await merge(place, into="main")).conflicts == ("a.txt",)
    git(place.root, "switch", "-q", "--orphan", "alone")
    commit(place.root, {"z": "z"})
    with pytest.raises(QuarterdeckError, match="unrelated histories"):
        await merge(place, into="alone")
    assert git(place.root, "worktree", "list").count("\n") == 1
    assert git(place.root, "status", "--porcelain") == ""


async def test_unrelated_histories_are_said(place: Place) -> None:
    git(place.root, "switch", "-q", "--orphan", "alone")
    commit(place.root, {"z": "z"})
    with pytest.raises(QuarterdeckError, match="unrelated histories"):
        await merge(place, "alone", "topic")
