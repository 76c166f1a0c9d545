"""Statements of plans' tasks for databases: SQLite files and a real PostgreSQL server."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import PASSWORD, USER, postgres_server
from tests.support.web import request

TABLE = "CREATE TABLE t (id INTEGER, name TEXT)"


def lines(text: str) -> list[object]:
    return [json.loads(line) for line in text.splitlines()]


def test_rows_are_lines_of_json(tmp_path: Path) -> None:
    sql = [
        TABLE,
        "INSERT INTO t VALUES (1, 'a;b'); INSERT INTO t VALUES (2, NULL);",
        "SELECT * FROM t; SELECT x'00ff' AS b",
    ]
    done = request("db", tmp_path, url="sqlite:data.db", sql=sql, output="rows.jsonl")
    assert done.stderr == "3 rows came back, 2 were changed.\n"
    expected = [{"id": 1, "name": "a;b"}, {"id": 2, "name": None}, {"b": "AP8="}]
    assert lines(done.stdout) == expected
    assert lines((tmp_path / "rows.jsonl").read_text()) == expected


def test_all_statements_or_none(tmp_path: Path) -> None:
    assert request("db", tmp_path, url="sqlite:data.db", sql=[TABLE]).returncode == 0
    done = request(
        "db", tmp_path, url="sqlite:data.db", sql=["INSERT INTO t VALUES (1, 'a')", "INSERT INTO nowhere VALUES (1)"]
    )
    assert (done.returncode, done.stderr) == (
        1,
        "Statement 2 failed, and nothing was changed: no such table: nowhere.\n",
    )
    assert lines(request("db", tmp_path, url="sqlite:data.db", sql=["SELECT count(*) AS n FROM t"]).stdout) == [
        {"n": 0}
    ]


@pytest.mark.parametrize("statement", ["COMMIT", "BEGIN", "ROLLBACK", "ATTACH '../other.db' AS other"])
def test_statements_stay_in_their_transaction_and_file(tmp_path: Path, statement: str) -> None:
    done = request("db", tmp_path, url="sqlite:data.db", sql=[TABLE, statement])
    assert done.returncode == 1
    assert "attaches a file, or begins or ends a transaction" in done.stderr
    with sqlite3.connect(tmp_path / "data.db") as conn:
        assert not conn.execute("SELECT * FROM sqlite_master").fetchall()
    conn.close()


@pytest.mark.parametrize("path", ["../data.db", "/tmp/data.db", "link/data.db"])
def test_a_path_that_leads_out_is_refused(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    done = request("db", folder, url=f"sqlite:{path}", sql=[TABLE])
    assert (done.returncode, "leads out of the folder" in done.stderr) == (1, True)
    assert [each.name for each in tmp_path.iterdir()] == ["inside"]


def test_a_missing_driver_names_the_extra(tmp_path: Path) -> None:
    done = request("db", tmp_path, url="postgresql://localhost/x", sql=["SELECT 1"])  # isolated: nothing is installed
    assert done.returncode == 1
    assert done.stderr == "PostgreSQL needs a driver that is not installed: pip install 'quarterdeck[postgres]'\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Path]:
    with postgres_server() as folder:
        yield folder


def postgres(server: Path, folder: Path, *sql: str, password: str = PASSWORD) -> tuple[int, str, str]:
    url = f"postgresql://{USER}:${{PG_PASSWORD}}@/postgres?host={server}"
    done = request("db", folder, {"PG_PASSWORD": password}, isolated=False, url=url, sql=list(sql))
    assert PASSWORD not in done.stdout + done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.mark.postgres
@pytest.mark.timeout(120)
def test_postgres(server: Path, tmp_path: Path) -> None:
    code, out, said = postgres(
        server, tmp_path, "CREATE TABLE t (id int, at date)", "INSERT INTO t VALUES (1, '2026-01-02'), (2, NULL)",
        "SELECT * FROM t ORDER BY id; SELECT 7::numeric AS n",
    )  # fmt: skip
    assert (code, said) == (0, "3 rows came back, 2 were changed.\n")
    assert lines(out) == [{"id": 1, "at": "2026-01-02"}, {"id": 2, "at": None}, {"n": "7"}]
    code, _, said = postgres(server, tmp_path, "DELETE FROM t", "SELECT * FROM nowhere")
    assert (code, said) == (
        1, 'Statement 2 failed, and nothing was changed: relation "nowhere" does not exist.\n'
    )  # fmt: skip
    assert lines(postgres(server, tmp_path, "SELECT count(*) AS n FROM t")[1]) == [{"n": 2}]
    code, _, said = postgres(server, tmp_path, "COMMIT", "SELECT 1")
    assert (code, said.startswith("Statement 1 ended the transaction")) == (1, True)


@pytest.mark.postgres
@pytest.mark.timeout(120)
def test_a_wrong_password_is_said_without_it(server: Path, tmp_path: Path) -> None:
    code, _, said = postgres(server, tmp_path, "SELECT 1", password="wrong-one")
    assert (code, "password authentication failed" in said, "wrong-one" in said) == (1, True, False)
