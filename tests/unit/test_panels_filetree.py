"""The files of a worktree as a tree."""

from __future__ import annotations

from typing import Any

from panels.view.filetree import FileTree

FILES: list[dict[str, Any]] = [
    {"path": "z.txt", "status": "modified", "before": None},
    {"path": "src/deep/new.py", "status": "added", "before": None},
    {"path": "src/old.py", "status": "unchanged", "before": None},
    {"path": "docs/a.md", "status": "unchanged", "before": None},
    {"path": "docs/b.md", "status": "unchanged", "before": None},
    {"path": "a.txt", "status": "renamed", "before": "was.txt"},
]


def shown(tree: FileTree) -> list[tuple[str, int]]:
    return [(entry.path + ("/" if entry.is_folder else ""), entry.depth) for entry in tree.rows()]


def test_folders_with_changes_are_open_and_others_closed() -> None:
    tree = FileTree(FILES)
    assert shown(tree) == [
        ("docs/", 0),
        ("src/", 0),
        ("src/deep/", 1),
        ("src/deep/new.py", 2),
        ("src/old.py", 1),
        ("a.txt", 0),
        ("z.txt", 0),
    ]
    assert (tree.count, tree.changed) == (6, 3)


def test_a_folder_says_how_much_of_it_was_changed() -> None:
    folder = FileTree(FILES).rows()[1]
    assert (folder.name, folder.changed, folder.files) == ("src", 1, 2)


def test_folders_open_and_close_and_stay_so_when_read_again() -> None:
    tree = FileTree(FILES)
    tree.toggle("docs")
    tree.toggle("src")
    assert shown(tree)[:3] == [("docs/", 0), ("docs/a.md", 1), ("docs/b.md", 1)]
    assert ("src/old.py", 1) not in shown(tree)
    again = FileTree(FILES)
    again.keep_open(tree.opened)
    assert again.is_open("docs")


def test_a_renamed_file_knows_what_it_was() -> None:
    entry = next(entry for entry in FileTree(FILES).rows() if entry.path == "a.txt")
    assert (entry.status, entry.before) == ("renamed", "was.txt")
