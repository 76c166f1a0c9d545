"""Checkpoints over the API: what requests say, and the JSON shapes of answers."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from supervisor.api.protocol import Body, PlainText
from supervisor.model.checkpoints import Checkpoint
from supervisor.model.times import to_rfc3339

REASON_LIMIT = 1000
"""Characters of why a checkpoint is made."""

PATTERNS = 100


def _inside(pattern: str) -> str:
    if pattern.startswith(("/", "~")) or ".." in pattern.split("/"):
        raise ValueError("a pattern stays inside the repository: neither an absolute path nor ..")
    return pattern


Pattern = Annotated[PlainText, Field(min_length=1, max_length=4096), AfterValidator(_inside)]


class CheckpointBody(Body):
    """Make a checkpoint of a session or of a plan. ``ignored`` are patterns of ignored files that are in it."""

    session: PlainText | None = None
    plan: PlainText | None = None
    reason: PlainText = Field("asked for", min_length=1, max_length=REASON_LIMIT)
    ignored: list[Pattern] = Field([], max_length=PATTERNS)

    @model_validator(mode="after")
    def _of_one(self) -> CheckpointBody:
        if (self.session is None) == (self.plan is None):
            raise ValueError("either a session or a plan")
        return self


class RestoreBody(Body):
    """Restore a checkpoint; ``head`` moves HEAD and its branch too, ``force`` restores while something works there."""

    head: bool = False
    force: bool = False


def checkpoint_json(checkpoint: Checkpoint, project_name: str | None) -> dict[str, Any]:
    """Return a checkpoint as clients get it."""
    return {
        "id": checkpoint.id,
        "name": checkpoint.name,
        "status": checkpoint.status,
        "project": checkpoint.project,
        "project_name": project_name,
        "plan": checkpoint.plan,
        "task": checkpoint.task,
        "session": checkpoint.session,
        "worktree": checkpoint.worktree,
        "ref": checkpoint.ref,
        "commit": checkpoint.git_commit,
        "head": checkpoint.head,
        "branch": checkpoint.branch,
        "reason": checkpoint.reason,
        "files": checkpoint.files,
        "size": checkpoint.size,
        "environment": checkpoint.environment,
        "decisions": list(checkpoint.decisions),
        "outputs": checkpoint.outputs,
        "created_at": to_rfc3339(checkpoint.created_at),
        "created_by": checkpoint.created_by,
        "restored_at": to_rfc3339(checkpoint.restored_at),
        "expired_at": to_rfc3339(checkpoint.expired_at),
    }
