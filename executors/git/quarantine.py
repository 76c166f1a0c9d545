"""The `.git` of a container's clone, read as the untrusted data that it is.

Git never runs in it. References are read here without following a link; objects are copied into a new
repository of our own, whose configuration, hooks and alternates nobody else wrote. Fetching from that one
computes every object's name again and checks its form.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from executors.git.run import ask, git
from supervisor.model.errors import QuarterdeckError

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_LOOSE = re.compile(r"(?:\./)?[0-9a-f]{2}/[0-9a-f]{38}(?:[0-9a-f]{24})?")
_PACK = re.compile(r"(?:\./)?pack/pack-[0-9a-f]{40,64}\.pack")
_REF_LIMIT = 1_000_000
"""Bytes of a file that names references."""

_NOFOLLOW = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Tips:
    """What an untrusted repository says it has. ``head`` is None when its HEAD cannot be read."""

    head: str | None
    branches: dict[str, str] = field(default_factory=dict)


def read_tips(clone: Path) -> Tips:
    """Read HEAD and the branches of an untrusted repository.

    Raises QuarterdeckError when its `.git` is not a folder.
    """
    with _git_folder(clone) as folder:
        branches = dict(_packed(_read(folder, "packed-refs") or "")) | dict(_loose(folder))
        head = (_read(folder, "HEAD") or "").strip()
    if head.startswith("ref: refs/heads/"):
        return Tips(branches.get(head.removeprefix("ref: refs/heads/")), branches)
    return Tips(head if _COMMIT.fullmatch(head) else None, branches)


async def copy_objects(clone: Path, store: Path, borrowed: tuple[str, ...], form: str) -> None:
    """Make ``store``, a bare repository with the clone's own objects; the others come from ``borrowed``."""
    await git(store.parent, "init", "-q", "--bare", "--template=", f"--object-format={form}", store)
    packs = await asyncio.to_thread(_copy, clone, store / "objects", borrowed)
    for pack in packs:
        answer = await ask(store, "index-pack", pack)
        if answer.code != 0:
            await asyncio.to_thread(pack.unlink)


def remove_pipes(clone: Path) -> None:
    """Remove pipes and the like, on which a program that reads the folder would wait for ever."""
    for _, _, names, folder in os.fwalk(clone):
        for name in names:
            mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode)):
                os.unlink(name, dir_fd=folder)


def _copy(clone: Path, target: Path, borrowed: tuple[str, ...]) -> list[Path]:
    packs = []
    with _git_folder(clone) as folder, _opened(folder, "objects", os.O_DIRECTORY) as objects:
        for place, _, names, here in os.fwalk(".", dir_fd=objects):
            for name in names:
                path = os.path.join(place, name)  # noqa: PTH118 - relative to a descriptor
                if not (_LOOSE.fullmatch(path) or _PACK.fullmatch(path)):
                    continue
                copy = target / path
                copy.parent.mkdir(exist_ok=True)
                if _copy_file(here, name, copy) and copy.suffix == ".pack":
                    packs.append(copy)
    (target / "info").mkdir(exist_ok=True)
    (target / "info" / "alternates").write_text("".join(f"{folder}\n" for folder in borrowed))
    return packs


def _copy_file(folder: int, name: str, target: Path) -> bool:
    try:
        with _opened(folder, name) as descriptor:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return False
            with open(descriptor, "rb", closefd=False) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)
    except OSError:
        return False
    return True


@contextmanager
def _git_folder(clone: Path) -> Iterator[int]:
    try:
        outer = os.open(clone, _NOFOLLOW | os.O_DIRECTORY)
    except OSError as error:
        raise _unreadable(clone, error) from error
    try:
        with _opened(outer, ".git", os.O_DIRECTORY) as inner:
            yield inner
    except OSError as error:
        raise _unreadable(clone, error) from error
    finally:
        os.close(outer)


@contextmanager
def _opened(folder: int, name: str, flags: int = 0) -> Iterator[int]:
    descriptor = os.open(name, _NOFOLLOW | flags, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _read(folder: int, name: str) -> str | None:
    try:
        with _opened(folder, name) as descriptor:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            return os.read(descriptor, _REF_LIMIT).decode(errors="replace")
    except OSError:
        return None


def _loose(folder: int) -> Iterator[tuple[str, str]]:
    try:
        with _opened(folder, "refs", os.O_DIRECTORY) as refs, _opened(refs, "heads", os.O_DIRECTORY) as heads:
            for place, _, names, here in os.fwalk(".", dir_fd=heads):
                for name in names:
                    commit = (_read(here, name) or "").strip()
                    if _COMMIT.fullmatch(commit):
                        yield os.path.normpath(os.path.join(place, name)), commit  # noqa: PTH118
    except OSError:
        return


def _packed(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        commit, _, ref = line.partition(" ")
        if _COMMIT.fullmatch(commit) and ref.startswith("refs/heads/"):
            yield ref.removeprefix("refs/heads/"), commit


def _unreadable(clone: Path, error: OSError) -> QuarterdeckError:
    return QuarterdeckError(
        f"The repository in {clone} cannot be read: {error.strerror}.",
        hint="Look at what happened to its .git folder.",
        kept=f"Everything in {clone} is kept.",
        code="clone_unreadable",
    )
