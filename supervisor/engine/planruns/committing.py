"""What a turn of a running plan stores, all of it in one transaction or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from supervisor.engine.deciding import APPROVER_ROLE, consume
from supervisor.engine.desk import Desk, close
from supervisor.engine.ledger import Transaction
from supervisor.engine.planruns.state import State
from supervisor.engine.plans.escalating import MORE, SKIP, STOP, LimitQuestion
from supervisor.engine.plans.limits import watch_of
from supervisor.engine.plans.sheet import Start
from supervisor.engine.plans.spelled import spelled
from supervisor.engine.plans.turn import Turn
from supervisor.engine.ports.processes import ExitRecord
from supervisor.model.acts import Judgement
from supervisor.model.approvals import Approval
from supervisor.model.entities import Attempt
from supervisor.model.errors import QuarterdeckError
from supervisor.model.events import EventType, Severity
from supervisor.model.plans import Plan, PlanStatus, Task, TaskStatus
from supervisor.model.statuses import ApprovalStatus, AttemptStatus
from supervisor.store import approvals, attempts, plans, tasks

REVISION: Final = "revision"
"""In what is asked: the revision that it is asked about. No other may take the answer for its own."""

BOUND: Final = "bound"
"""In a question as it is stored: the content that it is about. The question's digest covers it."""

LIMITS_ASK = Judgement(
    "ask", "limits are a person's", "The plan says that a person decides about its limits.", "medium"
)
ASKS = Judgement("ask", "gates are a person's", "The plan says that a person decides.", "medium")


_SEVERITIES: Final[dict[PlanStatus, Severity]] = {PlanStatus.FAILED: "error", PlanStatus.BLOCKED: "warning"}


class Outdated(QuarterdeckError):
    """The plan was revised since it was read."""


@dataclass(slots=True)
class Told:
    """What was told since the last turn: ends of attempts, and audit entries of what people did."""

    ends: dict[str, ExitRecord | None] = field(default_factory=dict)
    used: dict[str, str] = field(default_factory=dict)
    """Approval -> the task that used it."""
    audits: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    """(actor, action, what)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person is asked about a task: the question, and what they are shown.

    ``bound`` is the content that the decision is bound to, ``role`` whose decision it is.
    """

    question: str
    preview: Mapping[str, Any]
    bound: Mapping[str, Any] | None = None
    role: str | None = None


def key_of(plan: Plan, task: str, attempt: int, step: int) -> str:
    """Return the key under which the question of a task's step is kept; one plan of an id is not another, and what
    one revision asked is not what another asks."""
    return f"{plan.id}@{plan.created_at}/r{plan.revision}/{task}/{attempt}.{step}"


def limit_key_of(plan: Plan, task: str, number: int) -> str:
    """Return the key under which the question of this number about the limits of a task is kept."""
    return f"{plan.id}@{plan.created_at}/{task}/limit.{number}"


def store(
    transaction: Transaction,
    desk: Desk,
    state: State,
    turn: Turn,
    told: Told,
    asked: Mapping[str, Asked],
    claim: Callable[[Transaction, Start], Attempt],
) -> dict[tuple[str, int], Attempt]:
    """Store a turn; returns the attempts that were claimed for the commands to start, by task and step.

    Raises Outdated when another revision is in force by now.
    """
    conn, before = transaction.conn, state.plan
    if plans.revision_of(conn, before.id) != before.revision:
        raise Outdated(f"{before.id} was revised meanwhile.")
    for attempt_id, record in told.ends.items():
        _end(transaction, attempt_id, record)
    for approval_id, by in told.used.items():
        approval = approvals.get(conn, approval_id)
        if approval.status is ApprovalStatus.APPROVED:
            consume(transaction, approval, f"the task {by} of {before.id}")
    new = [task for task_id, task in turn.changed.items() if task_id not in state.board.tasks]
    tasks.insert(conn, new)
    told_of = [(TaskStatus.PENDING, task) for task in new if task.status is not TaskStatus.PENDING]
    _withdraw(transaction, state, turn, told)
    for task_id, after in turn.changed.items():
        if task_id not in state.board.tasks:
            continue
        task = state.board.tasks[task_id]
        tasks.move(conn, task, after)
        _withdraw_limit(transaction, before, task, after)
        if task.status is not after.status:
            told_of.append((task.status, after))
    transaction.task_events(before, told_of)
    if turn.plan != before:
        plans.update(conn, turn.plan)
        if turn.plan.status is not before.status:
            transaction.plan_event(
                EventType.PLAN_STATUS_CHANGED,
                turn.plan,
                severity=_SEVERITIES.get(turn.plan.status, "info"),
                **{"from": before.status, "to": turn.plan.status, "reason": turn.plan.reason.text, "name": before.name},
            )
    for start in turn.questions:
        # What was asked anew already, because the plan was read twice, is asked once.
        if approvals.by_key(conn, None, key_of(before, start.task, start.attempt, start.number)) is None:
            _ask(transaction, desk, state, start, asked[start.task])
    for question in turn.limit_questions:
        _ask_about_limit(transaction, desk, turn, question)
    for notice in turn.notices:
        transaction.plan_event(notice.type, before, task=notice.task, severity="warning", **notice.said)
    for actor, action, after_ in told.audits:
        transaction.audit(actor, action, before.id, after=after_)
    return {
        (start.task, start.number): claim(transaction, start) for start in turn.starts if start.step.what == "command"
    }


