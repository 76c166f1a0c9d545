"""The files of a worktree as a tree of which folders are opened and closed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

Json = dict[str, Any]

SIGNS: Final = {
    "unchanged": (" ", "dim"),
    "added": ("+", "ok"),
    "modified": ("~", "accent"),
    "deleted": ("-", "failed"),
    "renamed": ("→", "running"),
}
"""A sign and a style for each status of a file."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A row: a folder with the number of changed files in it, or a file with its status."""

    path: str
    depth: int
    is_folder: bool
    status: str = "unchanged"
    before: str | None = None
    changed: int = 0
    files: int = 0

    @property
    def name(self) -> str:
        """What it is called in its folder."""
        return self.path.rpartition("/")[2]


@dataclass(slots=True)
class _Folder:
    folders: dict[str, _Folder] = field(default_factory=dict)
    files: list[Json] = field(default_factory=list)
    changed: int = 0
    count: int = 0


class FileTree:
    """The files of a worktree. Folders in which something was changed are open at first."""

    def __init__(self, files: Iterable[Json]) -> None:
        self._root = _Folder()
        self._open: set[str] = set()
        for file in files:
            self._put(file)
        self._open_changed(self._root, "")

    def _put(self, file: Json) -> None:
        folder, changed = self._root, file["status"] != "unchanged"
        *parents, _ = file["path"].split("/")
        folder.count += 1
        folder.changed += changed
        for name in parents:
            folder = folder.folders.setdefault(name, _Folder())
            folder.count += 1
            folder.changed += changed
        folder.files.append(file)

    def _open_changed(self, folder: _Folder, path: str) -> None:
        for name, inner in folder.folders.items():
            if inner.changed:
                self._open.add(f"{path}{name}")
                self._open_changed(inner, f"{path}{name}/")

    @property
    def count(self) -> int:
        """The number of files."""
        return self._root.count

    @property
    def changed(self) -> int:
        """The number of files that were changed."""
        return self._root.changed

    def is_open(self, folder: str) -> bool:
        """Whether what is in a folder is shown."""
        return folder in self._open

    def toggle(self, folder: str) -> None:
        """Open a folder, or close it."""
        self._open ^= {folder}

    def keep_open(self, folders: Collection[str]) -> None:
        """Open folders that were open before the files were read again."""
        self._open |= set(folders)

    @property
    def opened(self) -> frozenset[str]:
        """The folders that are open."""
        return frozenset(self._open)

    def rows(self) -> list[Entry]:
        """Return what is shown: folders first, then files, each by name."""
        found: list[Entry] = []
        self._list(self._root, "", 0, found)
        return found

    def _list(self, folder: _Folder, path: str, depth: int, found: list[Entry]) -> None:
        for name in sorted(folder.folders):
            inner = folder.folders[name]
            found.append(Entry(f"{path}{name}", depth, True, changed=inner.changed, files=inner.count))
            if f"{path}{name}" in self._open:
                self._list(inner, f"{path}{name}/", depth + 1, found)
        found += [
            Entry(file["path"], depth, False, file["status"], file.get("before"))
            for file in sorted(folder.files, key=lambda file: str(file["path"]))
        ]
