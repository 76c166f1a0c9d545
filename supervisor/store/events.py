"""Events: append-only, numbered without a gap in the order of the commits."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from itertools import chain, repeat
from operator import attrgetter
from typing import Any, Final

import msgspec

from supervisor.model.errors import StoreError
from supervisor.model.events import Event, NewEvent
from supervisor.store import queries
from supervisor.store.rows import to_json

SQL = queries.load("events")

_FILTERS: Final = {
    "session": "AND session = :session",
    "plan": "AND plan = :plan",
    "phase": "AND phase = :phase",
    "type": "AND type = :type",
    # The + keeps the index of types out: it would have all events of these types read and sorted for a few of them.
    "types": "AND +type IN (SELECT value FROM json_each(:types))",
    "project": "AND project = :project",
    "since": "AND time >= :since",
}

COLUMNS: Final = 14
"""Values of one event."""

ROWS_LIMIT: Final = 64
"""Events that one statement stores; a power of two."""

_END: Final = 2**63 - 1
"""Above every number that SQLite can give out."""

_encode = msgspec.json.Encoder().encode


def append(
    conn: sqlite3.Connection,
    events: Sequence[NewEvent],
    *,
    project: str | None = None,
    plan: str | None = None,
    task: str | None = None,
    session: str | None = None,
    attempt: str | None = None,
    positions: Sequence[tuple[int, int]] | None = None,
) -> list[Event]:
    """Store events of one subject, or of the tasks of one, and return them with their numbers.

    ``positions`` are their (offset, index) in the session's log, for those that were read from it;
    StoreError when one of these was stored before.
    """
    seq = last_seq(conn) + 1
    stored = [
        Event(
            number, new.time, project, plan, new.task or task, session, attempt,
            new.phase, str(new.type), new.severity, new.source, _payload(new.payload),
        )
        for number, new in enumerate(events, seq)
    ]  # fmt: skip
    places = repeat((None, None), len(stored)) if positions is None else positions
    rows = [
        (
            event.seq, event.time, project, plan, event.task, session, attempt,
            event.phase, event.type, event.severity, event.source, event.payload, offset, index,
        )
        for event, (offset, index) in zip(stored, places, strict=True)
    ]  # fmt: skip
    try:
        for begin, end in _groups(len(rows)):
            conn.execute(_append_of(end - begin), tuple(chain.from_iterable(rows[begin:end])))
    except sqlite3.IntegrityError as error:
        raise StoreError(f"A part of the log of the session {session} was stored before: {error}.") from error
    return stored


def _groups(count: int) -> Iterator[tuple[int, int]]:
    """Yield the parts of ``count`` rows that are stored by one statement each: few, and of few different sizes.

    Statement by statement the interpreter's lock is given away, and while the loop is busy it is long in coming back:
    for fifty rows one by one that took as long again as storing them.
    """
    begin = 0
    while begin < count:
        size = min(ROWS_LIMIT, 1 << ((count - begin).bit_length() - 1))
        yield begin, begin + size
        begin += size


@cache
def _append_of(rows: int) -> str:
    values = f"({', '.join('?' * COLUMNS)})"
    return SQL["append"].format(rows=", ".join([values] * rows))


def last_seq(conn: sqlite3.Connection) -> int:
    """Return the highest number that was ever given out, 0 before the first."""
    row = conn.execute(SQL["last_seq"]).fetchone()
    return 0 if row is None else int(row[0])


def since(
    conn: sqlite3.Connection,
    seq: int = 0,
    *,
    session: str | None = None,
    plan: str | None = None,
    phase: str | None = None,
    type: str | tuple[str, ...] | None = None,  # noqa: A002 - the name that the domain and the command line use
    project: str | None = None,
    since: int | None = None,
    limit: int = 1000,
) -> list[Event]:
    """Return up to ``limit`` events after number ``seq``, in order; ``since`` is a time in milliseconds.

    ``type`` is one type, or several of which an event has one.
    """
    chosen = {"session": session, "plan": plan, "phase": phase, "type": type, "project": project, "since": since}
    return _select(conn, "since", seq, chosen, limit)


def recent(
    conn: sqlite3.Connection,
    limit: int = 1000,
    *,
    session: str | None = None,
    plan: str | None = None,
    phase: str | None = None,
    type: str | tuple[str, ...] | None = None,  # noqa: A002 - the name that the domain and the command line use
    project: str | None = None,
    since: int | None = None,
    before: int | None = None,
) -> list[Event]:
    """Return the newest ``limit`` events, in order: of all, or of those with a number below ``before``.

    ``since`` is a time in milliseconds; ``type`` is one type, or several of which an event has one.
    """
    chosen = {"session": session, "plan": plan, "phase": phase, "type": type, "project": project, "since": since}
    return _select(conn, "recent", _END if before is None else before, chosen, limit)[::-1]


def newest_of(conn: sqlite3.Connection, type: str) -> dict[str | None, Event]:  # noqa: A002 - as above
    """Return the newest event of a type of each session, by its id, that the supervisor tells itself."""
    return {event.session: event for event in (Event(*row) for row in conn.execute(SQL["newest_of"], {"type": type}))}


def newest_of_types(
    conn: sqlite3.Connection, types: Iterable[str], *, loud: Collection[str], since: int, limit: int
) -> list[Event]:
    """Return the newest ``limit`` events of each type since a time in milliseconds, in order.

    Of the types that are ``loud`` only those with severity warning or worse. Events of other types are not looked at.
    """
    chosen = {"since": since, "limit": limit, "first": conn.execute(SQL["first_since"], {"since": since}).fetchone()[0]}
    found = [
        Event(*each)
        for kind in types
        for each in conn.execute(SQL["newest_of_type"], {**chosen, "type": kind, "any": kind not in loud})
    ]
    return sorted(found, key=attrgetter("seq"))


def _select(conn: sqlite3.Connection, query: str, seq: int, chosen: dict[str, Any], limit: int) -> list[Event]:
    given = {name: value for name, value in chosen.items() if value is not None}
    if isinstance(given.get("type"), tuple):
        given["types"] = to_json(given.pop("type"))
    sql = SQL[query].format(filters=" ".join(_FILTERS[name] for name in given))
    return [Event(*row) for row in conn.execute(sql, {"seq": seq, "limit": limit, **given})]


def _payload(payload: dict[str, Any]) -> str:
    try:
        return _encode(payload).decode()
    except UnicodeEncodeError:
        # A lone surrogate is not text that UTF-8 can hold; one bad character must not stop a log.
        scrubbed = json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace")
        return _encode(json.loads(scrubbed)).decode()
