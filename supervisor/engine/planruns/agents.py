"""Tasks that agents work on: each attempt is a session of the queue, in a worktree of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from supervisor.engine.control import Control
from supervisor.engine.intake import RunRequest
from supervisor.engine.ledger import Ledger
from supervisor.engine.outcome import TIMEOUTS
from supervisor.engine.planruns.committing import Told
from supervisor.engine.planruns.environment import started_with
from supervisor.engine.planruns.places import branch_of, own_name
from supervisor.engine.planruns.straying import Outcome, judged
from supervisor.engine.plans import escalating
from supervisor.engine.plans.limits import attempt_left_s
from supervisor.engine.plans.sheet import LAST_FAILURE, Start
from supervisor.engine.plans.turn import Turn
from supervisor.model.entities import Attempt, Session
from supervisor.model.errors import NotFound, QueueFull, Refused
from supervisor.model.plans import Task
from supervisor.model.statuses import SESSION_ENDED, SessionStatus
from supervisor.model.times import now_ms
from supervisor.store import attempts, sessions

if TYPE_CHECKING:
    from supervisor.engine.planruns.loop import Loop

ACTOR: Final = "plan"
LONGEST_SESSION: Final = 64
"""Characters of a session's name."""

FULL_S: Final = 2.0
"""How soon a full queue is tried again, when no end of a session is heard of before."""


@dataclass(slots=True)
class Agents:
    """Starts the sessions of all running plans, and tells their loops how they ended.

    ``begin`` stores a session and lets it start as soon as it may (`Engine.run`).
    """

    ledger: Ledger
    begin: Callable[[RunRequest, str], Awaitable[Session]]
    control: Control
    folder: Callable[[str], Path]
    _waiting: dict[str, tuple[Loop, Start]] = field(default_factory=dict)
    _room: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, loop: Loop, start: Start) -> None:
        """Start the session of a task's attempt, or find the one that was started, and follow it to its end."""
        task = loop.state.board.tasks[start.task]
        if task.session is None:
            raise NotFound(f"The task {task.id} has no session.")
        self._waiting[task.session] = (loop, start)
        known = await self.session_of(task)
        if known is None:
            accepted = await self._accept(loop, start, task.session)
            if not accepted:
                del self._waiting[task.session]
                raise Refused("It was given up before it began.")
            if not loop.is_wanted(start):
                # It was given up while it was being stored: whoever stops tasks did not find it.
                await self.cancel(task)
        else:
            self.heard(known)

    async def session_of(self, task: Task) -> Session | None:
        """Return the session of a task's last attempt, if it was stored."""
        return None if task.session is None else await self.ledger.store.read(_session, task.session)

    async def live_attempts(self, plan: str) -> list[Attempt]:
        """Return the attempts of a plan's commands that have not ended."""
        return await self.ledger.store.read(attempts.live_of_plan, plan)

    async def cancel(self, task: Task) -> None:
        """Stop the session of a task, if it runs."""
        session = await self.session_of(task)
        if session is not None and session.status not in SESSION_ENDED:
            with suppress(Refused):  # It ends just now by itself.
                await self.control.cancel(session.id, ACTOR)

    def waited_for(self) -> list[str]:
        """Return the sessions whose ends plans wait for."""
        return list(self._waiting)

    def is_waited_for(self, session: str) -> bool:
        """Whether a plan waits for the end of a session."""
        return session in self._waiting

    def heard(self, session: Session) -> None:
        """Take in how a session stands: that it works or waits, and at last its end."""
        if session.status not in SESSION_ENDED:
            if session.id in self._waiting:
                self._moved(*self._waiting[session.id], session)
            return
        self._room.set()
        told = self._waiting.pop(session.id, None)
        if told is not None:
            self._ended(*told, session)

    async def _accept(self, loop: Loop, start: Start, session: str) -> bool:
        """Store the session as soon as the queue has room: what belongs to a plan waits there, and is never refused.

        Returns False when it is not wanted any more.
        """
        state = loop.state
        planned = state.program.jobs[start.task].task
        environment = await asyncio.to_thread(started_with, self.folder(state.plan.id))
        name = own_name(state.plan.id, start.task, start.attempt)
        shared = state.plan.worktree if planned.place == "plan" else None
        request = RunRequest(
            cwd=Path(state.project.root),
            prompt=_prompt(state.board.tasks[start.task], start),
            agent=planned.agent,
            mode="autonomous",
            name=name if len(name) <= LONGEST_SESSION else f"{name[: LONGEST_SESSION - 9]}-{session[-8:]}",
            branch=f"qd/{name}" if shared is None else branch_of(state.plan.id),
            base=branch_of(state.plan.id) if shared is None else None,
            worktree=None if shared is None else Path(shared),
            priority=planned.rank,
            timeout_s=attempt_left_s(state.board.tasks[start.task], planned, now_ms()),
            environment={**environment, **planned.environment},
            id=session,
        )
        while True:
            self._room.clear()
            if not loop.is_wanted(start):
                return False
            try:
                await self.begin(request, f"{ACTOR} {state.plan.id}")
            except QueueFull:
                try:
                    async with asyncio.timeout(FULL_S):
                        await self._room.wait()
                except TimeoutError:
                    continue
            else:
                return True

    @staticmethod
    def _moved(loop: Loop, start: Start, session: Session) -> None:
        runs = session.status is SessionStatus.RUNNING
        loop.post(lambda turn, _: escalating.working(turn, start.task, start.attempt, start.number, runs=runs))

    @staticmethod
    def _ended(loop: Loop, start: Start, session: Session) -> None:
        ok = session.status is SessionStatus.COMPLETED or (
            session.status is SessionStatus.ARCHIVED and session.exit_code == 0
        )
        why = "" if ok else f"The session {session.name} is {session.status}: {session.reason.text}"
        spent = session.status is SessionStatus.FAILED and session.reason.signal == "limit"
        final = spent or session.status is SessionStatus.CANCELLED
        why = session.reason.text if spent else why

        # Its runner keeps the task's timeout, too, and may be the first to find that it is over.
        over = session.timeout_s is not None and session.reason.signal == "watchdog"
        over = over and session.reason.text.startswith(TIMEOUTS["start_to_close"])

        def take(turn: Turn, _: Told) -> None:
            if over and turn.is_at(start.task, start.attempt, start.number):
                escalating.ended_by_runner(turn, start.task, "timeout")
            ended = judged(loop.state, start.task, Outcome(ok, why, final))
            turn.step_ended(start.task, start.attempt, start.number, ok=ended.ok, why=ended.why, final=ended.final)

        loop.post(take)


def _prompt(task: Task, start: Start) -> str:
    """Return what the agent is told; at another attempt also why the last one did not count."""
    failure = task.result.get(LAST_FAILURE)
    return f"{start.step.text}\n\nThis was tried before, and failed: {failure}" if failure else start.step.text


def _session(conn: sqlite3.Connection, session_id: str) -> Session | None:
    try:
        return sessions.get(conn, session_id)
    except NotFound:
        return None
