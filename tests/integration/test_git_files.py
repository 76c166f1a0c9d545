"""The files of a worktree, and what is in them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from executors.git import files
from supervisor.engine.ports.workspaces import Workspace
from supervisor.model.errors import InvalidInput, NotFound, QuarterdeckError, Refused
from tests.support.git import Place, commit, git, repository, write

LONG = "".join(f"line {number}\n" for number in range(50))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    root = repository(tmp_path / "project")
    commit(root, {"old name.txt": LONG})
    return Place(root, tmp_path / "worktrees")


@pytest.fixture
async def made(place: Place) -> Workspace:
    return await place.prepare()


async def statuses(place: Place, made: Workspace) -> dict[str, str]:
    found, truncated = await place.workspaces.files(made.path, made.base_commit)
    assert not truncated
    assert [file.path for file in found] == sorted(file.path for file in found)
    return {file.path: file.status for file in found}


async def test_every_file_has_what_became_of_it(place: Place, made: Workspace) -> None:
    assert set((await statuses(place, made)).values()) == {"unchanged"}
    commit(made.path, {"committed.txt": "c\n"})
    write(made.path / "a.txt", "changed\n")
    write(made.path / "folder/new ü\n.txt", "n\n")
    write(made.path / "ignored.log", "i\n")
    (made.path / "folder/b.txt").unlink()
    git(made.path, "mv", "old name.txt", "new name.txt")
    before = git(made.path, "status", "--porcelain")
    assert await statuses(place, made) == {
        ".gitignore": "unchanged",
        "a.txt": "modified",
        "committed.txt": "added",
        "folder/b.txt": "deleted",
        "folder/new ü\n.txt": "added",
        "new name.txt": "renamed",
    }
    found, _ = await place.workspaces.files(made.path, made.base_commit)
    assert [file.before for file in found if file.before] == ["old name.txt"]
    assert git(made.path, "status", "--porcelain") == before


async def test_a_file_that_became_a_link_is_modified(place: Place, made: Workspace) -> None:
    (made.path / "a.txt").unlink()
    (made.path / "a.txt").symlink_to("folder/b.txt")
    assert (await statuses(place, made))["a.txt"] == "modified"


async def test_a_name_that_is_not_text_can_be_shown(place: Place, made: Workspace) -> None:
    write(made.path / os.fsdecode(b"caf\xe9"), "x")
    assert (await statuses(place, made))["caf\ufffd"] == "added"


async def test_of_too_many_files_the_changed_ones_are_kept(
    place: Place, made: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "FILES_LIMIT", 2)
    write(made.path / "zuletzt.txt", "z\n")
    found, truncated = await place.workspaces.files(made.path, made.base_commit)
    assert truncated
    assert len(found) == 2
    assert ("zuletzt.txt", "added") in [(file.path, file.status) for file in found]


async def test_a_base_that_is_gone_is_said(place: Place, made: Workspace) -> None:
    with pytest.raises(QuarterdeckError, match="cannot be shown"):
        await place.workspaces.files(made.path, "1" * 40)


async def test_text_is_read(place: Place, made: Workspace) -> None:
    write(made.path / "folder/new ü.txt", "grün\n")
    found = await place.workspaces.content(made.path, "folder/new ü.txt")
    assert (found.text, found.size, found.binary, found.truncated) == ("grün\n", 6, False, False)
    assert (await place.workspaces.content(made.path, "./folder//b.txt")).text == "b\n"
    (made.path / "latin.txt").write_bytes(b"caf\xe9")
    assert (await place.workspaces.content(made.path, "latin.txt")).text == "caf\ufffd"
    write(made.path / "empty", "")
    assert (await place.workspaces.content(made.path, "empty")).text == ""


async def test_a_binary_file_has_no_text(place: Place, made: Workspace) -> None:
    (made.path / "picture").write_bytes(b"GIF\0\xff")
    found = await place.workspaces.content(made.path, "picture")
    assert (found.text, found.size, found.binary, found.truncated) == (None, 5, True, False)


async def test_of_a_long_file_the_beginning_is_read_up_to_a_whole_character(place: Place, made: Workspace) -> None:
    write(made.path / "long.txt", "x" + "ü" * files.TEXT_LIMIT)
    found = await place.workspaces.content(made.path, "long.txt")
    assert found.truncated
    assert found.size == 1 + 2 * files.TEXT_LIMIT
    assert found.text == "x" + "ü" * (files.TEXT_LIMIT // 2 - 1)


@pytest.mark.parametrize("path", ["../secret", "folder/../../secret", "/etc/passwd", "folder/..", ".."])
async def test_a_path_that_leads_elsewhere_is_not_understood(place: Place, made: Workspace, path: str) -> None:
    write(made.path.parent / "secret", "s")
    with pytest.raises(InvalidInput, match="no path inside"):
        await place.workspaces.content(made.path, path)


async def test_links_are_followed_inside_only(place: Place, made: Workspace, tmp_path: Path) -> None:
    write(tmp_path / "outside/secret", "s")
    (made.path / "out").symlink_to(tmp_path / "outside/secret")
    (made.path / "outside").symlink_to(tmp_path / "outside")
    (made.path / "in").symlink_to("folder/b.txt")
    (made.path / "around").symlink_to("around")
    for path in ("out", "outside/secret"):
        with pytest.raises(Refused, match="leads out of the worktree"):
            await place.workspaces.content(made.path, path)
    assert (await place.workspaces.content(made.path, "in")).text == "b\n"
    with pytest.raises(QuarterdeckError, match="around"):
        await place.workspaces.content(made.path, "around")


async def test_what_git_ignores_is_not_shown_not_even_by_a_link(place: Place, made: Workspace) -> None:
    write(made.path / ".env", "KEY=secret\n")
    (made.path / "harmless.txt").symlink_to(".env")
    for path in (".env", "harmless.txt"):
        with pytest.raises(Refused, match="git ignores it"):
            await place.workspaces.content(made.path, path)
    with pytest.raises(Refused, match="belongs to git"):
        await place.workspaces.content(made.path, ".git")
    git(made.path, "add", "--force", ".env")
    assert (await place.workspaces.content(made.path, ".env")).text == "KEY=secret\n"


async def test_a_name_is_no_pattern(place: Place, made: Workspace) -> None:
    write(made.path / "[ab].txt", "pattern\n")
    write(made.path / ":(top)a.txt", "magic\n")
    assert (await place.workspaces.content(made.path, "[ab].txt")).text == "pattern\n"
    assert (await place.workspaces.content(made.path, ":(top)a.txt")).text == "magic\n"
    with pytest.raises(NotFound):
        await place.workspaces.content(made.path, "*.txt")


async def test_what_is_no_file_is_said(place: Place, made: Workspace) -> None:
    for path in ("folder", "."):
        with pytest.raises(InvalidInput, match="is a folder"):
            await place.workspaces.content(made.path, path)
    (made.path / "a.txt").unlink()
    for path in ("a.txt", "nothing", "a.txt/inner", "x" * 300):
        with pytest.raises(NotFound, match="no file"):
            await place.workspaces.content(made.path, path)
    os.mkfifo(made.path / "a.txt")
    with pytest.raises(QuarterdeckError, match="no ordinary file"):
        await place.workspaces.content(made.path, "a.txt")
