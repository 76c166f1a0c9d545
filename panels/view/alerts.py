"""Alerts as the app shows them: its clock, the style of a countdown, and what the API says of those there are."""

from __future__ import annotations

from time import monotonic
from typing import Any

from supervisor.model.alerts import Alert
from supervisor.model.times import from_rfc3339

Json = dict[str, Any]


def monotonic_ms() -> int:
    """Return a time that no change of the clock moves."""
    return int(monotonic() * 1000)


def countdown_style(left: float) -> str:
    """Return the style of a countdown: green, yellow from two thirds on, red from a third on."""
    return "ok" if left > 2 / 3 else "waiting" if left > 1 / 3 else "failed"


def alert_view(found: Json, ahead: int) -> Alert:
    """Return an alert of the API's answer; ``ahead`` is how far the app's clock is ahead of the time of day, in ms."""

    def at(moment: str) -> int:
        return from_rfc3339(moment) + ahead

    last_at = at(found["last_at"])
    return Alert(
        kind=found["kind"],
        session=found["session"],
        text=found["text"],
        severity=found["severity"],
        lifetime=None if found["expires_at"] is None else at(found["expires_at"]) - last_at,
        raised_at=at(found["raised_at"]),
        last_at=last_at,
        event=found["event"],
        count=found["count"],
        subject=found["approval"],
        acknowledged_by=found["acknowledged_by"],
        ended=found["ended"],
        ended_by=found["ended_by"],
        ended_at=None if found["ended_at"] is None else at(found["ended_at"]),
    )
