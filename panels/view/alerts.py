"""Alerts: what happened that a person should see, for how long it is shown, and what is shown first.

An alert goes after a time that its phase says, else its severity. Severity high never goes by itself: it is there
until it is dismissed, or until the question it is about was answered. All times are milliseconds of the clock that
is injected; it need not tell the time of day.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final, Literal

from supervisor.model.plain import one_line

AlertSeverity = Literal["low", "medium", "high"]

RANKS: Final[dict[AlertSeverity, int]] = {"low": 0, "medium": 1, "high": 2}

SEVERITY_MS: Final[dict[AlertSeverity, int | None]] = {"low": 3_000, "medium": 5_000, "high": None}
"""After how long an alert goes by itself; None means never."""

PHASE_MS: Final[dict[str, int | None]] = {
    "tool": 2_000, "batch": 4_000, "autonomy": 8_000, "telemetry": 5_000, "policy": None, "plan": None,
}  # fmt: skip
"""The same for alerts of a phase, which counts before severity; None means that a person dismisses them."""

VISIBLE: Final = 5

QUIET_MS: Final = 600_000
"""What was dismissed stays away until it has not happened for so long."""

KEPT: Final = 200
"""Alerts that are remembered, and as many dismissals. More than these are the least severe ones, oldest first."""

TEXT_LIMIT: Final = 300
"""Characters of an alert's text."""

Key = tuple[str, str | None, str]
"""Kind, session and text: what makes two alerts the same."""


def monotonic_ms() -> int:
    """Return a time that no change of the clock moves."""
    return int(monotonic() * 1000)


@dataclass(slots=True)
class Alert:
    """One alert, or several that are the same: ``count`` of them, the last at ``last_at``.

    ``lifetime`` is milliseconds, None when it does not go by itself. ``subject`` is the approval it is about.
    """

    kind: str
    session: str | None
    text: str
    severity: AlertSeverity
    lifetime: int | None
    raised_at: int
    last_at: int
    count: int = 1
    is_acknowledged: bool = False
    subject: str | None = None

    @property
    def key(self) -> Key:
        """What makes it the same as another."""
        return self.kind, self.session, self.text

    @property
    def is_urgent(self) -> bool:
        """Whether it pulses."""
        return self.severity == "high" and not self.is_acknowledged

    def left(self, now: int) -> float | None:
        """Return which part of its time is left, 1 to 0; None when it does not go by itself."""
        if self.lifetime is None:
            return None
        return max(0.0, min(1.0, 1 - (now - self.last_at) / self.lifetime))


@dataclass(slots=True)
class _Dismissed:
    last_at: int
    count: int


def lifetime(severity: AlertSeverity, phase: str | None) -> int | None:
    """Return after how many milliseconds an alert goes by itself; ``phase`` where one is given explicitly."""
    if severity == "high":
        return None
    return PHASE_MS[phase] if phase in PHASE_MS else SEVERITY_MS[severity]


def countdown_style(left: float) -> str:
    """Return the style of a countdown: green, yellow from two thirds on, red from a third on."""
    return "ok" if left > 2 / 3 else "waiting" if left > 1 / 3 else "failed"


class Alerts:
    """All alerts of the app."""

    def __init__(self, clock: Callable[[], int] = monotonic_ms) -> None:
        self.clock = clock
        self.suppressed = 0
        """How many were not shown because the same was dismissed."""
        self.raised: list[Alert] = []
        """New ones that nobody was told of yet; who notifies takes them away."""
        self._alive: dict[Key, Alert] = {}
        self._dismissed: dict[Key, _Dismissed] = {}

    def raise_(
        self,
        kind: str,
        text: object,
        severity: AlertSeverity,
        *,
        session: str | None = None,
        phase: str | None = None,
        subject: str | None = None,
    ) -> bool:
        """Raise an alert, unless the same is shown (it is counted there) or was dismissed (it is only counted)."""
        now = self.clock()
        self.expire()
        alert = Alert(
            kind, session, one_line(str(text)[: 4 * TEXT_LIMIT])[:TEXT_LIMIT] or kind, severity,
            lifetime(severity, phase), now, now, subject=subject,
        )  # fmt: skip
        if (same := self._alive.get(alert.key)) is not None:
            same.count += 1
            same.last_at = now
            if RANKS[severity] > RANKS[same.severity]:
                same.severity, same.lifetime, same.is_acknowledged = severity, alert.lifetime, False
            return True
        if (gone := self._dismissed.get(alert.key)) is not None:
            gone.last_at = now
            gone.count += 1
            self.suppressed += 1
            return True
        self._alive[alert.key] = alert
        self.raised = [*self.raised[-KEPT:], alert]
        if len(self._alive) > KEPT:
            least = min(self._alive.values(), key=lambda each: (RANKS[each.severity], each.last_at))
            del self._alive[least.key]
        return True

    def expire(self) -> bool:
        """Forget what has gone by itself; whether anything has."""
        now = self.clock()
        gone = [alert.key for alert in self._alive.values() if alert.left(now) == 0]
        for key in gone:
            del self._alive[key]
        for key in [key for key, each in self._dismissed.items() if now - each.last_at > QUIET_MS]:
            del self._dismissed[key]
        return bool(gone)

    def all(self) -> list[Alert]:
        """Return what has not gone: the most severe first, then what was not acknowledged, then the newest."""
        self.expire()
        return sorted(
            self._alive.values(), key=lambda each: (-RANKS[each.severity], each.is_acknowledged, -each.raised_at)
        )

    def visible(self) -> list[Alert]:
        """Return what is shown."""
        return self.all()[:VISIBLE]

    def top(self) -> Alert | None:
        """Return the most severe one that was not acknowledged."""
        return next((alert for alert in self.all() if not alert.is_acknowledged), None)

    def dismissed(self, key: Key) -> int:
        """Return how often the same has happened since and before it was dismissed; 0 when it was not."""
        return found.count if (found := self._dismissed.get(key)) is not None else 0

    def dismiss(self, alert: Alert) -> None:
        """Take an alert away; the same is not shown again for a while."""
        if self._alive.pop(alert.key, None) is None:
            return
        self._dismissed.pop(alert.key, None)
        self._dismissed[alert.key] = _Dismissed(self.clock(), alert.count)
        while len(self._dismissed) > KEPT:
            del self._dismissed[next(iter(self._dismissed))]

    def acknowledge(self, alert: Alert) -> None:
        """Note that a person has seen an alert: it stays, and asks for nothing any more."""
        alert.is_acknowledged = True

    def answered(self, subject: str) -> bool:
        """Take away the alert about an approval that is not open any more; whether there was one."""
        found = [alert.key for alert in self._alive.values() if alert.subject == subject]
        for key in found:
            del self._alive[key]
        return bool(found)
