"""The one writer: a connection in a thread of its own, with group commit and two priorities.

A round is one transaction. It takes every decision that waits, then ingest; each submission but
the first has a savepoint, so one that raises loses only its own changes. Once a decision is in a round, it takes no
ingest any more, but for one submission when none was taken for a while: decisions do not wait for ingest, and it never
starves. Callers hear of their result after the commit, in the order of the commits.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, Final, TypeVar

from supervisor.model.errors import StoreError
from supervisor.store.failures import closed, explain

T = TypeVar("T")

INGEST_WAITING: Final = 64
"""Ingest submissions that may wait; further callers are held back."""

INGEST_PATIENCE_S: Final = 0.02
"""Seconds after which ingest has a place beside decisions, when these come without a pause."""

ROUND_S: Final = 0.01
"""Seconds after which a round takes nothing more, so that much work cannot put off the commit of any."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Submission:
    apply: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]
    urgent: bool
    then: Callable[[Any], None] | None = None
    applied: bool = False
    result: Any = None
    error: BaseException | None = None


class Writer:
    """Applies submissions to ``conn``, which belongs to it from now on.

    ``after_commit`` runs in the writer's thread after each commit, before the callers hear of it.
    """

    def __init__(
        self, conn: sqlite3.Connection, after_commit: Callable[[sqlite3.Connection], None] | None = None
    ) -> None:
        self._conn = conn
        self._after_commit = after_commit
        self._loop = asyncio.get_running_loop()
        self._inbox: SimpleQueue[_Submission | None] = SimpleQueue()
        self._room = asyncio.Semaphore(INGEST_WAITING)
        self._decisions: deque[_Submission] = deque()
        self._ingest: deque[_Submission] = deque()
        self._ingest_taken = 0
        self._ingested_at = 0.0
        self._changed = False
        self._began = 0.0
        self._closing = False
        self._ended = False
        self._thread = Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    async def submit(
        self,
        apply: Callable[[sqlite3.Connection], T],
        *,
        urgent: bool = True,
        then: Callable[[T], None] | None = None,
    ) -> T:
        """Run ``apply`` in the writer's thread and return its result once it is durable.

        What ``apply`` raises undoes its own changes and is raised here. StoreError when the commit
        failed: nothing of the round was kept. ``urgent`` is for decisions; ingest waits behind them
        and is held back when much of it waits. Keep one submission to some hundred rows: a decision
        waits for the one that runs. A caller that is cancelled before its turn stores nothing.

        ``then`` is called in the loop's thread with the result of what was committed, in the order of the commits,
        also when its caller was cancelled in the meantime.
        """
        future: asyncio.Future[T] = self._loop.create_future()
        submission = _Submission(apply, future, urgent, then)
        if urgent:
            self._send(submission)
            return await future
        async with self._room:
            self._send(submission)
            return await future

    async def close(self) -> None:
        """Finish what was submitted, then close the connection."""
        if not self._closing:
            self._closing = True
            self._inbox.put(None)
        await asyncio.to_thread(self._thread.join)

    def _send(self, submission: _Submission) -> None:
        if self._closing:
            raise closed()
        self._inbox.put(submission)

    # --- in the writer's thread ---

    def _run(self) -> None:
        try:
            while True:
                idle = not (self._decisions or self._ingest)
                if idle and self._ended:
                    return
                self._collect(wait=idle)
                if self._decisions or self._ingest:
                    self._round()
        finally:
            self._conn.close()

    def _collect(self, *, wait: bool = False) -> None:
        with suppress(Empty):
            while True:
                submission = self._inbox.get(block=wait)
                wait = False
                if submission is None:
                    self._ended = True
                elif submission.urgent:
                    self._decisions.append(submission)
                else:
                    self._ingest.append(submission)

    def _round(self) -> None:
        taken: list[_Submission] = []
        self._ingest_taken = 0
        self._changed = False
        self._began = monotonic()
        try:
            self._conn.execute("BEGIN IMMEDIATE")
            while (submission := self._next(taken)) is not None:
                taken.append(submission)
                self._apply(submission)
            self._conn.execute("COMMIT")
        except BaseException as error:
            self._fail(taken, error)
        else:
            self._committed()
        # The loop is gone when its owner did not close the store; then nobody waits.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_resolve, taken)

    def _next(self, taken: list[_Submission]) -> _Submission | None:
        self._collect()
        now = monotonic()
        late = bool(taken) and now - self._began > ROUND_S
        if late and (self._ingest_taken or not self._decisions):
            return None
        if self._decisions and not late:
            return self._decisions.popleft()
        starving = not self._ingest_taken and now - self._ingested_at > INGEST_PATIENCE_S
        if self._ingest and (starving or self._ingest_taken == len(taken)):
            self._ingest_taken += 1
            self._ingested_at = now
            return self._ingest.popleft()
        return None

    def _apply(self, submission: _Submission) -> None:
        if submission.future.cancelled():
            return
        # With nothing before it, the whole transaction is what it may undo.
        first = not self._changed
        if not first:
            self._conn.execute("SAVEPOINT submission")
        try:
            submission.result = submission.apply(self._conn)
            if not self._conn.in_transaction:
                raise StoreError("The transaction was ended by what was to be done in it.")
            submission.applied = self._changed = True
        except BaseException as error:
            submission.error = _at_the_border(error)
            # Some errors (a full disk among them) make SQLite roll back the whole transaction.
            if not self._conn.in_transaction:
                raise
            self._conn.execute("ROLLBACK" if first else "ROLLBACK TO submission")
            if first:
                self._conn.execute("BEGIN IMMEDIATE")
        if not first:
            self._conn.execute("RELEASE submission")

    def _fail(self, taken: list[_Submission], error: BaseException) -> None:
        if self._conn.in_transaction:
            with suppress(sqlite3.Error):
                self._conn.execute("ROLLBACK")
        # No transaction could begin: nobody who waits can be served.
        if not taken:
            taken.extend((*self._decisions, *self._ingest))
            self._decisions.clear()
            self._ingest.clear()
        for submission in taken:
            if submission.error is None:
                submission.error = explain(error) if isinstance(error, sqlite3.Error) else StoreError(str(error))

    def _committed(self) -> None:
        if self._after_commit is not None:
            try:
                self._after_commit(self._conn)
            except Exception:
                log.exception("What follows a commit failed; the commit itself is safe.")


def _at_the_border(error: BaseException) -> BaseException:
    if isinstance(error, sqlite3.OperationalError):
        return explain(error)
    if isinstance(error, StopIteration):
        # A future refuses it, as a generator does.
        return RuntimeError("The submission raised StopIteration.")
    return error


def _resolve(submissions: list[_Submission]) -> None:
    for submission in submissions:
        if submission.applied and submission.error is None and submission.then is not None:
            try:
                submission.then(submission.result)
            except Exception:
                log.exception("What follows a commit failed; the commit itself is safe.")
        if submission.future.done():
            continue
        if submission.error is not None:
            submission.future.set_exception(submission.error)
        else:
            submission.future.set_result(submission.result)
