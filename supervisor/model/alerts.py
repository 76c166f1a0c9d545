"""Alerts: what happened that a person should see, and for how long it asks to be seen.

They are a fold of the stored events (`raising`): the supervisor and every app make the same ones of the same events.
An alert goes after a time that its phase says, else its severity. Severity high never goes by itself: it is there
until it is dismissed, or until the question it is about was answered. What has not happened for `HORIZON_MS` is
history, whatever it was. All times are milliseconds of the clock that is injected; it need not tell the time of day.
"""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal

from supervisor.model.plain import one_line

AlertSeverity = Literal["low", "medium", "high"]
Ended = Literal["expired", "dismissed", "answered"]

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

HORIZON_MS: Final = 7 * 86_400_000
"""What has not happened for so long is no alert any more: a supervisor that starts looks no further back."""

KEPT: Final = 200
"""Alerts that are remembered, as many dismissals, and as many that are over. More than these are the least severe
ones, oldest first."""

TEXT_LIMIT: Final = 300
"""Characters of an alert's text."""

ID_PREFIX: Final = "al_"
_LETTERS: Final = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789abcdefghjkmnpqrstvwxyz")

Key = tuple[str, str | None, str]
"""Kind, session and text: what makes two alerts the same."""


@dataclass(slots=True)
class Alert:
    """One alert, or several that are the same: ``count`` of them, the last at ``last_at``.

    ``event`` is the number of the event that raised it. ``lifetime`` is milliseconds, None when it does not go by
    itself. ``subject`` is the approval it is about. ``ended`` says why it is over; None while it is not.
    """

    kind: str
    session: str | None
    text: str
    severity: AlertSeverity
    lifetime: int | None
    raised_at: int
    last_at: int
    event: int = 0
    count: int = 1
    subject: str | None = None
    acknowledged_by: str | None = None
    ended: Ended | None = None
    ended_by: str | None = None
    ended_at: int | None = None

    @property
    def key(self) -> Key:
        """What makes it the same as another."""
        return self.kind, self.session, self.text

    @property
    def id(self) -> str:
        """What a person calls it: follows from what it is and which event raised it, wherever it is computed."""
        named = "\0".join((self.kind, self.session or "", self.text, str(self.event)))
        digest = sha256(named.encode("utf-8", "surrogatepass")).digest()
        return ID_PREFIX + base64.b32encode(digest[:5]).translate(_LETTERS).decode()

    @property
    def is_acknowledged(self) -> bool:
        """Whether a person has seen it."""
        return self.acknowledged_by is not None

    @property
    def is_urgent(self) -> bool:
        """Whether it pulses."""
        return self.severity == "high" and not self.is_acknowledged

    @property
    def expires_at(self) -> int | None:
        """When it goes by itself; None when it does not."""
        return None if self.lifetime is None else self.last_at + self.lifetime

    def left(self, now: int) -> float | None:
        """Return which part of its time is left, 1 to 0; None when it does not go by itself."""
        if self.lifetime is None:
            return None
        return max(0.0, min(1.0, 1 - (now - self.last_at) / self.lifetime))


def lifetime(severity: AlertSeverity, phase: str | None) -> int | None:
    """Return after how many milliseconds an alert goes by itself; ``phase`` where one is given explicitly."""
    if severity == "high":
        return None
    return PHASE_MS[phase] if phase in PHASE_MS else SEVERITY_MS[severity]


def _shown(text: object) -> str:
    """Return the text of an alert: one line, and nothing in it that cannot be seen."""
    return "".join(filter(str.isprintable, one_line(str(text)[: 4 * TEXT_LIMIT])))[:TEXT_LIMIT]


