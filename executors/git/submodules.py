"""Submodules and large files: what a fresh worktree lacks, brought over from the main one or said."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from executors.git.repository import common_dir
from executors.git.run import ask, git
from supervisor.model.errors import QuarterdeckError


@dataclass(frozen=True, slots=True)
class Submodule:
    """An entry of `.gitmodules`."""

    name: str
    path: str


async def complete(root: Path, worktree: Path) -> list[str]:
    """Fill submodules in from the main worktree, without a network; returns a warning for what is missing."""
    warnings = await _fill(root, worktree) if await _has(worktree, ".gitmodules") else []
    if await asyncio.to_thread(_wants_lfs, worktree):
        filtered = await ask(worktree, "config", "--get-regexp", r"^filter\.lfs\.(process|smudge)$", reads=True)
        if filtered.code != 0:
            warnings.append("Files kept by Git LFS are pointers only: install git-lfs, then run `git lfs install`.")
    return warnings


async def listed(worktree: Path) -> list[Submodule]:
    """Return the submodules that `.gitmodules` declares and the index holds."""
    declared = await ask(
        worktree, "config", "--file", ".gitmodules", "-z", "--get-regexp", r"^submodule\..*\.path$", reads=True
    )
    entries = await git(worktree, "ls-files", "--stage", "-z", reads=True)
    held = {entry.partition("\t")[2] for entry in entries.split("\0") if entry.startswith("160000 ")}
    return [module for module in _parse(declared.text) if module.path in held]


async def holding_work(worktree: Path) -> list[str]:
    """Return the paths of submodules with changes, or with commits that no remote has."""
    holding = []
    for module in await listed(worktree) if await _has(worktree, ".gitmodules") else ():
        folder = worktree / module.path
        if not await _has(folder, ".git"):
            continue
        changed = await git(folder, "status", "--porcelain", reads=True)
        ahead = await git(folder, "rev-list", "--max-count=1", "HEAD", "--not", "--remotes", "--tags", reads=True)
        if changed or ahead:
            holding.append(module.path)
    return holding


async def _fill(root: Path, worktree: Path) -> list[str]:
    modules = await asyncio.to_thread(lambda: common_dir(root) / "modules")
    warnings = []
    for module in await listed(worktree):
        here = modules / module.name
        try:
            if not await _has(here, "HEAD"):
                raise QuarterdeckError("the main worktree does not have it.")
            address = (await git(here, "config", "remote.origin.url", reads=True)).rstrip("\n")
            # The objects come from the main worktree; the clone is told its real origin afterwards.
            local = (f"submodule.{module.name}.url={here}", "protocol.file.allow=always")
            active = f"submodule.{module.name}.active=true"
            await git(worktree, "submodule", "update", "-q", "--", module.path, config=(*local, active))
            await git(worktree / module.path, "remote", "set-url", "origin", address)
        except QuarterdeckError as error:
            warnings.append(
                f"The submodule {module.path} is empty: {error.message} "
                f"`git -C '{worktree}' submodule update --init` fetches it."
            )
    return warnings


async def _has(folder: Path, name: str) -> bool:
    return await asyncio.to_thread((folder / name).exists)


def _parse(text: str) -> Iterator[Submodule]:
    for entry in text.split("\0"):
        key, _, path = entry.partition("\n")
        if path:
            yield Submodule(key.removeprefix("submodule.").removesuffix(".path"), path)


def _wants_lfs(worktree: Path) -> bool:
    attributes = worktree / ".gitattributes"
    try:
        return b"filter=lfs" in attributes.read_bytes()
    except OSError:
        return False
