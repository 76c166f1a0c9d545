"""The files of a worktree: which there are, what became of each since a commit, and what is in one."""

from __future__ import annotations

import asyncio
import codecs
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from executors.git.changes import compare
from executors.git.run import git
from executors.git.snapshot import snapshot
from supervisor.engine.ports.workspaces import FileContent, FileStatus, WorktreeFile
from supervisor.model.errors import InvalidInput, NotFound, QuarterdeckError, Refused

FILES_LIMIT: Final = 20_000
TEXT_LIMIT: Final = 1024 * 1024
"""Bytes of a file that are shown."""

_BINARY_LOOK: Final = 8_000
"""Bytes in which a NUL makes a file binary: git's own rule."""

_STATUSES: Final[dict[str, FileStatus]] = {"A": "added", "D": "deleted", "R": "renamed"}


async def files(worktree: Path, base_commit: str) -> tuple[list[WorktreeFile], bool]:
    """Return the files that are not ignored, by path, also those that were deleted, and whether some were left out.

    Of more than `FILES_LIMIT` the changed ones come first. Names that are not UTF-8 have replacement characters.
    """
    tree = await snapshot(worktree)
    listing = await git(worktree, "ls-tree", "-r", "-z", "--name-only", "--full-tree", tree, reads=True)
    answer = await compare(worktree, base_commit, tree, "--name-status", "-z")
    changed = {file.path: file for file in _changed(os.fsdecode(answer))}
    unchanged = [
        WorktreeFile(_shown(path), "unchanged") for path in listing.split("\0") if path and _shown(path) not in changed
    ]
    found = [*changed.values(), *unchanged]
    return sorted(found[:FILES_LIMIT], key=lambda file: file.path), len(found) > FILES_LIMIT


async def content(worktree: Path, path: str) -> FileContent:
    """Return what is in a file that `files` lists. Links are followed as long as they stay inside the worktree.

    Raises InvalidInput, NotFound or Refused for anything else: what git ignores may hold secrets.
    """
    top = Path(await asyncio.to_thread(os.path.realpath, worktree))
    inner = await asyncio.to_thread(_inside, top, path)
    name = "/".join(inner)
    listed = await git(
        top, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", f":(literal){name}", reads=True
    )
    if name not in listed.split("\0"):
        raise Refused(
            f"{path} is not one of the session's files: git ignores it, or it is in a repository of its own.",
            hint="Look at it in the worktree itself.",
        )
    try:
        size, data = await asyncio.to_thread(_read, top, inner)
    except OSError as error:
        raise QuarterdeckError(f"{path} cannot be read: {error.strerror}.", hint="Did it just change?") from error
    if b"\0" in data[:_BINARY_LOOK]:
        return FileContent(path, None, size, binary=True)
    cut = size > len(data)
    # A character that the end cuts in two is left out.
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(data, final=not cut)
    return FileContent(path, text, size, truncated=cut)


def _changed(listing: str) -> Iterator[WorktreeFile]:
    """Read ``git diff --name-status -z``."""
    fields = iter(listing.split("\0"))
    for letter in fields:
        if letter:
            before = next(fields) if letter.startswith("R") else None
            yield WorktreeFile(_shown(next(fields)), _STATUSES.get(letter[0], "modified"), before and _shown(before))


def _shown(path: str) -> str:
    return os.fsencode(path).decode(errors="replace")


def _inside(top: Path, path: str) -> tuple[str, ...]:
    """Return the parts of the path of the file that ``path`` means, from the worktree's top and without links."""
    if path.startswith("/") or ".." in PurePosixPath(path).parts:
        raise InvalidInput(
            f"{path!r} is no path inside the worktree.", hint="Give it from the worktree's top, without `..`."
        )
    real = Path(os.path.realpath(top / path))
    if not real.is_relative_to(top):
        raise Refused(f"{path} leads out of the worktree by a link.", hint="Look at it where it is.")
    inner = real.relative_to(top).parts
    if any(part.lower() == ".git" for part in inner):
        raise Refused(f"{path} belongs to git itself.", hint="`GET /sessions/{ref}/files` lists what can be read.")
    try:
        mode = real.lstat().st_mode
    except OSError as error:  # it is not there, or nothing can have this name
        raise NotFound(
            f"There is no file {path} in the worktree.", hint="The diff still shows one that the session deleted."
        ) from error
    if stat.S_ISDIR(mode):
        raise InvalidInput(f"{path} is a folder.", hint="Give the path of a file.")
    return inner


def _read(top: Path, inner: tuple[str, ...]) -> tuple[int, bytes]:
    """Return a file's size and its beginning. No part of its path may have become a link since it was checked."""
    folder = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in inner[:-1]:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = below
        # Without O_NONBLOCK a pipe would be waited for.
        descriptor = os.open(inner[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    finally:
        os.close(folder)
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(0, "it is no ordinary file")
        return found.st_size, file.read(TEXT_LIMIT)
