"""How alerts and events are written, one line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from panels import shown
from panels.view.alerts import countdown_style
from panels.view.fleet import fitted
from panels.view.limits import bar
from panels.view.sessions import SessionView
from panels.view.summaries import summary
from supervisor.model.alerts import Alert
from supervisor.model.times import from_rfc3339

Json = dict[str, Any]
Span = tuple[str, str]

ALERT_SIGNS: Final[dict[str, tuple[str, str]]] = {
    "low": ("▽", "dim"), "medium": ("△", "waiting"), "high": ("▲", "failed"),
}  # fmt: skip
EVENT_SIGNS: Final[dict[str, tuple[str, str]]] = {
    "debug": ("·", "dim"), "info": ("•", "dim"), "warning": ("△", "waiting"), "error": ("▲", "failed"),
    "critical": ("▲", "failed-bold"),
}  # fmt: skip

ROOMY: Final = 56
"""Cells from which on an alert has columns; in fewer, it has its sign and what happened."""

COUNTDOWN: Final = 6
"""Cells of a countdown."""


def name_of(session: str | None, sessions: Mapping[str, SessionView]) -> str:
    """Return what a session is called; its id where it is not known, nothing where there is none."""
    if session is None:
        return ""
    known = sessions.get(session)
    return known.name if known is not None else session


def alert_style(alert: Alert, *, lit: bool) -> str:
    """Return the style of an alert's sign and severity; an urgent one is brighter while it is ``lit``."""
    _, style = ALERT_SIGNS[alert.severity]
    if alert.is_acknowledged:
        return "dim"
    return f"{style}-bold" if alert.is_urgent and lit else style


def alert_line(alert: Alert, sessions: Mapping[str, SessionView], width: int, now: int, *, lit: bool) -> list[Span]:
    """Return an alert in so many cells; ``now`` is the clock of alerts."""
    sign, _ = ALERT_SIGNS[alert.severity]
    style = alert_style(alert, lit=lit)
    roomy = width >= ROOMY
    name_width = min(18, max(8, width // 6)) if alert.session is not None and roomy else 0
    left = alert.left(now)
    end: Span = ("seen  " if alert.is_acknowledged else " " * COUNTDOWN, "dim")
    if left is not None:
        end = (bar(left, COUNTDOWN), "dim" if alert.is_acknowledged else countdown_style(left))
    count = f" ×{shown.count(alert.count)}" if alert.count > 1 else ""
    if not roomy:
        # Who it is about stands before what happened, and both are more than when.
        about = f"{name_of(alert.session, sessions)} {alert.text}".strip()
        said = "dim" if alert.is_acknowledged else ""
        counted = left is not None
        text_width = width - 2 - len(count) - (COUNTDOWN + 1 if counted else 0)
        line = [(f"{sign} ", style), (fitted(about, text_width), said), (count, "waiting")]
        return [*line, (" ", ""), end] if counted else line
    text_width = width - 9 - (name_width + 1 if name_width else 0) - len(count) - 5 - COUNTDOWN
    return [
        (f"{sign} {alert.severity:<6} ", style),
        (fitted(alert.text, text_width), "dim" if alert.is_acknowledged else ""),
        (count, "waiting"),
        (f" {fitted(name_of(alert.session, sessions), name_width)}" if name_width else "", "bold"),
        (f"{shown.age(alert.raised_at, now):>4} ", "dim"),
        end,
    ]


def event_line(event: Json, sessions: Mapping[str, SessionView], width: int) -> list[Span]:
    """Return an event in so many cells: time, phase, severity, session, type and what it says."""
    sign, style = EVENT_SIGNS.get(event["severity"], EVENT_SIGNS["info"])
    bad = event["severity"] in ("warning", "error", "critical")
    phase_width = 9 if width >= 100 else 4
    name_width, type_width = min(20, max(8, width // 7)), min(20, max(10, width // 6))
    rest = width - 9 - phase_width - 1 - 2 - name_width - 1 - type_width - 1
    return [
        (f"{shown.clock(from_rfc3339(event['time']))} ", "dim"),
        (f"{fitted(event['phase'][:phase_width], phase_width)} ", "dim"),
        (f"{sign} ", style),
        (f"{fitted(name_of(event['session'], sessions), name_width)} ", "bold"),
        (f"{fitted(event['type'], type_width)} ", style if bad else ""),
        (fitted(summary(event), rest), style if bad else "dim" if event["severity"] == "debug" else ""),
    ]
