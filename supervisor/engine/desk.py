"""Where questions arrive: policy judges each, and what it leaves to a person is stored. Inside one transaction.

The event that asks, the approval, and the answer that policy gives at once are committed together, so that a
question is never known without being kept, and never answered without a record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from config.settings import Settings
from supervisor.engine.digests import digest_of
from supervisor.engine.failpoints import hit
from supervisor.engine.ledger import Transaction
from supervisor.engine.ports.agents import AgentAdapter, PolicyPort, Verdict
from supervisor.model.acts import Act, Judgement
from supervisor.model.approvals import Approval, Channel, Option, SubjectType
from supervisor.model.entities import Activity, Attempt, Project, Reason, Session
from supervisor.model.events import EventType, NewEvent, Severity
from supervisor.model.ids import new_id
from supervisor.model.plans import Plan
from supervisor.model.statuses import ApprovalStatus, SessionStatus
from supervisor.store import approvals, outbox, projects

POLICY: Final = "policy"
"""The actor of what rules decide."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Takes questions in. ``settings`` returns the ones in force."""

    policy: PolicyPort
    settings: Callable[[], Settings]

    def asked(
        self, transaction: Transaction, session: Session, attempt: Attempt, adapter: AgentAdapter, new: NewEvent
    ) -> Session:
        """Take a question that an agent put on its stream; its answer goes to its stdin.

        What a screen asks is not taken: its hook brings the question, or the person answers there.
        """
        request = new.payload.get("request_id")
        if not request or approvals.by_key(transaction.conn, session.id, request) is not None:
            return session
        judgement = self.judge(transaction, session, new.payload)
        if judgement.effect == "ask":
            approval = self.open(transaction, session, attempt, "stream", request, new.payload, judgement, at=new.time)
            return waiting(transaction, session, approval)
        answer = adapter.answer(new.payload, verdict_of(judgement))
        if answer is not None and not outbox.is_answered(transaction.conn, attempt.id, request):
            outbox.add_reply(transaction.conn, session.id, attempt.id, request, answer)
            session = self.note(transaction, session, attempt, new.payload, judgement)
        return session

    def judge(self, transaction: Transaction, session: Session, asked: Mapping[str, Any]) -> Judgement:
        """Say what policy says of a question."""
        if size := asked.get("too_large"):
            reason = f"Its input has {size} bytes, which nobody could be shown."
            return Judgement("deny", "too large to be shown", reason, "high")
        if asked.get("options") or (asked.get("act") or {}).get("kind") == "question":
            return Judgement("ask", "questions are a person's", "It is a question, not an act.", "low")
        project = projects.get(transaction.conn, session.project)
        return self.policy.judge(act_of(session, project, asked), Path(project.root))

    def note(
        self,
        transaction: Transaction,
        session: Session,
        attempt: Attempt,
        asked: Mapping[str, Any],
        judgement: Judgement,
    ) -> Session:
        """Record what policy decided by itself."""
        allowed = judgement.effect == "allow"
        payload = {
            "request_id": asked.get("request_id"),
            "tool": asked.get("tool"),
            "argument": asked.get("argument"),
            "rule": judgement.rule,
            "text": judgement.reason,
        }
        kind = EventType.PERMISSION_GRANTED if allowed else EventType.PERMISSION_REFUSED
        severity: Severity = "info" if allowed else "warning"
        transaction.record([NewEvent(kind, "policy", transaction.now, severity, POLICY, payload)], session, attempt.id)
        transaction.audit(POLICY, f"permission.{judgement.effect}", session.id, after=payload)
        if allowed:
            return session
        stats = session.stats
        refused = replace(
            stats, permissions_refused=stats.permissions_refused + 1, turn_refusals=stats.turn_refusals + 1
        )
        return replace(session, stats=refused)

    def open(
        self,
        transaction: Transaction,
        session: Session | None,
        attempt: Attempt | None,
        channel: Channel,
        key: str | None,
        asked: Mapping[str, Any],
        judgement: Judgement,
        *,
        subject_type: SubjectType = "tool_call",
        requested_by: str | None = None,
        at: int | None = None,
        plan: Plan | None = None,
        task: str | None = None,
    ) -> Approval:
        """Store a question that waits for a person; its time runs from ``at`` (ms), or from now.

        A question about a plan has ``plan``, and ``task`` when it is about one of its tasks.

        ``asked`` may bring ``question``, ``options``, ``default``, ``risk``, ``preview``, ``expires_s``, ``subject``.
        """
        expires_s = asked.get("expires_s", self.settings().approvals.expires_s)
        asked = dict(asked)
        approval = Approval(
            id=new_id("app"),
            subject_type=subject_type,
            subject=str(asked.get("subject") or subject_of(asked)),
            question=str(asked.get("question") or f"May {session.name if session else 'it'} do this?"),
            channel=channel,
            asked=asked,
            digest=digest_of(session.id if session else None, attempt.id if attempt else None, asked),
            requested_by=requested_by or (f"session {session.id}" if session else "tool"),
            created_at=transaction.now,
            options=tuple(msgspec.convert(asked.get("options") or (), tuple[Option, ...])),
            default=asked.get("default"),
            risk=asked.get("risk") or judgement.risk,
            preview=preview_of(asked),
            judgement=msgspec.to_builtins(judgement),
            project=session.project if session else plan.project if plan else None,
            plan=plan.id if plan else None,
            task=session.task if session else task,
            session=session.id if session else None,
            attempt=attempt.id if attempt else None,
            request_key=key,
            expires_at=None if expires_s is None else (at or transaction.now) + int(expires_s * 1000),
        )
        approvals.insert(transaction.conn, approval)
        transaction.event(
            EventType.APPROVAL_REGISTERED,
            session,
            approval.attempt,
            phase=POLICY,
            severity="warning",
            approval=approval.id,
            subject_type=subject_type,
            subject=approval.subject,
            question=approval.question,
            risk=approval.risk,
            rule=judgement.rule,
            expires_at=approval.expires_at,
        )
        transaction.audit(
            approval.requested_by,
            "approval.request",
            approval.id,
            after={"digest": approval.digest, "session": approval.session},
        )
        hit("approval.before_store")
        return approval

    def withdrawn(self, transaction: Transaction, session: Session, request: str) -> Session:
        """Take note that an agent does not ask any more."""
        known = approvals.by_key(transaction.conn, session.id, request)
        if known is None or known.status is not ApprovalStatus.PENDING:
            return session
        close(transaction, known, ApprovalStatus.CANCELLED, "It was answered elsewhere, or is not asked any more.")
        return answered(transaction, session)


