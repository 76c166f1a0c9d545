"""Decisions: what happens to a question when a person answers it, or nobody does in time. Inside one transaction.

A decision is one conditional update. What follows from it (the answer on its way to an agent's stdin, a tool that
is queued again) is committed with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from supervisor.engine import reruns
from supervisor.engine.desk import POLICY, answered, close
from supervisor.engine.digests import is_intact
from supervisor.engine.failpoints import hit
from supervisor.engine.ledger import Transaction
from supervisor.engine.ports.agents import AgentAdapter, Verdict
from supervisor.model.approvals import ONCE, Approval
from supervisor.model.entities import Session
from supervisor.model.errors import InvalidInput, Refused
from supervisor.model.events import EventType
from supervisor.model.roles import refuse_role
from supervisor.model.statuses import ATTEMPT_ENDED, ApprovalStatus
from supervisor.model.times import to_rfc3339
from supervisor.store import approvals, attempts, outbox

Q = ApprovalStatus

REJECT = "reject"
APPROVER_ROLE: Final = "approver_role"
"""In a question as it is stored: the role that whoever decides it must have."""

EXPIRED = "Nobody answered in time."


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's answer to one question, by its whole id. ``interrupt`` also ends the agent's turn.

    ``roles`` are those of whoever decides.
    """

    approval: str
    approve: bool
    choice: str | None = None
    rationale: str | None = None
    interrupt: bool = False
    roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Deciding:
    """Applies decisions."""

    adapter_of: Callable[[Session], AgentAdapter]

    def decide(self, transaction: Transaction, decision: Decision, actor: str) -> Approval:
        """Decide a question, once; Refused when that is not possible any more, InvalidInput for a wrong choice."""
        approval = approvals.get(transaction.conn, decision.approval)
        _refuse_decided(approval)
        refuse_role(approval.asked.get(APPROVER_ROLE), decision.roles, approval.id)
        if not is_intact(approval):
            raise Refused(
                f"{approval.id} is not what it was when it was asked; it cannot be decided.",
                hint="Cancel the session, and run it again.",
            )
        hit("approval.before_decide")
        choice = _choice(approval, decision)
        status = Q.APPROVED if decision.approve else Q.REJECTED
        word = "Approved" if decision.approve else "Rejected"
        reason = f"{word} by {actor}" + (f": {decision.rationale}" if decision.rationale else ".")
        decided = replace(
            approval,
            status=status,
            reason=reason,
            decision=choice,
            decided_by=actor,
            decided_at=transaction.now,
            rationale=decision.rationale,
        )
        approvals.move(transaction.conn, approval, decided)
        session = transaction.session(approval.session) if approval.session else None
        transaction.event(
            EventType.APPROVAL_DECIDED,
            session,
            approval.attempt,
            phase=POLICY,
            approval=approval.id,
            status=status,
            decision=choice,
            decided_by=actor,
            rationale=decision.rationale,
        )
        transaction.audit(
            actor,
            "approval.approve" if decision.approve else "approval.reject",
            approval.id,
            after={"decision": choice, "rationale": decision.rationale, "digest": approval.digest},
        )
        verdict = Verdict(
            allow=decision.approve,
            message=decision.rationale or "",
            choice=choice if approval.options and decision.approve else None,
            interrupt=decision.interrupt,
        )
        self._follow(transaction, decided, verdict, session)
        return decided

    def expire(self, transaction: Transaction) -> list[Approval]:
        """End every question whose time is over; what waits for it is told no."""
        expired = []
        for approval in approvals.due(transaction.conn, transaction.now):
            ended = close(
                transaction, approval, Q.EXPIRED, f"{EXPIRED} It expired at {to_rfc3339(approval.expires_at)}."
            )
            session = transaction.session(approval.session) if approval.session else None
            self._follow(transaction, ended, Verdict(allow=False, message=EXPIRED), session)
            expired.append(ended)
        return expired

    def _follow(self, transaction: Transaction, approval: Approval, verdict: Verdict, session: Session | None) -> None:
        """Do what a decision means for whoever waits; one that stands still fetches it by itself."""
        if session is None:
            return
        if approval.channel == "stream" and approval.attempt and approval.request_key:
            attempt = attempts.get(transaction.conn, approval.attempt)
            answer = self.adapter_of(session).answer(approval.asked, verdict)
            if attempt.status not in ATTEMPT_ENDED and answer is not None:
                outbox.add_reply(transaction.conn, session.id, attempt.id, approval.request_key, answer)
        if approval.channel == "rerun":
            reruns.settle(transaction, session)
        else:
            transaction.keep(session, answered(transaction, session))


def consume(transaction: Transaction, approval: Approval, by: str) -> Approval:
    """Note that what waited has got its approval; one that was used cannot be used again."""
    used = replace(
        approval, status=Q.CONSUMED, reason=f"It was used by {by}.", consumed_at=transaction.now, consumed_by=by
    )
    approvals.move(transaction.conn, approval, used)
    transaction.audit("supervisor", "approval.consumed", approval.id, after={"by": by})
    return used


def end_attempt(transaction: Transaction, session: str, attempt: str) -> None:
    """Void what an attempt asked and does not wait for any more, because it has ended."""
    for approval in approvals.open_of_session(transaction.conn, session):
        if approval.attempt == attempt and approval.channel in ("stream", "wait"):
            close(transaction, approval, Q.CANCELLED, "The attempt that asked has ended.")


def end_session(transaction: Transaction, session: str) -> None:
    """Void everything that a session asked, because it has ended."""
    for approval in approvals.open_of_session(transaction.conn, session):
        close(transaction, approval, Q.CANCELLED, "The session that asked has ended.")


def _refuse_decided(approval: Approval) -> None:
    if approval.status is Q.PENDING:
        return
    if approval.decided_by:
        by = f" by {approval.decided_by} at {to_rfc3339(approval.decided_at)}: {approval.decision}"
        raise Refused(f"{approval.id} was decided already{by}.", hint="`quarterdeck approvals` shows what waits.")
    raise Refused(
        f"{approval.id} is {approval.status}: {approval.reason}", hint="`quarterdeck approvals` shows what waits."
    )


def _choice(approval: Approval, decision: Decision) -> str:
    """Return the decision's value; a default only preselects, it never decides."""
    if not decision.approve:
        return REJECT
    values = [option.value for option in approval.options]
    if not values:
        if decision.choice not in (None, ONCE):
            raise InvalidInput(f"{approval.id} has no choices.", hint="Leave --choice out to approve it once.")
        return ONCE
    if decision.choice not in values:
        what = "needs a choice" if decision.choice is None else f"has no choice {decision.choice!r}"
        listed = ", ".join(f"{option.value} ({option.label})" for option in approval.options)
        raise InvalidInput(f"{approval.id} {what}.", hint=f"Give --choice with one of: {listed}.")
    return str(decision.choice)
