"""Which events raise alerts, and which end or acknowledge them (docs/user-guide.md, "Watching and alerts")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from supervisor.model.alerts import Alert, Alerts, AlertSeverity
from supervisor.model.events import EventType

Json = dict[str, Any]

FAILED: Final = "failed"
"""The kind of the alert about a session that failed."""

_OF_EVENT: Final[dict[object, AlertSeverity]] = {
    "low": "low", "medium": "medium", "high": "high", "warning": "medium", "error": "high", "critical": "high",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Happened:
    """An event, and when it counts as having happened: None means now."""

    event: Json
    at: int | None

    @property
    def payload(self) -> Mapping[str, Any]:
        """What it says."""
        payload: Mapping[str, Any] = self.event["payload"]
        return payload

    def raises(
        self,
        alerts: Alerts,
        kind: str,
        text: object,
        severity: AlertSeverity,
        *,
        phase: str | None,
        subject: Any = None,
    ) -> bool:
        """Raise an alert because of it."""
        return alerts.raise_(
            kind, text, severity, session=self.event["session"], phase=phase, subject=subject,
            event=self.event["seq"], at=self.at,
        )  # fmt: skip

    def raises_as_severe(self, alerts: Alerts, text: object) -> bool:
        """Raise an alert that is as severe as the event is."""
        severity = _OF_EVENT.get(self.event["severity"], "low")
        return self.raises(alerts, self.event["type"], text, severity, phase=self.event["phase"])


def take(alerts: Alerts, event: Json, at: int | None = None) -> bool:
    """Raise what an event means, or end what it answers; whether anything changed. Most events mean nothing.

    An event that was taken into account already means nothing again. ``at`` is when it happened, by the alerts' clock;
    without it, it happens now.
    """
    reader = _READERS.get(event["type"])
    if reader is None or event["seq"] <= alerts.seq:
        return False
    alerts.seq = event["seq"]
    return reader(alerts, _Happened(event, at))


def _failed(alerts: Alerts, it: _Happened) -> bool:
    """A session that was continued or put away has been looked after."""
    if it.payload.get("from") == "failed":
        return alerts.recovered(FAILED, it.event["session"], it.at)
    if it.payload.get("to") != "failed":
        return False
    text = f"failed: {it.payload.get('reason') or 'no reason was given'}"
    return it.raises(alerts, FAILED, text, "high", phase=it.event["phase"])


def _plan_moved(alerts: Alerts, it: _Happened) -> bool:
    to, name = it.payload.get("to"), it.payload.get("name") or "a plan"
    if to not in ("failed", "blocked"):
        return False
    severity: AlertSeverity = "high" if to == "failed" else "medium"
    word = "failed" if to == "failed" else "is blocked"
    return it.raises(alerts, f"plan_{to}", f"plan {name} {word}: {it.payload.get('reason')}", severity, phase=None)


def _asked(alerts: Alerts, it: _Happened) -> bool:
    severity: AlertSeverity = "high" if it.payload.get("risk") in ("high", "critical") else "medium"
    text, subject = f"asks: {it.payload.get('question')}", it.payload.get("approval")
    return it.raises(alerts, "asked", text, severity, phase=it.event["phase"], subject=subject)


def _answered(alerts: Alerts, it: _Happened) -> bool:
    changed = alerts.answered(str(it.payload.get("approval")), it.at)
    if it.payload.get("status") != "expired":
        return changed
    text = f"approval expired: {it.payload.get('reason') or it.payload.get('approval')}"
    return it.raises(alerts, "expired", text, "medium", phase=it.event["phase"])


def _limit(alerts: Alerts, it: _Happened) -> bool:
    return it.raises_as_severe(alerts, f"usage limit: {it.payload.get('text') or it.payload.get('status')}")


def _told(alerts: Alerts, it: _Happened) -> bool:
    return it.raises_as_severe(alerts, it.payload.get("text"))


def _of_limit(alerts: Alerts, it: _Happened) -> bool:
    """What a person is asked about is told by the question."""
    return it.payload.get("action") != "ask" and _told(alerts, it)


def _queue(alerts: Alerts, it: _Happened) -> bool:
    whose = f" for {it.payload['agent']}" if it.payload.get("agent") else ""
    return it.raises_as_severe(alerts, f"queue paused{whose}: {it.payload.get('reason')}")


def _stalled(alerts: Alerts, it: _Happened) -> bool:
    return it.raises_as_severe(alerts, f"stalled: {it.payload.get('text')}")


def _error(alerts: Alerts, it: _Happened) -> bool:
    if it.event["severity"] not in _OF_EVENT:
        return False
    return it.raises_as_severe(alerts, it.payload.get("text") or it.payload.get("kind") or "an error without a text")


def _malformed(alerts: Alerts, it: _Happened) -> bool:
    return it.raises_as_severe(alerts, f"malformed event: {it.payload.get('reason') or it.payload.get('line')}")


def _test(alerts: Alerts, it: _Happened) -> bool:
    """Only a test says its phase itself: what tools emit always has the phase telemetry."""
    said, phase = it.payload.get("severity"), it.payload.get("phase")
    severity = _OF_EVENT.get(said, "low") if isinstance(said, str) else "low"
    text = it.payload.get("text") or f"test alert, {severity}"
    return it.raises(alerts, "test_alert", text, severity, phase=phase if isinstance(phase, str) else None)


def _acknowledged(alerts: Alerts, it: _Happened) -> bool:
    alert = _meant(alerts, it)
    return alert is not None and alerts.acknowledge(alert, str(it.payload.get("by")))


def _dismissed(alerts: Alerts, it: _Happened) -> bool:
    alert = _meant(alerts, it)
    return alert is not None and alerts.dismiss(alert, str(it.payload.get("by")), it.at)


def _meant(alerts: Alerts, it: _Happened) -> Alert | None:
    """Return the alert that a person meant: by what it is, whichever of the same raised it first for whom."""
    alerts.expire(it.at)
    return alerts.known((str(it.payload.get("kind")), it.event["session"], str(it.payload.get("text"))))


def meaning(alert: Alert, by: str) -> Json:
    """Return what the events `alert_acknowledged` and `alert_dismissed` say of an alert; ``by`` is who did it."""
    return {"alert": alert.id, "kind": alert.kind, "text": alert.text, "by": by}


_READERS: Final[dict[str, Callable[[Alerts, _Happened], bool]]] = {
    EventType.STATUS_CHANGED: _failed,
    EventType.PLAN_STATUS_CHANGED: _plan_moved,
    EventType.APPROVAL_REGISTERED: _asked,
    EventType.APPROVAL_DECIDED: _answered,
    EventType.APPROVAL_ENDED: _answered,
    EventType.USAGE_LIMIT: _limit,
    EventType.QUEUE_PAUSED: _queue,
    EventType.BUDGET_WARNING: _told,
    EventType.BUDGET_TRIPPED: _told,
    EventType.LIMIT_NEAR: _of_limit,
    EventType.LIMIT_PASSED: _of_limit,
    EventType.DEADLINE_PASSED: _told,
    EventType.STALLED: _stalled,
    EventType.ERROR: _error,
    EventType.MALFORMED_EVENT: _malformed,
    "test_alert": _test,
    EventType.ALERT_ACKNOWLEDGED: _acknowledged,
    EventType.ALERT_DISMISSED: _dismissed,
}

TYPES: Final = tuple(map(str, _READERS))
"""The types of events that can mean something."""

LOUD: Final = frozenset(map(str, (EventType.STATUS_CHANGED, EventType.PLAN_STATUS_CHANGED, EventType.ERROR)))
"""Of these types only events with severity warning or worse mean something; most of them have less."""
