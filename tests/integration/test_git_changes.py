"""Differences and commits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from supervisor.engine.ports.workspaces import Workspace
from supervisor.model.errors import QuarterdeckError
from tests.support.git import PERSON, Place, commit, git, repository, write


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(repository(tmp_path / "project"), tmp_path / "worktrees")


@pytest.fixture
async def made(place: Place) -> Workspace:
    return await place.prepare()


async def test_diff_has_commits_staged_unstaged_and_untracked(place: Place, made: Workspace) -> None:
    commit(made.path, {"committed.txt": "c\n"})
    write(made.path / "staged.txt", "s\n")
    git(made.path, "add", "staged.txt")
    write(made.path / "a.txt", "one\ntwo\nchanged\n")
    write(made.path / "folder/new ü.txt", "n\n")
    write(made.path / "ignored.log", "i\n")
    (made.path / "folder/b.txt").unlink()
    before = git(made.path, "status", "--porcelain")
    text = await place.workspaces.diff(made.path, made.base_commit)
    assert all(line in text for line in ("+c", "+s", "+changed", "-three", "+n", "-b", "deleted file mode"))
    assert "ignored" not in text
    assert git(made.path, "status", "--porcelain") == before
    stat = await place.workspaces.diff(made.path, made.base_commit, stat=True)
    assert "5 files changed" in stat


async def test_a_file_that_changed_in_the_moment_of_the_checkout_is_seen(place: Place, made: Workspace) -> None:
    """Its size and times are those that git knows; only the index's own time tells that they prove nothing."""
    file, index = made.path / "a.txt", Path(git(made.path, "rev-parse", "--absolute-git-dir").strip(), "index")
    git(made.path, "config", "core.trustctime", "false")
    moment = (1_700_000_000, 1_700_000_000)
    os.utime(file, moment)
    git(made.path, "update-index", "--refresh")
    os.utime(index, moment)
    file.write_text(file.read_text().replace("one", "ONE"))
    os.utime(file, moment)
    assert "+ONE" in await place.workspaces.diff(made.path, made.base_commit)


async def test_nothing_changed_is_an_empty_diff(place: Place, made: Workspace) -> None:
    assert await place.workspaces.diff(made.path, made.base_commit) == ""


async def test_diff_of_binary_files_and_odd_text(place: Place, made: Workspace) -> None:
    (made.path / "binary").write_bytes(b"\0\1\2\xff")
    (made.path / "latin.txt").write_bytes(b"caf\xe9\n")
    (made.path / "link").symlink_to("/etc/passwd")
    text = await place.workspaces.diff(made.path, made.base_commit)
    assert "Binary files /dev/null and b/binary differ" in text
    assert "+caf\ufffd" in text
    assert "+/etc/passwd" in text
    assert "root:" not in text


async def test_diff_in_the_middle_of_a_conflict(place: Place, made: Workspace) -> None:
    commit(made.path, {"a.txt": "mine\n"})
    commit(place.root, {"a.txt": "theirs\n"})
    git(made.path, "merge", "-q", "main", check=False)
    before = git(made.path, "ls-files", "--stage")
    assert "+<<<<<<< HEAD" in await place.workspaces.diff(made.path, made.base_commit)
    assert git(made.path, "ls-files", "--stage") == before


async def test_a_file_became_a_folder_and_a_folder_a_file(place: Place, made: Workspace) -> None:
    (made.path / "a.txt").unlink()
    write(made.path / "a.txt/inner", "i\n")
    (made.path / "folder/b.txt").unlink()
    (made.path / "folder").rmdir()
    write(made.path / "folder", "f\n")
    stat = await place.workspaces.diff(made.path, made.base_commit, stat=True)
    assert "a.txt/inner" in stat
    assert "4 files changed" in stat or "3 files changed" in stat


async def test_external_programs_are_not_started(place: Place, made: Workspace, tmp_path: Path) -> None:
    git(place.root, "config", "diff.external", f"touch {tmp_path}/ran; true")
    git(place.root, "config", "diff.trap.textconv", f"touch {tmp_path}/ran; cat")
    write(made.path / ".gitattributes", "*.txt diff=trap\n")
    write(made.path / "a.txt", "x\n")
    assert "+x" in await place.workspaces.diff(made.path, made.base_commit)
    assert not (tmp_path / "ran").exists()


async def test_git_is_not_started_inside_a_nested_repository(place: Place, made: Workspace, tmp_path: Path) -> None:
    inner = repository(made.path / "inner")
    assert await place.workspaces.diff(made.path, made.base_commit) == ""
    git(made.path, "add", "inner")
    commit(inner, {"a.txt": "moved on\n", ".gitattributes": "*.txt filter=trap\n"})
    git(inner, "config", "filter.trap.clean", f"touch {tmp_path}/ran; cat")
    write(inner / "a.txt", "changed\n")
    assert "+Subproject commit" in await place.workspaces.diff(made.path, made.base_commit)
    assert not (tmp_path / "ran").exists()


async def test_base_that_is_gone_is_said(place: Place, made: Workspace) -> None:
    with pytest.raises(QuarterdeckError, match="cannot be shown"):
        await place.workspaces.diff(made.path, "0" * 40)


async def test_commit_takes_everything(place: Place, made: Workspace) -> None:
    write(made.path / "new.txt", "n")
    (made.path / "a.txt").unlink()
    head = await place.workspaces.commit(made.path, "Message\n\nwith a body")
    assert head == git(made.path, "rev-parse", "HEAD")
    assert git(made.path, "status", "--porcelain") == ""
    assert git(made.path, "log", "-1", "--format=%B").startswith("Message\n\nwith a body")
    assert git(made.path, "show", "--name-status", "--format=%an <%ae>") == (
        "Quarterdeck <quarterdeck@localhost>\n\nD\ta.txt\nA\tnew.txt"
    )


async def test_commit_of_nothing(place: Place, made: Workspace) -> None:
    assert await place.workspaces.commit(made.path, "nothing") is None
    assert git(made.path, "rev-parse", "HEAD") == made.base_commit


async def test_commit_as_the_configured_person(place: Place, made: Workspace) -> None:
    git(place.root, "config", "user.name", "Grace")
    git(place.root, "config", "user.email", "grace@example.org")
    write(made.path / "new.txt", "n")
    await place.workspaces.commit(made.path, "m")
    assert git(made.path, "log", "-1", "--format=%an %ae %cn") == "Grace grace@example.org Grace"


async def test_commit_as_the_person_of_the_environment(
    place: Place, made: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in PERSON.items():
        monkeypatch.setenv(name, value)
    write(made.path / "new.txt", "n")
    await place.workspaces.commit(made.path, "m")
    assert git(made.path, "log", "-1", "--format=%an %cn") == "Ada Ada"


async def test_commit_concludes_a_merge(place: Place, made: Workspace) -> None:
    commit(made.path, {"a.txt": "mine\n"})
    commit(place.root, {"a.txt": "theirs\n"})
    git(made.path, "merge", "-q", "main", check=False)
    write(made.path / "a.txt", "mine\n")
    assert await place.workspaces.commit(made.path, "concluded")
    assert len(git(made.path, "log", "-1", "--format=%P").split()) == 2


async def test_commit_runs_no_hooks(place: Place, made: Workspace) -> None:
    write(place.root / ".git/hooks/pre-commit", "#!/bin/sh\nexit 1\n").chmod(0o755)
    write(made.path / "new.txt", "n")
    assert await place.workspaces.commit(made.path, "m")
