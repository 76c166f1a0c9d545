"""Follows the spools: bytes that a runner wrote become events, each exactly once.

One round is one transaction that reads the stored position, reads the spool from there, parses, stores the
events and moves the position. It runs in the writer's thread, so there is nothing to go stale
between reading and storing: after any crash the next round begins where the last commit ended.

Cost grows with the bytes that are new, never with the length of the log.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from supervisor.engine.absorb import absorb
from supervisor.engine.desk import Desk
from supervisor.engine.failpoints import hit
from supervisor.engine.ledger import Transaction
from supervisor.engine.logfile import Slice, read_slice
from supervisor.engine.ports.agents import AgentAdapter, Line
from supervisor.engine.spool import LINE_LIMIT, Record, SpoolReader
from supervisor.model.events import Event, EventType, NewEvent
from supervisor.store import attempts, spools

_GENERATION: Final = 1 << 40
"""Offsets of a log that was rotated or truncated n times are stored as n * 2**40 + offset."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one round did. ``more`` says that the spool holds more whole records."""

    events: tuple[Event, ...]
    more: bool


def ingest(
    transaction: Transaction, session_id: str, adapter: AgentAdapter, desk: Desk, *, last: bool = False
) -> Round:
    """Take the next slice of a session's spool.

    ``last`` also ends the lines that never got a newline: nothing more will be written.
    """
    session = transaction.session(session_id)
    position = spools.get(transaction.conn, session_id)
    part = read_slice(session.log_path, position.inode, position.offset)
    reader = SpoolReader(position.partials)
    generation = position.generation + (1 if part.notice else 0)
    records = list(reader.read(part.data, part.offset))
    if last and not part.more:
        records.extend(reader.flush(max(0, part.end - 1), transaction.now))
    if not (records or part.data or part.notice):
        return Round((), more=False)
    attempt = attempts.latest(transaction.conn, session_id)
    stored: list[Event] = []
    if part.notice:
        stored += transaction.record([_noticed(part, transaction.now)], session, attempt.id if attempt else None)
    events, positions = _parse(records, adapter, generation * _GENERATION)
    heard_at = max((record.time for record in records), default=0) or transaction.now
    _, absorbed = absorb(transaction, session, attempt, adapter, desk, events, positions=positions, heard_at=heard_at)
    stored += absorbed
    moved = spools.Position(part.inode, part.end, generation, reader.partials)
    spools.advance(transaction.conn, session_id, position, moved)
    hit("ingest.before_commit")
    return Round(tuple(stored), part.more)


def _parse(records: Iterable[Record], adapter: AgentAdapter, base: int) -> tuple[list[NewEvent], list[tuple[int, int]]]:
    events: list[NewEvent] = []
    positions: list[tuple[int, int]] = []
    offset, index = -1, 0
    for record in records:
        offset, index = (record.offset, index) if record.offset == offset else (record.offset, 0)
        for event in _read(record, adapter):
            events.append(event)
            positions.append((base + offset, index))
            index += 1
    return events, positions


def _read(record: Record, adapter: AgentAdapter) -> Iterable[NewEvent]:
    if record.stream is None:
        payload = {"line": record.data[:1000].decode(errors="replace"), "size": record.size}
        return [NewEvent(EventType.MALFORMED_RECORD, "telemetry", record.time, "warning", "stream", payload)]
    if record.size > LINE_LIMIT:
        payload = {
            "text": record.data[:1000].decode(errors="replace"),
            "stream": record.stream,
            "size": record.size,
            "offset": record.offset,
        }
        # A question in it is found all the same: it is refused, or the agent would wait for ever.
        found = adapter.parse(Line(record.data, record.stream, record.time))
        asked = [event for event in found if event.type == EventType.PERMISSION_ASKED or _was_question(event)]
        return [NewEvent(EventType.LINE_TOO_LONG, "telemetry", record.time, "warning", "stream", payload), *asked]
    return adapter.parse(Line(record.data, record.stream, record.time))


def _was_question(event: NewEvent) -> bool:
    """Whether a tool wanted to ask with a line that could not be read."""
    return event.type == EventType.MALFORMED_EVENT and event.payload.get("of") == EventType.APPROVAL_NEEDED


def _noticed(part: Slice, now: int) -> NewEvent:
    kind = EventType.LOG_TRUNCATED if part.notice == "truncated" else EventType.LOG_ROTATED
    return NewEvent(kind, "telemetry", now, "warning", payload={"complete": part.notice != "lost"})
