"""What is known about the worktrees in a folder: one small JSON file for each, under `.records`.

A record is written before git is called, so that a crash leaves either nothing or something that is
known to be half made. It also proves that a worktree is ours to remove.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec


@dataclass(frozen=True, slots=True)
class Record:
    """A session's worktree.

    ``step`` is ``making`` (git may be half done), ``made`` (not provisioned) or ``ready``. ``ours`` and
    ``own_branch`` say whether worktree and branch were made for this session, so that they may go with it.
    """

    session: str
    path: str
    branch: str
    base_commit: str
    step: Literal["making", "made", "ready"] = "making"
    ours: bool = True
    own_branch: bool = True
    ports: dict[str, int] = field(default_factory=dict)


class Records:
    """The records of one folder of worktrees. Callers hold the repository's lock to write."""

    def __init__(self, worktrees: Path) -> None:
        self._folder = worktrees / ".records"

    def read(self, session: str) -> Record | None:
        """Return a session's record; None when there is none or it is damaged."""
        try:
            return msgspec.json.decode(self._file(session).read_bytes(), type=Record)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def has(self, session: str) -> bool:
        """Say whether there is a record of a session, readable or not."""
        return self._file(session).exists()

    def write(self, record: Record) -> Record:
        """Store a record, whole or not at all, and return it."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._folder / f"{record.session}.new"
        fresh.write_bytes(msgspec.json.encode(record))
        fresh.replace(self._file(record.session))
        return record

    def drop(self, session: str) -> None:
        """Forget a session, which frees its ports."""
        self._file(session).unlink(missing_ok=True)

    def every(self) -> list[Record]:
        """Return all records that can be read."""
        found = (self.read(file.stem) for file in self._folder.glob("*.json"))
        return [record for record in found if record is not None]

    def _file(self, session: str) -> Path:
        return self._folder / f"{session}.json"
