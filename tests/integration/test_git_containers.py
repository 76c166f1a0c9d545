"""A container's clone, and what comes back from it, also when what ran there was hostile."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from supervisor.engine.ports.workspaces import Workspace
from supervisor.model.errors import QuarterdeckError, Refused
from tests.support.git import Place, commit, git, repository, write

# ruff: noqa: ASYNC240 - nothing else runs in the loop of a test

UID, GID = os.geteuid(), os.getegid()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(repository(tmp_path / "project"), tmp_path / "worktrees")


@pytest.fixture
async def made(place: Place) -> Workspace:
    return await place.prepare()


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "sessions/ses_1/clone"


async def clone(place: Place, made: Workspace, into: Path) -> tuple[Path, ...]:
    return await place.workspaces.clone_for_container(made.path, into, uid=UID, gid=GID)


async def bring_back(place: Place, made: Workspace, into: Path) -> str:
    return await place.workspaces.bring_back(into, made.path, made.branch)


def kept(place: Place) -> list[str]:
    refs = git(place.root, "for-each-ref", "--format=%(refname)", "refs/quarterdeck/").splitlines()
    return [ref.rpartition("/")[2] for ref in refs]


# --- the clone -----------------------------------------------------------------------------


async def test_clone_is_the_worktree_as_it_stands(place: Place, made: Workspace, into: Path) -> None:
    commit(made.path, {"committed.txt": "c"})
    write(made.path / "a.txt", "changed\n")
    write(made.path / "staged.txt", "s")
    git(made.path, "add", "staged.txt")
    write(made.path / "new ü.txt", "n")
    write(made.path / ".env", "provisioned")
    git(place.root, "tag", "v1", "main")
    assert await clone(place, made, into) == (place.root / ".git/objects",)
    assert git(into, "status", "--porcelain", "--branch") == git(made.path, "status", "--porcelain", "--branch")
    assert (into / ".env").read_text() == "provisioned"
    assert git(into, "log", "--format=%s") == "change\nfirst"
    assert git(into, "diff", "--stat", "origin/main", "v1") == ""
    assert git(into, "fsck", "--no-dangling") == ""


async def test_clone_names_no_path_of_the_host_but_the_borrowed_objects(
    place: Place, made: Workspace, into: Path, tmp_path: Path
) -> None:
    git(place.root, "remote", "add", "origin", tmp_path / "somewhere")
    git(place.root, "config", "user.name", "Grace")
    await clone(place, made, into)
    naming = [path for path in into.rglob("*") if path.is_file() and str(tmp_path).encode() in path.read_bytes()]
    assert [path.relative_to(into).as_posix() for path in naming] == [".git/objects/info/alternates"]
    assert git(into, "config", "user.name") == "Grace"
    assert git(into, "remote") == ""


@pytest.mark.skipif(UID != 0, reason="only root can give files away")
async def test_clone_belongs_to_the_user_of_the_container(place: Place, made: Workspace, into: Path) -> None:
    (made.path / "link").symlink_to(place.root / "a.txt")
    await place.workspaces.clone_for_container(made.path, into, uid=1234, gid=2345)
    owners = {(path.lstat().st_uid, path.lstat().st_gid) for path in (into, *into.rglob("*"))}
    assert owners == {(1234, 2345)}
    assert (place.root / "a.txt").stat().st_uid == 0


async def test_clone_for_another_user_needs_root(
    place: Place, made: Workspace, into: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    with pytest.raises(Refused, match="only root gives files away") as caught:
        await place.workspaces.clone_for_container(made.path, into, uid=1000, gid=1000)
    assert "4321" in caught.value.hint


async def test_objects_that_are_borrowed_themselves_are_named(tmp_path: Path, into: Path) -> None:
    repository(tmp_path / "project")
    git(tmp_path, "clone", "-q", "--shared", "project", "second")
    place = Place(tmp_path / "second", tmp_path / "worktrees")
    made = await place.prepare()
    shared = await clone(place, made, into)
    assert shared == (tmp_path / "second/.git/objects", tmp_path / "project/.git/objects")


async def test_clone_that_was_not_brought_back_is_kept(place: Place, made: Workspace, into: Path) -> None:
    shared = await clone(place, made, into)
    write(into / "work.txt", "w")
    assert await clone(place, made, into) == shared
    assert (into / "work.txt").exists()
    await bring_back(place, made, into)
    write(made.path / "later.txt", "l")
    await clone(place, made, into)
    assert (into / "later.txt").exists()
    assert (into / "work.txt").exists()


async def test_half_made_clone_is_built_again(place: Place, made: Workspace, into: Path) -> None:
    write(into.with_name("clone.new") / "half", "x")
    await clone(place, made, into)
    assert not (into / "half").exists()


async def test_folder_in_the_way_is_refused(place: Place, made: Workspace, into: Path) -> None:
    write(into / "mine", "x")
    with pytest.raises(Refused, match="already a folder"):
        await clone(place, made, into)
    with pytest.raises(Refused, match="no clone"):
        await bring_back(place, made, into)


async def test_clone_with_submodules(place: Place, tmp_path: Path, into: Path) -> None:
    library = repository(tmp_path / "library")
    git(place.root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", library, "lib")
    commit(place.root, {})
    made = await place.prepare()
    await clone(place, made, into)
    assert (into / "lib/a.txt").exists()
    assert not (into / "lib/.git").exists()
    write(into / "new.txt", "n")
    await bring_back(place, made, into)
    assert git(made.path, "status", "--porcelain") == "?? new.txt"


async def test_shallow_repository(tmp_path: Path, into: Path) -> None:
    commit(repository(tmp_path / "source"), {"a.txt": "second\n"})
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{tmp_path}/source", "project")
    place = Place(tmp_path / "project", tmp_path / "worktrees")
    made = await place.prepare()
    await clone(place, made, into)
    assert git(into, "log", "--format=%s") == "change"
    head = commit(into, {"new.txt": "n"})
    await bring_back(place, made, into)
    assert git(made.path, "rev-parse", "HEAD") == head


# --- the way back --------------------------------------------------------------------------


async def test_commits_and_files_come_back(place: Place, made: Workspace, into: Path) -> None:
    await clone(place, made, into)
    head = commit(into, {"committed.txt": "c\n"})
    git(into, "gc", "-q")
    write(into / "a.txt", "changed\n")
    write(into / "deep/new ü.txt", "n")
    write(into / "ignored.log", "i")
    (into / "folder/b.txt").unlink()
    (into / "link").symlink_to("/etc/passwd")
    write(into / "run.sh", "x").chmod(0o755)
    said = await bring_back(place, made, into)
    assert said == "Brought back: 1 commits; 5 files are not committed."
    assert git(made.path, "rev-parse", made.branch) == head
    assert git(made.path, "symbolic-ref", "--short", "HEAD") == made.branch
    status = git(made.path, "status", "--porcelain", "-uall", "-z").split("\0")
    assert status[:-1] == [" M a.txt", " D folder/b.txt", "?? deep/new ü.txt", "?? link", "?? run.sh"]
    assert (made.path / "link").readlink() == Path("/etc/passwd")
    assert (made.path / "run.sh").stat().st_mode & 0o100
    assert not (made.path / "ignored.log").exists()
    assert kept(place) == []
    assert await bring_back(place, made, into) == "Everything was brought back before."
    shutil.rmtree(into)
    assert git(place.root, "fsck", "--no-dangling") == ""


async def test_nothing_new_changes_nothing(place: Place, made: Workspace, into: Path) -> None:
    write(made.path / "staged.txt", "s")
    git(made.path, "add", "staged.txt")
    await clone(place, made, into)
    assert await bring_back(place, made, into) == "Brought back: 0 commits; 1 files are not committed."
    assert git(made.path, "status", "--porcelain") == "A  staged.txt"


async def test_what_was_uncommitted_before_may_be_committed_there(place: Place, made: Workspace, into: Path) -> None:
    write(made.path / "new.txt", "n")
    await clone(place, made, into)
    commit(into, {})
    await bring_back(place, made, into)
    assert git(made.path, "status", "--porcelain") == ""
    assert git(made.path, "show", "HEAD:new.txt") == "n"


async def test_changes_on_both_sides_are_merged(place: Place, made: Workspace, into: Path) -> None:
    await clone(place, made, into)
    commit(into, {"theirs.txt": "t"})
    write(into / "a.txt", "one\ntwo\nTHREE\n")
    write(made.path / "a.txt", "ONE\ntwo\nthree\n")
    write(made.path / "mine.txt", "m")
    await bring_back(place, made, into)
    assert (made.path / "a.txt").read_text() == "ONE\ntwo\nTHREE\n"
    assert (made.path / "mine.txt").exists()


async def test_conflicting_files_are_kept_aside(place: Place, made: Workspace, into: Path) -> None:
    await clone(place, made, into)
    head = commit(into, {"theirs.txt": "t"})
    write(into / "a.txt", "theirs\n")
    write(made.path / "a.txt", "mine\n")
    said = await bring_back(place, made, into)
    assert "changed the same lines" in said
    assert "refs/quarterdeck/returned/ses_1/" in said
    assert (made.path / "a.txt").read_text() == "mine\n"
    assert git(made.path, "rev-parse", "HEAD") == made.base_commit
    assert sorted(kept(place)) == ["files", "head"]
    listing = git(place.root, "for-each-ref", "--format=%(objectname) %(refname)", "refs/quarterdeck/returned/")
    refs = {line.rpartition("/")[2]: line.split()[0] for line in listing.splitlines()}
    assert refs["head"] == head
    assert git(place.root, "show", f"{refs['files']}:a.txt") == "theirs"


async def test_history_that_went_another_way_is_kept_aside(place: Place, made: Workspace, into: Path) -> None:
    await clone(place, made, into)
    commit(into, {"theirs.txt": "t"})
    mine = commit(made.path, {"mine.txt": "m"})
    said = await bring_back(place, made, into)
    assert "different ways" in said
    assert git(made.path, "rev-parse", "HEAD") == mine
    assert sorted(kept(place)) == ["files", "head"]


async def test_worktree_that_moved_on_gets_the_files(place: Place, made: Workspace, into: Path) -> None:
    await clone(place, made, into)
    write(into / "theirs.txt", "t")
    mine = commit(made.path, {"mine.txt": "m"})
    await bring_back(place, made, into)
    assert git(made.path, "rev-parse", "HEAD") == mine
    assert git(made.path, "status", "--porcelain") == "?? theirs.txt"


async def test_worktree_on_another_branch_is_left_alone(place: Place, made: Workspace, into: Path) -> None:
    await clone(place, made, into)
    commit(into, {"theirs.txt": "t"})
    git(made.path, "switch", "-q", "-c", "other")
    said = await bring_back(place, made, into)
    assert "not on qd/ses_1" in said
    assert not (made.path / "theirs.txt").exists()
    assert "head" in kept(place)


async def test_other_branches_of_the_clone_are_kept_aside(place: Place, made: Workspace, into: Path) -> None:
    await clone(place, made, into)
    git(into, "switch", "-q", "-c", "experiment")
    aside = commit(into, {"x.txt": "x"})
    git(into, "pack-refs", "--all")
    git(into, "switch", "-q", made.branch)
    head = commit(into, {"y.txt": "y"})
    said = await bring_back(place, made, into)
    assert git(made.path, "rev-parse", "HEAD") == head
    assert "keeps what is on no branch here" in said
    assert git(place.root, "for-each-ref", "--format=%(objectname)", "refs/quarterdeck/returned") == aside


async def test_detached_head_of_the_clone_comes_back(place: Place, made: Workspace, into: Path) -> None:
    await clone(place, made, into)
    git(into, "switch", "-q", "--detach")
    head = commit(into, {"x.txt": "x"})
    await bring_back(place, made, into)
    assert git(made.path, "rev-parse", made.branch) == head


async def test_crash_after_the_files_came_back(place: Place, made: Workspace, into: Path) -> None:
    await clone(place, made, into)
    note = into.with_name("clone.json").read_text()
    head = commit(into, {"c.txt": "c"})
    write(into / "new.txt", "n")
    await bring_back(place, made, into)
    into.with_name("clone.json").write_text(note)
    git(place.root, "update-ref", "refs/quarterdeck/cloned/ses_1", head)
    await bring_back(place, made, into)
    assert git(made.path, "rev-parse", "HEAD") == head
    assert git(made.path, "status", "--porcelain") == "?? new.txt"


# --- hostile clones ------------------------------------------------------------------------

TRAPS = {
    'filter "trap"': ("clean", "smudge", "process"),
    'diff "trap"': ("textconv", "command"),
    'merge "trap"': ("driver",),
    "core": ("fsmonitor", "sshCommand", "alternateRefsCommand", "pager"),
    "uploadpack": ("packObjectsHook",),
    "diff": ("external",),
}


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    return tmp_path / "ran"


async def test_configuration_hooks_and_filters_do_not_run(place: Place, made: Workspace, into: Path, ran: Path) -> None:
    await clone(place, made, into)
    commit(into, {"x.txt": "x"})
    write(into / ".gitattributes", "* filter=trap diff=trap merge=trap\n")
    trap = f"touch {ran}"
    for name in ("post-checkout", "post-index-change", "reference-transaction", "update", "pre-auto-gc"):
        write(into / ".git/hooks" / name, f"#!/bin/sh\n{trap}\n").chmod(0o755)
    with (into / ".git/config").open("a") as config:
        config.write(f"[core]\n\thooksPath = {into}/.git/hooks\n\tworktree = /\n")
        for section, keys in TRAPS.items():
            config.write(f"[{section}]\n" + "".join(f'\t{key} = "{trap}"\n' for key in keys))
    await bring_back(place, made, into)
    assert (made.path / "x.txt").exists()
    await place.workspaces.diff(made.path, made.base_commit)
    await place.workspaces.state(made.path, made.branch, made.base_commit)
    assert not ran.exists()


async def test_nested_repositories_are_not_entered(place: Place, made: Workspace, into: Path, ran: Path) -> None:
    await clone(place, made, into)
    for name in ("tracked", "untracked"):
        inner = repository(into / name)
        commit(inner, {".gitattributes": "* filter=trap\n"})
        if name == "tracked":
            git(into, "add", "tracked")
            git(into, "commit", "-q", "-m", "nested")
        git(inner, "config", "filter.trap.clean", f"touch {ran}; cat")
        write(inner / "a.txt", "changed\n")
    await bring_back(place, made, into)
    await place.workspaces.diff(made.path, made.base_commit)
    assert not ran.exists()
    assert not (made.path / "untracked").exists()


async def test_git_folder_that_is_a_link_or_a_file(place: Place, made: Workspace, into: Path, tmp_path: Path) -> None:
    secret = repository(tmp_path / "secret")
    commit(secret, {"secret.txt": "s"})
    await clone(place, made, into)
    shutil.rmtree(into / ".git")
    (into / ".git").symlink_to(secret / ".git")
    with pytest.raises(QuarterdeckError, match="cannot be read") as caught:
        await bring_back(place, made, into)
    assert "is kept" in caught.value.kept
    (into / ".git").unlink()
    write(into / ".git", f"gitdir: {secret}/.git\n")
    with pytest.raises(QuarterdeckError, match="cannot be read"):
        await bring_back(place, made, into)


@pytest.mark.parametrize("where", ["objects", "alternates", "loose", "pack"])
async def test_objects_of_other_repositories_stay_out(
    place: Place, made: Workspace, into: Path, tmp_path: Path, where: str
) -> None:
    secret = repository(tmp_path / "secret")
    target = commit(secret, {"secret.txt": "s"})
    await clone(place, made, into)
    objects = into / ".git/objects"
    if where == "objects":
        shutil.rmtree(objects)
        objects.symlink_to(secret / ".git/objects")
    elif where == "alternates":
        write(objects / "info/alternates", f"{secret}/.git/objects\n{place.root}/.git/objects\n")
    elif where == "loose":
        for folder in (secret / ".git/objects").glob("??"):
            (objects / folder.name).mkdir(exist_ok=True)
            for file in folder.iterdir():
                (objects / folder.name / file.name).symlink_to(file)
    else:
        git(secret, "gc", "-q")
        shutil.rmtree(objects / "pack", ignore_errors=True)
        (objects / "pack").symlink_to(secret / ".git/objects/pack")
    write(into / f".git/refs/heads/{made.branch}", f"{target}\n")
    try:
        said = await bring_back(place, made, into)
        assert "cannot be read" in said
    except QuarterdeckError as error:
        assert "cannot be read" in error.message  # noqa: PT017 - both answers are right
    assert git(made.path, "rev-parse", "HEAD") == made.base_commit
    assert git(place.root, "cat-file", "-t", target, check=False) == ""


async def test_references_that_are_links_or_nonsense(place: Place, made: Workspace, into: Path, tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", made.base_commit)
    await clone(place, made, into)
    refs = into / ".git/refs/heads"
    (refs / "linked").symlink_to(outside)
    write(refs / "nonsense", "../../../etc/passwd\n")
    write(refs / "-x$(touch ran)", f"{'0' * 40}\n")
    os.mkfifo(refs / "pipe")
    write(into / "new.txt", "n")
    said = await bring_back(place, made, into)
    assert "Some commits of the clone cannot be read" in said
    assert (made.path / "new.txt").exists()


@pytest.mark.parametrize("head", ["ref: refs/heads/gone\n", "ref: ../../config\n", "garbage", ""])
async def test_head_that_leads_nowhere(place: Place, made: Workspace, into: Path, head: str) -> None:
    await clone(place, made, into)
    write(into / ".git/HEAD", head)
    write(into / "new.txt", "n")
    assert "cannot be read" in await bring_back(place, made, into)
    assert (made.path / "new.txt").exists()


async def test_damaged_objects_are_not_taken(place: Place, made: Workspace, into: Path) -> None:
    await clone(place, made, into)
    head = commit(into, {"x.txt": "x"})
    damaged = into / ".git/objects" / head[:2] / head[2:]
    damaged.chmod(0o644)
    damaged.write_bytes(b"not an object")
    write(into / f".git/objects/pack/pack-{'a' * 40}.pack", "PACK rubbish")
    assert "cannot be read" in await bring_back(place, made, into)
    assert git(made.path, "rev-parse", "HEAD") == made.base_commit


async def test_links_in_the_files_lead_nowhere(place: Place, made: Workspace, into: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write(outside / "b.txt", "secret")
    await clone(place, made, into)
    shutil.rmtree(into / "folder")
    (into / "folder").symlink_to(outside)
    (made.path / "new").symlink_to(outside)
    write(into / "new/planted.txt", "p")
    await bring_back(place, made, into)
    assert sorted(path.name for path in outside.iterdir()) == ["b.txt"]
    assert (outside / "b.txt").read_text() == "secret"


async def test_pipes_do_not_hold_anything_up(place: Place, made: Workspace, into: Path) -> None:
    await clone(place, made, into)
    (into / ".gitignore").unlink()
    for name in (".gitignore", "folder/.gitattributes", "a pipe"):
        os.mkfifo(into / name)
    write(into / "new.txt", "n")
    await bring_back(place, made, into)
    assert (made.path / "new.txt").exists()
