"""What sessions cost, by what they have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from panels import shown
from panels.view.fleet import fitted
from panels.view.rows import Row
from panels.view.sessions import SessionView


@dataclass(slots=True)
class Sum:
    """What the sessions of one line cost together. Tokens are those that were read and written."""

    name: str
    sessions: int = 0
    failed: int = 0
    tokens: int = 0
    cost_usd: float = 0.0


def _day(session: SessionView) -> str:
    moment = session.started_at or session.created_at
    return datetime.fromtimestamp(moment / 1000).astimezone().strftime("%Y-%m-%d") if moment else "-"


BY: dict[str, Callable[[SessionView], str]] = {
    "agent": lambda session: session.agent,
    "project": lambda session: session.project_name,
    "day": _day,
}


def sums(sessions: Iterable[SessionView], by: Callable[[SessionView], str]) -> list[Sum]:
    """Return one sum for each name: the dearest first, then the one with most sessions."""
    found: dict[str, Sum] = {}
    for session in sessions:
        each = found.setdefault(by(session), Sum(by(session)))
        each.sessions += 1
        each.failed += session.status == "failed"
        each.tokens += session.tokens_input + session.tokens_output
        each.cost_usd += session.cost_usd
    return sorted(found.values(), key=lambda each: (-each.cost_usd, -each.sessions, each.name))


def cost_rows(sessions: Iterable[SessionView], width: int) -> list[Row]:
    """Return the small tables: by agent, by project, and by day with the newest first."""
    known, rows = list(sessions), list[Row]()
    if not known:
        return [Row([("No sessions yet: there is nothing to count. 1 n starts one.", "dim")])]
    for title, by in BY.items():
        found = sums(known, by)
        if title == "day":
            found.sort(key=lambda each: each.name, reverse=True)
        name = max(14, min(40, width - 38))
        rows += [
            *([Row([])] if rows else []),
            Row([(fitted(f"By {title}", name), "title"), (" sessions  failed    tokens       cost", "dim")]),
        ]
        rows += [_row(each, name) for each in found]
    total = sum(session.cost_usd for session in known)
    rows += [Row([]), Row([(fitted("Together", name), "bold"), (f"{shown.money(total) or '-':>38}", "bold")])]
    return rows


def _row(each: Sum, name: int) -> Row:
    return Row(
        [
            (fitted(each.name, name), ""),
            (f"{each.sessions:>9}", ""),
            (f"{each.failed or '-':>8}", "failed" if each.failed else "dim"),
            (f"{shown.count(each.tokens) if each.tokens else '-':>10}", ""),
            (f"{shown.money(each.cost_usd) or '-':>11}", "" if each.cost_usd else "dim"),
        ]
    )
