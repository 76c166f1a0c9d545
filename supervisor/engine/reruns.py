"""Tools that exit to ask (code 90) and are started again with the answer (docs/approval-protocol.md).

The question is stored when the tool prints it, with a fingerprint of what was run; the answer counts only for a
start whose fingerprint is the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import msgspec

from supervisor.engine.desk import Desk, close
from supervisor.engine.digests import differences, digest_of, fingerprint
from supervisor.engine.ledger import Transaction
from supervisor.model.acts import Judgement
from supervisor.model.approvals import Approval
from supervisor.model.entities import Attempt, Session, Work
from supervisor.model.events import EventType, NewEvent
from supervisor.model.statuses import ApprovalStatus, AttemptStatus, SessionStatus
from supervisor.store import approvals, attempts, events

NOTICES_LIMIT: Final = 100
"""How many of a session's latest malformed lines are looked at for the one that was its question."""

S = SessionStatus
Q = ApprovalStatus

ASKED = Judgement("ask", "a tool asks", "The tool itself wants a decision.", "medium")


def needed(transaction: Transaction, desk: Desk, session: Session, attempt: Attempt, new: NewEvent) -> None:
    """Store the question of a tool, in the place of what it asked before in the same run."""
    if not attempt.work.argv:
        return
    for earlier in _open(transaction, session):
        close(transaction, earlier, Q.SUPERSEDED, "The tool asked something else.")
    runs = fingerprint(session, attempt.work)
    asked = {**new.payload, "runs": runs, "subject": " ".join(attempt.work.argv)}
    asked["preview"] = {"argv": list(attempt.work.argv), "cwd": session.worktree, **_shown(new)}
    desk.open(transaction, session, attempt, "rerun", None, asked, ASKED, subject_type="tool_run", at=new.time)


def dismiss(transaction: Transaction, session: Session) -> None:
    """Void what a tool asked that has ended otherwise than to wait for the answer."""
    for approval in _open(transaction, session):
        close(transaction, approval, Q.CANCELLED, "The tool ended without waiting for the answer.")


def settle(transaction: Transaction, session: Session) -> Session:
    """Go on with a session whose tool has exited to ask, if its question has been decided."""
    attempt = attempts.latest(transaction.conn, session.id)
    if session.status is not S.WAITING or attempt is None or attempt.status is not AttemptStatus.WAITING_APPROVAL:
        return session
    latest = approvals.latest_of_attempt(transaction.conn, attempt.id)
    if latest is None or latest.status is Q.PENDING:
        return session
    if latest.status is Q.APPROVED:
        text = f"It was answered: {latest.decision}. It runs again with the answer."
        return transaction.move(session, S.PREPARING if session.mode == "dispatch" else S.QUEUED, "person", text)
    transaction.move_attempt(attempt, AttemptStatus.FAILED, reason=latest.reason)
    signal = "person" if latest.status is Q.REJECTED else "policy"
    return transaction.move(session, S.FAILED, signal, latest.reason, ended_at=transaction.now)


def take(transaction: Transaction, session: Session) -> tuple[Work, str]:
    """Use the answer that a session's next attempt is started with; returns its work, and what forbids that start.

    Called in the transaction that claims the attempt. An answer whose command is not the same any more is not used.
    """
    attempt = attempts.latest(transaction.conn, session.id)
    if attempt is None or attempt.status is not AttemptStatus.WAITING_APPROVAL:
        return session.work, ""
    approval = approvals.latest_of_attempt(transaction.conn, attempt.id)
    if approval is None or approval.status is not Q.APPROVED:
        return session.work, "It waits for an answer."
    changed = differences(approval.asked["runs"], fingerprint(session, attempt.work))
    if changed or approval.digest != digest_of(approval.session, approval.attempt, approval.asked):
        reason = f"What would run is not what was approved; changed: {', '.join(changed) or 'the stored question'}."
        close(transaction, approval, Q.SUPERSEDED, reason)
        return session.work, reason
    used = replace(
        approval,
        status=Q.CONSUMED,
        reason="It was used by the next attempt.",
        consumed_at=transaction.now,
        consumed_by=f"attempt {attempt.number + 1} of {session.id}",
    )
    approvals.move(transaction.conn, approval, used)
    transaction.audit("supervisor", "approval.consumed", approval.id, after={"by": used.consumed_by})
    transaction.move_attempt(attempt, AttemptStatus.COMPLETED, reason="It exited to ask (code 90) and was answered.")
    return replace(session.work, answer=approval.decision, answer_key=approval.asked.get("key")), ""


def void(transaction: Transaction, session: Session) -> None:
    """End the question of a tool whose next question could not be read: nobody knows what it wants to ask."""
    for approval in _open(transaction, session):
        close(transaction, approval, Q.SUPERSEDED, "The tool asked something else, which could not be read.")


def malformed(transaction: Transaction, session: Session, attempt: Attempt) -> str:
    """Return why the last question of an attempt could not be read; empty when it printed none such."""
    latest = events.recent(transaction.conn, NOTICES_LIMIT, session=session.id, type=EventType.MALFORMED_EVENT)
    for event in reversed(latest):
        payload = msgspec.json.decode(event.payload)
        if event.attempt == attempt.id and payload.get("of") == EventType.APPROVAL_NEEDED:
            return str(payload.get("reason"))
    return ""


def _open(transaction: Transaction, session: Session) -> list[Approval]:
    return [one for one in approvals.open_of_session(transaction.conn, session.id) if one.channel == "rerun"]


def _shown(new: NewEvent) -> dict[str, object]:
    preview = new.payload.get("preview")
    return preview if isinstance(preview, dict) else {"details": preview} if preview else {}
