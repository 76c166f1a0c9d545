"""How the fleet is put in order: groups, what is searched for, and what one line says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from panels import shown
from panels.palette import GLYPHS
from panels.view.sessions import GROUPS, Group, SessionView
from supervisor.model.plain import one_line


@dataclass(frozen=True, slots=True)
class Heading:
    """The line above a group."""

    group: Group
    count: int


Row = Heading | SessionView


def rows(sessions: Iterable[SessionView], wanted: str = "") -> list[Row]:
    """Return the lines of the fleet: each group that has sessions, under its heading."""
    grouped: dict[Group, list[SessionView]] = {group: [] for group in GROUPS}
    for session in sessions:
        if matches(session, wanted):
            grouped[session.group].append(session)
    found: list[Row] = []
    for group, members in grouped.items():
        if members:
            members.sort(key=_ORDER[group])
            found += [Heading(group, len(members)), *members]
    return found


_ORDER = {
    "needs": lambda session: (session.reason_at or 0, session.id),
    "working": lambda session: (session.created_at or 0, session.id),
    "queued": lambda session: (session.created_at or 0, session.id),
    "done": lambda session: (-(session.ended_at or 0), session.id),
}


def matches(session: SessionView, wanted: str) -> bool:
    """Whether every word that is searched for occurs in something that the session is known by."""
    if not wanted:
        return True
    known = " ".join(
        filter(
            None,
            (
                session.name, session.agent, session.project_name, session.status, session.branch, session.executor,
                session.doing, session.prompt, session.command,
            ),
        )
    ).casefold()  # fmt: skip
    return all(word in known for word in wanted.casefold().split())


def glyph(session: SessionView) -> tuple[str, str]:
    """Return the glyph of a session and its style: stalled and idle are told apart from running."""
    if session.status == "running" and session.activity in ("stalled", "idle"):
        return GLYPHS[session.activity]
    return GLYPHS.get(session.status, ("·", ""))


@dataclass(frozen=True, slots=True)
class Columns:
    """How many cells each column takes; one that says nothing of any session takes none."""

    name: int
    agent: int
    branch: int
    lines: int
    cost: int
    age: int = 5

    @property
    def fixed(self) -> int:
        """What all but the widest one take, with the glyph and a blank."""
        return 3 + self.name + self.agent + self.branch + self.lines + self.cost + self.age


def title(session: SessionView) -> str:
    """Return what a session is called: its name, or what it was given to do where nobody named it."""
    if re.fullmatch(rf"{re.escape(session.agent)}-[0-9a-z]{{6}}", session.name):
        return one_line((session.prompt or session.command)[:200]) or session.name
    return session.name


def columns(shown_rows: Sequence[Row], width: int) -> Columns:
    """Return the columns of these lines in so many cells; the ones that matter least give way first."""
    sessions = [row for row in shown_rows if isinstance(row, SessionView)]
    longest = max((cell_len(title(each)) for each in sessions), default=0)
    return Columns(
        name=min(longest + 1, max(12, width // 4)),
        agent=9 if width >= 60 else 0,
        branch=min(32, width // 5) if width >= 110 and any(map(_named_branch, sessions)) else 0,
        lines=10 if width >= 64 and any(each.added or each.removed for each in sessions) else 0,
        cost=7 if width >= 50 and any(shown.money(each.cost_usd) for each in sessions) else 0,
    )


def _named_branch(session: SessionView) -> str:
    """Return a branch that somebody named: the usual one only repeats the session's id."""
    return session.branch if session.branch and session.id not in session.branch else ""


def line(session: SessionView, width: int, now: int, columns: Columns) -> list[tuple[str, str]]:
    """Return one line of the fleet in so many cells."""
    sign, style = glyph(session)
    doing = "waiting" if session.group == "needs" else "failed" if session.status == "failed" else "dim"
    if session.merged:
        doing = "ok"
    if session.status in ("running", "preparing") and session.group == "working":
        doing = ""
    cells = [
        (fitted(title(session), columns.name - 1), columns.name, "bold" if not session.is_ended else ""),
        (fitted(session.agent, columns.agent - 1), columns.agent, "dim"),
        (fitted(session.doing, width - columns.fixed), 1, doing),
        (fitted(_named_branch(session), columns.branch - 1), columns.branch, "dim"),
        (shown.lines(session.added, session.removed).rjust(columns.lines - 1), columns.lines, "dim"),
        (shown.money(session.cost_usd).rjust(columns.cost - 1), columns.cost, ""),
    ]
    spans = [(f"{text} ", style) for text, size, style in cells if size]
    return [(f"{sign} ", style), *spans, (shown.age(session.age_from(), now).rjust(columns.age), "dim")]


def fitted(text: str, width: int) -> str:
    """Return foreign text as one line of exactly so many cells; what is cut off is marked."""
    if width <= 0:
        return ""
    flat = one_line(text[: width * 4 + 256])
    return flat + " " * (width - size) if (size := cell_len(flat)) <= width else set_cell_size(flat, width - 1) + "…"
