"""Opening: new, old, newer, foreign and damaged databases."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from supervisor.model.errors import SchemaTooNew, StoreDamaged, StoreError
from supervisor.model.statuses import SessionStatus
from supervisor.store import attempts, audit, events, migrate, outbox, pauses, sessions, spools, tokens
from supervisor.store.migrate import APPLICATION_ID, Migration, migrations, open_database
from tests.support import schemas
from tests.support.stores import an_event, database

NEXT = Migration(
    len(migrations()) + 1,
    "next",
    """
    CREATE TABLE extra (id INTEGER PRIMARY KEY, note TEXT) STRICT;
    CREATE TRIGGER extra_is_kept BEFORE DELETE ON extra
    BEGIN
        SELECT RAISE(ABORT, 'kept; always');
    END;
    INSERT INTO extra (note) VALUES ('a; b');
    """,
)


def layout(conn: sqlite3.Connection) -> list[tuple[str, str]]:
    rows = conn.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
    return [(row["name"], " ".join(row["sql"].split())) for row in rows]


def opened(folder: Path, steps: Sequence[Migration] | None = None) -> sqlite3.Connection:
    return open_database(folder / "quarterdeck.db", folder / "backups", steps)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_new_database_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with closing(open_database(folder / "quarterdeck.db", tmp_path / "backups")) as conn:
        assert conn.execute("PRAGMA user_version").fetchone()[0] == len(migrations())
        assert conn.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    assert (folder / "quarterdeck.db").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "backups").exists()


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("recursive_triggers", 1),
        ("busy_timeout", 5000),
    ],
)
def test_the_writing_connection_is_set_up_for_safety(pragma: str, value: object, tmp_path: Path) -> None:
    with database(tmp_path) as conn:
        assert conn.execute(f"PRAGMA {pragma}").fetchone()[0] == value


def test_every_table_is_strict(tmp_path: Path) -> None:
    with database(tmp_path) as conn:
        lax = conn.execute("SELECT name FROM pragma_table_list WHERE type = 'table' AND NOT strict").fetchall()
        assert [row["name"] for row in lax if not row["name"].startswith("sqlite_")] == []


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    with database(tmp_path, "ses_1"):
        pass
    before = files(tmp_path)
    opened(tmp_path).close()
    assert files(tmp_path) == before
    assert not (tmp_path / "backups").exists()


def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    (tmp_path / "quarterdeck.db").touch()
    with closing(opened(tmp_path)) as conn:
        assert events.last_seq(conn) == 0


def test_a_first_creation_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "quarterdeck.db")) as conn:
        conn.execute("PRAGMA journal_mode = WAL")
    (tmp_path / "quarterdeck.db-journal").touch()
    with closing(opened(tmp_path)) as conn:
        assert events.last_seq(conn) == 0


def test_an_older_database_is_copied_then_migrated(tmp_path: Path) -> None:
    with database(tmp_path, "ses_1") as conn:
        old = layout(conn)
    with closing(opened(tmp_path, [*migrations(), NEXT])) as conn:
        assert conn.execute("SELECT note FROM extra").fetchone()[0] == "a; b"
        assert conn.execute("PRAGMA user_version").fetchone()[0] == NEXT.number
        assert sessions.get(conn, "ses_1").id == "ses_1"
        with pytest.raises(sqlite3.IntegrityError, match="kept; always"):
            conn.execute("DELETE FROM extra")
    [copy] = (tmp_path / "backups").iterdir()
    assert copy.name.startswith(f"quarterdeck-v{NEXT.number - 1}-")
    with closing(sqlite3.connect(copy)) as conn:
        conn.row_factory = sqlite3.Row
        assert layout(conn) == old
        assert sessions.get(conn, "ses_1").id == "ses_1"


def test_a_copy_can_take_the_place_of_the_database(tmp_path: Path) -> None:
    with database(tmp_path, "ses_1"):
        pass
    opened(tmp_path, [*migrations(), NEXT]).close()
    [copy] = (tmp_path / "backups").iterdir()
    copy.replace(tmp_path / "quarterdeck.db")
    with closing(opened(tmp_path)) as conn:
        assert sessions.get(conn, "ses_1").id == "ses_1"


def test_a_migration_that_fails_leaves_the_old_version(tmp_path: Path) -> None:
    with database(tmp_path, "ses_1") as conn:
        old = layout(conn)
    broken = Migration(NEXT.number, "broken", NEXT.script + "DROP TABLE nowhere;")
    with pytest.raises(StoreError, match="no such table: nowhere"):
        opened(tmp_path, [*migrations(), broken])
    with closing(opened(tmp_path)) as conn:
        assert layout(conn) == old
        assert sessions.get(conn, "ses_1").id == "ses_1"


def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    with database(tmp_path, "ses_1"):
        pass
    with closing(opened(tmp_path, [*migrations(), NEXT])) as conn:
        conn.execute("UPDATE migrations SET program = '9.8.7' WHERE number = ?", (NEXT.number,))
    before = (tmp_path / "quarterdeck.db").read_bytes()
    with pytest.raises(SchemaTooNew, match=r"written by Quarterdeck 9\.8\.7") as caught:
        opened(tmp_path)
    assert "Install Quarterdeck 9.8.7 or newer" in caught.value.hint
    assert (tmp_path / "quarterdeck.db").read_bytes() == before


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "quarterdeck.db")) as conn:
        conn.execute("CREATE TABLE theirs (x)")
    before = files(tmp_path)
    with pytest.raises(StoreError, match="database of another program"):
        opened(tmp_path)
    assert files(tmp_path) == before


@pytest.mark.parametrize("damage", ["not a database", "a page of zeros", "cut short"])
def test_a_damaged_database_is_refused_left_alone_and_a_way_back_named(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "quarterdeck.db"
    with database(tmp_path, "ses_1") as conn:
        events.append(conn, [an_event(number, payload={"text": "x" * 500}) for number in range(500)])
    opened(tmp_path, [*migrations(), NEXT]).close()
    [copy] = (tmp_path / "backups").iterdir()
    content = path.read_bytes()
    path.write_bytes(
        {
            "not a database": b"plain text, much more of it than a header" * 100,
            "a page of zeros": content[: 4096 * 30] + bytes(4096 * 8) + content[4096 * 38 :],
            "cut short": content[: len(content) // 2],
        }[damage]
    )
    before = path.read_bytes()
    with pytest.raises(StoreDamaged) as caught:
        opened(tmp_path, [*migrations(), NEXT])
    assert f"cp {copy} {path}" in caught.value.hint
    assert caught.value.kept == "It was not changed."
    assert path.read_bytes() == before


@pytest.mark.parametrize(("table", "noticed"), [("sessions", True), ("events", False)])
def test_a_large_database_is_checked_but_for_its_history(
    table: str, noticed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database(tmp_path, "ses_1") as conn:
        root = conn.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)).fetchone()[0]
    with (tmp_path / "quarterdeck.db").open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(bytes(4096))
    with pytest.raises(StoreDamaged):
        opened(tmp_path)
    monkeypatch.setattr(migrate, "CHECKED_WHOLE", 0)
    if noticed:
        with pytest.raises(StoreDamaged):
            opened(tmp_path)
    else:
        opened(tmp_path).close()


def test_a_damaged_database_without_a_copy_names_another_way(tmp_path: Path) -> None:
    (tmp_path / "quarterdeck.db").write_bytes(b"no database at all" * 1000)
    with pytest.raises(StoreDamaged) as caught:
        opened(tmp_path)
    assert ".recover" in caught.value.hint


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(StoreError, match=r"state/quarterdeck.db cannot be used: File exists") as caught:
        opened(tmp_path / "state")
    assert caught.value.hint


def test_a_copy_that_cannot_be_made_stops_the_migration(tmp_path: Path) -> None:
    with database(tmp_path, "ses_1"):
        pass
    (tmp_path / "backups").touch()
    with pytest.raises(StoreError, match="File exists"):
        opened(tmp_path, [*migrations(), NEXT])
    with closing(opened(tmp_path)) as conn:
        assert conn.execute("PRAGMA user_version").fetchone()[0] == len(migrations())


def test_migrations_are_numbered_without_a_gap(tmp_path: Path) -> None:
    (tmp_path / "0001_initial.sql").write_text("")
    (tmp_path / "0003_later.sql").write_text("")
    with pytest.raises(ValueError, match=r"0003_later.sql is not migration 0002"):
        migrations(tmp_path)


def test_every_schema_has_its_dump() -> None:
    assert [schemas.version(dump) for dump in schemas.released()] == list(range(1, len(migrations()) + 1))


def test_the_newest_dump_is_what_the_migrations_make(tmp_path: Path) -> None:
    schemas.load(schemas.released()[-1], tmp_path / "dump.db")
    with closing(sqlite3.connect(tmp_path / "dump.db")) as dumped, database(tmp_path) as conn:
        dumped.row_factory = sqlite3.Row
        assert layout(dumped) == layout(conn), "a schema that is not released: python -m tests.support.schemas"


@pytest.mark.parametrize("dump", schemas.released(), ids=lambda dump: dump.stem)
def test_a_released_database_opens_with_everything_in_it(dump: Path, tmp_path: Path) -> None:
    schemas.load(dump, tmp_path / "quarterdeck.db")
    with closing(opened(tmp_path)) as conn, database(tmp_path / "fresh") as fresh:
        assert layout(conn) == layout(fresh)
        session = sessions.get(conn, "ses_1")
        assert (session.status, session.stats.cost_usd) == (SessionStatus.PREPARING, 0.5)
        [attempt] = attempts.of_session(conn, "ses_1")
        assert attempt.fencing_token == 1
        assert len(events.since(conn, session="ses_1")) == 2
        assert spools.get(conn, "ses_1").partials == {"tty": spools.Partial(b"x", 1)}
        assert [entry.action for entry in audit.entries(conn)] == ["run"]
        assert [entry.body for entry in outbox.pending(conn, "ses_1")] == [b"no"]
        assert pauses.get(conn, "claude") is not None
        assert tokens.get(conn, "token") is not None
        assert conn.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert conn.execute("PRAGMA foreign_key_check").fetchall() == []
