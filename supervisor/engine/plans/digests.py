"""What a task of a document is, as a digest: a revision that leaves it alone keeps what it has done."""

from __future__ import annotations

import hashlib

from supervisor.model.plan.task import Task
from supervisor.store.rows import to_json


def digest_of_task(task: Task) -> str:
    """Return a digest of what a document says that a task is (SHA-256, hexadecimal)."""
    document = task.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"status"})
    if task.subplan is not None:  # the tasks in it have digests of their own
        document["subplan"]["tasks"] = [each.id for each in task.subplan.tasks]
    return hashlib.sha256(to_json(document).encode()).hexdigest()
