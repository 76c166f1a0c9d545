"""Runs sessions: from their place in the queue, or from where a crash left them, to their end."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from supervisor.engine.deciding import end_session
from supervisor.engine.delivery import Delivery
from supervisor.engine.failpoints import hit
from supervisor.engine.keeping import Keeper
from supervisor.engine.launching import Launcher
from supervisor.engine.ledger import Transaction
from supervisor.engine.metadata import write_metadata
from supervisor.engine.ports.agents import AgentAdapter
from supervisor.engine.ports.processes import Found
from supervisor.engine.scheduling import Scheduler
from supervisor.engine.screens import Screens
from supervisor.engine.services import Services
from supervisor.engine.watchdog import Watchdog
from supervisor.model.entities import Attempt, Project, Session
from supervisor.model.errors import QuarterdeckError, Refused, StoreError
from supervisor.model.events import EventType
from supervisor.model.statuses import ATTEMPT_ENDED, SESSION_ENDED, AttemptStatus, SessionStatus
from supervisor.store import attempts, projects, sessions, tokens

log = logging.getLogger(__name__)

TRY_AGAIN_S = 2.0
"""How soon an executor that did not answer, or a database that was full, is tried again."""


class Conductor:
    """One task per session that is under way."""

    def __init__(self, services: Services, hook_command: tuple[str, ...]) -> None:
        self._services = services
        self.delivery = Delivery(services, self.adapter_of)
        self.scheduler = Scheduler(services, self.begin, self.ended)
        self._launcher = Launcher(services, hook_command)
        self.watchdog = Watchdog(services)
        self._keeper = Keeper(services, self.delivery, self.watchdog, Screens(services), self.adapter_of, self.ended)

    def adapter_of(self, session: Session) -> AgentAdapter:
        """Return the adapter of a session's agent; a profile that is gone is read like a plain command."""
        agents = self._services.config_for(None).settings.agents
        return self._services.adapter_for(agents.get(session.agent) or agents["command"])

    def begin(self, session: Session) -> None:
        """Prepare and start a session that is `preparing`."""
        # Of an attempt that has just ended, something may still be cleared away.
        self._services.tasks.follow(f"run {session.id}", lambda: self._run(session))

    async def settled(self) -> None:
        """Wait until nothing is under way, and what ended sessions leave behind has been cleared away."""
        await self._services.tasks.join("run ")

    def forget(self, session_id: str) -> bool:
        """Stop preparing a session; whether that was under way."""
        return self._services.tasks.cancel(f"run {session_id}")

    async def _run(self, session: Session) -> None:
        attempt: Attempt | None = None
        try:
            project, attempt = await self._services.ledger.commit(
                lambda t: (projects.get(t.conn, session.project), _starting(t, session))
            )
            session, attempt = await self._start(session, project, attempt)
        except StoreError as error:
            log.warning("%s: its start cannot be stored now: %s", session.name, error)
            await asyncio.sleep(TRY_AGAIN_S)
            await self._start_again(session)
        except QuarterdeckError as error:
            await self._not_started(session, error)
        else:
            await self._see_through(session, attempt)

    async def _start_again(self, session: Session) -> None:
        """Go on from what is stored of a start that was cut off: what was spawned must not be spawned twice."""
        attempt = await self._services.ledger.store.read(attempts.latest, session.id)
        if attempt is not None and attempt.status is AttemptStatus.STARTING:
            await self._take_up(session, attempt)
        else:
            await self._run(session)

    async def _see_through(self, session: Session, attempt: Attempt, found: Found | None = None) -> None:
        """Follow an attempt to its stored end. What fails on the way (a full disk, say) is tried again."""
        ref = self._services.ref(attempt, session)
        while True:
            try:
                if found is None or found.state == "alive":
                    await self._keeper.keep(session, attempt)
                else:
                    await self._keeper.finish(session.id, attempt.id, ref, found.exit)
                return
            except QuarterdeckError as error:
                log.warning("%s cannot be followed now: %s", session.name, error)
                await asyncio.sleep(TRY_AGAIN_S)
                found = await self._find(session, attempt)

    async def _start(self, session: Session, project: Project, attempt: Attempt | None) -> tuple[Session, Attempt]:
        loaded = self._services.config_for(Path(project.root))
        session, workspace = await self._launcher.workspace(session, project)
        if attempt is None:
            attempt = await self._launcher.claim(session)
        elif attempt.intent == "cancel":
            raise Refused(f"{session.name} was cancelled before it was started.")
        running = await self._launcher.start(session, attempt, workspace, loaded)
        self._services.tasks.ensure(f"refill {project.id}", lambda: self._refill(project))
        return session, running

    async def _refill(self, project: Project) -> None:
        """Make the next start in this project cheap again."""
        worktrees = self._services.paths.worktrees / project.id
        try:
            await self._services.workspaces.refill(project.id, Path(project.root), worktrees)
        except QuarterdeckError as error:
            log.warning("The warm pool of %s was not refilled: %s", project.name, error)

    async def _not_started(self, session: Session, error: QuarterdeckError) -> None:
        """Store that a session could not be started, and why."""
        names = self._services.config_for(None).settings.secrets
        text = self._services.secrets.redact(session.id, names, str(error))

        def store(transaction: Transaction) -> Session:
            current = transaction.session(session.id)
            if current.status in SESSION_ENDED:
                return current
            attempt = attempts.latest(transaction.conn, session.id)
            cancelled = False
            if attempt is not None and attempt.status not in ATTEMPT_ENDED:
                cancelled = attempt.intent == "cancel"
                end = AttemptStatus.CANCELLED if cancelled else AttemptStatus.FAILED
                transaction.move_attempt(attempt, end, ended_at=transaction.now, reason=text, last_error=text)
            tokens.revoke_session(transaction.conn, session.id)
            end_session(transaction, session.id)
            if cancelled:
                return transaction.move(
                    current, SessionStatus.CANCELLED, "person", "It was cancelled.", ended_at=transaction.now
                )
            transaction.event(
                EventType.ERROR,
                current,
                severity="error",
                phase="autonomy",
                text=text,
                kind=error.specific_code,
            )
            return transaction.move(current, SessionStatus.FAILED, "workspace", text, ended_at=transaction.now)

        self.ended(await self._services.ledger.commit(store))

    def ended(self, session: Session) -> None:
        """Note that a session needs its place no longer."""
        self.scheduler.kick()
        if session.status in SESSION_ENDED:
            self._services.secrets.forget(session.id)
        try:
            write_metadata(session)
        except OSError as error:
            log.warning("%s: metadata.json was not written: %s", session.id, error)

    # --- after a start of the supervisor ---------------------------------------------------

    async def recover(self) -> int:
        """Take every attempt that was under way up again; returns how many there are.

        Alive: adopted. Exit record: finished. Never started: the same attempt is started.
        Started, gone, no record: lost. An executor that does not answer now is asked again until it does,
        and does not hold up the others.
        """
        hit("recovery.begin")
        live, preparing = await self._services.ledger.commit(_under_way)
        for session, attempt in live:
            self._services.tasks.start(f"run {session.id}", self._take_up(session, attempt))
        for session in preparing:
            self.begin(session)
        hit("recovery.adopted")
        self.scheduler.kick()
        return len(live)

    async def _take_up(self, session: Session, attempt: Attempt) -> None:
        found = await self._find(session, attempt)
        try:
            await self._note_recovery(session, attempt, found)
            if found.started is not None and attempt.status is AttemptStatus.STARTING:
                attempt = await self._launcher.record_start(session, attempt, found.started)
        except StoreError as error:
            log.warning("%s cannot be taken up now: %s", session.name, error)
            await asyncio.sleep(TRY_AGAIN_S)
            await self._take_up(session, attempt)
            return
        if found.state == "not_started":
            await self._run(session)
        else:
            await self._see_through(session, attempt, found)

    async def _find(self, session: Session, attempt: Attempt) -> Found:
        while True:
            try:
                return await self._services.executor(session).find(self._services.ref(attempt, session))
            except QuarterdeckError as error:
                log.warning("What became of %s cannot be seen now: %s", session.name, error)
                await asyncio.sleep(TRY_AGAIN_S)

    async def _note_recovery(self, session: Session, attempt: Attempt, found: Found) -> None:
        def store(transaction: Transaction) -> None:
            transaction.event(EventType.RECOVERED, session, attempt.id, found=found.state, detail=found.detail)

        await self._services.ledger.commit(store)


def _starting(transaction: Transaction, session: Session) -> Attempt | None:
    """Return the attempt that was claimed for a session but never started, if there is one."""
    attempt = attempts.latest(transaction.conn, session.id)
    return attempt if attempt is not None and attempt.status is AttemptStatus.STARTING else None


def _under_way(transaction: Transaction) -> tuple[list[tuple[Session, Attempt]], list[Session]]:
    live = [
        (transaction.session(attempt.session), attempt)
        for attempt in attempts.live(transaction.conn)
        if attempt.session is not None and attempt.status is not AttemptStatus.WAITING_APPROVAL
    ]
    busy = {session.id for session, _ in live}
    preparing = sessions.find(transaction.conn, statuses={SessionStatus.PREPARING})
    return live, [session for session in preparing if session.id not in busy]
