"""The parser of diffs, on what git really prints for odd files, and on anything else."""

from __future__ import annotations

import difflib
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panels.view.diff import FileDiff, parse
from tests.support.git import git, repository


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return repository(tmp_path / "repository")


def changes(repo: Path, *options: str) -> dict[str, FileDiff]:
    git(repo, "add", "-A")
    return {file.path: file for file in parse(_diff(repo, *options))}


def _diff(repo: Path, *options: str) -> str:
    """What git prints, byte by byte: a carriage return stays."""
    command = ["git", *options, "diff", "--find-renames", "HEAD"]
    return subprocess.run(command, cwd=repo, capture_output=True, check=True).stdout.decode(errors="replace")


def only(repo: Path, *options: str) -> FileDiff:
    (file,) = changes(repo, *options).values()
    return file


def test_lines_have_their_numbers_before_and_after(repo: Path) -> None:
    (repo / "a.txt").write_text("zero\none\ntwo\nthird\n")
    file = only(repo)
    (hunk,) = file.hunks
    assert [(line.kind, line.old, line.new, line.text) for line in hunk.lines] == [
        ("+", None, 1, "zero"),
        (" ", 1, 2, "one"),
        (" ", 2, 3, "two"),
        ("-", 3, None, "three"),
        ("+", None, 4, "third"),
    ]
    assert (file.path, file.status, file.added, file.removed) == ("a.txt", "modified", 2, 1)


def test_a_file_of_several_hunks_goes_on_with_the_right_numbers(repo: Path) -> None:
    (repo / "long.py").write_text("def first():\n" + "".join(f"    line{n}\n" for n in range(60)))
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "long")
    lines = (repo / "long.py").read_text().splitlines()
    lines[5], lines[50] = "    changed", "    changed too"
    (repo / "long.py").write_text("\n".join(lines) + "\n")
    file = only(repo)
    assert [hunk.new_start for hunk in file.hunks] == [3, 48]
    assert file.hunks[1].section == "def first():"
    assert [(line.new, line.text) for hunk in file.hunks for line in hunk.lines if line.kind == "+"] == [
        (6, "    changed"),
        (51, "    changed too"),
    ]


@pytest.mark.parametrize(
    "name",
    [
        "with blank.txt",
        "tab\there.txt",
        'quote".txt',
        "back\\slash.txt",
        "línea 漢字 🦊.txt",
        "new\nline.txt",
        " leads and trails ",
        "a b/a b.txt",
        "b/b/x",
        "-- dashes",
        "bell\x07.txt",
        os.fsdecode(b"not-utf8-\xff.txt"),
    ],
)
@pytest.mark.parametrize("options", [(), ("-c", "core.quotePath=false"), ("-c", "diff.noprefix=true")])
def test_any_name_is_read_as_it_is(repo: Path, name: str, options: tuple[str, ...]) -> None:
    path = repo / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("one\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "odd")
    path.write_text("two\n")
    shown = name.encode(errors="surrogateescape").decode(errors="replace")
    file = parse(_diff(repo, *options))[0]
    assert (file.path, file.old_path, file.added, file.removed) == (shown, shown, 1, 1)
    git(repo, "rm", "-qf", "--", f":(literal){name}")
    file = parse(_diff(repo, *options))[0]
    assert (file.path, file.status, file.removed) == (shown, "deleted", 1)


def test_an_empty_file_with_an_odd_name_that_came_or_went(repo: Path) -> None:
    (repo / "empty file.txt").write_text("")
    file = only(repo)
    assert (file.path, file.status, file.hunks) == ("empty file.txt", "added", [])
    assert file.new_mode == "100644"


def test_a_binary_file(repo: Path) -> None:
    (repo / "an image.bin").write_bytes(bytes(range(256)))
    file = only(repo)
    assert (file.path, file.is_binary, file.status, file.hunks) == ("an image.bin", True, "added", [])


def test_a_renamed_file_with_a_change_and_one_without(repo: Path) -> None:
    body = "".join(f"line {n}\n" for n in range(40))
    (repo / "old name.txt").write_text(body)
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "more")
    git(repo, "mv", "old name.txt", "new näme.txt")
    git(repo, "mv", "folder/b.txt", "moved.txt")
    (repo / "new näme.txt").write_text(body.replace("line 7\n", "line seven\n"))
    found = changes(repo)
    renamed, moved = found["new näme.txt"], found["moved.txt"]
    assert (renamed.status, renamed.old_path, renamed.added, renamed.removed) == ("renamed", "old name.txt", 1, 1)
    assert (moved.status, moved.old_path, moved.similarity, moved.hunks) == ("renamed", "folder/b.txt", 100, [])


