"""The two lines above a plan: what it is and how far it has come, and what it waits for."""

from __future__ import annotations

from typing import Final

from rich.cells import cell_len

from panels import shown
from panels.palette import PLAN_GLYPHS
from panels.view.fleet import fitted
from panels.view.plans import Approvals, Json, Span, counted, progress, standing
from supervisor.model.plain import one_line
from supervisor.model.times import from_rfc3339

BAR: Final = 10
"""Cells of the bar of progress."""


def head(plan: Json, approvals: Approvals, width: int, now: int) -> tuple[list[Span], list[Span]]:
    """Return both lines in so many cells."""
    sign, style = PLAN_GLYPHS.get(plan["status"], ("·", ""))
    done, total = progress(plan)
    facts = [f"r{plan['revision']}", plan["advance"], one_line(plan["branch"] or "") if width >= 100 else ""]
    right = " · ".join(filter(None, facts))
    full = round(BAR * done / total) if total else 0
    bar = [("━" * full, "ok"), ("─" * (BAR - full), "dim"), (f" {done}/{total} ", "ok" if done == total else "")]
    room = max(8, width - 3 - cell_len(right) - 2 - sum(cell_len(text) for text, _ in bar))
    name = fitted(plan["title"], room)
    said, said_style = standing(plan, approvals)
    since = ""
    if said_style != "waiting" or plan["status"] == "blocked":
        said = f"{plan['status']}: {one_line(plan['status_reason']['text'][:400])}"
        since = f" ({shown.age(from_rfc3339(plan['status_reason']['at']), now)} ago)"
    counts = counted(plan["task_counts"])
    while counts and sum(cell_len(text) for text, _ in counts) > width // 2:
        counts.pop()
    left = max(8, width - 4 - len(since) - sum(cell_len(text) for text, _ in counts))
    return (
        [(f" {sign} ", style), (name, "bold"), (f" {right} ", "dim"), *bar],
        [("   ", ""), (fitted(said, min(left, cell_len(said))), said_style), (since, "dim"), ("  ", ""), *counts],
    )
