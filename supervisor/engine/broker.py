"""The broker: every question goes through here, and so does every decision.

What waits for a decision is in the database; in memory are only the bells of those who stand and wait, and when each of
them was last heard. A process that waits asks again and again with the whole request under one key, so it
goes on over a restart of the supervisor, and gets an answer only to exactly what it asked.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from supervisor.engine.deciding import Deciding, Decision, consume
from supervisor.engine.desk import Desk, answered, close, verdict_of, waiting
from supervisor.engine.digests import digest_of
from supervisor.engine.failpoints import hit
from supervisor.engine.ledger import Transaction
from supervisor.engine.ports.agents import AgentAdapter, Verdict
from supervisor.engine.services import Services
from supervisor.model.acts import Act, Judgement
from supervisor.model.approvals import Approval, Option, Risk, SubjectType
from supervisor.model.entities import Attempt, Session
from supervisor.model.errors import InvalidInput, QuarterdeckError, Refused
from supervisor.model.events import Event, EventType
from supervisor.model.plans import Plan
from supervisor.model.statuses import ATTEMPT_ENDED, NO_PROCESS, ApprovalStatus, SessionStatus
from supervisor.store import approvals, attempts, plans

log = logging.getLogger(__name__)

Q = ApprovalStatus

GONE_S: Final = 90.0
"""How long whoever stands and waits may not be heard of before its question is void. It asks every 25 s."""

LONGEST_WAIT_S: Final = 30.0
"""How long one request waits for a decision at most; a client asks again."""

LOOK_S: Final = 15.0
TRY_AGAIN_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Question:
    """What a tool or a person's script asks. ``expires_s`` is in seconds from now; None means the configured time."""

    text: str
    options: tuple[Option, ...] = ()
    default: str | None = None
    expires_s: float | None = None
    risk: Risk = "medium"
    preview: Mapping[str, Any] = field(default_factory=dict)
    subject_type: SubjectType = "tool_run"
    subject: str = ""

    def asked(self) -> dict[str, Any]:
        """Return the question as it is stored."""
        document: dict[str, Any] = {
            "question": self.text,
            "options": [msgspec.to_builtins(option) for option in self.options],
            "default": self.default,
            "risk": self.risk,
            "preview": dict(self.preview),
            "subject": self.subject or self.text,
        }
        return document if self.expires_s is None else {**document, "expires_s": self.expires_s}


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a plan that asks: the attempt of one of the plan's tasks."""

    plan: str
    attempt: str


ASKS: Final = Judgement("ask", "questions are a person's", "It asks for a decision itself.", "medium")


Guard = Callable[[Decision], Awaitable[None]]
"""Refuses a decision about what is not any more as it was when it was asked."""


async def _unguarded(_: Decision) -> None:
    """Let every decision through."""


