"""Artifacts over the API: requests and the JSON shapes of answers."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from pydantic import AfterValidator, Field

from supervisor.api.protocol import AbsolutePath, Body, Document, Number, PlainText
from supervisor.engine.uploads import Progress
from supervisor.model.artifacts import Artifact, Kind, Stance
from supervisor.model.times import to_rfc3339

PROVENANCE_LIMIT = 16 * 1024
"""Bytes of what is said about how an artifact was made, as JSON."""


def _bounded(document: dict[str, Any]) -> dict[str, Any]:
    if len(msgspec.json.encode(document)) > PROVENANCE_LIMIT:
        raise ValueError(f"it has more than {PROVENANCE_LIMIT} bytes as JSON")
    return document


class PutBody(Body):
    """Keep something: what it is, and the hash and size of what is to come."""

    name: PlainText = Field(max_length=4096)
    type: PlainText = Field(default="application/octet-stream", max_length=4096)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: Number
    kind: Kind = "artifact"
    plan: PlainText | None = Field(default=None, min_length=1, max_length=4096)
    task: PlainText | None = Field(default=None, min_length=1, max_length=4096)
    cwd: AbsolutePath | None = None
    retention: PlainText | None = Field(default=None, max_length=100)
    statement: PlainText = Field(default="", max_length=10_000)
    stance: Stance | None = None
    provenance: Annotated[Document, AfterValidator(_bounded)] = Field(default_factory=dict)


def artifact_json(artifact: Artifact) -> dict[str, Any]:
    """Return an artifact as clients get it."""
    return {
        "id": artifact.id,
        "kind": artifact.kind,
        "name": artifact.name,
        "version": artifact.version,
        "type": artifact.type,
        "form": artifact.form,
        "size": artifact.size,
        "sha256": artifact.sha256,
        "project": artifact.project,
        "plan": artifact.plan,
        "task": artifact.task,
        "session": artifact.session,
        "attempt": artifact.attempt,
        "statement": artifact.statement,
        "stance": artifact.stance,
        "provenance": artifact.provenance,
        "retention": artifact.retention,
        "created_at": to_rfc3339(artifact.created_at),
        "created_by": artifact.created_by,
        "expires_at": to_rfc3339(artifact.expires_at),
        "removed_at": to_rfc3339(artifact.removed_at),
    }


def progress_json(progress: Progress) -> dict[str, Any]:
    """Return how far an upload is; ``upload`` is null when none was needed, ``artifact`` until all of it is there."""
    upload = progress.upload
    return {
        "upload": {"id": upload.id, "offset": progress.offset, "size": upload.draft.size} if upload else None,
        "artifact": artifact_json(progress.artifact) if progress.artifact else None,
    }
