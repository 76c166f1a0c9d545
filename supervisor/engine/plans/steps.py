"""Subplans that are written as a list of texts: each becomes a task, one after the other."""

from __future__ import annotations

from typing import Any

from supervisor.model.plan.values import TITLE_LIMIT


def steps(written: list[Any]) -> list[Any]:
    """Return tasks for a list of texts and tasks. A text needs what stands before it; tasks stay as they are."""
    tasks: list[Any] = []
    for number, each in enumerate(written, 1):
        if isinstance(each, str):
            task: dict[str, Any] = {"id": f"step-{number}", "title": _title(each), "prompt": each}
            before = tasks[-1].get("id") if tasks and isinstance(tasks[-1], dict) else None
            tasks.append(task if before is None else {**task, "needs": [before]})
        else:
            tasks.append(each)
    return tasks


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TITLE_LIMIT else f"{line[: TITLE_LIMIT - 1]}…"