class Broker:
    """Stores questions, waits for decisions, makes them, and lets them expire."""

    def __init__(self, services: Services, desk: Desk, adapter_of: Callable[[Session], AgentAdapter]) -> None:
        self._services = services
        self._desk = desk
        self._adapter_of = adapter_of
        self._deciding = Deciding(adapter_of)
        self.guard: Guard = _unguarded
        self._bells: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._heard: dict[str, float] = {}
        self._new = asyncio.Event()

    # --- deciding ----------------------------------------------------------------------------

    async def decide(self, decisions: Sequence[Decision], actor: str) -> list[Approval]:
        """Decide questions, all of them or none; raises what forbids the first that cannot be decided."""
        if not decisions:
            raise InvalidInput("There is nothing to decide.", hint="Name at least one approval.")
        for decision in decisions:
            await self.guard(decision)

        def store(transaction: Transaction) -> list[Approval] | Refused:
            # What has expired is stored as such, also when a person comes too late to decide it.
            late = {approval.id for approval in self._deciding.expire(transaction)}
            for decision in decisions:
                if decision.approval in late:
                    return Refused(
                        f"{decision.approval} has expired.", hint="`quarterdeck approvals` shows what waits."
                    )
            return [self._deciding.decide(transaction, decision, actor) for decision in decisions]

        decided = await self._services.ledger.commit(store)
        hit("approval.after_decide")
        if isinstance(decided, Refused):
            raise decided
        return decided

    # --- asking ------------------------------------------------------------------------------

    async def request_permission(
        self, session_id: str, key: str, request: dict[str, Any], wait_s: float
    ) -> dict[str, Any]:
        """Take the blocking request of an agent's hook; returns the answer that it prints, or that it has to wait.

        ``{"status": "decided", "approval", "answer"}`` or ``{"status": "pending", "approval"}``.
        """
        request = self._redacted(session_id, request)

        def store(transaction: Transaction) -> tuple[Approval | None, dict[str, Any]]:
            session = transaction.session(session_id)
            adapter = self._adapter_of(session)
            attempt = attempts.latest(transaction.conn, session_id)
            asking = adapter.permission(request, transaction.now)
            if asking is None:
                raise InvalidInput(f"{session.agent} does not ask for permission like this.")
            if attempt is None or attempt.status in NO_PROCESS:
                raise Refused(f"{session.name} is {session.status}; nothing of it may ask.")
            asked = asking.payload
            known = self._known(transaction, session, key, digest_of(session.id, attempt.id, asked))
            if known is not None:
                return known, {}
            judgement = self._desk.judge(transaction, session, asked)
            transaction.record([asking], session, attempt.id)
            if judgement.effect == "ask":
                approval = self._desk.open(transaction, session, attempt, "wait", key, asked, judgement)
                transaction.keep(session, waiting(transaction, session, approval))
                return approval, {}
            transaction.keep(session, self._desk.note(transaction, session, attempt, asked, judgement))
            return None, adapter.permission_answer(asked, verdict_of(judgement))

        approval, answer = await self._services.ledger.commit(store)
        if approval is None:
            return {"status": "decided", "approval": None, "answer": answer}
        decided = await self._wait(approval, wait_s, f"session {session_id}")
        if decided.status is Q.PENDING:
            return {"status": "pending", "approval": decided.id}
        session = await self._services.ledger.store.read(lambda conn: Transaction(conn).session(session_id))
        verdict = _verdict(decided)
        answer = self._adapter_of(session).permission_answer(decided.asked, verdict)
        return {"status": "decided", "approval": decided.id, "answer": answer}

    async def withdraw(self, session_id: str, key: str) -> None:
        """Void the question that was asked under this key, if it still waits: its asker needs no answer any more."""

        def store(transaction: Transaction) -> None:
            session = transaction.session(session_id)
            transaction.keep(session, self._desk.withdrawn(transaction, session, key))

        await self._services.ledger.commit(store)

    async def ask(
        self,
        question: Question,
        key: str,
        wait_s: float,
        *,
        session_id: str | None,
        actor: str,
        command: Command | None = None,
    ) -> Approval:
        """Take a question, or find it again by its key, and wait for its decision; returns it as it is then.

        What is returned approved has been used by whoever asked. A question of a ``command`` is about its task.
        """
        _check(question)
        owner = command.plan if command else session_id
        asked = self._redacted(owner, question.asked()) if owner else question.asked()

        def store(transaction: Transaction) -> Approval:
            session = transaction.session(session_id) if session_id else None
            attempt = attempts.latest(transaction.conn, session_id) if session_id else None
            if session is not None and (attempt is None or attempt.status in NO_PROCESS):
                raise Refused(f"{session.name} is {session.status}; nothing of it may ask.")
            plan = None
            if command is not None:
                attempt, plan = _command(transaction, command)
                asked["subject"] = f"{plan.id} {attempt.task}"
            digest = digest_of(session_id, attempt.id if attempt else None, asked)
            known = self._known(transaction, session, key, digest)
            if known is not None:
                return known
            approval = self._desk.open(
                transaction,
                session,
                attempt,
                "wait",
                key,
                asked,
                ASKS,
                subject_type=question.subject_type,
                requested_by=actor,
                plan=plan,
                task=attempt.task if attempt else None,
            )
            if session is not None:
                transaction.keep(session, waiting(transaction, session, approval))
            return approval

        return await self._wait(await self._services.ledger.commit(store), wait_s, actor)

    async def judge(self, root: Path, act: Act) -> Judgement:
        """Say what the rules in force for a project say of an act; nothing is stored."""
        return await asyncio.to_thread(self._services.policy.judge, act, root)

    def _known(self, transaction: Transaction, session: Session | None, key: str, digest: str) -> Approval | None:
        """Return the question that was asked under this key; Refused when it is not the same one any more."""
        known = approvals.by_key(transaction.conn, session.id if session else None, key)
        if known is not None and known.digest != digest:
            raise Refused(f"{known.id} was asked with this key, and it was something else.", hint="Use a new key.")
        return known

    async def _wait(self, approval: Approval, wait_s: float, by: str) -> Approval:
        """Wait until a question is decided, at most ``wait_s`` seconds; then use it up, once."""
        self._heard[approval.id] = asyncio.get_running_loop().time()
        self._new.set()
        with self._bell(approval.id) as bell:
            current = await self._services.ledger.store.read(approvals.get, approval.id)
            try:
                async with asyncio.timeout(min(wait_s, LONGEST_WAIT_S)):
                    while current.status is Q.PENDING:
                        await bell.wait()
                        bell.clear()
                        current = await self._services.ledger.store.read(approvals.get, approval.id)
            except TimeoutError:
                return current
            finally:
                self._heard[approval.id] = asyncio.get_running_loop().time()
        self._heard.pop(approval.id, None)
        if current.status is not Q.APPROVED:
            return current
        hit("approval.before_consume")

        def use(transaction: Transaction) -> Approval:
            now = approvals.get(transaction.conn, approval.id)
            return consume(transaction, now, by) if now.status is Q.APPROVED else now

        used = await self._services.ledger.commit(use)
        hit("approval.after_consume")
        return used

    @contextmanager
    def _bell(self, approval: str) -> Iterator[asyncio.Event]:
        bell = asyncio.Event()
        self._bells[approval].add(bell)
        try:
            yield bell
        finally:
            self._bells[approval].discard(bell)
            if not self._bells[approval]:
                del self._bells[approval]

    def _redacted(self, session_id: str, payload: dict[str, Any]) -> dict[str, Any]:
        names = self._services.config_for(None).settings.secrets
        cleared: dict[str, Any] = self._services.secrets.redact(session_id, names, payload) if names else payload
        return cleared

    # --- what time and events bring ------------------------------------------------------------

    def react(self, event: Event) -> None:
        """Ring for those who wait for the approval that an event speaks of."""
        approval = str(msgspec.json.decode(event.payload).get("approval"))
        if event.type == EventType.APPROVAL_REGISTERED:
            self._new.set()
        for bell in self._bells.get(approval, ()):
            bell.set()

    def ring_all(self) -> None:
        """Let everyone who waits look again."""
        for bells in self._bells.values():
            for bell in bells:
                bell.set()

    async def expire(self) -> int:
        """End every question whose time is over, also of the time when no supervisor ran; returns how many."""
        expired = await self._services.ledger.commit(self._deciding.expire)
        if expired:
            hit("approval.expired")
        return len(expired)

    async def run(self) -> None:
        """Expire questions on time, and end those that nobody stands and waits for any more, until cancelled."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        while True:
            self._new.clear()
            try:
                await self.expire()
                await self._drop_deserted(started)
                wait_s = await self._services.ledger.commit(_seconds_until_next)
            except QuarterdeckError as error:
                log.warning("Approvals cannot be looked after now: %s", error)
                wait_s = TRY_AGAIN_S
            try:
                async with asyncio.timeout(wait_s):
                    await self._new.wait()
            except TimeoutError:
                continue

    async def _drop_deserted(self, started: float) -> None:
        now = asyncio.get_running_loop().time()

        def look(transaction: Transaction) -> tuple[list[str], set[str]]:
            found = [one for one in approvals.open_ones(transaction.conn) if one.channel == "wait"]
            paused = {
                one.id
                for one in found
                if one.session and transaction.session(one.session).status is SessionStatus.PAUSED
            }
            return [one.id for one in found], paused

        waited_for, paused = await self._services.ledger.commit(look)
        # Who is frozen cannot ask again; their time begins anew when they go on.
        self._heard |= dict.fromkeys(paused, now)
        deserted = [
            one for one in waited_for if now - self._heard.get(one, started) > GONE_S and one not in self._bells
        ]
        for approval_id in deserted:
            await self._services.ledger.commit(lambda t, one=approval_id: _desert(t, one))  # type: ignore[misc]
            self._heard.pop(approval_id, None)


def _command(transaction: Transaction, command: Command) -> tuple[Attempt, Plan]:
    """Return the attempt and the plan of a command that asks; Refused when it does not run, or is another plan's."""
    attempt = attempts.get(transaction.conn, command.attempt)
    if attempt.plan != command.plan or attempt.status in ATTEMPT_ENDED:
        raise Refused(f"No command of {command.plan} runs as {command.attempt}; nothing of it may ask.")
    return attempt, plans.get(transaction.conn, command.plan)


