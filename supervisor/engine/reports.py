"""What sessions report of themselves: agents' hooks, tools' beats and events."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from supervisor.engine.absorb import absorb
from supervisor.engine.conducting import Conductor
from supervisor.engine.ledger import Transaction
from supervisor.engine.services import Services
from supervisor.model.errors import InvalidInput
from supervisor.model.events import Event, EventType, NewEvent, Phase
from supervisor.model.times import now_ms, to_rfc3339
from supervisor.store import attempts

PAYLOAD_LIMIT = 64 * 1024
"""Bytes of JSON that one emitted event may carry."""

_TYPE = re.compile(r"[a-z][a-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Reports:
    """Takes reports; they come from untrusted programs and are data, nothing more."""

    services: Services
    conductor: Conductor

    async def hook(self, session_id: str, payload: dict[str, Any]) -> None:
        """Take what an agent's hook was given."""
        payload = self._redacted(session_id, payload)

        def store(transaction: Transaction) -> None:
            session = transaction.session(session_id)
            adapter = self.conductor.adapter_of(session)
            attempt = attempts.latest(transaction.conn, session_id)
            events = adapter.hook_events(payload, transaction.now)
            absorb(transaction, session, attempt, adapter, self.services.desk, events)

        await self.services.ledger.commit(store, urgent=False)

    async def emit(self, session_id: str | None, kind: str, payload: dict[str, Any]) -> Event:
        """Take an event that a tool emits; `heartbeat` is a sign of life."""
        if not _TYPE.fullmatch(kind):
            raise InvalidInput(
                f"{kind!r} cannot be an event type.",
                hint="Use lower-case letters, digits, dots, dashes and underscores; begin with a letter.",
            )
        if kind in _RESERVED:
            raise InvalidInput(f"{kind} events are Quarterdeck's own.", hint="Choose another type.")
        if len(msgspec.json.encode(payload)) > PAYLOAD_LIMIT:
            raise InvalidInput(f"The payload is larger than {PAYLOAD_LIMIT} bytes.", hint="Emit less, or print it.")
        payload = self._redacted(session_id, payload)
        event = NewEvent(kind, "telemetry", now_ms(), source="tool", payload=payload)

        def store(transaction: Transaction) -> Event:
            if session_id is None:
                return transaction.record([event])[0]
            session = transaction.session(session_id)
            attempt = attempts.latest(transaction.conn, session_id)
            adapter = self.conductor.adapter_of(session)
            return absorb(transaction, session, attempt, adapter, self.services.desk, [event])[1][0]

        return await self.services.ledger.commit(store, urgent=False)

    async def clear_views(self, phase: Phase | None, older_than_s: float | None, actor: str) -> Event:
        """Tell every app to show events no more: those of a phase, or all; with an age in seconds only older ones.

        Nothing is deleted: who asks for events gets them as before.
        """

        def store(transaction: Transaction) -> Event:
            before = transaction.now - round((older_than_s or 0) * 1000)
            what = {"phase": phase, "before": to_rfc3339(before)}
            transaction.audit(actor, "view.clear", "monitor", after=what)
            cleared = NewEvent(EventType.VIEW_CLEARED, "telemetry", transaction.now, payload={**what, "by": actor})
            return transaction.record([cleared])[0]

        return await self.services.ledger.commit(store)

    def _redacted(self, session_id: str | None, payload: dict[str, Any]) -> dict[str, Any]:
        names = self.services.config_for(None).settings.secrets
        if session_id is None or not names:
            return payload
        cleared: dict[str, Any] = self.services.secrets.redact(session_id, names, payload)
        return cleared


_RESERVED = frozenset(EventType) - {
    EventType.HEARTBEAT,
    EventType.PROGRESS,
    EventType.OUTPUT,
    EventType.MESSAGE,
}
