"""The writer: group commit, two priorities, and what a failure costs whom."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from supervisor.model.errors import NotFound, StoreError
from supervisor.store import writer
from supervisor.store.writer import INGEST_WAITING, ROUND_S, Writer
from tests.wait import until, wait_until


class Connection(sqlite3.Connection):
    """A connection whose next statements of a kind fail."""

    fails = ""
    times = 0

    def fail(self, fails: str, times: int = 1) -> None:
        """Let the next ``times`` statements that begin with ``fails`` fail."""
        self.fails, self.times = fails, times

    def execute(self, sql: str, parameters: object = (), /) -> sqlite3.Cursor:
        if self.times and sql.startswith(self.fails):
            self.times -= 1
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error
        return super().execute(sql, parameters)  # type: ignore[arg-type]


class Bench:
    """A writer on a table of numbers, and how often it committed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.conn: Connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Connection)
        self.conn.execute("PRAGMA journal_mode = WAL")
        self.conn.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY, text TEXT) STRICT")
        self.commits = 0
        self.writer = Writer(self.conn, self.committed)
        self.holding: asyncio.Future[None]

    def committed(self, conn: sqlite3.Connection) -> None:
        """Count a commit."""
        self.commits += 1

    async def add(self, *numbers: int, urgent: bool = True, error: BaseException | None = None) -> int:
        """Add numbers, then fail with ``error`` when it is given."""

        def apply(conn: sqlite3.Connection) -> int:
            for number in numbers:
                conn.execute("INSERT INTO numbers VALUES (?, NULL)", (number,))
            if error is not None:
                raise error
            return numbers[-1]

        return await self.writer.submit(apply, urgent=urgent)

    def stored(self) -> list[int]:
        """The numbers in the order they were added, as another connection sees them."""
        with closing(sqlite3.connect(self.path)) as conn:
            return [row[0] for row in conn.execute("SELECT number FROM numbers ORDER BY rowid")]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the writer's thread in a submission of its own; what is submitted meanwhile waits."""
        leave = threading.Event()

        def wait(_: sqlite3.Connection) -> None:
            assert leave.wait(10)

        self.holding = asyncio.ensure_future(self.writer.submit(wait, urgent=False))
        try:
            yield
        finally:
            leave.set()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path / "numbers.db")
    yield made
    await made.writer.close()


