"""Checkpoints of worktrees: made without touching anything of the person's, restored byte for byte."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from config.settings import Worktrees
from executors.git import placing, restoring
from executors.git.checkpoints import PREFIX
from executors.git.workspaces import GitWorkspaces
from supervisor.engine.ports.workspaces import CheckpointRequest, MadeCheckpoint, Restored
from supervisor.model.errors import NotFound, QuarterdeckError, Refused
from tests.support.git import PERSON, commit, git, repository, write

Seen = dict[str, tuple[str, bytes]]


@dataclass
class Tree:
    """A repository whose checkpoints are made."""

    root: Path
    workspaces: GitWorkspaces = field(default_factory=lambda: GitWorkspaces(lambda _: Worktrees()))
    made: int = 0

    def request(self, *ignored: str, unless_like: str | None = None) -> CheckpointRequest:
        self.made += 1
        return CheckpointRequest(self.root, f"{PREFIX}ses/cp-{self.made}", "cp", ignored, unless_like)

    async def checkpoint(self, *ignored: str, unless_like: str | None = None) -> MadeCheckpoint:
        made = await self.workspaces.checkpoint(self.request(*ignored, unless_like=unless_like))
        assert made is not None
        return made

    async def restore(
        self, ref: str, *, head: bool = False, kept: Callable[[MadeCheckpoint], Awaitable[None]] | None = None
    ) -> Restored:
        async def nothing(_: MadeCheckpoint) -> None:
            return None

        return await self.workspaces.restore(self.root, ref, self.request(), kept or nothing, head=head)

    def seen(self) -> Seen:
        """Every file with its kind, permissions and content."""
        found: Seen = {}
        for folder, inner, names in os.walk(self.root):
            if ".git" in inner:
                inner.remove(".git")
            for path in (Path(folder, name) for name in (*names, *inner)):
                shown = str(path.relative_to(self.root))
                if path.is_symlink():
                    found[shown] = ("link", os.fsencode(os.readlink(path)))  # noqa: PTH115 - exactly as it is
                elif path.is_file():
                    found[shown] = (oct(path.stat().st_mode), path.read_bytes())
        return found

    def persons(self) -> dict[str, str]:
        """What a person sees in git, and the index as it is. Names that are not UTF-8 come quoted."""
        return {
            "status": git(self.root, "status", "--porcelain", "--branch"),
            "index": git(self.root, "ls-files", "-s", "-v"),
            "stash": git(self.root, "stash", "list"),
            "heads": git(self.root, "for-each-ref", "refs/heads", "refs/tags", "refs/stash"),
            "head": git(self.root, "rev-parse", "HEAD") + git(self.root, "symbolic-ref", "-q", "HEAD", check=False),
        }


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(repository(tmp_path / "shop"))


async def test_what_was_changed_added_and_removed_comes_back(tree: Tree) -> None:
    write(tree.root / "a.txt", "staged\n")
    git(tree.root, "add", "a.txt")
    write(tree.root / "a.txt", "staged and changed\n")
    write(tree.root / "new/file.txt", "untracked\n")
    (tree.root / "folder/b.txt").unlink()
    before, persons = tree.seen(), tree.persons()
    made = await tree.checkpoint()
    assert (tree.seen(), tree.persons()) == (before, persons)
    commit(tree.root, {"a.txt": "later\n", "folder/b.txt": "back\n", "later/c.txt": "c\n"})
    write(tree.root / "late.txt", "late\n")
    shutil.rmtree(tree.root / "new")
    head = git(tree.root, "rev-parse", "HEAD")
    restored = await tree.restore(made.ref)
    assert tree.seen() == before
    assert git(tree.root, "rev-parse", "HEAD") == head
    assert not (tree.root / "later").exists()
    assert (restored.written, restored.removed) == (2, 3)
    assert git(tree.root, "show", f"{restored.safety.ref}:late.txt") == "late"
    again = await tree.restore(made.ref, head=True)
    assert (again.written, again.removed) == (0, 0)
    assert (tree.seen(), tree.persons()) == (before, persons)
    await tree.restore(restored.safety.ref, head=True)
    assert git(tree.root, "status", "--porcelain") == " D new/file.txt\n?? late.txt"


async def test_bytes_survive_filters_and_line_endings(tree: Tree) -> None:
    git(tree.root, "config", "core.autocrlf", "true")
    git(tree.root, "config", "filter.loud.clean", "tr a-z A-Z")
    git(tree.root, "config", "filter.loud.smudge", "tr A-Z a-z")
    write(tree.root / ".gitattributes", "*.loud filter=loud\n*.crlf text eol=crlf\n*.id ident\n")
    contents = {"x.loud": b"MiXed\n", "y.crlf": b"one\ntwo\r\n\r", "z.id": b"$Id$ $Id: x $\n", "u.txt": b"a\r\nb\n"}
    for name, content in contents.items():
        (tree.root / name).write_bytes(content)
    git(tree.root, "add", "-A")
    before = tree.seen()
    made = await tree.checkpoint()
    for name in contents:
        (tree.root / name).write_bytes(b"gone\n")
    await tree.restore(made.ref)
    assert tree.seen() == before


async def test_ignored_files_are_in_it_only_when_they_are_named(tree: Tree) -> None:
    write(tree.root / ".env", "secret\n").chmod(0o600)
    write(tree.root / "run.log", "log\n")
    made = await tree.checkpoint(".env", "build/**")
    write(tree.root / ".env", "other\n")
    write(tree.root / "run.log", "more\n")
    write(tree.root / "late.log", "late\n")
    write(tree.root / ".env.late", "never named\n")
    restored = await tree.restore(made.ref)
    seen = tree.seen()
    assert seen[".env"] == ("0o100600", b"secret\n")
    assert [seen[name][1] for name in ("run.log", "late.log", ".env.late")] == [b"more\n", b"late\n", b"never named\n"]
    assert git(tree.root, "show", f"{restored.safety.ref}:.env") == "other"


async def test_a_folder_of_ignored_files_that_is_named_comes_back_whole(tree: Tree) -> None:
    commit(tree.root, {".gitignore": "/build/\n"})
    write(tree.root / "build/deep/a.o", "a\n")
    write(tree.root / "build/b.o", "b\n").chmod(0o755)
    before = tree.seen()
    made = await tree.checkpoint("build/**")
    assert made.files == 5
    write(tree.root / "build/b.o", "later\n")
    write(tree.root / "build/late/c.o", "c\n")
    (tree.root / "build/deep/a.o").unlink()
    restored = await tree.restore(made.ref)
    assert tree.seen() == before
    assert git(tree.root, "show", f"{restored.safety.ref}:build/late/c.o") == "c"


async def test_what_is_to_be_added_later_and_what_is_left_alone_stay_so(tree: Tree) -> None:
    write(tree.root / "empty.txt", "")
    git(tree.root, "add", "--intent-to-add", "empty.txt")
    git(tree.root, "update-index", "--assume-unchanged", "a.txt")
    git(tree.root, "update-index", "--skip-worktree", "folder/b.txt")
    (tree.root / "folder/b.txt").unlink()
    before, persons = tree.seen(), tree.persons()
    made = await tree.checkpoint()
    git(tree.root, "reset", "-q", "--hard")
    git(tree.root, "update-index", "--no-skip-worktree", "folder/b.txt")
    git(tree.root, "checkout", "-q", "folder/b.txt")
    await tree.restore(made.ref)
    assert (tree.seen(), tree.persons()) == (before, persons)


async def test_the_last_file_and_a_large_one_come_back(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restoring, "AT_ONCE", 1000)
    git(tree.root, "rm", "-q", "-r", ".")
    empty = await tree.checkpoint()
    assert empty.files == 0
    contents = {"large.bin": os.urandom(5000), "b.bin": b"b" * 600, "c.bin": b"c" * 600, "d.bin": b""}
    for name, content in contents.items():
        (tree.root / name).write_bytes(content)
    full = await tree.checkpoint()
    before = tree.seen()
    await tree.restore(empty.ref)
    assert tree.seen() == {}
    await tree.restore(full.ref)
    assert tree.seen() == before


async def test_what_cannot_be_written_says_so_and_is_finished_later(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await tree.checkpoint()
    write(tree.root / "a.txt", "changed\n")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "a.txt")

    with monkeypatch.context() as patched:
        patched.setattr(placing.Placer, "write", full)
        with pytest.raises(QuarterdeckError, match=r"a\.txt cannot be restored: No space left.*is kept as refs/"):
            await tree.restore(made.ref)
    await tree.restore(made.ref)
    assert (tree.root / "a.txt").read_text() == "one\ntwo\nthree\n"


async def test_what_is_ignored_is_judged_by_the_rules_of_then(tree: Tree) -> None:
    write(tree.root / "keep.log", "ignored then\n")
    made = await tree.checkpoint()
    write(tree.root / ".gitignore", "*.tmp\n")
    write(tree.root / "late.tmp", "ignored now, not then\n")
    restored = await tree.restore(made.ref)
    assert tree.seen()["keep.log"][1] == b"ignored then\n"
    assert not (tree.root / "late.tmp").exists()
    assert git(tree.root, "status", "--porcelain") == ""
    assert git(tree.root, "show", f"{restored.safety.ref}:late.tmp") == "ignored now, not then"
    assert git(tree.root, "rev-parse", restored.safety.ref) == restored.safety.commit
    await tree.restore(restored.safety.ref)
    assert tree.seen()["late.tmp"][1] == b"ignored now, not then\n"


async def test_an_ignored_file_in_the_way_of_a_file_is_never_lost(tree: Tree) -> None:
    made = await tree.checkpoint()
    (tree.root / "a.txt").unlink()
    write(tree.root / "a.txt/x.log", "ignored\n")
    write(tree.root / "folder/b.txt", "changed\n")
    before = tree.seen()
    with pytest.raises(Refused, match=r"a\.txt/x\.log is in the way"):
        await tree.restore(made.ref)
    assert tree.seen() == before


async def test_files_links_and_folders_take_each_others_place(tree: Tree, tmp_path: Path) -> None:
    outside = write(tmp_path / "outside/b.txt", "not ours\n")
    made = await tree.checkpoint()
    before = tree.seen()
    shutil.rmtree(tree.root / "folder")
    (tree.root / "folder").symlink_to(outside.parent)
    (tree.root / "a.txt").unlink()
    write(tree.root / "a.txt/deep/er.txt", "a folder now\n")
    now = tree.seen()
    restored = await tree.restore(made.ref)
    assert tree.seen() == before
    assert outside.read_text() == "not ours\n"
    await tree.restore(restored.safety.ref)
    assert tree.seen() == now


async def test_a_conflict_and_the_merge_it_belongs_to_come_back(tree: Tree) -> None:
    git(tree.root, "switch", "-q", "-c", "side")
    commit(tree.root, {"a.txt": "side\n"})
    git(tree.root, "switch", "-q", "main")
    commit(tree.root, {"a.txt": "main\n"})
    git(tree.root, "merge", "side", check=False)
    before, persons = tree.seen(), tree.persons()
    made = await tree.checkpoint()
    git(tree.root, "merge", "--abort")
    git(tree.root, "branch", "-D", "side")
    restored = await tree.restore(made.ref)
    assert tree.seen() == before
    assert tree.persons()["status"] == persons["status"]
    assert (tree.root / ".git/MERGE_HEAD").exists()
    await tree.restore(restored.safety.ref)
    assert not (tree.root / ".git/MERGE_HEAD").exists()
    assert git(tree.root, "status", "--porcelain") == ""


async def test_a_change_in_the_tick_of_the_index_is_seen_after_a_restore(tree: Tree) -> None:
    git(tree.root, "config", "core.trustctime", "false")
    git(tree.root, "config", "core.checkStat", "minimal")
    file, index, old = tree.root / "a.txt", tree.root / ".git/index", (10**18, 10**18)
    for content in ("AAAA\n", "BBBB\n"):
        file.write_text(content)
        os.utime(file, ns=old)
        if content == "AAAA\n":
            git(tree.root, "add", "a.txt")
            os.utime(index, ns=old)
    made = await tree.checkpoint()
    await tree.restore(made.ref)
    assert git(tree.root, "diff", "--name-only") == "a.txt"


async def test_hooks_do_not_run_and_the_stash_stays(tree: Tree) -> None:
    write(tree.root / "a.txt", "stashed\n")
    git(tree.root, "stash")
    for hook in ("post-checkout", "post-index-change", "reference-transaction", "pre-commit", "post-commit"):
        write(tree.root / ".git/hooks" / hook, f"#!/bin/sh\ntouch '{tree.root.parent}/ran'\n").chmod(0o755)
    write(tree.root / "b.txt", "b\n")
    made = await tree.checkpoint()
    (tree.root / "b.txt").unlink()
    await tree.restore(made.ref, head=True)
    assert not (tree.root.parent / "ran").exists()
    assert len(git(tree.root, "stash", "list").splitlines()) == 1


async def test_it_survives_a_collection_and_is_gone_after_it_is_dropped(tree: Tree) -> None:
    write(tree.root / "staged.txt", "only in the index\n")
    git(tree.root, "add", "staged.txt")
    write(tree.root / "staged.txt", "only in the folder\n")
    lost = commit(tree.root, {"lost.txt": "a commit that no branch has\n"})
    write(tree.root / "staged.txt", "staged\n")
    git(tree.root, "add", "staged.txt")
    write(tree.root / "staged.txt", "changed\n")
    before = tree.seen()
    made = await tree.checkpoint()
    git(tree.root, "reset", "-q", "--hard", "HEAD~1")
    git(tree.root, "reflog", "expire", "--expire=now", "--all")
    git(tree.root, "gc", "-q", "--prune=now")
    await tree.restore(made.ref, head=True)
    assert tree.seen() == before
    assert git(tree.root, "rev-parse", "HEAD") == lost
    assert git(tree.root, "show", ":staged.txt") == "staged"
    assert made.ref in [each.ref for each in await tree.workspaces.checkpoints(tree.root)]
    await tree.workspaces.drop_checkpoint(tree.root, made.ref)
    await tree.workspaces.drop_checkpoint(tree.root, made.ref)
    with pytest.raises(NotFound, match="is gone"):
        await tree.restore(made.ref)


async def test_what_was_collected_since_the_last_look_is_stored_again(tree: Tree) -> None:
    old = 1_600_000_000
    write(tree.root / "new.txt", "untracked\n")
    made = await tree.checkpoint()
    stamps = tree.root / ".git/quarterdeck-stamps"
    # As if the file had settled before the look.
    import msgspec

    known = msgspec.msgpack.decode(stamps.read_bytes())
    stat = (tree.root / "new.txt").lstat()
    oid = git(tree.root, "hash-object", "--no-filters", "new.txt")
    known[b"new.txt"] = ((stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_size, stat.st_mode), oid)
    stamps.write_bytes(msgspec.msgpack.encode(known))
    await tree.workspaces.drop_checkpoint(tree.root, made.ref)
    git(tree.root, "gc", "-q", "--prune=now")
    assert old < stat.st_mtime
    assert git(tree.root, "cat-file", "-e", oid, check=False) == ""
    again = await tree.checkpoint()
    assert git(tree.root, "show", f"{again.ref}:new.txt") == "untracked"


async def test_none_is_made_when_nothing_changed(tree: Tree) -> None:
    write(tree.root / "b.txt", "b\n")
    first = await tree.checkpoint()
    git(tree.root, "status")
    assert await tree.workspaces.checkpoint(tree.request(unless_like=first.ref)) is None
    git(tree.root, "add", "b.txt")
    second = await tree.checkpoint(unless_like=first.ref)
    write(tree.root / "b.txt", "c\n")
    third = await tree.checkpoint(unless_like=second.ref)
    commit(tree.root, {})
    await tree.checkpoint(unless_like=third.ref)


async def test_head_moves_only_where_nothing_is_lost(tree: Tree, tmp_path: Path) -> None:
    first = git(tree.root, "rev-parse", "HEAD")
    made = await tree.checkpoint()
    later = commit(tree.root, {"c.txt": "c\n"})
    restored = await tree.restore(made.ref, head=True)
    assert git(tree.root, "rev-parse", "main") == first
    assert git(tree.root, "rev-parse", f"{restored.safety.ref}^1") == later
    git(tree.root, "switch", "-q", "-c", "other")
    git(tree.root, "branch", "-f", "main", later)
    with pytest.raises(Refused, match="has moved"):
        await tree.restore(made.ref, head=True)
    git(tree.root, "worktree", "add", "-q", tmp_path / "second", "main")
    with pytest.raises(Refused, match="checked out in another worktree"):
        await tree.restore(made.ref, head=True)
    git(tree.root, "worktree", "remove", tmp_path / "second")
    git(tree.root, "branch", "-D", "main")
    await tree.restore(made.ref, head=True)
    assert git(tree.root, "symbolic-ref", "HEAD") == "refs/heads/main"
    git(tree.root, "checkout", "-q", "--detach")
    apart = await tree.checkpoint()
    git(tree.root, "switch", "-q", "other")
    await tree.restore(apart.ref, head=True)
    assert git(tree.root, "symbolic-ref", "-q", "HEAD", check=False) == ""


async def test_a_rebase_that_is_under_way_is_not_gone_back_in(tree: Tree) -> None:
    made = await tree.checkpoint()
    (tree.root / ".git/rebase-merge").mkdir()
    with pytest.raises(Refused, match="A rebase is under way"):
        await tree.restore(made.ref)


async def test_submodules_are_known_by_their_commit_and_repositories_inside_are_left_alone(
    tree: Tree, tmp_path: Path
) -> None:
    library = repository(tmp_path / "library")
    git(tree.root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", library, "lib")
    git(tree.root, "commit", "-qm", "with library")
    was = git(tree.root / "lib", "rev-parse", "HEAD")
    made = await tree.checkpoint()
    now = commit(tree.root / "lib", {"more.txt": "more\n"})
    repository(tree.root / "nested")
    restored = await tree.restore(made.ref)
    assert sorted(restored.left)[0].startswith(f"The submodule lib is at {now[:12]} and was at {was[:12]}")
    assert any("nested/ was not there, is a repository of its own" in each for each in restored.left)
    assert (tree.root / "nested/a.txt").exists()
    assert git(tree.root, "ls-tree", restored.safety.ref, "lib").split()[2] == now
    assert git(tree.root, "status", "--porcelain") == " M lib\n?? nested/"


async def test_a_split_index_comes_back_whole(tree: Tree) -> None:
    git(tree.root, "update-index", "--split-index")
    write(tree.root / "staged.txt", "staged\n")
    git(tree.root, "add", "staged.txt")
    persons = tree.persons()
    made = await tree.checkpoint()
    git(tree.root, "reset", "-q", "--hard")
    for part in (tree.root / ".git").glob("sharedindex.*"):
        part.unlink()
    (tree.root / ".git/index").unlink()
    await tree.restore(made.ref)
    assert tree.persons() == persons


async def test_a_file_that_changes_meanwhile_is_not_lost(tree: Tree) -> None:
    made = await tree.checkpoint()
    write(tree.root / "a.txt", "one\n")

    async def kept(_: MadeCheckpoint) -> None:
        write(tree.root / "a.txt", "changed meanwhile\n")

    with pytest.raises(Refused, match=r"a\.txt was changed while"):
        await tree.restore(made.ref, kept=kept)
    assert (tree.root / "a.txt").read_text() == "changed meanwhile\n"


async def test_the_difference_to_now_and_to_another(tree: Tree) -> None:
    first = await tree.checkpoint()
    write(tree.root / "a.txt", "changed\n")
    write(tree.root / "new.txt", "new\n")
    shown = await tree.workspaces.compare_checkpoint(tree.root, first.ref, None)
    assert "+changed" in shown
    assert "+++ b/new.txt" in shown
    second = await tree.checkpoint()
    assert await tree.workspaces.compare_checkpoint(tree.root, first.ref, second.ref) == shown
    assert await tree.workspaces.compare_checkpoint(tree.root, second.ref, None) == ""


NAMES = st.sampled_from(
    ["a.txt", "b b.txt", "ü\nmlaut.txt", 'q"uote\\.bin', "\udcff.raw", "d/x", "d/y y", "d/e/z", "e", "e/f", "-n",
     "l.log", "m.env.log", "link", ".hidden", "tab\t"]
)  # fmt: skip
CONTENTS = st.one_of(st.binary(max_size=8), st.sampled_from([b"x\n", b"x\r\n", b"\0\xff", b"long " * 500]))
ACTIONS = st.sampled_from(["write", "write", "executable", "link", "remove", "stage", "commit", "stash", "unstage"])
STEPS = st.lists(st.tuples(ACTIONS, NAMES, CONTENTS), max_size=10)


def quietly(where: Path, *arguments: str) -> None:
    """Run git whatever it says, and in whatever encoding."""
    subprocess.run(["git", *arguments], cwd=where, env=os.environ | PERSON, capture_output=True, check=False)


def do(tree: Tree, action: str, name: str, content: bytes) -> None:
    """Change a worktree as a person, an agent or a tool may."""
    path = tree.root / name
    if action in ("write", "executable", "link", "remove"):
        for each in (*[tree.root / part for part in Path(name).parents if part != Path()], path):
            if each.is_symlink() or (each.exists() and not each.is_dir()) or (each == path and each.is_dir()):
                shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()
        if action == "remove":
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        if action == "link":
            path.symlink_to(os.fsdecode(content[:8].replace(b"\0", b"") or b"nowhere"))
        else:
            path.write_bytes(content)
            path.chmod(0o755 if action == "executable" else 0o644)
    elif action == "stage":
        quietly(tree.root, "add", "--", f":(literal){name}")
    elif action == "commit":
        quietly(tree.root, "commit", "-qm", "a commit")
    elif action == "stash":
        quietly(tree.root, "stash")
    elif action == "unstage":
        quietly(tree.root, "reset", "-q")


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        root = repository(Path(folder) / "template")
        write(root / ".gitattributes", "*.txt text=auto\n*.bin ident\n")
        git(root, "config", "core.autocrlf", "input")
        git(root, "config", "core.safecrlf", "false")
        commit(root, {"e": "e\n", "d/x": "x\n"})
        yield root


@settings(
    max_examples=12,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # each example takes seconds: it is not made smaller
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(before=STEPS, after=STEPS)
def test_whatever_happens_a_restore_is_exact(
    template: Path, before: list[tuple[str, str, bytes]], after: list[tuple[str, str, bytes]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tree = Tree(Path(folder) / "tree")
        shutil.copytree(template, tree.root, symlinks=True)
        for step in before:
            do(tree, *step)

        async def play() -> None:
            first = tree.seen(), tree.persons()
            made = await tree.checkpoint("*.log", "**/*.log")
            assert (tree.seen(), tree.persons()) == first
            for step in after:
                do(tree, *step)
            second, stash = (tree.seen(), tree.persons()), git(tree.root, "stash", "list")
            restored = await tree.restore(made.ref, head=True)
            whole = tree.seen(), tree.persons() | {"stash": first[1]["stash"], "heads": first[1]["heads"]}
            assert whole == first
            assert git(tree.root, "stash", "list") == stash
            await tree.restore(restored.safety.ref, head=True)
            assert (tree.seen(), tree.persons()) == second

        asyncio.run(play())
