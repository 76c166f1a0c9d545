"""Digests of the files that a task declares."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from supervisor.engine.planruns import fingerprints
from supervisor.engine.planruns.fingerprints import Unknowable, files, tree

TREE = ["a.py", "src/b.py", "src/deep/c.py", "src/deep/c.txt", ".hidden/d.py", "odd[1].csv", ".git/HEAD", "sub/.git"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "place"
    for name in TREE:
        path = found / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return found


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a.py", ["a.py"]),
        ("src", ["src/b.py", "src/deep/c.py", "src/deep/c.txt"]),
        ("./src//deep/", ["src/deep/c.py", "src/deep/c.txt"]),
        ("**/*.py", [".hidden/d.py", "a.py", "src/b.py", "src/deep/c.py"]),
        ("src/**/*.py", ["src/b.py", "src/deep/c.py"]),
        ("src/**", ["src/b.py", "src/deep/c.py", "src/deep/c.txt"]),
        ("src/*", ["src/b.py", "src/deep/c.py", "src/deep/c.txt"]),
        ("*.py", ["a.py"]),
        ("src/d??p/*.tx[t]", ["src/deep/c.txt"]),
        ("odd[1].csv", ["odd[1].csv"]),
        ("none/**", []),
        ("a.py/x", []),
        (".git", []),
        (".", sorted(set(TREE) - {".git/HEAD", "sub/.git"})),
        ("**/**", sorted(set(TREE) - {".git/HEAD", "sub/.git"})),
    ],
)
def test_a_pattern_means_what_is_below_what_it_matches_and_nothing_of_git(
    folder: Path, pattern: str, names: list[str]
) -> None:
    found = files(folder, pattern)
    assert list(found) == names
    assert all(found[name] == hashlib.sha256(name.encode()).hexdigest() for name in names)


def test_a_single_file_has_the_digest_of_what_is_in_it_and_a_folder_changes_with_any_of_its_files(
    folder: Path,
) -> None:
    assert tree(folder, "a.py") == hashlib.sha256(b"a.py").hexdigest()
    assert tree(folder, "none") is None
    seen = {tree(folder, "src")}
    (folder / "src" / "b.py").write_text("other")
    seen.add(tree(folder, "src"))
    (folder / "src" / "b.py").rename(folder / "src" / "e.py")
    seen.add(tree(folder, "src"))
    (folder / "src" / "e.py").chmod(0o755)
    seen.add(tree(folder, "src"))
    (folder / "src" / "e.py").unlink()
    seen.add(tree(folder, "src"))
    assert len(seen) == 5


def test_a_link_is_where_it_leads_and_what_is_there(folder: Path) -> None:
    link = folder / "link"
    link.symlink_to("a.py")
    before = tree(folder, "link")
    (folder / "a.py").write_text("other")
    after = tree(folder, "link")
    link.unlink()
    link.symlink_to("./a.py")
    elsewhere = tree(folder, "link")
    (folder / "a.py").unlink()
    assert len({before, after, elsewhere, tree(folder, "link")}) == 4


def test_what_cannot_be_known_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "round").symlink_to("round/x")
    (folder / "out").symlink_to(folder.parent)
    (folder.parent / "secret").touch()
    (folder / "secret").symlink_to("../secret")
    (folder / "src" / "up").symlink_to("..")
    os.mkfifo(folder / "pipe")
    (folder / "sub" / os.fsdecode(b"\xff")).touch()
    for pattern, why in (
        ("round/y", "leads in a circle"),
        ("out/x", "leads out of its folder"),
        ("secret", "secret leads out of its folder"),
        ("../place", "leads out of its folder"),
        ("/etc/hosts", "is outside of its folder"),
        ("src", "up is a link to a folder"),
        ("pipe", "pipe is no file"),
        ("sub", "names cannot be shown"),
    ):
        with pytest.raises(Unknowable, match=why):
            files(folder, pattern)
    monkeypatch.setattr(fingerprints, "BYTES_LIMIT", 3)
    with pytest.raises(Unknowable, match="too much to look at"):
        files(folder, "a.py")
    monkeypatch.setattr(fingerprints, "BYTES_LIMIT", 3_000)
    monkeypatch.setattr(fingerprints, "FILES_LIMIT", 1)
    with pytest.raises(Unknowable, match="too much to look at"):
        files(folder, "src/deep")