def _desert(transaction: Transaction, approval_id: str) -> None:
    approval = approvals.get(transaction.conn, approval_id)
    if approval.status not in (Q.PENDING, Q.APPROVED):
        return
    close(transaction, approval, Q.CANCELLED, "Whoever asked does not wait for the answer any more.")
    if approval.session:
        session = transaction.session(approval.session)
        transaction.keep(session, answered(transaction, session))


def _seconds_until_next(transaction: Transaction) -> float:
    due = approvals.next_due(transaction.conn)
    wait_s = LOOK_S if approvals.open_ones(transaction.conn) else 3600.0
    return wait_s if due is None else max(0.0, min(wait_s, (due - transaction.now) / 1000))


def _verdict(approval: Approval) -> Verdict:
    allowed = approval.status is Q.CONSUMED
    choice = approval.decision if approval.options and allowed else None
    return Verdict(allow=allowed, message="" if allowed else approval.rationale or approval.reason, choice=choice)


def _check(question: Question) -> None:
    values = [option.value for option in question.options]
    if len(set(values)) != len(values):
        raise InvalidInput("Two options have the same value.", hint="Give each its own.")
    if question.default is not None and question.default not in values:
        raise InvalidInput(f"The default {question.default!r} is none of the options.", hint="Name one of them.")