def test_a_change_of_the_mode_alone(repo: Path) -> None:
    (repo / "a.txt").chmod(0o755)
    file = only(repo)
    assert (file.path, file.old_mode, file.new_mode, file.status) == ("a.txt", "100644", "100755", "modified")


def test_no_newline_at_the_end_before_and_after(repo: Path) -> None:
    (repo / "a.txt").write_text("one\ntwo\n3")
    file = only(repo)
    bare = {line.kind: line.ends_bare for hunk in file.hunks for line in hunk.lines if line.kind != " "}
    assert bare == {"-": False, "+": True}


def test_lines_that_look_like_headers_are_lines(repo: Path) -> None:
    (repo / "a.txt").write_text("-- a/x\n++ b/x\n@@ -1 +1 @@\ndiff --git a/x b/x\n\\ No newline at end of file\n")
    git(repo, "add", "-A")
    git(repo, "commit", "-qm", "looks")
    (repo / "a.txt").write_text("")
    file = only(repo)
    assert (file.path, file.removed, len(file.hunks)) == ("a.txt", 5, 1)
    assert file.hunks[0].lines[0].text == "-- a/x"


def test_characters_that_python_takes_for_ends_of_lines_end_none(repo: Path) -> None:
    (repo / "a.txt").write_bytes("form\x0cfeed\u2028sep\x85\rreturn\r\n".encode())
    file = only(repo)
    assert [line.text for line in file.hunks[0].lines if line.kind == "+"] == ["form\x0cfeed\u2028sep\x85\rreturn\r"]


def test_a_symbolic_link_and_a_file_that_became_one(repo: Path) -> None:
    (repo / "a.txt").unlink()
    (repo / "a.txt").symlink_to("folder/b.txt")
    found = parse(git(repo, "diff", "HEAD"))
    assert [(file.path, file.status) for file in found] == [("a.txt", "deleted"), ("a.txt", "added")]
    assert found[1].new_mode == "120000"


def test_the_digest_changes_with_the_change_only(repo: Path) -> None:
    (repo / "a.txt").write_text("1\n")
    (repo / "c.txt").write_text("1\n")
    before = changes(repo)
    (repo / "c.txt").write_text("2\n")
    after = changes(repo)
    assert before["a.txt"].digest == after["a.txt"].digest
    assert before["c.txt"].digest != after["c.txt"].digest


def test_no_change_is_no_file() -> None:
    assert parse("") == []
    assert parse("not a diff\n") == []


lines = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=12)


@given(st.lists(lines, max_size=30), st.lists(lines, max_size=30))
def test_what_git_says_was_changed_is_what_is_read(before: list[str], after: list[str]) -> None:
    old, new = [f"{line}\n" for line in before], [f"{line}\n" for line in after]
    body = "".join(list(difflib.unified_diff(old, new, "a/f", "b/f")))
    (file,) = parse(f"diff --git a/f b/f\n{body}")
    found = [line for hunk in file.hunks for line in hunk.lines]
    for line in found:
        if line.old is not None:
            assert before[line.old - 1] == line.text
        if line.new is not None:
            assert after[line.new - 1] == line.text
    assert file.added - file.removed == len(after) - len(before)


@given(st.text(alphabet='diff --git a/b"\\n789@+ \n\t'))
def test_it_never_fails(text: str) -> None:
    for file in parse(f"diff --git {text}\n@@ -1 +1 @@\n{text}"):
        assert isinstance(file.path, str)
