"""What is to be written to an attempt: messages of a person, and replies to its requests.

Stored before it is sent, so that nothing is lost or said twice. A message's body is the
person's text, a reply's the bytes to write.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from supervisor.model.errors import IllegalMove, NotFound, Refused
from supervisor.model.ids import new_id
from supervisor.model.times import now_ms
from supervisor.store import queries
from supervisor.store.rows import Shape

SQL = queries.load("outbox")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to deliver. A message without an attempt waits for the session's next one."""

    id: str
    session: str
    attempt: str | None
    kind: Literal["message", "reply"]
    request_id: str | None
    body: bytes
    state: Literal["pending", "sent", "delivered", "failed"]
    created_at: int
    sent_at: int | None = None
    detail: str | None = None


SHAPE = Shape(Entry)


def add_message(conn: sqlite3.Connection, session: str, attempt: str | None, text: str) -> Entry:
    """Store a person's message for an attempt, or for the session's next one."""
    return _add(conn, Entry(new_id("msg"), session, attempt, "message", None, text.encode(), "pending", now_ms()))


def add_reply(conn: sqlite3.Connection, session: str, attempt: str, request_id: str, body: bytes) -> Entry:
    """Store the answer to an attempt's request; Refused when that request was answered."""
    return _add(conn, Entry(new_id("rep"), session, attempt, "reply", request_id, body, "pending", now_ms()))


def is_answered(conn: sqlite3.Connection, attempt: str, request_id: str) -> bool:
    """Whether there is an answer to an attempt's request."""
    return bool(conn.execute(SQL["is_answered"], {"attempt": attempt, "request_id": request_id}).fetchone()[0])


def get(conn: sqlite3.Connection, entry_id: str) -> Entry:
    """Return an entry; NotFound when there is none."""
    row = conn.execute(SQL["get"], {"id": entry_id}).fetchone()
    if row is None:
        raise NotFound(f"There is no message {entry_id}.")
    return SHAPE.entity(row)


def pending(conn: sqlite3.Connection, session: str) -> list[Entry]:
    """Return what a session has not been sent yet, in order."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["pending"], {"session": session})]


def unconfirmed(conn: sqlite3.Connection, attempt: str) -> list[Entry]:
    """Return the messages to an attempt of which it is not known that they arrived."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["unconfirmed"], {"attempt": attempt})]


def of_session(conn: sqlite3.Connection, session: str) -> list[Entry]:
    """Return everything that was ever meant for a session, in order."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["of_session"], {"session": session})]


def sent(conn: sqlite3.Connection, entry_id: str, attempt: str, now: int) -> None:
    """Note that an entry was written to ``attempt``; IllegalMove when it was not pending."""
    if conn.execute(SQL["sent"], {"id": entry_id, "attempt": attempt, "now": now}).rowcount == 0:
        raise IllegalMove(f"{entry_id} is {get(conn, entry_id).state}; it cannot be sent.")


def written(conn: sqlite3.Connection, times: Mapping[str, int]) -> None:
    """Note when answers were written (by their ids, in ms); one of which an end is known stays as it is."""
    for entry_id, at in times.items():
        conn.execute(SQL["written"], {"id": entry_id, "at": at})


def delivered(conn: sqlite3.Connection, attempt: str, text: str) -> bool:
    """Note that the agent took the oldest open message with this text; False when there is none.

    A text that ends with an ellipsis may be the clipped beginning of a longer message. An agent may echo
    messages that waited together as one text, of which each is a part.
    """
    body = text.encode()
    beginning = text[:-1].encode() if text.endswith("…") else None
    values = {"attempt": attempt, "body": body, "beginning": beginning}
    if conn.execute(SQL["delivered"], values).rowcount > 0:
        return True
    return conn.execute(SQL["delivered_together"], values).rowcount > 0


def failed(conn: sqlite3.Connection, entry_id: str, detail: str) -> None:
    """Note that an entry could not be delivered, and why; IllegalMove when its end is known."""
    if conn.execute(SQL["failed"], {"id": entry_id, "detail": detail}).rowcount == 0:
        raise IllegalMove(f"{entry_id} is {get(conn, entry_id).state}; it cannot fail any more.")


def void_replies(conn: sqlite3.Connection, attempt: str) -> None:
    """Give up the answers that an attempt was not given before it ended."""
    conn.execute(SQL["void_replies"], {"attempt": attempt})


def _add(conn: sqlite3.Connection, entry: Entry) -> Entry:
    try:
        conn.execute(SQL["insert"], SHAPE.row(entry))
    except sqlite3.IntegrityError as error:
        raise Refused(f"{entry.id} cannot be stored for {entry.session}: {error}.") from error
    return entry
