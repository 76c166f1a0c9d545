"""What commands say of plans, in the same words."""

from __future__ import annotations

from collections import Counter

import click

from supervisor.api.client import Json

REF = click.argument("ref", metavar="ID")

ORDER = ("running", "waiting_approval", "ready", "pending", "blocked", "failed", "skipped", "abandoned")


def progress_of(plan: Json) -> str:
    """Return how far a plan is: ``3 of 12 completed, 2 running, 7 pending``."""
    counts = Counter(task["status"] for task in plan["tasks"])
    more = [f"{counts[status]} {status.replace('_', ' ')}" for status in ORDER if counts[status]]
    return ", ".join([f"{counts['completed']} of {len(plan['tasks'])} completed", *more])
