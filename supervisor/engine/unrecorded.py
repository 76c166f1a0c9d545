"""Refs of checkpoints that are being made: noted before git has them, so that none is left behind without a record.

Only what this supervisor has noted is ever removed: another one, with a state of its own, may use the same repository.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from supervisor.engine.ledger import Ledger
from supervisor.engine.ports.workspaces import Workspaces
from supervisor.model.errors import NotFound, QuarterdeckError
from supervisor.store import checkpoints, projects

log = logging.getLogger(__name__)


class Note(msgspec.Struct, frozen=True):
    """A ref of a project's repository that is being made."""

    project: str
    ref: str


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """The notes of one supervisor, files of ``folder``."""

    ledger: Ledger
    workspaces: Workspaces
    folder: Path

    @asynccontextmanager
    async def noted(self, project: str, ref: str) -> AsyncIterator[None]:
        """Note a ref until its record is stored; when that fails the note stays."""
        path = self.folder / f"{hashlib.sha256(ref.encode()).hexdigest()[:32]}.json"
        await asyncio.to_thread(_write, path, Note(project, ref))
        yield
        await asyncio.to_thread(path.unlink, missing_ok=True)

    async def tidy(self) -> int:
        """Remove the refs that have no record; returns how many. Nothing may be making one meanwhile."""
        removed = 0
        for path, note in await asyncio.to_thread(_noted, self.folder):
            root, known = await self.ledger.store.read(_look, note)
            if root is not None and not known:
                try:
                    await self.workspaces.drop_checkpoint(root, note.ref)
                except QuarterdeckError as error:
                    log.warning("%s, which has no record, cannot be removed now: %s", note.ref, error)
                    continue
                removed += 1
            await asyncio.to_thread(path.unlink, missing_ok=True)
        return removed


def _write(path: Path, note: Note) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(note))


def _noted(folder: Path) -> list[tuple[Path, Note]]:
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append((path, msgspec.json.decode(path.read_bytes(), type=Note)))
        except msgspec.DecodeError:  # cut by a crash: nothing was made after it
            path.unlink(missing_ok=True)
    return found


def _look(conn: sqlite3.Connection, note: Note) -> tuple[Path | None, bool]:
    """Return where the repository of a note is, None when its project is gone, and whether the ref has a record."""
    try:
        root = Path(projects.get(conn, note.project).root)
    except NotFound:
        root = None
    return root, checkpoints.has(conn, note.ref)
