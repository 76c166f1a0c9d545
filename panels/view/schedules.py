"""Schedules as lines: when each is due next, what came of its last times, what was missed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rich.cells import cell_len

from panels import shown
from panels.palette import PLAN_GLYPHS
from panels.view.fleet import fitted
from panels.view.plans import progress
from panels.view.rows import Line, Row
from panels.view.wrapping import wrap
from supervisor.model.plain import one_line
from supervisor.model.times import from_rfc3339

Json = dict[str, Any]
Span = tuple[str, str]

RUNS: Final[dict[str, tuple[str, str, str]]] = {
    "due": ("◌", "dim", "is being made"),
    "waiting": ("◐", "waiting", "waits for you"),
    "starting": ("○", "running", "is being started"),
    "started": ("●", "running", "was started"),
    "declined": ("■", "dim", "was not allowed"),
    "failed": ("✕", "failed", "could not be made or started"),
}
"""A glyph, a style and words for each state of a run."""

MISSED: Final[dict[str, str]] = {
    "skip": "What is missed is left out.",
    "once": "One run for all that is missed.",
    "all": "A run for each time that is missed, 10 at most.",
}

EMPTY: Final = """\
No schedules yet.

A schedule has a plan run whenever it is due, each time as a plan of its own that waits for your approval unless you \
allow otherwise. What a clock starts is never a surprise: its runs, and what was missed, are listed here.

  quarterdeck plan schedule nightly --cron "30 2 * * 1-5" --tz Europe/Berlin
  quarterdeck plan schedule nightly        when its document says so:
                                           schedule: {cron: "30 2 * * 1-5"}"""


@dataclass(frozen=True, slots=True)
class Missed:
    """Times of a schedule that were missed and got no run: how many, from when to when (ms)."""

    times: int
    first: int
    last: int


def missed(events: Iterable[Json]) -> dict[str, list[Missed]]:
    """Return what was missed by schedule, newest first, from events of the type ``schedule_missed``."""
    found: dict[str, list[Missed]] = {}
    for event in events:
        told = event["payload"]
        each = Missed(told["times"], from_rfc3339(told["first"]), from_rfc3339(told["last"]))
        found.setdefault(told["schedule"], []).insert(0, each)
    return found


def outcome(run: Json, plans: Mapping[str, Json]) -> tuple[str, str, str]:
    """Return a glyph, a style and words for a run: of one that was started, how its plan stands, while it is listed."""
    plan = plans.get(run["plan"])
    if run["state"] == "started" and plan is not None:
        sign, style = PLAN_GLYPHS.get(plan["status"], ("·", ""))
        done, total = progress(plan)
        return sign, style, f"{plan['status']} {done}/{total}"
    return RUNS.get(run["state"], ("·", "", run["state"]))


def waiting_run(schedule: Json) -> Json | None:
    """Return the newest run that waits for a person."""
    return next((run for run in schedule["runs"] if run["state"] == "waiting" and run["approval"]), None)


def ordered(schedules: Iterable[Json]) -> list[Json]:
    """Return those first of which a run waits, then by when they are due, those that are paused last."""
    return sorted(
        schedules,
        key=lambda each: (
            waiting_run(each) is None, bool(each["paused_at"]), each["next"][0] if each["next"] else "~", each["plan"],
        ),
    )  # fmt: skip


def due_in(schedule: Json, now: int) -> Span:
    """Return when it is due next: a paused one never is."""
    if schedule["paused_at"]:
        return "‖ paused", "paused"
    if not schedule["next"]:
        return "never again", "waiting"
    moment = from_rfc3339(schedule["next"][0])
    return f"in {shown.span((moment - now) / 1000)}, {when(moment, now)}", ""


def when(moment: int, now: int) -> str:
    """Return a local time: of today the hour alone, else with its day."""
    at, today = (datetime.fromtimestamp(each / 1000).astimezone() for each in (moment, now))
    if at.date() == today.date():
        return f"{at:%H:%M}"
    return f"{at:%a %d %b %H:%M}" if abs((at.date() - today.date()).days) < 300 else f"{at:%d %b %Y %H:%M}"


def list_rows(
    schedules: Sequence[Json], lost: Mapping[str, list[Missed]], plans: Mapping[str, Json], width: int, now: int
) -> list[Row]:
    """Return a line for each schedule, with its id as its key."""
    dues = [due_in(each, now) for each in schedules]
    due_cells = max((len(text) for text, _ in dues), default=0) + 2
    longest = max((len(each["plan"]) for each in schedules), default=0) + 2
    named = max(10, min(longest, (width - due_cells) // 2))
    return [
        Row(_line(each, lost.get(each["id"], []), plans, due, (named, due_cells), width), each["id"])
        for each, due in zip(schedules, dues, strict=True)
    ]


def _line(
    schedule: Json, lost: list[Missed], plans: Mapping[str, Json], due: Span, cells: tuple[int, int], width: int
) -> Line:
    named, due_cells = cells
    sign, style = ("‖", "paused") if schedule["paused_at"] else ("◷", "running")
    room = max(0, width - 2 - named - due_cells)
    said, said_style = _last(schedule, lost, plans)
    if waiting_run(schedule) is not None:
        sign, style = "◐", "waiting"
    return [
        (f"{sign} ", style),
        (fitted(schedule["plan"], named - 1) + " ", "bold"),
        (due[0].ljust(due_cells), due[1]),
        (fitted(said, room), said_style),
    ]


def _last(schedule: Json, lost: list[Missed], plans: Mapping[str, Json]) -> Span:
    """Return what came of the newest time that it was due."""
    if waiting_run(schedule) is not None:
        return "◐ a run waits for you: a", "waiting"
    run = schedule["runs"][0] if schedule["runs"] else None
    if lost and (run is None or lost[0].last > from_rfc3339(run["due"])):
        return f"! {lost[0].times} missed", "waiting"
    if run is None:
        return "never ran yet", "dim"
    sign, style, said = outcome(run, plans)
    return f"{sign} {said}", style


def detail_rows(schedule: Json, lost: Sequence[Missed], plans: Mapping[str, Json], width: int, now: int) -> list[Row]:
    """Return everything about a schedule; a run has ("run", plan, approval) as its key."""
    starts = "each run starts by itself" if schedule["approval"] == "auto" else "each run waits for your approval"
    who = one_line(schedule["created_by"]).removeprefix("person:")
    made = f"made by {who} {shown.age(from_rfc3339(schedule['created_at']), now)} ago"
    facts = [f"{schedule['cron']} ({schedule['timezone']})", starts, schedule["project_name"] or "", made]
    rows = [Row([(fitted(schedule["plan"], width), "title")])]
    rows += [Row([(line, "")]) for line in _flowing([one_line(fact) for fact in facts if fact], width)]
    rows += [Row([]), Row([("Next", "title")])]
    if schedule["paused_at"]:
        since = shown.age(from_rfc3339(schedule["paused_at"]), now)
        rows += _said(
            f"‖ It is paused for {since}: nothing is due, and nothing missed. p lets it go on.", width, "paused"
        )
    else:
        due = [from_rfc3339(each) for each in schedule["next"]]
        times = [f"{when(each, now)} (in {shown.span((each - now) / 1000)})" for each in due]
        rows += [Row([(line, "")]) for line in _flowing(times, width)]
        rows += [] if due else _said("It is never due again.", width, "waiting")
    rows += [Row([]), _title("Runs", "newest first; ⏎ opens the plan of one", width)]
    said_cells = max((len(outcome(run, plans)[2]) for run in schedule["runs"]), default=0)
    for run in schedule["runs"]:
        rows += _run(run, plans, width, said_cells, now)
    rows += [] if schedule["runs"] else _said("None yet. b makes one now.", width, "dim")
    rows += [Row([]), _title("Missed", MISSED.get(schedule["missed"], ""), width)]
    for each in lost:
        span = when(each.first, now) + (f" to {when(each.last, now)}" if each.times > 1 else "")
        often = "once" if each.times == 1 else f"{each.times} times"
        rows += _said(f"! {often}: {span}. No supervisor ran then, and no run was made for it.", width, "waiting")
    rows += [] if lost else _said("Nothing.", width, "dim")
    return rows


def _title(text: str, more: str, width: int) -> Row:
    return Row([(f"{text}  ", "title"), (fitted(more, width - len(text) - 2), "dim")])


def _flowing(parts: Sequence[str], width: int) -> list[str]:
    """Return parts behind each other in as few lines as they take; none is broken."""
    lines: list[str] = []
    for part in parts:
        if cell_len(part) + 2 > width:
            lines.append(f"  {fitted(part, width - 2)}")
        elif lines and cell_len(lines[-1]) + cell_len(part) + 3 <= width:
            lines[-1] += f" · {part}"
        else:
            lines.append(f"  {part}")
    return lines


def _run(run: Json, plans: Mapping[str, Json], width: int, said_cells: int, now: int) -> Iterator[Row]:
    sign, style, said = outcome(run, plans)
    at = f"  {when(from_rfc3339(run['due']), now):<17}"
    room = max(4, width - len(at) - 3 - said_cells - 1)
    yield Row(
        [(at, "dim"), (f" {sign} ", style), (fitted(run["plan"], min(room, 36)) + " ", ""), (said, style)],
        ("run", run["plan"], run["approval"]),
    )
    if run["state"] in ("declined", "failed"):
        yield from (Row([(f"    {line}", "dim")]) for line in wrap(one_line(run["reason"]), max(20, width - 4)))


def _said(text: str, width: int, style: str) -> list[Row]:
    return [Row([(f"  {line}", style)]) for line in wrap(text, max(20, width - 2))]
