"""The two lines above a session's own screen: what it is, and why it stands where it stands."""

from __future__ import annotations

from panels import shown
from panels.view.fleet import fitted, glyph
from panels.view.sessions import SessionView
from supervisor.model.plain import one_line

Span = tuple[str, str]


def head(session: SessionView, width: int, now: int) -> tuple[list[Span], list[Span]]:
    """Return both lines in so many cells; the name and the reason are cut where there is no room."""
    sign, style = glyph(session)
    lines = shown.lines(session.added, session.removed)
    figures = [
        one_line(session.agent),
        one_line(session.branch or ""),
        lines,
        shown.spent(session.cost_usd, session.budget_usd),
        shown.age(session.age_from(), now),
    ]
    # The branch gives way first: it can be long, and the diff names it too.
    while len(" · ".join(filter(None, figures))) > width - 16 and figures[1]:
        figures[1] = figures[1][:-4] + "…" if len(figures[1]) > 12 else ""
    right = " · ".join(filter(None, figures))
    room = max(1, width - len(right) - 5)
    status = f"{session.status}, merged into {session.merged}" if session.merged else session.status
    reason = f"{status}: {session.reason}" if session.reason else status
    reason_style = "waiting" if session.group == "needs" else "failed" if session.status == "failed" else ""
    since = f" ({shown.age(session.reason_at, now)} ago)" if session.reason_at else ""
    return (
        [(f" {sign} ", style), (fitted(session.name, room), "bold"), (f" {right} ", "dim")],
        [("   ", ""), (fitted(reason, max(1, width - len(since) - 4)).rstrip(), reason_style), (since, "dim")],
    )
