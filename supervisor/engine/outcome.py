"""What the end of an attempt means for it and for its session. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from supervisor.engine.ports.processes import ExitRecord
from supervisor.model.approvals import Approval
from supervisor.model.entities import Attempt, Session
from supervisor.model.statuses import AttemptStatus, SessionStatus

WAITS_FOR_APPROVAL = 90
"""The exit code by which a tool says that it waits for an approval."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The statuses that an end leads to, and why, in words."""

    attempt: AttemptStatus
    session: SessionStatus
    signal: str
    text: str


def outcome(
    session: Session,
    attempt: Attempt,
    record: ExitRecord | None,
    question: Approval | None = None,
    malformed: str = "",
    spent: str = "",
) -> Outcome:
    """Decide from how the process ended, what a person wanted, and what the stream said.

    ``record`` is None when the attempt is gone without an exit record. ``question`` is what a tool exited to ask,
    ``malformed`` a sentence that says why what it wanted to ask is no question, ``spent`` one that says which budget
    is used up.
    """
    failed = SessionStatus.FAILED
    if record is None:
        text = "The attempt was started, is gone, and left no exit record. It is not run again by itself."
        return Outcome(AttemptStatus.LOST, failed, "recovery", text)
    if attempt.intent == "cancel":
        return Outcome(AttemptStatus.CANCELLED, SessionStatus.CANCELLED, "person", "It was cancelled.")
    if record.cause == "spawn_failed":
        return Outcome(AttemptStatus.FAILED, failed, "runner", record.message or "It could not be started.")
    if record.cause in ("start_to_close", "no_output"):
        text = TIMEOUTS[record.cause] + (f" {record.message}" if record.message else "")
        return Outcome(AttemptStatus.FAILED_TIMEOUT, failed, "watchdog", text)
    if spent:
        return Outcome(AttemptStatus.FAILED, failed, "limit", spent)
    if session.resume_at is not None and (record.exit_code != 0 or session.stats.turn_error):
        text = f"The usage limit of {session.agent} was reached; it goes on when the limit is reset."
        return Outcome(AttemptStatus.FAILED, SessionStatus.PAUSED, "limit", text)
    if record.exit_code == WAITS_FOR_APPROVAL and question is not None:
        text = f"It exited to ask: {question.question}"
        return Outcome(AttemptStatus.WAITING_APPROVAL, SessionStatus.WAITING, "exit", text)
    if record.exit_code == WAITS_FOR_APPROVAL and malformed:
        text = f"It exited with code 90, but its question was malformed: {malformed}"
        return Outcome(AttemptStatus.FAILED, failed, "exit", text)
    if record.exit_code == WAITS_FOR_APPROVAL:
        text = "It exited with code 90, which means that it waits for an approval, and has asked for none."
        return Outcome(AttemptStatus.FAILED, failed, "exit", text)
    if session.stats.turn_error:
        text = f"The agent ended its turn with an error: {session.stats.turn_error}"
        return Outcome(AttemptStatus.FAILED, failed, "stream", text)
    if record.exit_code == 0 and _never_answered(session, attempt):
        text = "The agent exited without having ended a turn, so what was asked of it is not done."
        return Outcome(AttemptStatus.FAILED, failed, "stream", text)
    if record.exit_code == 0:
        return Outcome(AttemptStatus.COMPLETED, SessionStatus.COMPLETED, "exit", "It ended with exit code 0.")
    detail = f" (signal {record.signal})" if record.signal else ""
    text = f"It ended with exit code {record.exit_code}{detail}." + (f" {record.message}" if record.message else "")
    return Outcome(AttemptStatus.FAILED, failed, "exit", text)


def _never_answered(session: Session, attempt: Attempt) -> bool:
    """Whether a headless agent never ended a turn; commands have no prompt, terminals no stream."""
    return session.mode == "autonomous" and attempt.work.prompt is not None and session.stats.process_turns == 0


TIMEOUTS = {
    "start_to_close": "It ran longer than its hard timeout (start_to_close) and was stopped.",
    "no_output": "It printed nothing for longer than its no_output timeout and was stopped.",
}
"""What is said of a session that ran into one of its timeouts."""
