"""Says what an error of SQLite means for a person."""

from __future__ import annotations

import sqlite3

from supervisor.model.errors import StoreDamaged, StoreError

_MEANINGS = {
    sqlite3.SQLITE_FULL: (
        "The disk is full; the database takes nothing more.",
        "Free some space and try again.",
    ),
    sqlite3.SQLITE_BUSY: (
        "Another program holds the database's write lock.",
        "End the program that has the database open; only the supervisor may write to it.",
    ),
    sqlite3.SQLITE_LOCKED: ("The database is locked.", "Try again."),
    sqlite3.SQLITE_IOERR: (
        "The disk could not be read or written.",
        "Look at the system's log for disk errors, then run `quarterdeck doctor`.",
    ),
    sqlite3.SQLITE_READONLY: (
        "The database may not be written.",
        "Check who owns its file and folder, and whether the disk is mounted read-only.",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "The database cannot be opened.",
        "Check that its folder exists and belongs to you.",
    ),
}


def explain(error: sqlite3.Error) -> StoreError:
    """Return the error that says in words what went wrong. Nothing of the transaction was kept."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreDamaged(
            f"The database is damaged: {error}.",
            hint="Restart the supervisor: it checks the database and names the restore command.",
        )
    message, hint = _MEANINGS.get(code, (f"The database refused: {error}.", "Run `quarterdeck doctor`."))
    return StoreError(message, hint=hint)


def closed() -> StoreError:
    """Return the error of one who comes after the store was closed."""
    return StoreError("The database is closed.", hint="The supervisor is stopping; start it again.")
