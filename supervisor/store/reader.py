"""Read-only connections. They see what is committed and can change nothing."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

import aiosqlite

from supervisor.store.failures import closed, explain

P = ParamSpec("P")
T = TypeVar("T")

CONNECTIONS: Final = 2
"""A long read (an export, a replay) leaves a connection for the short ones."""

PATIENCE_MS: Final = 5000
NEAR_PATIENCE_MS: Final = 50
"""Waiting for somebody who locks the database would hold up the whole loop."""


class _Connection(aiosqlite.Connection):
    """An aiosqlite connection that runs a whole function in its thread: one hop for any number of queries."""

    def __init__(self, path: Path) -> None:
        super().__init__(lambda: _connect(path), iter_chunk_size=64)
        # A program that fails before it closes the store must still be able to end.
        self._thread.daemon = True

    async def run(self, read: Callable[[sqlite3.Connection], T]) -> T:
        # What every method of aiosqlite is made of; it has no public name.
        result: T = await self._execute(_snapshot, self._conn, read)  # type: ignore[no-untyped-call]
        return result


class Reader:
    """A small pool of read-only connections to one database."""

    def __init__(self, near: sqlite3.Connection) -> None:
        self._near = near
        self._idle: asyncio.Queue[_Connection] = asyncio.Queue()
        self._closed = False

    @classmethod
    async def open(cls, path: Path) -> Reader:
        """Connect to a database that exists."""
        near = _connect(path, NEAR_PATIENCE_MS)
        reader = cls(near)
        try:
            for _ in range(CONNECTIONS):
                connection = _Connection(path)
                await connection
                reader._idle.put_nowait(connection)
        except BaseException:
            near.close()
            raise
        return reader

    async def read(self, read: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return ``read(connection, …)``, run in a thread; all its queries see the same state."""
        if self._closed:
            raise closed()
        connection = await self._idle.get()
        try:
            return await connection.run(lambda conn: read(conn, *args, **kwargs))
        except sqlite3.Error as error:
            raise explain(error) from error
        finally:
            self._idle.put_nowait(connection)

    def peek(self, read: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return ``read(connection, …)``, run at once in the caller's thread, which is always the same.

        For a few rows that are found by their keys, and only that: they take some hundredths of a millisecond, and
        a hop to another thread takes milliseconds when the processors are busy. Nothing else runs meanwhile.
        """
        if self._closed:
            raise closed()
        try:
            return _snapshot(self._near, lambda conn: read(conn, *args, **kwargs))
        except sqlite3.Error as error:
            raise explain(error) from error

    async def close(self) -> None:
        """Finish the reads that run, then close the connections."""
        if self._closed:
            return
        self._closed = True
        for _ in range(CONNECTIONS):
            connection = await self._idle.get()
            await connection.close()
        self._near.close()


def _connect(path: Path, patience_ms: int = PATIENCE_MS) -> sqlite3.Connection:
    conn = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
    )
    conn.row_factory = sqlite3.Row
    conn.execute(f"PRAGMA busy_timeout = {patience_ms}")
    conn.execute("PRAGMA query_only = ON")
    return conn


def _snapshot(conn: sqlite3.Connection, read: Callable[[sqlite3.Connection], T]) -> T:
    conn.execute("BEGIN")
    try:
        return read(conn)
    finally:
        conn.execute("ROLLBACK")