class Alerts:
    """All alerts there are. Where a method takes ``at``, that is when it happened; without it, it happens now."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.clock = clock
        self.seq = 0
        """The number of the last event that was taken into account."""
        self.suppressed = 0
        """How many were not shown because the same was dismissed."""
        self.raised: list[Alert] = []
        """New ones that nobody was told of yet; who notifies takes them away."""
        self._alive: dict[Key, Alert] = {}
        self._dismissed: dict[Key, Alert] = {}
        self._over: deque[Alert] = deque(maxlen=KEPT)

    def raise_(
        self,
        kind: str,
        text: object,
        severity: AlertSeverity,
        *,
        session: str | None = None,
        phase: str | None = None,
        subject: str | None = None,
        event: int = 0,
        at: int | None = None,
    ) -> bool:
        """Raise an alert, unless the same is shown (it is counted there) or was dismissed (it is only counted)."""
        now = self.clock() if at is None else at
        self.expire(now)
        alert = Alert(
            kind, session, _shown(text) or kind, severity,
            lifetime(severity, phase), now, now, event, subject=subject,
        )  # fmt: skip
        if (same := self._alive.get(alert.key)) is not None:
            same.count += 1
            same.last_at = max(same.last_at, now)
            if RANKS[severity] > RANKS[same.severity]:
                same.severity, same.lifetime, same.acknowledged_by = severity, alert.lifetime, None
            return True
        if (gone := self._dismissed.get(alert.key)) is not None:
            gone.last_at = max(gone.last_at, now)
            gone.count += 1
            self.suppressed += 1
            return True
        self._alive[alert.key] = alert
        self.raised = [*self.raised[-KEPT:], alert]
        if len(self._alive) > KEPT:
            least = min(self._alive.values(), key=lambda each: (RANKS[each.severity], each.last_at))
            del self._alive[least.key]
        return True

    def load(self, found: Iterable[Alert], seq: int, *, is_news: bool) -> None:
        """Take all alerts anew, as they are after the event ``seq``. With ``is_news`` somebody is told of new ones."""
        had, known = self.seq, self._alive
        self._alive, self._dismissed, self.seq = {}, {}, seq
        self._over.clear()
        # The oldest come first, so that what must be forgotten one day is forgotten in its order.
        for alert in sorted(found, key=lambda each: (each.ended_at or each.raised_at, each.event)):
            if alert.ended is None:
                self._alive[alert.key] = alert
            elif alert.ended == "dismissed":
                self._dismissed[alert.key] = alert
            else:
                self._over.append(alert)
        if is_news:
            fresh = [alert for alert in self._alive.values() if alert.event > had and alert.key not in known]
            self.raised = [*self.raised, *fresh][-KEPT:]

    def expire(self, at: int | None = None) -> bool:
        """Forget what has gone by itself; whether anything has."""
        now = self.clock() if at is None else at
        gone = [alert for alert in self._alive.values() if alert.left(now) == 0 or now - alert.last_at > HORIZON_MS]
        for alert in gone:
            self._end(alert, "expired", alert.expires_at if alert.left(now) == 0 else alert.last_at + HORIZON_MS)
        quiet = [each for each in self._dismissed.values() if now - max(each.last_at, each.ended_at or 0) > QUIET_MS]
        for alert in quiet:
            self._over.append(self._dismissed.pop(alert.key))
        return bool(gone)

    def all(self) -> list[Alert]:
        """Return what has not gone: the most severe first, then what was not acknowledged, then the newest."""
        self.expire()
        return sorted(
            self._alive.values(),
            key=lambda each: (-RANKS[each.severity], each.is_acknowledged, -each.raised_at, each.event),
        )

    def past(self) -> list[Alert]:
        """Return what is over, the last one first."""
        self.expire()
        return sorted((*self._over, *self._dismissed.values()), key=lambda each: -(each.ended_at or 0))

    def visible(self) -> list[Alert]:
        """Return what is shown."""
        return self.all()[:VISIBLE]

    def top(self) -> Alert | None:
        """Return the most severe one that was not acknowledged."""
        return next((alert for alert in self.all() if not alert.is_acknowledged), None)

    def known(self, key: Key) -> Alert | None:
        """Return the alert of a key: the one there is, else the last one that there was."""
        here = self._alive.get(key) or self._dismissed.get(key)
        return here or next((alert for alert in reversed(self._over) if alert.key == key), None)

    def dismissed(self, key: Key) -> int:
        """Return how often the same has happened since and before it was dismissed; 0 when it was not."""
        return found.count if (found := self._dismissed.get(key)) is not None else 0

    def dismiss(self, alert: Alert, by: str = "person", at: int | None = None) -> bool:
        """Take an alert away; the same is not shown again for a while. Whether that changed anything.

        One that has just gone by itself can be dismissed as well: the person saw it when they decided that.
        """
        if self._alive.get(alert.key) is alert:
            del self._alive[alert.key]
        elif alert.ended == "expired" and alert in self._over and alert.key not in self._alive:
            self._over.remove(alert)
        else:
            return False
        alert.ended, alert.ended_by, alert.ended_at = "dismissed", by, self.clock() if at is None else at
        self._dismissed[alert.key] = alert
        while len(self._dismissed) > KEPT:
            self._over.append(self._dismissed.pop(next(iter(self._dismissed))))
        return True

    def acknowledge(self, alert: Alert, by: str = "person") -> bool:
        """Note that a person has seen an alert: it stays, and asks for nothing any more. Whether that is new."""
        if alert.is_acknowledged or alert.ended is not None:
            return False
        alert.acknowledged_by = by
        return True

    def take_back(self, alert: Alert) -> None:
        """Undo a dismissal, else an acknowledgement, that was not made after all."""
        if self._dismissed.get(alert.key) is not alert:
            alert.acknowledged_by = None
            return
        del self._dismissed[alert.key]
        alert.ended = alert.ended_by = alert.ended_at = None
        self._alive[alert.key] = alert

    def answered(self, subject: str, at: int | None = None) -> bool:
        """Take away the alert about an approval that is not open any more; whether there was one."""
        found = [alert for alert in self._alive.values() if alert.subject == subject]
        for alert in found:
            self._end(alert, "answered", self.clock() if at is None else at)
        return bool(found)

    def recovered(self, kind: str, session: str | None, at: int | None = None) -> bool:
        """Take away the alerts of a kind about a session that is not so any more; whether there was one."""
        found = [alert for alert in self._alive.values() if (alert.kind, alert.session) == (kind, session)]
        for alert in found:
            self._end(alert, "answered", self.clock() if at is None else at)
        return bool(found)

    def _end(self, alert: Alert, why: Ended, at: int | None) -> None:
        del self._alive[alert.key]
        alert.ended, alert.ended_at = why, at
        self._over.append(alert)
