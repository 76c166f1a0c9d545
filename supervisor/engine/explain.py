"""Why a session has its status: the signals that were heard, newest first, and which one decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from supervisor.model.entities import Attempt, Session
from supervisor.model.events import Event, EventType


@dataclass(frozen=True, slots=True)
class SignalHeard:
    """One signal: when, from where, what it said, and whether it set the present status."""

    time: int
    signal: str
    text: str
    decided: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """A session's status with all that speaks for it."""

    session: Session
    attempt: Attempt | None
    signals: tuple[SignalHeard, ...]


def explain(session: Session, attempt: Attempt | None, history: Sequence[Event]) -> Explanation:
    """Explain a status from the session's events, oldest first."""
    signals = []
    for event in history:
        payload = msgspec.json.decode(event.payload)
        if event.type == EventType.STATUS_CHANGED:
            decided = payload.get("to") == session.status and event.time == session.reason.at
            text = f"{payload.get('from')} -> {payload.get('to')}: {payload.get('reason')}"
            signals.append(SignalHeard(event.time, str(payload.get("signal")), text, decided))
        else:
            text = " ".join(
                str(payload[key])
                for key in ("state", "pattern", "tool", "argument", "reason", "text", "detail")
                if payload.get(key)
            )
            signals.append(SignalHeard(event.time, event.source, f"{event.type} {text}".strip()[:200], False))
    return Explanation(session, attempt, tuple(reversed(signals)))


EXPLAINING_TYPES = (
    EventType.STATUS_CHANGED,
    EventType.ATTEMPT_STARTED,
    EventType.ATTEMPT_ENDED,
    EventType.RECOVERED,
    EventType.PERMISSION_ASKED,
    EventType.USAGE_LIMIT,
    EventType.TURN_ENDED,
    EventType.IDLE,
    EventType.SCREEN_READ,
    EventType.STALLED,
    EventType.ERROR,
)
"""The event types that bear on a session's status."""
