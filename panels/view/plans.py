"""How the plans are put in order: groups, what is searched for, what one line says, and what their events change."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from rich.cells import cell_len

from panels import shown
from panels.palette import PLAN_GLYPHS
from panels.view.fleet import fitted
from supervisor.model.plain import one_line
from supervisor.model.times import from_rfc3339

Json = dict[str, Any]
Span = tuple[str, str]
Group = Literal["needs", "working", "waiting", "done"]

GROUPS: Final[dict[Group, str]] = {
    "needs": "Needs you",
    "working": "Under way",
    "waiting": "Not started",
    "done": "Done",
}

ENDED: Final = frozenset({"completed", "failed", "abandoned"})
"""Statuses of a plan that has ended."""

UNDER_WAY: Final = frozenset({"running", "paused", "blocked"})
"""Statuses of a plan that was started and has not ended."""


FIGURES: Final = 18
"""Cells that glyph, progress, revision and age take."""


@dataclass(frozen=True, slots=True)
class Heading:
    """The line above a group."""

    group: Group
    count: int


Row = Heading | Json
Approvals = Collection[Mapping[str, Any]]


def rows(plans: Iterable[Json], approvals: Approvals, wanted: str = "") -> list[Row]:
    """Return the lines of the list: each group that has plans, under its heading."""
    grouped: dict[Group, list[Json]] = {group: [] for group in GROUPS}
    asked = {approval.get("plan") for approval in approvals}
    for plan in plans:
        if matches(plan, wanted):
            grouped[group_of(plan, is_asked=plan["id"] in asked)].append(plan)
    found: list[Row] = []
    for group, members in grouped.items():
        if members:
            newest_first = group in ("done", "waiting")
            members.sort(key=lambda plan: (plan["ended_at"] or plan["created_at"], plan["id"]), reverse=newest_first)
            found += [Heading(group, len(members)), *members]
    return found


def matches(plan: Json, wanted: str) -> bool:
    """Whether every word that is searched for occurs in something that the plan is known by."""
    parts = (plan["id"], plan["title"], plan["status"], plan["project_name"], plan["owner"], plan["branch"])
    known = " ".join(filter(None, parts)).casefold()
    return all(word in known for word in wanted.casefold().split())


def group_of(plan: Json, *, is_asked: bool) -> Group:
    """Return the group of a plan: it needs the person when it asks, is stuck, or waits for a step."""
    status = plan["status"]
    if is_asked or status == "blocked" or waits_for_step(plan):
        return "needs"
    if status in ENDED:
        return "done"
    return "working" if status in UNDER_WAY else "waiting"


def waits_for_step(plan: Json) -> bool:
    """Whether it goes on only when the person lets the next task run."""
    counts = plan["task_counts"]
    at_work = counts.get("running", 0)
    return plan["status"] == "running" and plan["advance"] == "manual" and not at_work and counts.get("ready", 0) > 0


def progress(plan: Json) -> tuple[int, int]:
    """Return how many tasks are completed, and how many there are."""
    counts = plan["task_counts"]
    return counts.get("completed", 0), sum(counts.values())


def standing(plan: Json, approvals: Approvals) -> Span:
    """Return what a plan waits for or does, and its style."""
    asked = [approval for approval in approvals if approval.get("plan") == plan["id"]]
    counts = plan["task_counts"]
    if asked:
        more = f" (and {len(asked) - 1} more)" if len(asked) > 1 else ""
        return f"{asked[0].get('task') or 'it'} asks: {one_line(asked[0]['question'][:400])}{more}", "waiting"
    if waits_for_step(plan):
        return f"{counts['ready']} ready: . lets the next run", "waiting"
    if plan["status"] == "running" and counts.get("running"):
        failed = f", {counts['failed']} failed" if counts.get("failed") else ""
        return f"{counts['running']} running{failed}", "running"
    if plan["status"] == "pending":
        return "b starts it", "dim"
    style = {"failed": "failed", "blocked": "waiting"}.get(plan["status"], "dim")
    return one_line(plan["status_reason"]["text"][:400]), style


def title_width(found: Iterable[Row], width: int) -> int:
    """Return the cells that titles get in a list of so many: as many as the longest takes, as far as there is room."""
    longest = max((cell_len(one_line(row["title"][:200])) for row in found if not isinstance(row, Heading)), default=0)
    return min(longest + 1, max(16, (width - FIGURES) * 2 // 5))


def line(plan: Json, approvals: Approvals, width: int, titles: int, now: int) -> list[Span]:
    """Return one line of the list in so many cells, of which the title gets ``titles``."""
    sign, style = PLAN_GLYPHS.get(plan["status"], ("·", ""))
    done, total = progress(plan)
    figures = f"{done}/{total}".rjust(7)
    revision = f"r{plan['revision']}".rjust(4) if width >= 44 else ""
    age = shown.age(from_rfc3339(plan["ended_at"] or plan["started_at"] or plan["created_at"]), now).rjust(5)
    room = max(8, width - 2 - cell_len(figures) - len(revision) - len(age))
    named = min(titles, room)
    said, said_style = standing(plan, approvals)
    title_style = "" if plan["status"] in ENDED else "bold"
    return [
        (f"{sign} ", style),
        (f"{fitted(plan['title'], named - 1)} ", title_style),
        (fitted(said, room - named), said_style),
        (figures, "ok" if total and done == total else ""),
        (revision, "dim"),
        (age, "dim"),
    ]


def counted(counts: Mapping[str, int]) -> list[Span]:
    """Return how many tasks have each status, in the order in which they matter."""
    found: list[Span] = []
    for status, (sign, style) in PLAN_GLYPHS.items():
        if counts.get(status):
            found.append((f"{sign} {counts[status]} {status.replace('_', ' ')}  ", style))
    return found


def absorb(plans: dict[str, Json], event: Mapping[str, Any]) -> bool:
    """Take an event of a plan; return whether the plans are to be read again, because it says too little."""
    plan, payload, kind = plans.get(event["plan"] or ""), event["payload"], event["type"]
    if kind == "plan_deleted":
        plans.pop(event["plan"], None)
        return False
    if plan is None or kind not in ("plan_status_changed", "task_status_changed"):
        return True
    if kind == "plan_status_changed":
        plan["status"] = payload["to"]
        plan["status_reason"] = {"text": payload["reason"], "at": event["time"]}
        if payload["to"] in ENDED:
            plan["ended_at"] = event["time"]
        elif payload["to"] == "running":
            plan["started_at"], plan["ended_at"] = plan["started_at"] or event["time"], None
        return False
    counts = plan["task_counts"]
    if counts.get(payload["from"], 0) < 1:
        return True
    counts[payload["from"]] -= 1
    counts[payload["to"]] = counts.get(payload["to"], 0) + 1
    return False