async def settle() -> None:
    """Let every task that can run do so once."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_a_result_is_durable_when_it_is_returned(bench: Bench) -> None:
    assert await bench.add(1) == 1
    assert bench.stored() == [1]


async def test_what_waits_together_is_committed_together(bench: Bench) -> None:
    with bench.held():
        await settle()
        adding = [asyncio.ensure_future(bench.add(number)) for number in range(100)]
        await settle()
    assert await asyncio.gather(*adding) == list(range(100))
    assert bench.commits <= 2


async def test_one_that_fails_loses_only_its_own_changes(bench: Bench) -> None:
    error = NotFound("There is no such thing.")
    results = await asyncio.gather(
        *(bench.add(number, error=error if number % 3 == 1 else None) for number in range(9)), return_exceptions=True
    )
    assert results == [0, error, 2, 3, error, 5, 6, error, 8]
    assert bench.stored() == [0, 2, 3, 5, 6, 8]


async def test_the_first_of_a_round_that_fails_loses_only_its_own_changes(bench: Bench) -> None:
    error = NotFound("There is no such thing.")
    with bench.held():
        await settle()
        adding = [asyncio.ensure_future(bench.add(n, error=error if n < 2 or n == 3 else None)) for n in range(5)]
        await settle()
    assert await asyncio.gather(*adding, return_exceptions=True) == [error, error, 2, error, 4]
    assert bench.stored() == [2, 4]


async def test_decisions_go_before_ingest(bench: Bench) -> None:
    ran: list[str] = []

    def noting(name: str) -> Callable[[sqlite3.Connection], None]:
        return lambda _: ran.append(name)

    with bench.held():
        await settle()
        tasks = [asyncio.ensure_future(bench.writer.submit(noting(f"ingest{n}"), urgent=False)) for n in range(3)]
        tasks += [asyncio.ensure_future(bench.writer.submit(noting(f"decision{n}"))) for n in range(3)]
        await settle()
    await asyncio.gather(*tasks)
    assert ran == ["decision0", "decision1", "decision2", "ingest0", "ingest1", "ingest2"]


async def test_a_decision_waits_for_one_ingest_submission_at_most(bench: Bench) -> None:
    commits: list[int] = []

    async def decide() -> None:
        await bench.writer.submit(lambda _: None)
        commits.append(bench.commits)

    with bench.held():
        await settle()
        before = bench.commits
        ingesting = [asyncio.ensure_future(bench.add(number, urgent=False)) for number in range(20)]
        deciding = asyncio.ensure_future(decide())
        await settle()
    await asyncio.gather(deciding, *ingesting)
    assert commits[0] - before <= 2
    assert bench.commits - before >= 2, "ingest that would delay the decision comes after its commit"
    assert bench.stored() == list(range(20))


@pytest.mark.parametrize("patient", [True, False])
async def test_beside_decisions_ingest_has_one_place_when_it_waits_for_long(
    patient: bool, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "INGEST_PATIENCE_S", 3600 if patient else 0)
    rounds: dict[str, int] = {}

    def noting(name: str) -> Callable[[sqlite3.Connection], int]:
        return lambda _: rounds.setdefault(name, bench.commits)

    await bench.writer.submit(noting("before"), urgent=False)
    leave = threading.Event()
    holding = asyncio.ensure_future(bench.writer.submit(lambda _: leave.wait(10)))
    await settle()
    ingesting = [bench.writer.submit(noting(f"ingest{n}"), urgent=False) for n in range(3)]
    waiting = [asyncio.ensure_future(each) for each in (*ingesting, bench.writer.submit(noting("decision")))]
    await settle()
    leave.set()
    await asyncio.gather(holding, *waiting)
    held = rounds["before"] + 1
    assert rounds["decision"] == held
    first, *rest = [rounds[f"ingest{n}"] for n in range(3)]
    assert first == held + 1 if patient else held
    assert rest == [held + 1] * 2


@pytest.mark.parametrize("urgent", [True, False])
async def test_a_round_that_lasts_is_committed_on_the_way(urgent: bool, bench: Bench) -> None:
    def slow(conn: sqlite3.Connection) -> None:
        begun = time.monotonic()
        while time.monotonic() - begun < ROUND_S / 2:
            pass

    await asyncio.gather(*(bench.writer.submit(slow, urgent=urgent) for _ in range(12)))
    assert bench.commits >= 3


async def test_a_stream_of_decisions_does_not_starve_ingest(bench: Bench) -> None:
    ingesting = asyncio.ensure_future(bench.add(-1, urgent=False))
    decisions = 0
    while not ingesting.done():
        await asyncio.gather(bench.add(decisions), bench.add(decisions + 1))
        decisions += 2
        assert decisions < 100


async def test_ingest_is_held_back_when_much_of_it_waits(bench: Bench) -> None:
    with bench.held():
        await settle()
        more = 5
        adding = [asyncio.ensure_future(bench.add(number, urgent=False)) for number in range(INGEST_WAITING + more)]
        await settle()
        closing_ = asyncio.ensure_future(bench.writer.close())
        await settle()
    results = await asyncio.gather(*adding, return_exceptions=True)
    await closing_
    held_back = [result for result in results if isinstance(result, StoreError)]
    # The submission that holds the writer has one of the places.
    assert len(held_back) == more + 1
    assert bench.stored() == list(range(INGEST_WAITING - 1))


async def test_decisions_are_never_held_back(bench: Bench) -> None:
    with bench.held():
        await settle()
        ingesting = [asyncio.ensure_future(bench.add(n, urgent=False)) for n in range(INGEST_WAITING * 2)]
        await settle()
        deciding = asyncio.ensure_future(bench.add(-1))
        await settle()
    assert await deciding == -1
    assert not all(task.done() for task in ingesting)
    await asyncio.gather(*ingesting)
    assert len(bench.stored()) == INGEST_WAITING * 2 + 1


async def test_callers_wake_in_the_order_of_the_commits(bench: Bench) -> None:
    woken: list[int] = []

    async def add(number: int) -> None:
        await bench.add(number)
        woken.append(number)

    await asyncio.gather(*(add(number) for number in range(300)))
    assert woken == list(range(300))


@pytest.mark.parametrize("statement", ["BEGIN", "COMMIT", "SAVEPOINT", "RELEASE"])
async def test_a_failed_round_keeps_nothing_of_those_who_are_told(statement: str, bench: Bench) -> None:
    bench.conn.fail(statement)
    results = await asyncio.gather(*(bench.add(number) for number in range(5)), return_exceptions=True)
    failed = [result for result in results if isinstance(result, StoreError)]
    assert failed
    assert all("could not be read or written" in error.message and error.hint for error in failed)
    assert bench.stored() == [result for result in results if isinstance(result, int)]
    assert await bench.add(99) == 99
    assert 99 in bench.stored()


async def test_a_failed_commit_is_told_to_everyone_in_its_round(bench: Bench) -> None:
    with bench.held():
        await settle()
        adding = [asyncio.ensure_future(bench.add(number)) for number in range(5)]
        await settle()
        bench.conn.fail("COMMIT", times=100)
    results = await asyncio.gather(bench.holding, *adding, return_exceptions=True)
    assert [type(result) for result in results] == [StoreError] * 6
    assert len({id(result) for result in results}) == 6, "each gets an error of its own to raise"
    assert bench.stored() == []


async def test_a_full_disk_is_said_plainly_and_the_writer_goes_on(bench: Bench) -> None:
    pages = await bench.writer.submit(lambda conn: conn.execute("PRAGMA page_count").fetchone()[0])
    await bench.writer.submit(lambda conn: conn.execute(f"PRAGMA max_page_count = {pages + 2}"))

    def big(conn: sqlite3.Connection) -> None:
        conn.execute("INSERT INTO numbers VALUES (?, ?)", (1000, "x" * 100_000))

    results = await asyncio.gather(bench.add(1), bench.writer.submit(big), bench.add(2), return_exceptions=True)
    assert isinstance(results[1], StoreError)
    assert results[1].message == "The disk is full; the database takes nothing more."
    told = [number for number, result in zip((1, 2), (results[0], results[2]), strict=True) if result == number]
    assert bench.stored() == told
    await bench.writer.submit(lambda conn: conn.execute("PRAGMA max_page_count = 100000"))
    await bench.writer.submit(big)
    assert 1000 in bench.stored()


async def test_a_lock_that_somebody_else_holds_is_said_plainly(bench: Bench) -> None:
    await bench.writer.submit(lambda conn: conn.execute("PRAGMA busy_timeout = 20"))
    with closing(sqlite3.connect(bench.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        results = await asyncio.gather(bench.add(1), bench.add(2, urgent=False), return_exceptions=True)
        assert [type(result) for result in results] == [StoreError, StoreError]
        assert "Another program holds" in str(results[0])
        other.execute("ROLLBACK")
    assert await bench.add(3) == 3
    assert bench.stored() == [3]


class Odd(BaseException):
    """Something that is no Exception."""


@pytest.mark.parametrize(
    ("raised", "seen"),
    [
        (NotFound("x"), NotFound),
        (sqlite3.IntegrityError("x"), sqlite3.IntegrityError),
        (sqlite3.OperationalError("x"), StoreError),
        (StopIteration(), RuntimeError),
        (Odd(), Odd),
    ],
)
async def test_what_a_submission_raises_reaches_its_caller(
    raised: BaseException, seen: type[BaseException], bench: Bench
) -> None:
    with pytest.raises(seen):
        await bench.add(1, error=raised)
    assert await bench.add(2) == 2
    assert bench.stored() == [2]


async def test_a_submission_that_ends_the_transaction_fails_with_its_round(bench: Bench) -> None:
    def rogue(conn: sqlite3.Connection) -> None:
        conn.execute("ROLLBACK")
        raise ValueError("gone")

    results = await asyncio.gather(bench.add(1), bench.writer.submit(rogue), return_exceptions=True)
    assert isinstance(results[1], ValueError)
    assert isinstance(results[0], StoreError) or bench.stored() == [1]
    assert await bench.add(2) == 2


async def test_a_submission_that_hides_that_it_ended_the_transaction_fails_with_its_round(bench: Bench) -> None:
    def rogue(conn: sqlite3.Connection) -> None:
        conn.execute("ROLLBACK")

    with bench.held():
        await settle()
        asked = [
            asyncio.ensure_future(bench.writer.submit(rogue)),
            *(asyncio.ensure_future(bench.add(n)) for n in (8, 9)),
        ]
        await settle()
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(results[0], StoreError)
    kept = [result for result in results[1:] if not isinstance(result, StoreError)]
    assert bench.stored() == kept, "who is told that nothing was kept can believe it"


async def test_who_is_cancelled_before_its_turn_stores_nothing(bench: Bench) -> None:
    with bench.held():
        await settle()
        adding = [asyncio.ensure_future(bench.add(number, urgent=number % 2 == 0)) for number in range(4)]
        await settle()
        for task in adding:
            task.cancel()
        await settle()
    await asyncio.gather(*adding, return_exceptions=True)
    assert await bench.add(9) == 9
    assert bench.stored() == [9]


async def test_what_had_begun_is_stored_though_its_caller_went_away(bench: Bench) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(conn: sqlite3.Connection) -> None:
        begun.set()
        assert go_on.wait(10)
        conn.execute("INSERT INTO numbers VALUES (1, NULL)")

    task = asyncio.ensure_future(bench.writer.submit(slow))
    await until(begun.is_set)
    task.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await bench.add(2)
    assert bench.stored() == [1, 2]


async def test_closing_finishes_what_waits_and_refuses_what_comes(bench: Bench) -> None:
    adding = [asyncio.ensure_future(bench.add(number, urgent=number % 2 == 0)) for number in range(20)]
    await settle()
    await bench.writer.close()
    await bench.writer.close()
    await asyncio.gather(*adding)
    assert sorted(bench.stored()) == list(range(20))
    with pytest.raises(StoreError, match="The database is closed"):
        await bench.add(99)


async def test_a_failure_after_the_commit_does_not_undo_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def fails(conn: sqlite3.Connection) -> None:
        raise OSError("no space for the anchor")

    conn = sqlite3.connect(tmp_path / "other.db", isolation_level=None, check_same_thread=False)
    writer = Writer(conn, fails)
    await writer.submit(lambda conn: conn.execute("CREATE TABLE kept (number INTEGER)"))
    await writer.close()
    with closing(sqlite3.connect(tmp_path / "other.db")) as reader:
        assert reader.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    assert "the commit itself is safe" in caplog.text


def test_a_writer_whose_loop_is_gone_stops_quietly(tmp_path: Path) -> None:
    async def leave() -> Bench:
        bench = Bench(tmp_path / "left.db")
        begun = threading.Event()

        def slow(conn: sqlite3.Connection) -> None:
            begun.set()
            conn.execute("INSERT INTO numbers VALUES (1, NULL)")

        task = asyncio.ensure_future(bench.writer.submit(slow))
        await until(begun.is_set)
        task.cancel()
        return bench

    bench = asyncio.run(leave())
    wait_until(lambda: bench.commits == 1)
    bench.writer._inbox.put(None)
    wait_until(lambda: not bench.writer._thread.is_alive())
    assert bench.stored() == [1]


async def test_what_was_committed_is_told_although_its_caller_went_away(bench: Bench) -> None:
    """Events that are stored and never published would leave everyone waiting who listens for them."""
    inside, leave = threading.Event(), threading.Event()
    told: list[str] = []

    def apply(_: sqlite3.Connection) -> str:
        inside.set()
        assert leave.wait(10)
        return "done"

    caller = asyncio.ensure_future(bench.writer.submit(apply, then=told.append))
    await asyncio.to_thread(inside.wait, 10)
    caller.cancel()
    leave.set()
    await bench.add(1)
    assert caller.cancelled()
    assert told == ["done"]


async def test_a_listener_that_fails_takes_nobody_the_result(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: None) -> None:
        raise ValueError("A listener is wrong.")

    with bench.held():
        await settle()
        failing = bench.writer.submit(lambda _: None, then=fail)
        both = asyncio.gather(failing, bench.add(1))
        await settle()
    assert list(await both) == [None, 1]
    assert "the commit itself is safe" in caplog.text
