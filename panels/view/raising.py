"""Which events raise alerts, and which end them (docs/user-guide.md, "Watching and alerts")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from panels.view.alerts import Alerts, AlertSeverity

Json = dict[str, Any]

_OF_EVENT: Final[dict[object, AlertSeverity]] = {
    "low": "low", "medium": "medium", "high": "high", "warning": "medium", "error": "high", "critical": "high",
}  # fmt: skip


def take(alerts: Alerts, event: Json) -> bool:
    """Raise what an event means, or end what it answers; whether anything changed. Most events mean nothing."""
    reader = _READERS.get(event["type"])
    return reader is not None and reader(alerts, event, event["payload"])


def _failed(alerts: Alerts, event: Json, payload: Mapping[str, Any]) -> bool:
    if payload.get("to") != "failed":
        return False
    text = f"failed: {payload.get('reason') or 'no reason was given'}"
    return alerts.raise_("failed", text, "high", session=event["session"], phase=event["phase"])


def _asked(alerts: Alerts, event: Json, payload: Mapping[str, Any]) -> bool:
    severity: AlertSeverity = "high" if payload.get("risk") in ("high", "critical") else "medium"
    text, subject = f"asks: {payload.get('question')}", payload.get("approval")
    return alerts.raise_("asked", text, severity, session=event["session"], phase=event["phase"], subject=subject)


def _answered(alerts: Alerts, event: Json, payload: Mapping[str, Any]) -> bool:
    changed = alerts.answered(str(payload.get("approval")))
    if payload.get("status") != "expired":
        return changed
    text = f"approval expired: {payload.get('reason') or payload.get('approval')}"
    return alerts.raise_("expired", text, "medium", session=event["session"], phase=event["phase"])


def _limit(alerts: Alerts, event: Json, payload: Mapping[str, Any]) -> bool:
    text = f"usage limit: {payload.get('text') or payload.get('status')}"
    return _by_severity(alerts, event, text)


def _queue(alerts: Alerts, event: Json, payload: Mapping[str, Any]) -> bool:
    whose = f" for {payload['agent']}" if payload.get("agent") else ""
    return _by_severity(alerts, event, f"queue paused{whose}: {payload.get('reason')}")


def _stalled(alerts: Alerts, event: Json, payload: Mapping[str, Any]) -> bool:
    return _by_severity(alerts, event, f"stalled: {payload.get('text')}")


def _error(alerts: Alerts, event: Json, payload: Mapping[str, Any]) -> bool:
    if event["severity"] not in _OF_EVENT:
        return False
    return _by_severity(alerts, event, payload.get("text") or payload.get("kind") or "an error without a text")


def _malformed(alerts: Alerts, event: Json, payload: Mapping[str, Any]) -> bool:
    return _by_severity(alerts, event, f"malformed event: {payload.get('reason') or payload.get('line')}")


def _by_severity(alerts: Alerts, event: Json, text: object) -> bool:
    severity = _OF_EVENT.get(event["severity"], "low")
    return alerts.raise_(event["type"], text, severity, session=event["session"], phase=event["phase"])


def _test(alerts: Alerts, event: Json, payload: Mapping[str, Any]) -> bool:
    """Only a test says its phase itself: what tools emit always has the phase telemetry."""
    said, phase = payload.get("severity"), payload.get("phase")
    severity = _OF_EVENT.get(said, "low") if isinstance(said, str) else "low"
    text = payload.get("text") or f"test alert, {severity}"
    explicit = phase if isinstance(phase, str) else None
    return alerts.raise_("test_alert", text, severity, session=event["session"], phase=explicit)


_READERS: Final[dict[str, Callable[[Alerts, Json, Mapping[str, Any]], bool]]] = {
    "status_changed": _failed,
    "approval_registered": _asked,
    "approval_decided": _answered,
    "approval_ended": _answered,
    "usage_limit": _limit,
    "queue_paused": _queue,
    "stalled": _stalled,
    "error": _error,
    "malformed_event": _malformed,
    "test_alert": _test,
}
