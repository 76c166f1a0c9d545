"""A working folder as a tree, made with a temporary index: the person's own index is never touched.

`git add` and `git status` start git inside submodules, with whatever configuration lies there. What is used here
does not, so that it can be let loose on a folder that an untrusted program filled.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from executors.git.run import git

_CHANGED = ("ls-files", "-z", "--modified", "--deleted", "--others", "--exclude-standard")


async def git_dir(worktree: Path) -> Path:
    """Return the folder that git keeps for this worktree alone."""
    return Path((await git(worktree, "rev-parse", "--absolute-git-dir", reads=True)).rstrip("\n"))


async def snapshot(worktree: Path) -> str:
    """Return the tree of everything in a worktree that is not ignored: staged, changed and new files."""
    async with snapshot_index(worktree) as (tree, _):
        return tree


@asynccontextmanager
async def snapshot_index(worktree: Path) -> AsyncIterator[tuple[str, dict[str, str]]]:
    """Yield the tree of a worktree, and the environment in which git's index is exactly that tree."""
    own = await git_dir(worktree)
    async with temporary_index() as index:
        await asyncio.to_thread(copy_index, own, index)  # knows which files did not change
        env = {"GIT_INDEX_FILE": str(index)}
        yield await _tree(worktree, env), env


async def snapshot_of_clone(worktree: Path, clone: Path, commit: str) -> str:
    """Return the tree of a folder of untrusted files, stored among the objects of ``worktree``.

    Only the worktree's own repository is used: nothing in the clone's `.git` is read.
    """
    own = await git_dir(worktree)
    async with temporary_index() as index:
        env = {"GIT_INDEX_FILE": str(index), "GIT_DIR": str(own), "GIT_WORK_TREE": str(clone)}
        await git(worktree, "read-tree", commit, env=env)
        return await _tree(clone, env)


@asynccontextmanager
async def temporary_index() -> AsyncIterator[Path]:
    """Yield the path of an index that is gone afterwards."""
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="quarterdeck-index-"))
    try:
        yield folder / "index"
    finally:
        await asyncio.to_thread(shutil.rmtree, folder)


async def _tree(files: Path, env: dict[str, str]) -> str:
    """Bring a temporary index up to date with ``files`` and write it as a tree."""
    changed = await git(files, *_CHANGED, env=env)
    stored, gone = await asyncio.to_thread(_sorted, files, changed.split("\0"))
    for names, flags in ((gone, ("--force-remove",)), (stored, ("--add", "--remove", "--replace"))):
        if names:
            listing = os.fsencode("\0".join(names)) + b"\0"
            await git(files, "update-index", *flags, "-z", "--stdin", stdin=listing, env=env)
    return (await git(files, "write-tree", env=env)).strip()


def _sorted(files: Path, names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the paths that can be stored, and those that are gone or hidden behind a link.

    Pipes and sockets, which git cannot store, and whole repositories inside the folder are in neither.
    """
    links: dict[Path, bool] = {}
    stored, gone = [], []
    for name in sorted({name for name in names if name and not name.endswith("/")}):
        parents = [parent for parent in Path(name).parents if parent != Path()]
        links |= {parent: (files / parent).is_symlink() for parent in parents if parent not in links}
        try:
            mode = 0 if any(links[parent] for parent in parents) else (files / name).lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            mode = 0
        if mode == 0:
            gone.append(name)
        elif stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode):
            stored.append(name)
    return stored, gone


def copy_index(own: Path, index: Path) -> None:
    """Copy it with its time.

    A file that was changed in the very moment in which the index was written, and kept its size, would look unchanged
    unless git sees that the index is no younger than the file (racy-git.txt in git's documentation).
    """
    for part in (*own.glob("sharedindex.*"), own / "index"):
        if part.exists():
            shutil.copy2(part, index.with_name(part.name))
