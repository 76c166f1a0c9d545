"""Files that an agent reads and writes through its client: only inside the session's folder, never git's own."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

READ_LIMIT = 10 * 1024 * 1024
"""Bytes of a file that an agent is given."""


class OutOfBounds(Exception):
    """A path lies outside of the session's folder, or is git's own; the text says so."""


@dataclass
class Files:
    """The files below ``root``. ``granted`` holds the texts that were just allowed to be written, each once."""

    root: Path
    granted: dict[Path, str] = field(default_factory=dict)

    def place(self, path: object) -> Path:
        """Return where a path really leads; OutOfBounds when that is not inside."""
        if not isinstance(path, str) or "\0" in path:
            raise OutOfBounds("The path is no path.")
        root = self.root.resolve()
        place = (root / path).resolve()
        if not place.is_relative_to(root) or place == root:
            raise OutOfBounds(f"{path} lies outside of {root}.")
        if ".git" in place.relative_to(root).parts:
            raise OutOfBounds(f"{path} belongs to git.")
        return place

    def grant(self, path: str, text: str) -> None:
        """Let a file be written with this text, once, without asking again."""
        try:
            self.granted[self.place(path)] = text
        except OutOfBounds:
            return

    def is_granted(self, place: Path, text: str) -> bool:
        """Return whether exactly this was just allowed; it is not any more."""
        return self.granted.pop(place, None) == text

    def read(self, path: object, line: object, limit: object) -> str:
        """Return a file's text, from a line (1 is the first) and so many lines where that is asked."""
        with self.place(path).open(encoding="utf-8", errors="replace", newline="") as file:
            text = file.read(READ_LIMIT)
        if not isinstance(line, int) and not isinstance(limit, int):
            return text
        lines = text.splitlines(keepends=True)
        first = max(line - 1, 0) if isinstance(line, int) else 0
        return "".join(lines[first : first + limit] if isinstance(limit, int) else lines[first:])

    def write(self, path: object, text: str) -> None:
        """Write a file, with the folders that it needs. Where the path leads is looked at again."""
        place = self.place(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(place, flags, 0o666), "w", encoding="utf-8", newline="") as file:
            file.write(text)
