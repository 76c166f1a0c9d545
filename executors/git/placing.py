"""Files put into a worktree and taken out of it, only where what lies there was kept.

Nothing is written through a link, and nothing is touched that is not as it was found.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_IMODE

from executors.git import exact, stamps
from executors.git.checkpoints import State
from executors.git.stamps import Stamp, stamp_of
from supervisor.model.errors import Refused


def ancestors(path: str) -> Iterator[str]:
    """Yield the folders that a path lies in, the nearest first."""
    while path := exact.above(path):
        yield path


class Placer:
    """Changes a worktree in which ``look`` was found and kept. Every method blocks."""

    def __init__(self, worktree: Path, look: exact.Look) -> None:
        self._worktree = worktree
        self._seen: dict[str, Stamp] = dict(look.stamps)
        self._made: set[str] = set()

    def saw(self, found: dict[str, Stamp]) -> None:
        """Take further files as kept."""
        self._seen |= found

    def check(self, wanted: exact.Files) -> None:
        """Refuse when something lies where a file must be that was not kept."""
        for path, stamp in exact.stamps_of(self._worktree, wanted).items():
            if not stamps.is_folder(stamp):
                self._check_kept(path, stamp)
            elif wanted[path][0] != exact.SUBMODULE:
                for folder, inner, names in os.walk(self._worktree / path):
                    for name in (*names, *inner):
                        each = Path(folder, name)
                        self._check_kept(str(each.relative_to(self._worktree)), stamp_of(each))

    def _check_kept(self, path: str, stamp: Stamp | None) -> None:
        if stamps.is_file(stamp) and path not in self._seen:
            raise Refused(
                f"{path} is in the way, and is ignored or in a repository of its own: it would be lost.",
                hint="Move it away, then restore once more. Nothing was changed.",
            )

    def folders(self, paths: Iterable[str]) -> None:
        """Make folders."""
        for path in paths:
            self._ready(path)

    def write(self, path: str, mode: str, content: bytes) -> None:
        """Make a file or a link, in place of what lies there."""
        if mode == exact.LINK:
            self._make_room(path)
            # Not as a Path, which would change how it is written: a//b.
            os.symlink(os.fsdecode(content), self._worktree / path)  # noqa: PTH211
            return
        with self.opened(path, mode) as descriptor, open(descriptor, "wb", closefd=False) as file:
            file.write(content)

    @contextmanager
    def opened(self, path: str, mode: str) -> Iterator[int]:
        """Yield the descriptor of a new file, in place of what lies there."""
        self._make_room(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        # What it held may be secret: it is this user's alone until its permissions are put back.
        descriptor = os.open(self._worktree / path, flags, 0o700 if mode == exact.EXECUTABLE else 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files, and the folders that this leaves empty."""
        for path in paths:
            self._clear(path)
            for folder in ancestors(path):
                try:
                    (self._worktree / folder).rmdir()
                except OSError:
                    break

    def permit(self, wanted: exact.Files, state: State) -> None:
        """Give the files their permissions."""
        plain, executable = state.permissions
        for path, (mode, _) in wanted.items():
            if mode not in (exact.PLAIN, exact.EXECUTABLE):
                continue
            bits = state.other.get(path, executable if mode == exact.EXECUTABLE else plain)
            place = self._worktree / path
            with suppress(FileNotFoundError):
                if S_IMODE(place.lstat().st_mode) != bits:
                    place.chmod(bits)

    def _make_room(self, path: str) -> None:
        self._clear(path)
        self._ready(exact.above(path))

    def _ready(self, folder: str) -> None:
        """Make a folder and those above; a link or a file in its place was kept, and gives way."""
        if not folder or folder in self._made:
            return
        self._ready(exact.above(folder))
        if not stamps.is_folder(stamp_of(self._worktree / folder)):
            self._clear(folder)
            (self._worktree / folder).mkdir()
        self._made.add(folder)

    def _clear(self, path: str) -> None:
        """Remove what lies at a path, unless it has changed since it was kept."""
        now = exact.stamps_of(self._worktree, [path]).get(path)
        if now is None:
            return
        place = self._worktree / path
        if stamps.is_folder(now):
            self._clear_folder(path)
        elif stamps.is_file(now) and self._seen.get(path) != now:
            raise Refused(
                f"{path} was changed while it was being restored.",
                hint="Stop what works in the worktree, then restore once more: that finishes it.",
            )
        else:
            place.unlink()

    def _clear_folder(self, path: str) -> None:
        for folder, inner, names in os.walk(self._worktree / path, topdown=False):
            for name in (*names, *inner):
                each = Path(folder, name)
                if stamps.is_folder(stamp_of(each)):
                    each.rmdir()
                else:
                    self._clear(str(each.relative_to(self._worktree)))
        (self._worktree / path).rmdir()
