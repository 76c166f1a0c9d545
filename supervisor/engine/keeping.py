"""Keeps a running attempt: reads its news, feeds the tail, and sees it through to its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from config.profiles import Timeouts
from supervisor.engine import deciding, reruns
from supervisor.engine.budgets.weighing import spent
from supervisor.engine.delivery import Delivery
from supervisor.engine.failpoints import hit
from supervisor.engine.ledger import Transaction
from supervisor.engine.outcome import Outcome, outcome
from supervisor.engine.ports.agents import AgentAdapter
from supervisor.engine.ports.processes import AttemptRef, ExitRecord, Signal
from supervisor.engine.screens import Screens
from supervisor.engine.services import Services
from supervisor.engine.tail import ingest
from supervisor.engine.watchdog import SILENT, Watchdog
from supervisor.model.entities import Activity, Attempt, Session
from supervisor.model.errors import QuarterdeckError
from supervisor.model.events import EventType
from supervisor.model.statuses import NO_PROCESS, SESSION_ENDED, ApprovalStatus, AttemptStatus, SessionStatus
from supervisor.store import approvals, attempts, outbox, tokens

log = logging.getLogger(__name__)

RELEASE_AFTER_S = (0.0, 0.02, 0.1, 0.5, 2.0)
"""Pauses before each try to clear an ended attempt away."""


@dataclass(frozen=True, slots=True)
class Keeper:
    """Sees attempts through; ``ended`` is called after each end (a place in the queue is free)."""

    services: Services
    delivery: Delivery
    watchdog: Watchdog
    screens: Screens
    adapter_of: Callable[[Session], AgentAdapter]
    ended: Callable[[Session], None]

    async def keep(self, session: Session, attempt: Attempt) -> None:
        """Follow a running attempt until it has ended and its end is stored."""
        ref = self.services.ref(attempt, session)
        executor = self.services.executor(session)
        adapter = self.adapter_of(session)
        bell = asyncio.Event()
        bell.set()
        follow = asyncio.create_task(self._follow(session.id, adapter, ref, bell), name=f"tail {session.id}")
        self.watchdog.watch(attempt.id, session.id, self._heartbeat_s(session))
        record: ExitRecord | None = None
        try:
            await self._make_good(ref)
            self.delivery.begin(session.id, attempt.id)
            async for news in executor.watch(ref):
                self.watchdog.heard(attempt.id)
                if news.kind == "grew":
                    bell.set()
                    self.screens.printed(session, ref)
                elif news.kind in ("exited", "gone"):
                    record = news.exit
                else:
                    await self._note(session.id, attempt.id, news)
        finally:
            self.delivery.end(attempt.id)
            self.watchdog.forget(attempt.id)
            self.screens.forget(session.id)
            follow.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await follow
        await self.finish(session.id, attempt.id, ref, record)

    async def _make_good(self, ref: AttemptRef) -> None:
        """Carry out what was asked of an attempt and not done before a crash. What was done is done again."""
        session, attempt, why = await self.services.ledger.commit(
            lambda t: (t.session(ref.session), attempts.get(t.conn, ref.attempt), spent(t.conn, t.session(ref.session)))
        )
        executor = self.services.executor(session)
        if attempt.intent == "cancel" or why:
            await executor.stop(ref, grace_s=0)
        elif session.status is SessionStatus.PAUSED:
            await executor.pause(ref)
        elif session.status is SessionStatus.RUNNING and session.reason.signal == "person":
            await executor.resume(ref)
        waits = session.status is SessionStatus.WAITING
        # One that was answered while no supervisor ran may still be held.
        if waits or (session.status is SessionStatus.RUNNING and session.reason.signal != "runner"):
            with contextlib.suppress(QuarterdeckError):  # It has ended meanwhile.
                await executor.hold(ref, held=waits)

    def _heartbeat_s(self, session: Session) -> float:
        profile = self.services.config_for(None).settings.agents.get(session.agent)
        return (profile.timeouts if profile else Timeouts()).heartbeat

    async def finish(self, session_id: str, attempt_id: str, ref: AttemptRef, record: ExitRecord | None) -> None:
        """Store the end of an attempt: first all that it printed, then what became of it."""
        hit("exit.seen")
        ledger = self.services.ledger
        session = await ledger.commit(lambda transaction: transaction.session(session_id))
        adapter, desk = self.adapter_of(session), self.services.desk
        more = True
        while more:
            done = await ledger.commit(lambda t: ingest(t, session_id, adapter, desk, last=True), urgent=False)
            more = done.more
        hit("exit.drained")
        await self.delivery.settle()
        returned = await self._bring_back(session)
        session = await ledger.commit(lambda t: self._store_end(t, session_id, attempt_id, record, returned))
        hit("finish.after_commit")
        self.ended(session)
        if session.executor == "docker" or record is not None:
            await self._release(session, ref)

    async def _release(self, session: Session, ref: AttemptRef) -> None:
        """Clear away what an ended attempt left. Its runner tells of the end before it goes itself."""
        problem = ""
        for pause_s in RELEASE_AFTER_S:
            await asyncio.sleep(pause_s)
            try:
                await self.services.executor(session).release(ref)
                return
            except QuarterdeckError as error:
                problem = str(error)
        log.info("%s: something of it stays: %s", session.id, problem)

    def _store_end(
        self,
        transaction: Transaction,
        session_id: str,
        attempt_id: str,
        record: ExitRecord | None,
        returned: str,
    ) -> Session:
        session = transaction.session(session_id)
        attempt = attempts.get(transaction.conn, attempt_id)
        if attempt.status in NO_PROCESS:
            return session
        deciding.end_attempt(transaction, session_id, attempt_id)
        outbox.void_replies(transaction.conn, attempt_id)
        question = approvals.latest_of_attempt(transaction.conn, attempt_id)
        if question is not None and question.status in (ApprovalStatus.CANCELLED, ApprovalStatus.SUPERSEDED):
            question = None
        malformed = reruns.malformed(transaction, session, attempt) if question is None else ""
        end: Outcome = outcome(session, attempt, record, question, malformed, spent(transaction.conn, session))
        if end.attempt is not AttemptStatus.WAITING_APPROVAL:
            reruns.dismiss(transaction, session)
        ended_at = record.ended_at if record else transaction.now
        code = record.exit_code if record else None
        transaction.move_attempt(attempt, end.attempt, exit_code=code, ended_at=ended_at, reason=end.text)
        for message in outbox.unconfirmed(transaction.conn, attempt_id):
            text = "The agent ended before it had confirmed the message."
            outbox.failed(transaction.conn, message.id, text)
            transaction.event(
                EventType.MESSAGE_UNDELIVERED,
                session,
                attempt_id,
                severity="warning",
                message=message.id,
                text=text,
            )
        tokens.revoke_session(transaction.conn, session_id)
        transaction.event(
            EventType.ATTEMPT_ENDED,
            session,
            attempt_id,
            severity="info" if end.session in (SessionStatus.COMPLETED, SessionStatus.WAITING) else "warning",
            status=end.attempt,
            exit_code=code,
            reason=end.text,
            returned=returned,
        )
        session = transaction.move(
            session,
            end.session,
            end.signal,
            end.text,
            exit_code=code,
            ended_at=ended_at if end.session in SESSION_ENDED else None,
            activity=Activity("limited" if end.session is SessionStatus.PAUSED else "idle", at=ended_at),
        )
        session = reruns.settle(transaction, session)
        hit("finish.before_commit")
        return session

    async def _follow(self, session_id: str, adapter: AgentAdapter, ref: AttemptRef, bell: asyncio.Event) -> None:
        """Take rounds of ingest for as long as the bell rings."""
        desk = self.services.desk
        # What an agent says may be a question, which must not wait behind the output of others.
        urgent = adapter.message("") is not None
        while True:
            await bell.wait()
            bell.clear()
            more = True
            while more:
                try:
                    done = await self.services.ledger.commit(
                        lambda t: ingest(t, session_id, adapter, desk), urgent=urgent
                    )
                except QuarterdeckError as error:
                    # The spool keeps what could not be stored; the next ring or the end takes it.
                    log.warning("%s: its output cannot be stored now: %s", session_id, error)
                    await asyncio.sleep(1)
                    bell.set()
                    break
                hit("ingest.after_commit")
                more = done.more

    async def _note(self, session_id: str, attempt_id: str, news: Signal) -> None:
        """Store a sign of life, or that the child was stopped by somebody else."""

        def store(transaction: Transaction) -> None:
            session = transaction.session(session_id)
            attempts.beat(transaction.conn, attempt_id, news.at)
            session = replace(session, last_heartbeat_at=news.at)
            if news.kind == "stopped" and session.status is not SessionStatus.PAUSED:
                session = replace(session, activity=Activity("stalled", None, "the process was stopped", news.at))
            elif session.activity.state == "stalled" and (
                news.kind == "continued" or session.activity.argument == SILENT
            ):
                session = replace(session, activity=Activity("working", at=news.at))
            transaction.save(session)

        await self.services.ledger.commit(store, urgent=False)

    async def _bring_back(self, session: Session) -> str:
        """Bring a container's work back to the worktree before its end is stored."""
        if session.executor != "docker" or not session.worktree or not session.branch:
            return ""
        clone = Path(session.folder) / "clone"
        if not clone.exists():
            return ""
        try:
            return await self.services.workspaces.bring_back(clone, Path(session.worktree), session.branch)
        except QuarterdeckError as error:
            return f"Its work could not be brought back and stays in {clone}: {error}"
