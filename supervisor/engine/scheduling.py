"""The queue: which autonomous session starts next. Terminal sessions do not wait.

The queue is the sessions whose status is `queued`; nothing of it lives in memory only.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field

from config.settings import Settings
from supervisor.engine.budgets.weighing import holds
from supervisor.engine.deciding import end_session
from supervisor.engine.failpoints import hit
from supervisor.engine.ledger import Transaction
from supervisor.engine.services import Services
from supervisor.model.entities import Session, Work
from supervisor.model.errors import QuarterdeckError, QueueFull
from supervisor.model.events import EventType
from supervisor.model.statuses import AttemptStatus, SessionStatus
from supervisor.model.times import local_day
from supervisor.store import attempts, budgets, pauses, queue

log = logging.getLogger(__name__)

RECHECK_S = 10.0
"""How soon a queue that is held back by a full disk looks again."""

LONGEST_WAIT_S = 60.0
TRY_AGAIN_S = 1.0

CONTINUE_PROMPT = "The usage limit has been reset. Go on where you stopped."


def admit(transaction: Transaction, settings: Settings) -> None:
    """Raise QueueFull unless one more autonomous session may be stored."""
    limits = settings.queue
    waiting = queue.count_waiting(transaction.conn)
    running = queue.places_taken(transaction.conn)
    if waiting >= limits.waiting + max(0, limits.concurrent - running):
        raise QueueFull(
            f"The queue is full: {running} sessions run and {waiting} wait.",
            hint="Wait until one has ended, cancel one, or raise queue.waiting in the configuration.",
        )


@dataclass(slots=True)
class Scheduler:
    """Moves sessions out of the queue as places become free."""

    services: Services
    begin: Callable[[Session], None]
    ended: Callable[[Session], None]
    _bell: asyncio.Event = field(default_factory=asyncio.Event)
    last_tick: float = 0.0
    held_back: str = ""

    def kick(self) -> None:
        """Look at the queue soon."""
        self._bell.set()

    async def run(self) -> None:
        """Serve the queue until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self.last_tick = loop.time()
            try:
                await self._wake_limited()
                await self._drop_overdue()
                wait_s = await self._serve()
            except QuarterdeckError as error:
                # A full disk, say. The queue is in the database: nothing of it is lost meanwhile.
                log.warning("The queue cannot be served now: %s", error)
                wait_s = TRY_AGAIN_S
            try:
                async with asyncio.timeout(wait_s):
                    await self._bell.wait()
            except TimeoutError:
                continue
            self._bell.clear()

    async def _serve(self) -> float:
        """Start what may start; returns how many seconds the queue may be left alone."""
        settings = self.services.config_for(None).settings
        problem = disk_problem(self.services, settings)
        if problem != self.held_back:
            self.held_back = problem
            await self.services.ledger.commit(lambda t: _note_hold(t, problem))
        if problem:
            return RECHECK_S
        while True:
            session = await self.services.ledger.commit(lambda t: _next(t, settings))
            if session is None:
                break
            hit("session.dequeued")
            self.begin(session)
        return await self.services.ledger.commit(lambda t: _seconds_until_next(t, settings))

    async def _wake_limited(self) -> None:
        """Queue the sessions whose usage limit has been reset."""

        def wake(transaction: Transaction) -> None:
            for pause in pauses.find(transaction.conn):
                if pause.until is not None and pause.until <= transaction.now:
                    pauses.lift(transaction.conn, pause.agent)
                    transaction.event(EventType.QUEUE_RESUMED, phase="batch", agent=pause.agent)
            for session in queue.due(transaction.conn, transaction.now):
                work = Work(prompt=CONTINUE_PROMPT) if session.agent_session_ids else session.work
                moved = transaction.move(
                    session,
                    SessionStatus.QUEUED,
                    "limit",
                    "The usage limit was reset.",
                    work=work,
                    resume_at=None,
                )
                transaction.audit("supervisor", "session.resume", moved.id, after={"reason": "limit reset"})

        await self.services.ledger.commit(wake)

    async def _drop_overdue(self) -> None:
        """Fail the sessions that have waited longer than they may (schedule_to_start)."""
        settings = self.services.config_for(None).settings

        def drop(transaction: Transaction) -> list[Session]:
            text = "It waited longer than its schedule_to_start timeout and was not started."
            dropped = []
            for session, deadline in _deadlines(transaction, settings):
                if deadline > transaction.now:
                    continue
                end_session(transaction, session.id)
                exited = attempts.latest(transaction.conn, session.id)
                if exited is not None and exited.status is AttemptStatus.WAITING_APPROVAL:
                    transaction.move_attempt(exited, AttemptStatus.FAILED, reason=text)
                dropped.append(transaction.move(session, SessionStatus.FAILED, "queue", text, ended_at=transaction.now))
            return dropped

        for session in await self.services.ledger.commit(drop):
            self.ended(session)


def _deadlines(transaction: Transaction, settings: Settings) -> list[tuple[Session, int]]:
    """Return the waiting sessions that may not wait for ever, and until when (ms)."""
    found = []
    for session in queue.waiting(transaction.conn):
        profile = settings.agents.get(session.agent)
        if profile is not None and profile.timeouts.schedule_to_start is not None:
            found.append((session, session.reason.at + int(profile.timeouts.schedule_to_start * 1000)))
    return found


def _seconds_until_next(transaction: Transaction, settings: Settings) -> float:
    """Return how long nothing happens to the queue by time alone: a limit's reset, a deadline."""
    moments = [deadline for _, deadline in _deadlines(transaction, settings)]
    moments += [pause.until for pause in pauses.find(transaction.conn) if pause.until is not None]
    if (due := queue.next_due(transaction.conn)) is not None:
        moments.append(due)
    return max(0.0, min([LONGEST_WAIT_S, *((moment - transaction.now) / 1000 for moment in moments)]))


def disk_problem(services: Services, settings: Settings) -> str:
    """Return why nothing new may be started for lack of disk, or an empty string."""
    floor = settings.storage.free_disk_floor_mb
    free = shutil.disk_usage(services.paths.state).free // (1024 * 1024)
    if free >= floor:
        return ""
    return f"Only {free} MiB of disk are free (the floor is {floor} MiB): nothing new is started."


def _next(transaction: Transaction, settings: Settings) -> Session | None:
    if queue.places_taken(transaction.conn) >= settings.queue.concurrent:
        return None
    paused = {pause.agent for pause in pauses.find(transaction.conn)}
    raised = bool(budgets.raised(transaction.conn, local_day(transaction.now)[0]))
    for session in queue.waiting(transaction.conn):
        held = raised and holds(transaction.conn, settings, session, transaction.now) is not None
        if session.agent not in paused and not held:
            return transaction.move(session, SessionStatus.PREPARING, "queue", "Its turn has come.")
    return None


def _note_hold(transaction: Transaction, problem: str) -> None:
    if problem:
        transaction.event(EventType.QUEUE_PAUSED, phase="batch", severity="critical", reason=problem)
    else:
        transaction.event(EventType.QUEUE_RESUMED, phase="batch", reason="There is room on the disk again.")