def close(transaction: Transaction, approval: Approval, status: ApprovalStatus, reason: str) -> Approval:
    """End an approval that nobody decided, or that was decided and cannot be used."""
    ended = replace(approval, status=status, reason=reason)
    approvals.move(transaction.conn, approval, ended)
    session = transaction.session(approval.session) if approval.session else None
    transaction.event(
        EventType.APPROVAL_ENDED,
        session,
        approval.attempt,
        phase=POLICY,
        severity="warning" if status is ApprovalStatus.EXPIRED else "info",
        approval=approval.id,
        status=status,
        reason=reason,
    )
    transaction.audit("supervisor", f"approval.{status}", approval.id, after={"reason": reason})
    return ended


def waiting(transaction: Transaction, session: Session, approval: Approval) -> Session:
    """Return a session as it is while its process waits for a decision."""
    activity = Activity("asking", approval.asked.get("tool"), approval.asked.get("argument"), transaction.now)
    session = replace(session, activity=activity)
    if session.status is not SessionStatus.RUNNING:
        return session
    reason = Reason(POLICY, f"It asks: {approval.subject}", transaction.now)
    return replace(session, status=SessionStatus.WAITING, reason=reason)


def answered(transaction: Transaction, session: Session) -> Session:
    """Return a session as it is when nothing of it waits for a person any more; unchanged while something does."""
    if session.status is not SessionStatus.WAITING or approvals.has_pending(transaction.conn, session.id):
        return session
    activity = replace(session.activity, state="working", at=transaction.now)
    reason = Reason("person", "It was answered.", transaction.now)
    return replace(session, status=SessionStatus.RUNNING, reason=reason, activity=activity)


def verdict_of(judgement: Judgement) -> Verdict:
    """Return what an agent is told of a judgement."""
    if judgement.effect == "allow":
        return Verdict(allow=True)
    return Verdict(allow=False, message=f"Policy does not allow this ({judgement.rule}): {judgement.reason}")


def act_of(session: Session, project: Project, asked: Mapping[str, Any]) -> Act:
    """Return the act that a question is about, in the words that policy judges.

    In a container the worktree is at the place that its commands see.
    """
    act = asked.get("act") or {}
    worktree = "/workspace" if session.executor == "docker" else session.worktree or project.root
    command = act.get("command")
    return Act(
        kind=str(act.get("kind") or "other"),
        tool=str(asked.get("tool") or ""),
        input=asked.get("input") or {},
        cwd=str(act.get("cwd") or worktree),
        worktree=worktree,
        agent=session.agent,
        mode=session.mode,
        project=project.name,
        command=tuple(command) if isinstance(command, list) else command,
        paths=tuple(act.get("paths") or ()),
        url=act.get("url"),
    )


def subject_of(asked: Mapping[str, Any]) -> str:
    """Return one line that says what a question is about."""
    return f"{asked.get('tool') or 'a tool'} {asked.get('argument') or ''}".strip()


def preview_of(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a person is shown: exactly what would happen."""
    shown = {name: asked[name] for name in ("tool", "input", "act") if asked.get(name)}
    return {**shown, **(asked.get("preview") or {})}
