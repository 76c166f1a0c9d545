"""What a person does to a session: pause, resume, cancel, send, continue, archive.

The intent is stored, with its audit entry, before anything is done; a crash in between is made good at the next start.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from supervisor.engine.budgets.weighing import refuse_held, spent
from supervisor.engine.conducting import Conductor
from supervisor.engine.deciding import end_session
from supervisor.engine.ledger import Transaction
from supervisor.engine.metadata import write_metadata, write_summary
from supervisor.engine.ports.workspaces import WorktreeState
from supervisor.engine.scheduling import admit
from supervisor.engine.secrets import refuse_secrets
from supervisor.engine.services import Services
from supervisor.model.budgets import BUDGET
from supervisor.model.entities import Attempt, Session, Work
from supervisor.model.errors import QuarterdeckError, Refused
from supervisor.model.events import EventType
from supervisor.model.statuses import NO_PROCESS, SESSION_ENDED, AttemptStatus, SessionStatus
from supervisor.store import approvals, attempts, outbox, projects, sessions

S = SessionStatus

SEND_WAIT_S = 10.0
"""How long `send` waits to see the message arrive before it says that it is on its way."""


@dataclass(frozen=True, slots=True)
class Control:
    """Carries out what people ask of sessions."""

    services: Services
    conductor: Conductor

    async def pause(self, session_id: str, actor: str, why: str = "") -> Session:
        """Freeze a session's whole tree, or hold it back in the queue. ``why`` says which budget is used up."""

        def store(transaction: Transaction) -> tuple[Session, Attempt | None]:
            session = transaction.session(session_id)
            attempt = _live(transaction, session)
            if session.status is S.PREPARING:
                raise Refused(f"{session.name} is being prepared.", hint="Pause it when it runs, or cancel it.")
            if session.status is S.WAITING and attempt is None:
                raise Refused(f"{session.name} has exited to ask.", hint="Answer it, or cancel it.")
            moved = transaction.move(session, S.PAUSED, BUDGET if why else "person", why or "It was paused.")
            transaction.audit(actor, "session.pause", session.id)
            return moved, attempt

        session, attempt = await self.services.ledger.commit(store)
        if attempt is not None:
            try:
                await self.services.executor(session).pause(self.services.ref(attempt, session))
            except QuarterdeckError:
                await self.services.ledger.commit(lambda t: _unpause(t, session_id))
                raise
        self.conductor.scheduler.kick()
        return session

    async def resume(self, session_id: str, actor: str) -> Session:
        """Thaw a paused session, or put it back into the queue."""

        def store(transaction: Transaction) -> tuple[Session, Attempt | None]:
            session = transaction.session(session_id)
            if session.status is not S.PAUSED:
                hint = (
                    f"Use `quarterdeck continue {session.name} --prompt …`." if session.status in SESSION_ENDED else ""
                )
                raise Refused(f"{session.name} is {session.status}, not paused.", hint=hint)
            if actor != BUDGET:
                refuse_held(transaction, session, self.services.config_for(None).settings)
            attempt = _live(transaction, session)
            transaction.audit(actor, "session.resume", session.id)
            if attempt is not None:
                on_screen = session.mode == "dispatch" and session.activity.state == "asking"
                asks = on_screen or approvals.has_pending(transaction.conn, session.id)
                return transaction.move(session, S.WAITING if asks else S.RUNNING, "person", "It was resumed."), attempt
            return transaction.move(session, S.QUEUED, "person", "It was resumed.", resume_at=None), None

        session, attempt = await self.services.ledger.commit(store)
        if attempt is not None:
            try:
                await self.services.executor(session).resume(self.services.ref(attempt, session))
            except QuarterdeckError:
                await self.services.ledger.commit(lambda t: _repause(t, session_id))
                raise
        self.conductor.scheduler.kick()
        return session

    async def cancel(self, session_id: str, actor: str, *, grace_s: float | None = None) -> Session:
        """Stop a session for good; its worktree, branch and log stay."""

        def store(transaction: Transaction) -> tuple[Session, Attempt | None]:
            session = transaction.session(session_id)
            if session.status in SESSION_ENDED:
                raise Refused(f"{session.name} has already ended: it is {session.status}.")
            transaction.audit(actor, "session.cancel", session.id, before={"status": session.status})
            attempt = _live(transaction, session)
            if attempt is not None:
                attempts.update(transaction.conn, replace(attempt, intent="cancel"))
                return session, attempt
            end_session(transaction, session.id)
            exited = attempts.latest(transaction.conn, session.id)
            if exited is not None and exited.status is AttemptStatus.WAITING_APPROVAL:
                transaction.move_attempt(exited, AttemptStatus.CANCELLED, reason="It was cancelled.")
            moved = transaction.move(session, S.CANCELLED, "person", "It was cancelled.", ended_at=transaction.now)
            return moved, None

        session, attempt = await self.services.ledger.commit(store)
        if attempt is None:
            self.conductor.forget(session.id)
            self.conductor.ended(session)
        elif attempt.pid is not None:
            grace = self._grace(session) if grace_s is None else grace_s
            await self.services.executor(session).stop(self.services.ref(attempt, session), grace_s=grace)
        return session

    async def send(self, session_id: str, text: str, actor: str) -> tuple[str, str]:
        """Send a message to a running agent; returns its id and state (delivered, sent, failed)."""
        self._refuse_secrets(session_id, text)

        def store(transaction: Transaction) -> str:
            session = transaction.session(session_id)
            attempt = _live(transaction, session)
            adapter = self.conductor.adapter_of(session)
            if attempt is None or session.status not in (S.RUNNING, S.WAITING):
                raise Refused(
                    f"{session.name} is {session.status}; nothing there reads a message.",
                    hint=f"Use `quarterdeck continue {session.name} --prompt …`.",
                )
            if session.status is S.WAITING:
                # Text that is typed into an open dialog could answer it.
                raise Refused(
                    f"{session.name} asks a question, and a message could answer it by accident.",
                    hint=f"Answer it first: `quarterdeck approvals`, or quarterdeck attach {session.name}.",
                )
            if session.mode == "autonomous" and (adapter.message(text) is None or attempt.input_closed_at):
                raise Refused(
                    f"{session.name} reads no messages now.",
                    hint="Use `quarterdeck continue` when it has ended, or run it with --mode dispatch.",
                )
            entry = outbox.add_message(transaction.conn, session.id, attempt.id, text)
            transaction.audit(actor, "session.send", session.id, after={"message": entry.id})
            return entry.id

        identifier = await self.services.ledger.commit(store)
        self.conductor.delivery.kick(session_id)
        return identifier, await self._arrival(identifier)

    async def continue_(self, session_id: str, prompt: str, actor: str) -> Session:
        """Give an ended session a new attempt in the same worktree, in the agent's own conversation."""
        self._refuse_secrets(session_id, prompt)

        def store(transaction: Transaction) -> Session:
            session = transaction.session(session_id)
            if session.status not in (S.COMPLETED, S.FAILED, S.CANCELLED):
                raise Refused(
                    f"{session.name} is {session.status}.",
                    hint="`continue` takes sessions that have ended; use `send` for one that runs.",
                )
            if session.work.prompt is None and session.work.argv:
                raise Refused(f"{session.name} runs a command, which takes no prompt.", hint="Use `quarterdeck run`.")
            if why := spent(transaction.conn, session):
                raise Refused(f"{session.name} cannot go on. {why}")
            transaction.audit(actor, "session.continue", session.id)
            again = replace(session, work=Work(prompt=prompt))
            if session.mode == "dispatch":
                return transaction.move(again, S.PREPARING, "person", "It was continued.")
            admit(transaction, self.services.config_for(None).settings)
            return transaction.move(again, S.QUEUED, "person", "It was continued and waits for a place.")

        session = await self.services.ledger.commit(store)
        if session.status is S.PREPARING:
            self.conductor.begin(session)
        self.conductor.scheduler.kick()
        return session

    async def archive(self, session_id: str, actor: str) -> tuple[Session, WorktreeState]:
        """Put an ended session away; its worktree goes only when nothing in it would be lost."""
        session, root = await self.services.ledger.commit(
            lambda t: (t.session(session_id), projects.get(t.conn, t.session(session_id).project).root)
        )
        if session.status not in (S.COMPLETED, S.FAILED, S.CANCELLED):
            raise Refused(f"{session.name} is {session.status}.", hint="Cancel it first, or wait until it has ended.")
        left = WorktreeState(exists=False)
        stat = ""
        if session.worktree and session.branch and session.base_commit:
            worktree = Path(session.worktree)
            try:
                stat = await self.services.workspaces.diff(worktree, session.base_commit, stat=True)
            except QuarterdeckError as error:
                stat = f"(the worktree cannot be read: {error.message})"
            try:
                if worktree.name == session.id:
                    left = await self.services.workspaces.remove(
                        Path(root), worktree, session.branch, session.base_commit
                    )
                else:  # others work there, too
                    held = await self.services.workspaces.state(worktree, session.branch, session.base_commit)
                    left = replace(held, detail="It was not made for this session, so it stays.")
            except QuarterdeckError as error:
                # Its repository was moved or removed. What cannot be looked at stays.
                left = WorktreeState(exists=await asyncio.to_thread(worktree.exists), detail=error.message)

        def store(transaction: Transaction) -> Session:
            text = f"It was archived. {'Its worktree was kept: ' if left.exists else ''}{left.detail}".strip()
            transaction.audit(actor, "session.archive", session.id, after={"kept": left.exists})
            return transaction.move(transaction.session(session.id), S.ARCHIVED, "person", text)

        archived = await self.services.ledger.commit(store)
        await asyncio.to_thread(write_summary, archived, stat)
        await asyncio.to_thread(write_metadata, archived)
        return archived, left

    async def note(
        self, session_id: str, actor: str, action: str, after: dict[str, Any], *, event: EventType | None = None
    ) -> None:
        """Record what a person did with a session's branch, and tell it to who follows when it is an event."""

        def store(transaction: Transaction) -> None:
            transaction.audit(actor, action, session_id, after=after)
            if event is not None:
                transaction.event(event, transaction.session(session_id), **after)

        await self.services.ledger.commit(store)

    async def stop_all(self, actor: str) -> int:
        """Cancel every session that has not ended; returns how many there were."""
        ids = await self.services.ledger.commit(_unfinished)
        for session_id in ids:
            try:
                await self.cancel(session_id, actor)
            except Refused:
                continue  # It ended by itself in the meantime.
        return len(ids)

    async def _arrival(self, identifier: str) -> str:
        deadline = asyncio.get_running_loop().time() + SEND_WAIT_S
        while True:
            entry = await self.services.ledger.store.read(outbox.get, identifier)
            if entry.state not in ("pending", "sent") or asyncio.get_running_loop().time() > deadline:
                return entry.state
            await asyncio.sleep(0.05)

    def _refuse_secrets(self, session_id: str, text: str) -> None:
        names = self.services.config_for(None).settings.secrets
        refuse_secrets(self.services.secrets.of(session_id, names), "message", (text,))

    def _grace(self, session: Session) -> float:
        profile = self.services.config_for(None).settings.agents.get(session.agent)
        return profile.timeouts.stop_grace if profile else 5.0


def _unpause(transaction: Transaction, session_id: str) -> None:
    """Take back a pause that could not be carried out, unless something else has happened since."""
    session = transaction.session(session_id)
    if session.status is S.PAUSED:
        asks = approvals.has_pending(transaction.conn, session_id)
        transaction.move(session, S.WAITING if asks else S.RUNNING, "runner", "It could not be paused.")


def _repause(transaction: Transaction, session_id: str) -> None:
    """Take back a resumption that could not be carried out, unless something else has happened since."""
    session = transaction.session(session_id)
    if session.status in (S.RUNNING, S.WAITING):
        transaction.move(session, S.PAUSED, "runner", "It could not be resumed.")


def _live(transaction: Transaction, session: Session) -> Attempt | None:
    attempt = attempts.latest(transaction.conn, session.id)
    return attempt if attempt is not None and attempt.status not in NO_PROCESS else None


def _unfinished(transaction: Transaction) -> list[str]:
    return [
        session.id
        for session in sessions.find(transaction.conn, statuses={S.QUEUED, S.PREPARING, S.RUNNING, S.WAITING, S.PAUSED})
    ]
