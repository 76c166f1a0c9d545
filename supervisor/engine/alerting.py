"""The supervisor's alerts: read from the stored events when it starts, kept up as events are stored.

Nothing but events is stored: what raised or ended an alert, and what people did about it. A start folds the newest
`OF_EACH_TYPE` events of each type that can mean something, as far back as alerts go; after that an event costs a look
at its type, and a request nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from supervisor.engine.bus import Bus
from supervisor.engine.ledger import Ledger, Transaction
from supervisor.model.alerts import HORIZON_MS, ID_PREFIX, Alert, Alerts
from supervisor.model.errors import InvalidInput, NotFound
from supervisor.model.events import Event, EventType
from supervisor.model.raising import FAILED, LOUD, TYPES, meaning, take
from supervisor.model.statuses import SessionStatus
from supervisor.model.times import now_ms
from supervisor.store import events, sessions

OF_EACH_TYPE: Final = 2_000
SHOWN: Final = 5
"""Alerts that a message lists."""

_TYPES: Final = frozenset(TYPES)


class Alerting:
    """Knows the alerts, and records what people do about them."""

    def __init__(self, ledger: Ledger, bus: Bus) -> None:
        self.alerts = Alerts(now_ms)
        self._ledger = ledger
        self._bus = bus

    async def start(self) -> None:
        """Read what is stored, then listen. Nothing may be stored meanwhile."""
        self._hear(
            await self._ledger.store.read(
                events.newest_of_types, TYPES, loud=LOUD, since=now_ms() - HORIZON_MS, limit=OF_EACH_TYPE
            )
        )
        for session in await self._ledger.store.read(self._looked_after):
            self.alerts.recovered(FAILED, session)
        self._bus.listen(self._hear)

    def _looked_after(self, conn: sqlite3.Connection) -> list[str]:
        """Return the sessions that failed and do not count as failed any more: quiet events are not read again."""
        failed = {alert.session for alert in self.alerts.all() if alert.kind == FAILED and alert.session}
        known = sessions.with_ids(conn, failed)
        return [each.id for each in known if each.status is not SessionStatus.FAILED]

    def find(self, ref: str) -> Alert:
        """Return the alert that an id or its unique beginning means, with or without its prefix; also one that is over.

        NotFound when there is none, InvalidInput when there are several.
        """
        short = ref.removeprefix(ID_PREFIX)
        for known in (self.alerts.all(), self.alerts.past()):
            found = [alert for alert in known if short and alert.id.removeprefix(ID_PREFIX).startswith(short)]
            if len(found) > 1:
                listed = ", ".join(f"{alert.id} ({alert.text})" for alert in found[:SHOWN])
                raise InvalidInput(f"{ref!r} can mean {len(found)} alerts: {listed}.", hint="Give more of the id.")
            if found:
                return found[0]
        raise NotFound(f"There is no alert {ref!r}.", hint="`quarterdeck alerts --all` lists them.")

    async def acknowledge(self, refs: Sequence[str] | None, actor: str) -> list[Alert]:
        """Note that a person has seen alerts (None: all there are), and return them; what is over stays as it is."""
        meant = self._meant(refs)
        seen = [alert for alert in meant if alert.ended is None and not alert.is_acknowledged]
        await self._record(EventType.ALERT_ACKNOWLEDGED, "alert.acknowledge", seen, actor)
        return meant

    async def dismiss(self, refs: Sequence[str] | None, actor: str) -> list[Alert]:
        """Take alerts away (None: all there are), and return them; what was dismissed or answered stays as it is."""
        meant = self._meant(refs)
        # One that went by itself a moment ago too: the same is to stay away.
        gone = [alert for alert in meant if alert.ended in (None, "expired")]
        await self._record(EventType.ALERT_DISMISSED, "alert.dismiss", gone, actor)
        return meant

    def _meant(self, refs: Sequence[str] | None) -> list[Alert]:
        if refs is None:
            return self.alerts.all()
        found = {alert.id: alert for alert in map(self.find, refs)}
        return list(found.values())

    async def _record(self, event_type: EventType, action: str, alerts: Sequence[Alert], actor: str) -> None:
        if not alerts:
            return

        def record(transaction: Transaction) -> None:
            for alert in alerts:
                session = None if alert.session is None else transaction.session(alert.session)
                transaction.event(event_type, session, phase="telemetry", **meaning(alert, actor))
                transaction.audit(actor, action, alert.id, after={"session": alert.session, "text": alert.text})

        await self._ledger.commit(record)

    def _hear(self, batch: Sequence[Event]) -> None:
        for event in batch:
            if event.type in _TYPES:
                told = {
                    "seq": event.seq, "type": event.type, "session": event.session, "phase": event.phase,
                    "severity": event.severity, "payload": msgspec.json.decode(event.payload),
                }  # fmt: skip
                # A clock that was set back must not make them last.
                take(self.alerts, told, min(event.time, now_ms()))
