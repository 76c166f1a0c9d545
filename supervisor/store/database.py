"""The store: one writer, some readers, one file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from supervisor.model.errors import StoreError
from supervisor.model.times import now_ms
from supervisor.store import queries
from supervisor.store.anchor import Anchor
from supervisor.store.migrate import open_database
from supervisor.store.reader import Reader
from supervisor.store.writer import Writer

P = ParamSpec("P")
T = TypeVar("T")

SQL = queries.load("pulse")


class Store:
    """An open database. Changes go through `submit`, everything else through `read`.

    Both take functions of a connection, such as those of the modules beside this one::

        await store.submit(lambda conn: sessions.update(conn, session))
        session = await store.read(sessions.get, session_id)
    """

    def __init__(self, path: Path, writer: Writer, reader: Reader) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader

    @classmethod
    async def open(cls, path: Path, backups: Path) -> Store:
        """Open the database at ``path``, made or migrated when needed; copies of it go to ``backups``.

        SchemaTooNew, StoreDamaged or StoreError when it cannot be used; it is left as it was.
        """
        conn = await asyncio.to_thread(open_database, path, backups)
        anchor = Anchor(anchor_path(path))
        try:
            await asyncio.to_thread(anchor.keep, conn)
            reader = await Reader.open(path)
        except BaseException as error:
            conn.close()
            if isinstance(error, OSError):
                raise StoreError(
                    f"The audit log's anchor cannot be written: {error}.",
                    hint="Check that its folder belongs to you and that the disk has room.",
                ) from error
            raise
        return cls(path, Writer(conn, anchor.keep), reader)

    @property
    def anchor(self) -> Path:
        """The audit log's anchor, beside the database."""
        return anchor_path(self.path)

    async def submit(
        self,
        apply: Callable[[sqlite3.Connection], T],
        *,
        urgent: bool = True,
        then: Callable[[T], None] | None = None,
    ) -> T:
        """Run ``apply`` in a transaction and return its result once it is durable (see `Writer.submit`)."""
        return await self._writer.submit(apply, urgent=urgent, then=then)

    async def read(self, read: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return ``read(connection, …)`` from a read-only connection; its queries see one state."""
        return await self._reader.read(read, *args, **kwargs)

    def peek(self, read: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return a few rows by their keys, without a hop to another thread (see `Reader.peek`)."""
        return self._reader.peek(read, *args, **kwargs)

    async def check(self) -> None:
        """Write and read back for real; StoreError when that does not work."""
        at = now_ms()
        await self.submit(lambda conn: conn.execute(SQL["write"], {"at": at}))
        if await self.read(_pulse) < at:
            raise StoreError("What was written to the database could not be read back.")

    async def close(self) -> None:
        """Finish what was submitted and close the file."""
        await self._reader.close()
        await self._writer.close()


def anchor_path(database: Path) -> Path:
    """Return where the audit log's anchor of a database is."""
    return database.with_name("audit.anchor")


def _pulse(conn: sqlite3.Connection) -> int:
    at: int = conn.execute(SQL["read"]).fetchone()["at"]
    return at
