"""How the fleet is put in order: groups, what is searched for, and what one line says."""

from __future__ import annotations

from collections.abc import Iterable
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


def line(session: SessionView, width: int, now: int) -> list[tuple[str, str]]:
    """Return one line of the fleet in so many cells; columns give way from the right of what matters least."""
    sign, style = glyph(session)
    name_width = min(28, max(12, width // 4))
    agent_width = 9 if width >= 60 else 0
    lines_width = 10 if width >= 72 else 0
    cost_width = 7 if width >= 56 else 0
    branch_width = min(32, width // 5) if width >= 110 else 0
    age_width = 5
    doing_width = width - 2 - name_width - agent_width - lines_width - cost_width - branch_width - age_width - 1
    doing_style = "waiting" if session.group == "needs" else "failed" if session.status == "failed" else "dim"
    if session.status in ("running", "preparing") and session.group == "working":
        doing_style = ""
    return [
        (f"{sign} ", style),
        (fitted(session.name, name_width - 1) + " ", "bold" if not session.is_ended else ""),
        (fitted(session.agent, agent_width - 1) + " " if agent_width else "", "dim"),
        (fitted(session.doing, doing_width) + " ", doing_style),
        (fitted(session.branch or "", branch_width - 1) + " " if branch_width else "", "dim"),
        (shown.lines(session.added, session.removed).rjust(lines_width - 1) + " " if lines_width else "", "dim"),
        (shown.money(session.cost_usd).rjust(cost_width - 1) + " " if cost_width else "", ""),
        (shown.age(session.age_from(), now).rjust(age_width), "dim"),
    ]


def fitted(text: str, width: int) -> str:
    """Return foreign text as one line of exactly so many cells; what is cut off is marked."""
    if width <= 0:
        return ""
    flat = one_line(text[: width * 4 + 256])
    return flat + " " * (width - size) if (size := cell_len(flat)) <= width else set_cell_size(flat, width - 1) + "…"
