"""Statements for a database, all of them in one transaction. Rows come back as lines of JSON."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from executors.requests.failing import Failed
from executors.requests.filling import fill
from executors.requests.output import Output, inside

BUSY_S = 30.0
"""Seconds that a database is waited for that another process writes to."""

CONNECT_S = 30
WITHOUT_DRIVER = "PostgreSQL needs a driver that is not installed: pip install 'quarterdeck[postgres]'"

_ELSEWHERE = frozenset({sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_TRANSACTION})
"""What statements must not do: leave the file, or end the transaction that all of them are in."""


def perform(fields: Mapping[str, Any]) -> str:
    """Run the statements that ``fields`` describe (`Db`, with ``output``); returns how it went."""
    url = fill(fields["url"], "url", os.environ)
    run = _sqlite if url.startswith("sqlite:") else _postgres
    with Output(fields.get("output")) as output:
        rows, changed = run(url, fields["sql"], output)
    return f"{rows:,} rows came back, {changed:,} were changed.{output.left_out()}"


def _sqlite(url: str, sql: Sequence[str], output: Output) -> tuple[int, int]:
    path = inside(url.removeprefix("sqlite:"), "database")
    done, rows = 0, 0
    try:
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)
    except sqlite3.Error as error:
        raise Failed(f"The database {os.path.basename(path)} cannot be opened: {error}.") from None
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.set_authorizer(lambda action, *_: sqlite3.SQLITE_DENY if action in _ELSEWHERE else sqlite3.SQLITE_OK)
        for text in sql:
            for statement in _statements(text):
                cursor = connection.execute(statement)
                rows += _write(output, [each[0] for each in cursor.description or ()], cursor)
            done += 1
        connection.set_authorizer(None)
        connection.execute("COMMIT")
        return rows, connection.total_changes
    except sqlite3.Error as error:
        why = str(error)
        if why == "not authorized":
            why = "it attaches a file, or begins or ends a transaction; all statements are in one, for one file"
        raise Failed(f"Statement {done + 1} failed, and nothing was changed: {why}.") from None
    finally:
        connection.close()


def _statements(text: str) -> Iterator[str]:
    """Yield the statements of a text that holds one or several: sqlite3 takes one at a time."""
    begun = ""
    for part in text.split(";"):
        begun += part
        if sqlite3.complete_statement(f"{begun};"):
            yield begun
            begun = ""
        else:
            begun += ";"
    if rest := begun.strip().removesuffix(";").strip():
        yield rest


def _postgres(url: str, sql: Sequence[str], output: Output) -> tuple[int, int]:
    try:
        import psycopg
    except ImportError:
        raise Failed(WITHOUT_DRIVER) from None
    rows, changed, number = 0, 0, 0
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_S, application_name="quarterdeck") as connection:
            for number, text in enumerate(sql, 1):
                cursor = connection.cursor()
                cursor.execute(text.encode())
                while True:
                    if cursor.description is None:
                        changed += max(0, cursor.rowcount)
                    else:
                        rows += _write(output, [each.name for each in cursor.description], cursor)
                    if not cursor.nextset():
                        break
                if connection.info.transaction_status is not psycopg.pq.TransactionStatus.INTRANS:
                    raise Failed(
                        f"Statement {number} ended the transaction that all of them are in: what came before is "
                        "stored. Leave BEGIN, COMMIT and ROLLBACK out."
                    )
    except psycopg.Error as error:
        why = " ".join((error.diag.message_primary or str(error)).split()).rstrip(".")
        if number == 0:
            raise Failed(f"The database cannot be reached: {why}.") from None
        raise Failed(f"Statement {number} failed, and nothing was changed: {why}.") from None
    return rows, changed


def _write(output: Output, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Write rows as lines of JSON; returns how many."""
    count = 0
    for row in rows:
        line = json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False, default=_plain)
        output.write(f"{line}\n".encode(errors="replace"))
        count += 1
    return count


def _plain(value: object) -> str:
    """Return what JSON has no form for: bytes in base64, everything else as text."""
    return base64.b64encode(value).decode() if isinstance(value, bytes | memoryview) else str(value)
