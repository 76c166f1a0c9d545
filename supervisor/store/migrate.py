"""Brings a database to this program's version, or refuses it without touching it.

Each migration is one transaction, so a crash leaves the old version or the new one. A database
that holds something is copied before it is changed.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from supervisor.model.errors import SchemaTooNew, StoreDamaged, StoreError
from supervisor.model.times import now_ms
from supervisor.store import queries
from supervisor.store.failures import explain

APPLICATION_ID: Final = 0x51444B31
"""``QDK1`` in ASCII; SQLite keeps it in the file's header."""

CHECKED_WHOLE: Final = 256 * 1024 * 1024
"""Bytes up to which a database is checked whole when it is opened, at some 400 MB/s; of a larger one the
events, its bulk, are left out, so that the supervisor is back within seconds however long its history."""

SCHEMA: Final = Path(__file__).with_name("schema")

SQL = queries.load("migrations")


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step; its statements run in one transaction."""

    number: int
    name: str
    script: str

    def statements(self) -> Iterator[str]:
        """Yield the statements one by one; triggers hold semicolons of their own."""
        statement = ""
        for line in self.script.splitlines(keepends=True):
            statement += line
            if sqlite3.complete_statement(statement):
                yield statement
                statement = ""


def migrations(folder: Path = SCHEMA) -> list[Migration]:
    """Return the migrations in ``folder`` in order; ValueError when their numbers have a gap."""
    found = []
    for number, path in enumerate(sorted(folder.glob("*.sql")), start=1):
        match = re.fullmatch(r"(\d{4})_(\w+)", path.stem)
        if match is None or int(match[1]) != number:
            raise ValueError(f"{path.name} is not migration {number:04}.")
        found.append(Migration(number, match[2], path.read_text(encoding="utf-8")))
    return found


def connect(path: Path) -> sqlite3.Connection:
    """Open the writing connection: every transaction is on the disk when its commit returns."""
    conn = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    conn.row_factory = sqlite3.Row
    for pragma in (
        "busy_timeout = 5000",
        "journal_mode = WAL",
        "synchronous = FULL",
        # What savepoints would undo is kept in memory: in a file, beyond 64 KiB, it costs more than the commit.
        "temp_store = MEMORY",
        "foreign_keys = ON",
        # Makes INSERT OR REPLACE fire the triggers that keep history from being deleted.
        "recursive_triggers = ON",
        "journal_size_limit = 67108864",
    ):
        conn.execute(f"PRAGMA {pragma}")
    return conn


def open_database(path: Path, backups: Path, steps: Sequence[Migration] | None = None) -> sqlite3.Connection:
    """Return the writing connection to the database at ``path``, made or brought up to date when needed.

    SchemaTooNew, StoreDamaged or StoreError when it cannot be used; then it is as it was.
    """
    steps = migrations() if steps is None else steps
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        current = _inspect(path, backups, steps)
        path.touch(mode=0o600)
        conn = connect(path)
    except sqlite3.Error as error:
        raise _unusable(path, backups, error) from error
    except OSError as error:
        raise _no_place(path, error) from error
    try:
        pending = [step for step in steps if step.number > current]
        if pending and current:
            back_up(conn, backups, current)
        for step in pending:
            _apply(conn, step)
    except BaseException as error:
        conn.close()
        if isinstance(error, sqlite3.Error):
            raise explain(error) from error
        if isinstance(error, OSError):
            raise _no_place(path, error) from error
        raise
    return conn


def back_up(conn: sqlite3.Connection, folder: Path, schema: int) -> Path:
    """Copy the database to ``folder`` and return the copy, which appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / f"quarterdeck-v{schema}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.db"
    unfinished = target.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    with closing(sqlite3.connect(unfinished)) as copy:
        conn.backup(copy)
    return unfinished.rename(target)


def _inspect(path: Path, backups: Path, steps: Sequence[Migration]) -> int:
    """Return the version of the database at ``path``, 0 for none yet, having changed nothing."""
    if not path.exists() or path.stat().st_size == 0:
        return 0
    # Read-only leaves even a damaged or foreign file as it is; only an interrupted first creation leaves a
    # journal, and rolling that back takes a writer.
    mode = "rw" if path.with_name(path.name + "-journal").exists() else "ro"
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as conn:
        conn.execute("PRAGMA busy_timeout = 5000")
        application: int = conn.execute("PRAGMA application_id").fetchone()[0]
        current: int = conn.execute("PRAGMA user_version").fetchone()[0]
        if application == 0 and current == 0 and not conn.execute("SELECT 1 FROM sqlite_schema").fetchone():
            return 0
        if application != APPLICATION_ID:
            raise StoreError(
                f"{path} is the database of another program.",
                hint="Move it away, or set QUARTERDECK_HOME to another folder.",
            )
        if current > len(steps):
            program = conn.execute(SQL["newest"]).fetchone()[0]
            raise SchemaTooNew(
                f"{path} was written by Quarterdeck {program}: its schema is {current},"
                f" and this version knows {len(steps)}.",
                hint=f"Install Quarterdeck {program} or newer, or restore a copy from {backups}.",
            )
        for check in _checks(conn, path.stat().st_size):
            problem = conn.execute(check).fetchone()[0]
            if problem != "ok":
                raise _damaged(path, backups, problem)
    return current


def _checks(conn: sqlite3.Connection, size: int) -> list[str]:
    if size <= CHECKED_WHOLE:
        return ["PRAGMA quick_check(1)"]
    tables = conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name != 'events'")
    return [f"PRAGMA quick_check({name})" for (name,) in tables]


def _apply(conn: sqlite3.Connection, step: Migration) -> None:
    conn.execute("BEGIN IMMEDIATE")
    try:
        for statement in step.statements():
            conn.execute(statement)
        values = {
            "number": step.number,
            "name": step.name,
            "now": now_ms(),
            "program": _program(),
        }
        conn.execute(SQL["applied"], values)
        conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        conn.execute(f"PRAGMA user_version = {step.number}")
        conn.execute("COMMIT")
    except BaseException:
        conn.execute("ROLLBACK")
        raise


def _program() -> str:
    try:
        return version("quarterdeck")
    except PackageNotFoundError:
        return "from a checkout"


def _no_place(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"{path} cannot be used: {error.strerror} ({error.filename}).",
        hint="Check that its folders belong to you and that the disk has room.",
    )


def _unusable(path: Path, backups: Path, error: sqlite3.Error) -> StoreError:
    meaning = explain(error)
    return _damaged(path, backups, str(error)) if isinstance(meaning, StoreDamaged) else meaning


def _damaged(path: Path, backups: Path, problem: str) -> StoreDamaged:
    copies = sorted(backups.glob("quarterdeck-v*.db"), key=lambda copy: copy.stat().st_mtime)
    if copies:
        hint = f"To go back to the newest copy: mv {path} {path}.damaged && cp {copies[-1]} {path}"
    else:
        recovery = f"sqlite3 {path} .recover | sqlite3 recovered.db"
        hint = f"There is no copy in {backups}. To save what can be read: {recovery}"
    return StoreDamaged(f"{path} is damaged: {problem}.", hint=hint, kept="It was not changed.")
