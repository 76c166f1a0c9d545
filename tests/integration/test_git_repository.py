"""Which repositories can be worked on, and what their default branch is."""

from __future__ import annotations

from pathlib import Path

import pytest

from executors.git.repository import inspect
from supervisor.model.errors import InvalidInput, NotFound, QuarterdeckError, Refused
from tests.support.git import commit, git, repository


async def test_from_any_folder_of_any_worktree(tmp_path: Path) -> None:
    root = repository(tmp_path / "pro ject")
    git(root, "worktree", "add", "-q", tmp_path / "linked")
    (tmp_path / "link").symlink_to(root)
    inner = [root, root / "folder", tmp_path / "linked/folder", root / ".git", tmp_path / "link"]
    found = [await inspect(path) for path in inner]
    assert {each.root for each in found} == {root}
    assert (found[0].name, found[0].default_branch) == ("pro ject", "main")


async def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no folder") as caught:
        await inspect(tmp_path / "nothing")
    assert caught.value.hint


async def test_what_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="is a file"):
        await inspect(tmp_path / "file")


async def test_what_is_no_repository(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="not in a git repository") as caught:
        await inspect(tmp_path)
    assert "git init" in caught.value.hint


async def test_bare(tmp_path: Path) -> None:
    repository(tmp_path / "source")
    git(tmp_path, "clone", "-q", "--bare", "source", "bare.git")
    git(tmp_path / "bare.git", "worktree", "add", "-q", "../linked")
    for path in (tmp_path / "bare.git", tmp_path / "linked"):
        with pytest.raises(Refused, match="bare repository"):
            await inspect(path)


async def test_without_commits(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    with pytest.raises(Refused, match="no commits yet") as caught:
        await inspect(tmp_path)
    assert "commit" in caught.value.hint


async def test_damaged_repository_speaks_in_the_words_of_git(tmp_path: Path) -> None:
    root = repository(tmp_path / "project")
    (root / ".git/config").write_text("[core\n")
    with pytest.raises(QuarterdeckError, match="bad config line 1"):
        await inspect(root)


async def test_git_folder_kept_elsewhere(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "-q", "-b", "main", f"--separate-git-dir={tmp_path / 'storage'}")
    commit(root, {"a": "a"})
    assert (await inspect(root)).root == root


async def test_submodule_is_a_repository_of_its_own(tmp_path: Path) -> None:
    repository(tmp_path / "library")
    root = repository(tmp_path / "project")
    git(root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", tmp_path / "library", "lib")
    assert (await inspect(root / "lib")).root == root / "lib"
    git(root / "lib", "worktree", "add", "-q", tmp_path / "linked")
    assert (await inspect(tmp_path / "linked")).root == root / "lib"


async def test_variables_of_a_hook_lead_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = repository(tmp_path / "project")
    other = repository(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    assert (await inspect(root)).root == root


async def test_default_branch_of_origin_wins(tmp_path: Path) -> None:
    repository(tmp_path / "upstream", "trunk")
    git(tmp_path, "clone", "-q", "upstream", "project")
    root = tmp_path / "project"
    git(root, "switch", "-q", "-c", "main")
    assert (await inspect(root)).default_branch == "trunk"
    git(root, "branch", "-q", "-D", "trunk")  # its commit is still known from the remote
    assert (await inspect(root)).default_branch == "trunk"


async def test_default_branch_of_the_configuration(tmp_path: Path) -> None:
    root = repository(tmp_path / "project")
    git(root, "config", "init.defaultBranch", "trunk")
    assert (await inspect(root)).default_branch == "main"
    git(root, "branch", "trunk")
    assert (await inspect(root)).default_branch == "trunk"


@pytest.mark.parametrize(("branch", "other"), [("master", "topic"), ("main", "master")])
async def test_default_branch_by_its_usual_name(tmp_path: Path, branch: str, other: str) -> None:
    root = repository(tmp_path / "project", branch)
    git(root, "switch", "-q", "-c", other)
    assert (await inspect(root)).default_branch == branch


async def test_default_branch_is_else_the_current_one_or_the_only_one(tmp_path: Path) -> None:
    root = repository(tmp_path / "project", "topic")
    git(root, "branch", "another")
    assert (await inspect(root)).default_branch == "topic"
    git(root, "branch", "-q", "-D", "another")
    git(root, "switch", "-q", "--detach")
    assert (await inspect(root)).default_branch == "topic"
    git(root, "branch", "-q", "-D", "topic")
    assert (await inspect(root)).default_branch == "HEAD"


async def test_many_branches_and_odd_names(tmp_path: Path) -> None:
    root = repository(tmp_path / "project")
    git(root, "branch", "ünï/cödé")
    git(root, "worktree", "add", "-q", tmp_path / "with\nnewline", "ünï/cödé")
    assert (await inspect(tmp_path / "with\nnewline")).root == root
