"""Checkpoints: restorable states of a worktree, with what surrounded them. Times are ms since the epoch."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

REFS: Final = "refs/quarterdeck/checkpoints/"

LONGEST: Final = 80
"""Characters of one part of a ref that come from a name."""

_NOT_IN_REFS = re.compile(r"[^A-Za-z0-9_-]+")


class CheckpointStatus(StrEnum):
    """What became of a checkpoint."""

    AVAILABLE = "available"
    RESTORED = "restored"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A restorable state of ``worktree``, of a plan or of a session.

    ``ref`` keeps it in the project's repository, as ``git_commit``; ``head`` is where HEAD was, ``task`` the last one
    whose work is in it. ``environment`` is a digest of the environment that was worked in (SHA-256, hexadecimal),
    ``decisions`` are the ids of what had been decided, ``outputs`` what had come out by then, by task. ``size`` is of
    its ``files``, in bytes. ``restored_at`` is when it was last restored, ``expired_at`` when it ceased to be kept.
    """

    id: str
    name: str
    project: str
    worktree: str
    ref: str
    git_commit: str
    reason: str
    files: int
    size: int
    created_at: int
    created_by: str
    plan: str | None = None
    task: str | None = None
    session: str | None = None
    head: str | None = None
    branch: str | None = None
    environment: str | None = None
    decisions: tuple[str, ...] = ()
    outputs: dict[str, Any] = field(default_factory=dict)
    restored_at: int | None = None
    expired_at: int | None = None

    @property
    def status(self) -> CheckpointStatus:
        """What became of it."""
        if self.expired_at is not None:
            return CheckpointStatus.EXPIRED
        return CheckpointStatus.AVAILABLE if self.restored_at is None else CheckpointStatus.RESTORED


def name_of(subject: str, now: int) -> str:
    """Return what a checkpoint is called: ``cp-<subject>-<timestamp>``; fit for a ref whatever the subject is."""
    moment = datetime.fromtimestamp(now / 1000, UTC)
    return f"cp-{in_refs(subject)}-{moment:%Y%m%dT%H%M%S}{now % 1000:03d}Z"


def ref_of(scope: str, name: str) -> str:
    """Return the ref that keeps a checkpoint of a plan or a session."""
    return f"{REFS}{in_refs(scope)}/{name}"


def in_refs(text: str) -> str:
    """Return a text as it can be a part of a ref."""
    return _NOT_IN_REFS.sub("-", text)[:LONGEST].strip("-") or "x"
