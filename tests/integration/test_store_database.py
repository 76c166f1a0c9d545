"""The store as a whole: readers see what is committed, and many at once stay apart."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.model.entities import Attempt
from supervisor.model.errors import NotFound, Refused, StoreError
from supervisor.store import attempts, audit, events, sessions
from supervisor.store.anchor import Mark, read_anchor
from supervisor.store.database import Store
from supervisor.store.migrate import connect
from tests.support.stores import NOON, a_session, an_event, claim, database, store
from tests.wait import until


async def test_a_reader_sees_what_is_committed(tmp_path: Path) -> None:
    async with store(tmp_path, "ses_1") as opened:
        assert await opened.read(sessions.get, "ses_1") == a_session()
        stored = await opened.submit(lambda conn: events.append(conn, [an_event()], session="ses_1"), urgent=False)
        assert await opened.read(events.since, 0, session="ses_1") == stored


async def test_what_was_stored_is_there_after_opening_again(tmp_path: Path) -> None:
    async with store(tmp_path, "ses_1"):
        pass
    async with store(tmp_path) as opened:
        assert await opened.read(sessions.get, "ses_1") == a_session()


async def test_a_reader_changes_nothing(tmp_path: Path) -> None:
    async with store(tmp_path, "ses_1") as opened:
        with pytest.raises(StoreError, match="may not be written"):
            await opened.read(lambda conn: conn.execute("DELETE FROM spools").rowcount)


async def test_what_a_read_raises_reaches_its_caller(tmp_path: Path) -> None:
    async with store(tmp_path) as opened:
        for _ in range(5):
            with pytest.raises(NotFound):
                await opened.read(sessions.get, "ses_9")
        assert await opened.read(events.last_seq) == 0


async def test_a_peek_sees_what_is_committed_and_changes_nothing(tmp_path: Path) -> None:
    async with store(tmp_path, "ses_1") as opened:
        stored = await opened.submit(lambda conn: events.append(conn, [an_event()], session="ses_1"))
        assert opened.peek(events.since, 0, session="ses_1") == stored
        with pytest.raises(StoreError, match="may not be written"):
            opened.peek(lambda conn: conn.execute("DELETE FROM spools").rowcount)
        with pytest.raises(NotFound):
            opened.peek(sessions.get, "ses_9")
        await opened.submit(lambda conn: events.append(conn, [an_event()], session="ses_1"))
        assert opened.peek(events.last_seq) == 2, "a failed peek leaves no transaction open, which would see no more"
    with pytest.raises(StoreError, match="closed"):
        opened.peek(events.last_seq)


async def test_the_queries_of_one_read_see_one_state(tmp_path: Path) -> None:
    first, go_on = threading.Event(), threading.Event()

    def twice(conn: sqlite3.Connection) -> tuple[int, int]:
        before = events.last_seq(conn)
        first.set()
        assert go_on.wait(10)
        return before, events.last_seq(conn)

    async with store(tmp_path) as opened:
        reading = asyncio.ensure_future(opened.read(twice))
        await until(first.is_set)
        await opened.submit(lambda conn: events.append(conn, [an_event()]))
        go_on.set()
        assert await reading == (0, 0)
        assert await opened.read(events.last_seq) == 1


async def test_a_long_read_does_not_hold_up_the_others(tmp_path: Path) -> None:
    first, go_on = threading.Event(), threading.Event()

    def slow(conn: sqlite3.Connection) -> None:
        first.set()
        assert go_on.wait(10)

    async with store(tmp_path) as opened:
        reading = asyncio.ensure_future(opened.read(slow))
        await until(first.is_set)
        await asyncio.gather(*(opened.read(events.last_seq) for _ in range(20)))
        assert not reading.done()
        go_on.set()
        await reading


async def test_a_reader_goes_on_after_a_caller_went_away(tmp_path: Path) -> None:
    first, go_on = threading.Event(), threading.Event()

    def slow(conn: sqlite3.Connection) -> None:
        first.set()
        assert go_on.wait(10)

    async with store(tmp_path) as opened:
        reading = asyncio.ensure_future(opened.read(slow))
        await until(first.is_set)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        go_on.set()
        results = await asyncio.gather(*(opened.read(events.last_seq) for _ in range(20)))
        assert results == [0] * 20


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    opened = await Store.open(tmp_path / "quarterdeck.db", tmp_path / "backups")
    await opened.check()
    await opened.close()
    await opened.close()
    with pytest.raises(StoreError, match="The database is closed"):
        await opened.read(events.last_seq)
    with pytest.raises(StoreError, match="The database is closed"):
        await opened.check()


async def test_the_check_notices_that_nothing_can_be_written(tmp_path: Path) -> None:
    async with store(tmp_path) as opened:
        await opened.check()
        await opened.submit(lambda conn: conn.execute("PRAGMA query_only = ON"))
        with pytest.raises(StoreError):
            await opened.check()


async def test_the_check_notices_that_a_write_does_not_arrive(tmp_path: Path) -> None:
    async with store(tmp_path) as opened:
        await opened.submit(
            lambda conn: (
                conn.execute("CREATE TRIGGER swallow BEFORE UPDATE ON pulse BEGIN SELECT RAISE(IGNORE); END").rowcount
            )
        )
        with pytest.raises(StoreError, match="could not be read back"):
            await opened.check()


async def test_an_anchor_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    await asyncio.to_thread((tmp_path / "audit.anchor").mkdir)
    with pytest.raises(StoreError, match=r"anchor cannot be written: .*audit.anchor"):
        await Store.open(tmp_path / "quarterdeck.db", tmp_path / "backups")


def test_no_file_is_left_beside_a_closed_database(tmp_path: Path) -> None:
    async def use() -> None:
        async with store(tmp_path, "ses_1"):
            pass

    asyncio.run(use())
    assert {path.name for path in tmp_path.iterdir()} == {"quarterdeck.db", "audit.anchor"}


async def test_the_anchor_follows_each_commit(tmp_path: Path) -> None:
    async with store(tmp_path) as opened:
        assert read_anchor(opened.anchor) == Mark(0, "0" * 64)
        entry = await opened.submit(
            lambda conn: audit.append(conn, time=NOON, actor="person", action="stop", subject="supervisor")
        )
        assert read_anchor(opened.anchor) == Mark(1, entry.hash)
        assert (await opened.read(audit.verify, opened.anchor)).valid


async def test_an_audit_entry_goes_with_what_it_records(tmp_path: Path) -> None:
    def cancel(conn: sqlite3.Connection) -> None:
        audit.append(conn, time=NOON, actor="person", action="cancel", subject="ses_9")
        sessions.get(conn, "ses_9")

    async with store(tmp_path) as opened:
        with pytest.raises(NotFound):
            await opened.submit(cancel)
        assert await opened.read(audit.entries) == []


async def test_numbers_have_no_gap_though_submissions_fail(tmp_path: Path) -> None:
    def append(number: int, conn: sqlite3.Connection) -> int:
        [event] = events.append(conn, [an_event(number)])
        if number % 3 == 0:
            raise Refused("no")
        return event.seq

    async with store(tmp_path) as opened:
        results = await asyncio.gather(
            *(opened.submit(partial(append, number), urgent=number % 2 == 0) for number in range(60)),
            return_exceptions=True,
        )
        assert sorted(seq for seq in results if isinstance(seq, int)) == list(range(1, 41))
        assert [event.seq for event in await opened.read(events.since)] == list(range(1, 41))


async def test_of_many_claims_at_once_one_wins(tmp_path: Path) -> None:
    async with store(tmp_path, "ses_1") as opened:
        results = await asyncio.gather(*(opened.submit(claim) for _ in range(20)), return_exceptions=True)
        won = [result for result in results if isinstance(result, Attempt)]
        assert len(won) == 1
        assert all(isinstance(result, Refused) for result in results if result not in won)
        assert await opened.read(attempts.live) == won


@pytest.mark.parametrize("round_", range(5))
def test_of_claims_through_many_connections_one_wins(round_: int, tmp_path: Path) -> None:
    with database(tmp_path, "ses_1"):
        pass
    start = threading.Barrier(8)

    def race(_: int) -> bool:
        with closing(connect(tmp_path / "quarterdeck.db")) as conn:
            start.wait()
            conn.execute("BEGIN IMMEDIATE")
            try:
                claim(conn)
            except Refused:
                conn.execute("ROLLBACK")
                return False
            conn.execute("COMMIT")
            return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(race, range(8))) == 1


@dataclass(frozen=True)
class Step:
    """One submission: keys to set or drop, and whether it fails at its end."""

    changes: tuple[tuple[str, int | None], ...]
    urgent: bool
    fails: bool


STEPS = st.lists(
    st.builds(
        Step,
        changes=st.lists(st.tuples(st.sampled_from("abcd"), st.none() | st.integers(0, 9)), max_size=4).map(tuple),
        urgent=st.booleans(),
        fails=st.booleans(),
    ),
    max_size=40,
)


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_any_submissions_end_as_if_the_good_ones_had_run_one_by_one(steps: list[Step]) -> None:
    ran: list[Step] = []

    async def run(folder: Path) -> dict[str, int]:
        async with store(folder) as opened:
            await opened.submit(lambda conn: conn.execute("CREATE TABLE kept (key TEXT PRIMARY KEY, value INTEGER)"))

            def applying(step: Step, conn: sqlite3.Connection) -> None:
                for key, value in step.changes:
                    if value is None:
                        conn.execute("DELETE FROM kept WHERE key = ?", key)
                    else:
                        conn.execute("INSERT OR REPLACE INTO kept VALUES (?, ?)", (key, value))
                ran.append(step)
                if step.fails:
                    raise Refused("no")

            results = await asyncio.gather(
                *(opened.submit(partial(applying, step), urgent=step.urgent) for step in steps),
                return_exceptions=True,
            )
            assert [isinstance(result, Refused) for result in results] == [step.fails for step in steps]
            return await opened.read(lambda conn: dict(map(tuple, conn.execute("SELECT * FROM kept"))))

    with tempfile.TemporaryDirectory() as folder:
        stored = asyncio.run(run(Path(folder)))
    expected: dict[str, int] = {}
    for step in ran:
        for key, value in () if step.fails else step.changes:
            expected.pop(key, None)
            if value is not None:
                expected[key] = value
    assert stored == expected
    assert len(ran) == len(steps)


def test_a_program_that_fails_before_it_closes_the_store_ends(tmp_path: Path) -> None:
    script = (
        "import asyncio, pathlib, sys\n"
        "from supervisor.store.database import Store\n"
        "async def main():\n"
        "    opened = await Store.open(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))\n"
        "    raise SystemExit(7)\n"
        "asyncio.run(main())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "quarterdeck.db"), str(tmp_path / "backups")],
        check=False,
        capture_output=True,
        timeout=20,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert ended.returncode == 7
