"""Putting back what a task made and is not there any more, from what is kept of it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from supervisor.engine.artifacts import Artifacts
from supervisor.engine.planruns.fingerprints import EXECUTABLE, tree
from supervisor.model.artifacts import Artifact
from supervisor.model.errors import QuarterdeckError
from supervisor.store import artifacts as kept


class NotThere(QuarterdeckError):
    """Something that a task made is not there, or is something else by now."""


async def put_back(
    artifacts: Artifacts, plan: str, task: str, made: Mapping[str, str | None], folder: Path
) -> list[str]:
    """Have everything that a task made in ``folder`` be what it was (path to digest); returns what was put back.

    Nothing that is there is changed. Raises NotThere when something is there and is not what it was, or is not there
    and not kept, and Unknowable.
    """
    now = await asyncio.to_thread(lambda: {path: tree(folder, path) for path in made})
    gone: list[tuple[str, Artifact]] = []
    for path, digest in made.items():
        if now[path] == digest:
            continue
        if now[path] is not None or digest is None:
            raise NotThere(f"{path} is not what it made any more.")
        found = await artifacts.ledger.store.read(_kept, plan, task, path, digest)
        if found is None:
            raise NotThere(f"{path}, which it made, is not there any more.")
        gone.append((path, found))
    for path, artifact in gone:
        target = folder / path
        if not await asyncio.to_thread(_is_inside, target, folder):
            raise NotThere(f"{path}, which it made, is not there any more.")
        await artifacts.materialize(artifact, target)
        await asyncio.to_thread(_writable, target, executable=str(made[path]).endswith(EXECUTABLE))
        if await asyncio.to_thread(tree, folder, path) != made[path]:
            raise NotThere(f"What is kept of {path} is not what it made.")
    return [path for path, _ in gone]


def _kept(conn: sqlite3.Connection, plan: str, task: str, path: str, digest: str) -> Artifact | None:
    """Return what is kept of a path: the very content of a file, or the newest of a folder."""
    found = [each for each in kept.find(conn, plan=plan, task=task) if each.provenance.get("path") == path]
    same = (each for each in found if each.form == "folder" or each.sha256 == digest.removesuffix(EXECUTABLE))
    return next(same, None)


def _is_inside(target: Path, folder: Path) -> bool:
    """Whether the folders on the way to a path are within a folder, also when they are links."""
    try:
        return target.parent.resolve().is_relative_to(folder.resolve())
    except RuntimeError:  # links that lead in a circle
        return False


def _writable(target: Path, *, executable: bool) -> None:
    """Let what was put back be changed, like what was made there."""
    if not target.is_dir():
        target.chmod(0o755 if executable else 0o644)
        return
    for here, _, names in os.walk(target):
        for name in names:
            path = Path(here) / name
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | 0o200)