def _end(transaction: Transaction, attempt: str, record: ExitRecord | None) -> None:
    if record is None:
        gone = "It went away with its host, and nobody knows how it ended."
        transaction.end_command(attempt, AttemptStatus.LOST, reason=gone, ended_at=transaction.now)
        return
    to = AttemptStatus.COMPLETED if record.exit_code == 0 else AttemptStatus.FAILED
    if record.cause in ("start_to_close", "no_output"):
        to = AttemptStatus.FAILED_TIMEOUT
    elif record.cause == "stopped":
        to = AttemptStatus.CANCELLED
    transaction.end_command(
        attempt, to, exit_code=record.exit_code, started_at=record.started_at, ended_at=record.ended_at,
        reason=record.message or record.cause,
    )  # fmt: skip


def _ask(transaction: Transaction, desk: Desk, state: State, start: Start, asked: Asked) -> Approval:
    plan = state.plan
    return desk.open(
        transaction,
        None,
        None,
        "engine",
        key_of(plan, start.task, start.attempt, start.number),
        {
            "question": asked.question,
            "preview": dict(asked.preview),
            "subject": f"{plan.id} {start.task}",
            "expires_s": None,
            **({BOUND: dict(asked.bound)} if asked.bound is not None else {}),
            **({APPROVER_ROLE: asked.role} if asked.role is not None else {}),
            REVISION: plan.revision,
        },
        ASKS,
        subject_type="gate",
        requested_by=f"plan {plan.id}",
        plan=plan,
        task=start.task,
    )


def _ask_about_limit(transaction: Transaction, desk: Desk, turn: Turn, asked: LimitQuestion) -> None:
    """Ask what becomes of a task that goes on meanwhile. Whoever rejects it wants it stopped."""
    plan, task = turn.plan, turn.task(asked.task)
    more = spelled(round(asked.more_s * 1_000))
    desk.open(
        transaction,
        None,
        None,
        "engine",
        limit_key_of(plan, asked.task, asked.number),
        {
            "question": f"{task.title}: {asked.text}. What now?",
            "options": [
                {"value": MORE, "label": f"Give it {more} more"},
                {"value": STOP, "label": "Stop it: it counts as failed, with its retries and recovery"},
                {"value": SKIP, "label": "Skip it: what needs it is skipped, too"},
            ],
            "preview": {
                "plan": f"{plan.id}: {plan.title}",
                "task": f"{task.id}: {task.title}",
                "limit": asked.limit,
                "attempt": task.attempts,
                "meanwhile": "It goes on until you decide; if it ends by itself, the question ends with it.",
            },
            "subject": f"{plan.id} {asked.task} {asked.limit}",
            "expires_s": None,
        },
        LIMITS_ASK,
        subject_type="plan",
        requested_by=f"plan {plan.id}",
        plan=plan,
        task=asked.task,
    )


def _withdraw_limit(transaction: Transaction, plan: Plan, before: Task, after: Task) -> None:
    """Void the question about a limit of a task that does not wait for its answer any more."""
    was, now = watch_of(before), watch_of(after)
    if was is None or was.asked is None or (now is not None and now.asked and now.questions == was.questions):
        return
    approval = approvals.by_key(transaction.conn, None, limit_key_of(plan, before.id, was.questions))
    if approval is not None and approval.status in (ApprovalStatus.PENDING, ApprovalStatus.APPROVED):
        close(transaction, approval, ApprovalStatus.SUPERSEDED, "The task does not wait for it any more.")


def _withdraw(transaction: Transaction, state: State, turn: Turn, told: Told) -> None:
    """Void the questions about tasks that do not wait for their answers any more, and those of commands that ended."""
    over = {
        task_id
        for task_id, after in turn.changed.items()
        if (before := state.board.tasks.get(task_id)) is not None and _stops_asking(before.status, after.status)
    }
    if not (over or turn.anew or told.ends):
        return
    for approval in approvals.open_of_plan(transaction.conn, state.plan.id):
        if approval.subject_type == "plan":  # a limit's goes on over attempts
            continue
        if approval.task in over or approval.task in turn.anew or approval.attempt in told.ends:
            why = turn.anew.get(str(approval.task), "The task does not wait for it any more.")
            close(transaction, approval, ApprovalStatus.SUPERSEDED, why)


def _stops_asking(before: TaskStatus, after: TaskStatus) -> bool:
    """Whether no question of a task is open any more: neither of its commands nor about it."""
    if before is TaskStatus.RUNNING:
        return after not in (TaskStatus.RUNNING, TaskStatus.WAITING_APPROVAL)
    return before is TaskStatus.WAITING_APPROVAL and after is not before


def claim_command(transaction: Transaction, plan: str, start: Start, boot_id: str, host: str) -> Attempt:
    """Claim the attempt of a command, for the host that will start it."""
    return attempts.claim_step(
        transaction.conn,
        plan=plan,
        task=start.task,
        step=start.number,
        argv=start.step.argv,
        boot_id=boot_id,
        handle=host,
        now=transaction.now,
    )
