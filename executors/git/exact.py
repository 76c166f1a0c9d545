"""The files of a worktree as objects of git, byte for byte: no filter, no line ending, no attribute touches them.

Not in it, because git has no place for them: empty folders, pipes and sockets, and repositories that lie inside
the worktree and are not its submodules. A submodule is the commit that is checked out in it.
"""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from executors.git import stamps
from executors.git.run import git
from executors.git.snapshot import temporary_index
from executors.git.stamps import Stamp

LINK: Final = "120000"
SUBMODULE: Final = "160000"
PLAIN: Final = "100644"
EXECUTABLE: Final = "100755"

Files = dict[str, tuple[str, str]]
"""Mode and object id by path."""


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One line of an index. ``stage`` is 0, or 1 to 3 in a conflict."""

    mode: str
    oid: str
    stage: str
    path: str


@dataclass(slots=True)
class Look:
    """What lies in a worktree. ``size`` of its files is in bytes; submodules that are not initialised are as the
    index has them."""

    files: Files
    stamps: dict[str, Stamp]
    submodules: list[str]
    size: int = 0
    rest: list[str] = field(default_factory=list)
    """Repositories that lie inside and are no submodules, with a slash at the end."""


async def entries_of(worktree: Path, index: Path) -> list[IndexEntry]:
    """Return the lines of an index."""
    listing = await git(worktree, "ls-files", "-s", "-z", env={"GIT_INDEX_FILE": str(index)}, reads=True)
    found = []
    for line in filter(None, listing.split("\0")):
        what, path = line.split("\t", 1)
        mode, oid, stage = what.split(" ")
        found.append(IndexEntry(mode, oid, stage, path))
    return found


async def others(worktree: Path, index: Path, ignored: Collection[str]) -> set[str]:
    """Return what an index does not have: everything that is not ignored, and of that what patterns name."""
    env = {"GIT_INDEX_FILE": str(index)}
    listing = await git(worktree, "ls-files", "-z", "--others", "--exclude-standard", env=env, reads=True)
    if ignored:
        listing += await git(
            worktree,
            *("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--"),
            *(f":(glob){pattern}" for pattern in ignored),
            env=env,
            reads=True,
        )
    return set(filter(None, listing.split("\0")))


async def look(
    worktree: Path, folder: Path, index: Path, entries: Iterable[IndexEntry], ignored: Collection[str], also: set[str]
) -> Look:
    """Store the files of a worktree, and return what was found.

    ``folder`` is git's own for this worktree, ``index`` has ``entries``; of ignored files those are taken that a
    pattern names, or that are in ``also`` (paths).
    """
    links = {entry.path: entry.oid for entry in entries if entry.mode == SUBMODULE}
    found = await others(worktree, index, ignored)
    rest = sorted(name for name in found if name.endswith("/"))
    inside = (*rest, *(f"{path}/" for path in links))
    names = {entry.path for entry in entries} | found | {path for path in also if not path.startswith(inside)}
    began = time.time_ns()
    seen = await asyncio.to_thread(stamps_of, worktree, sorted(names.difference(rest)))
    seen = {path: stamp for path, stamp in seen.items() if stamps.is_file(stamp)}
    known = await asyncio.to_thread(stamps.load, folder)
    oids = {path: known[path][1] for path, stamp in seen.items() if path in known and known[path][0] == stamp}
    unknown = {path: stamp for path, stamp in seen.items() if path not in oids}
    oids |= await store(worktree, unknown)
    await asyncio.to_thread(stamps.save, folder, {path: (stamp, oids[path]) for path, stamp in seen.items()}, began)
    files = {path: (mode_of(stamp), oids[path]) for path, stamp in seen.items()}
    present = await asyncio.to_thread(stamps_of, worktree, sorted(links))
    here = [path for path, stamp in present.items() if stamps.is_folder(stamp)]
    files |= {path: (SUBMODULE, links[path]) for path in here}
    checked_out = [path for path in here if await asyncio.to_thread((worktree / path / ".git").exists)]
    return Look(files, seen, checked_out, sum(stamp[3] for stamp in seen.values()), rest)


def above(path: str) -> str:
    """Return the folder that a path lies in, empty for the worktree itself."""
    return path.rpartition("/")[0]


def stamps_of(worktree: Path, paths: Iterable[str]) -> dict[str, Stamp]:
    """Return the stamp of each path that there is; what is behind a link is not there. Blocks."""
    real: dict[str, bool] = {"": True}
    root = f"{worktree}/"

    def is_real(folder: str) -> bool:
        if folder not in real:
            real[folder] = is_real(above(folder)) and stamps.is_folder(stamps.stamp_of(root + folder))
        return real[folder]

    found = {}
    for path in paths:
        if is_real(above(path)) and (stamp := stamps.stamp_of(root + path)) is not None:
            found[path] = stamp
    return found


async def store(worktree: Path, files: Mapping[str, Stamp]) -> dict[str, str]:
    """Store files and links as they are; returns their object ids by path."""
    async with temporary_index() as index:
        sources = await asyncio.to_thread(_sources, worktree, files, index.parent)
        return dict(zip(sources, await _stored(worktree, sources.values()), strict=True))


async def store_bytes(worktree: Path, contents: Mapping[str, bytes]) -> dict[str, str]:
    """Store bytes; returns their object ids by name."""
    async with temporary_index() as index:
        files = {name: index.with_name(str(number)) for number, name in enumerate(contents)}
        for name, file in files.items():
            await asyncio.to_thread(file.write_bytes, contents[name])
        return dict(zip(files, await _stored(worktree, map(str, files.values())), strict=True))


async def _stored(worktree: Path, sources: Iterable[str]) -> list[str]:
    if not (listing := "".join(f"{_quoted(source)}\n" for source in sources)):
        return []
    oids = await git(worktree, "hash-object", "-w", "--no-filters", "--stdin-paths", stdin=os.fsencode(listing))
    return oids.split()


def _sources(worktree: Path, files: Mapping[str, Stamp], folder: Path) -> dict[str, str]:
    """Return where the content of each can be read: of a link, from a file that holds where it leads. Blocks."""
    found = {}
    for number, (path, stamp) in enumerate(files.items()):
        if stat.S_ISLNK(stamp[4]):
            source = folder / str(number)
            # Not as a Path, which would change how it is written: a//b.
            source.write_bytes(os.fsencode(os.readlink(worktree / path)))  # noqa: PTH115
            found[path] = str(source)
        else:
            found[path] = path
    return found


def _quoted(path: str) -> str:
    """Return a path as git reads it back from a line, whatever is in its name."""
    return '"' + "".join(f"\\{byte:03o}" if byte < 32 or byte > 126 or byte in b'"\\' else chr(byte)
                         for byte in os.fsencode(path)) + '"'  # fmt: skip


def mode_of(stamp: Stamp) -> str:
    """Return how git stores what has this stamp."""
    if stat.S_ISLNK(stamp[4]):
        return LINK
    return EXECUTABLE if stamp[4] & stat.S_IXUSR else PLAIN
