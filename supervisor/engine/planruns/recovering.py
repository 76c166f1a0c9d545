"""Taking up a plan that was under way: from what is stored alone, as after any crash."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

from supervisor.engine.planruns.commands import ANSWER_S, GIVEN_UP, not_started
from supervisor.engine.planruns.committing import REVISION, Told, key_of, limit_key_of
from supervisor.engine.planruns.subjects import Change
from supervisor.engine.plans import escalating
from supervisor.engine.plans.escalating import STOP
from supervisor.engine.plans.limits import watch_of
from supervisor.engine.plans.sheet import ASKED_BEFORE, Start
from supervisor.engine.plans.turn import Turn
from supervisor.model.approvals import Approval
from supervisor.model.entities import Attempt
from supervisor.model.errors import QuarterdeckError
from supervisor.model.plans import TaskStatus
from supervisor.model.statuses import ApprovalStatus
from supervisor.store import approvals, attempts

if TYPE_CHECKING:
    from supervisor.engine.planruns.loop import Loop


log = logging.getLogger(__name__)


async def recover(loop: Loop) -> None:
    """Take up what runs, what has ended meanwhile, what was never started, and what was decided."""
    state, doing = loop.state, loop.doing
    live, decided, asking = await loop.services.ledger.store.read(stored, loop)
    for task in state.board.tasks.values():
        planned = state.program.jobs[task.id].task
        if task.attempts and planned.place == "plan" and not state.program.progress.parts(task.id):
            doing.saving.touched(planned)
    loop.follow(live)
    for attempt in live:
        start = _step(loop, attempt)
        if start is None:
            over = doing.over(loop, attempt)
            for unstarted in await doing.commands.adopt(doing.places.folder, [attempt], over):
                over(unstarted.id, not_started(unstarted.id, unstarted.fencing_token, GIVEN_UP))
            await doing.commands.stop(attempt.id)
            continue
        for unstarted in await doing.commands.adopt(doing.places.folder, [attempt], doing.ended(loop, start, attempt)):
            loop.run_commands([(start, unstarted)])
        # A decision that came in the moment of a crash may not have let its clocks run on.
        await rest(loop, attempt, asks=attempt.id in asking)
    busy = {attempt.task for attempt in live}
    for task_id in state.board.active[TaskStatus.RUNNING] - busy:
        task = state.board.tasks[task_id]
        loop.do(Start(task_id, task.attempts, task.step, state.program.jobs[task_id].step(task.step)))
    for task in state.board.tasks.values():
        if (watch := watch_of(task)) is not None and watch.cut is not None:
            doing.stop(loop, task.id)
    for approval in decided:
        await take_answer(loop, approval)


async def rest(loop: Loop, attempt: Attempt, *, asks: bool) -> None:
    """Let the clocks of a command rest while a person decides what it asks, or run on."""
    try:
        async with asyncio.timeout(ANSWER_S):
            await loop.doing.commands.hold(attempt.id, held=asks)
    except (TimeoutError, QuarterdeckError) as error:
        log.info("%s: the clocks of %s in its host go on as they are: %s", loop.name, attempt.id, error)
    start = _step(loop, attempt)
    if start is not None:
        loop.post(lambda turn, _: escalating.working(turn, start.task, start.attempt, start.number, runs=not asks))


async def take_answer(loop: Loop, approval: Approval, *, wait: bool = False) -> None:
    """Tell a loop what was decided about a task; when what was approved has changed since, to ask anew. With ``wait``
    return when that is stored."""
    change = None
    if approval.status is ApprovalStatus.APPROVED:
        change = await loop.doing.subjects.change(loop.state, approval)
    take = answer(approval) if change is None else ask_anew(approval, change)
    # While it was looked what has changed, the plan may have ended because of this very answer.
    if wait and not loop.over:
        await loop.ask(take)
    else:
        loop.post(take)


def ask_anew(approval: Approval, change: Change) -> Callable[[Turn, Told], None]:
    """Return what it means to a plan that a question's subject has changed."""
    task = str(approval.task)

    def take(turn: Turn, told: Told) -> None:
        now = turn.task(task)
        # It may be told twice, and the question that is asked instead has the same key.
        told_before = approval.id in now.result.get(ASKED_BEFORE, ())
        if not told_before and approval.request_key == key_of(turn.plan, task, now.attempts, now.step):
            turn.ask_anew(task, change.words, change.paths, change.moving, approval.id)
            told.audits.append(
                ("supervisor", "gate.changed", {"task": task, "approval": approval.id, "what": change.words})
            )

    return take


def answer(approval: Approval) -> Callable[[Turn, Told], None]:
    """Return what a decision about a task means to its plan."""
    task = str(approval.task)
    approved = approval.status in (ApprovalStatus.APPROVED, ApprovalStatus.CONSUMED)
    by, why = approval.decided_by or "nobody", approval.rationale or ""

    def take(turn: Turn, told: Told) -> None:
        now = turn.task(task)
        watch = watch_of(now)
        if watch is not None and watch.asked and approval.request_key == limit_key_of(turn.plan, task, watch.questions):
            if approved:
                told.used[approval.id] = task
            if approval.status not in (ApprovalStatus.PENDING, ApprovalStatus.SUPERSEDED):
                choice = str(approval.decision) if approved else STOP
                escalating.decided(turn, task, watch.questions, choice, by)
            return
        if now.status is not TaskStatus.WAITING_APPROVAL:
            return
        if approval.asked.get(REVISION, turn.plan.revision) != turn.plan.revision:
            return  # It was decided about what an earlier revision said.
        if approval.request_key != key_of(turn.plan, task, now.attempts, now.step):
            return
        if approved:
            told.used[approval.id] = task
        if approval.status in (ApprovalStatus.PENDING, ApprovalStatus.SUPERSEDED):
            return
        turn.decided(task, approved=approved, by=by, why=why if approval.decided_by else approval.reason)

    return take


def _step(loop: Loop, attempt: Attempt) -> Start | None:
    """Return the step that an attempt is of; None when its task has gone on without it (the plan was cancelled)."""
    task_id, number = str(attempt.task), attempt.step or 0
    task, job = loop.state.board.tasks.get(task_id), loop.state.program.jobs.get(task_id)
    if task is None or job is None or task.status is not TaskStatus.RUNNING or task.step != number:
        return None
    return Start(task_id, task.attempts, number, job.step(number))


def stored(conn: sqlite3.Connection, loop: Loop) -> tuple[list[Attempt], list[Approval], set[str]]:
    """Return a plan's live attempts, the decisions that its tasks wait for, and the attempts that ask something."""
    plan, board = loop.state.plan.id, loop.state.board
    found = []
    for task_id in board.active[TaskStatus.WAITING_APPROVAL]:
        task = board.tasks[task_id]
        approval = approvals.by_key(conn, None, key_of(loop.state.plan, task_id, task.attempts, task.step))
        if approval is not None and approval.status is not ApprovalStatus.PENDING:
            found.append(approval)
    for task in board.tasks.values():
        if (watch := watch_of(task)) is not None and watch.asked:
            approval = approvals.by_key(conn, None, limit_key_of(loop.state.plan, task.id, watch.questions))
            if approval is not None and approval.status is not ApprovalStatus.PENDING:
                found.append(approval)
    return attempts.live_of_plan(conn, plan), found, approvals.asking_attempts(conn)
