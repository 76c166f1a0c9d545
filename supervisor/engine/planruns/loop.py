"""One running plan: what happened since the last time becomes a turn, the turn is committed, then it is done.

Nothing is done that was not committed before, and everything that is done can be done again: after a crash the loop
goes on from what is stored.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from supervisor.engine.failpoints import hit
from supervisor.engine.ledger import Transaction
from supervisor.engine.planruns.committing import Asked, Outdated, Told, claim_command, store
from supervisor.engine.planruns.deadline import Deadline
from supervisor.engine.planruns.doing import Doing
from supervisor.engine.planruns.passes import revoke
from supervisor.engine.planruns.recovering import recover
from supervisor.engine.planruns.renewing import renew
from supervisor.engine.planruns.state import State, load
from supervisor.engine.planruns.straying import Strayed, strayed
from supervisor.engine.planruns.watching import Wall, Watching
from supervisor.engine.plans import escalating
from supervisor.engine.plans.limits import watch_of
from supervisor.engine.plans.program import UNDO
from supervisor.engine.plans.sheet import Start
from supervisor.engine.plans.turn import Turn
from supervisor.engine.services import Services
from supervisor.model.entities import Attempt
from supervisor.model.errors import QuarterdeckError, Refused
from supervisor.model.events import EventType
from supervisor.model.ids import new_id
from supervisor.model.plans import PLAN_ENDED, PlanStatus, TaskStatus
from supervisor.model.times import now_ms

log = logging.getLogger(__name__)

TRY_AGAIN_S: Final = 2.0
_ID = re.compile(r"\b(?:app|att|ses|evt|cp)_\w+")
"""Identifiers in a text: with others it says the same."""

Take = Callable[[Turn, Told], Any]
"""Takes something in that happened; what it returns, or raises, is the answer to whoever told it."""


@dataclass(slots=True)
class Message:
    """Something that happened, and who wants to hear what came of it."""

    take: Take
    reply: asyncio.Future[Any] | None = None


class Loop:
    """Runs one plan. ``hosted`` returns the name of the host that commands are started on."""

    def __init__(self, services: Services, state: State, doing: Doing, hosted: Callable[[], Any]) -> None:
        self._services = services
        self._doing = doing
        self._hosted = hosted
        self._inbox: list[Message] = []
        self._bell = asyncio.Event()
        self._problem = ""
        self._stale = False
        self._live: set[str] = set()
        self._over = False
        self.watching = Watching(doing, {})
        self._deadline = Deadline()
        self._wall = Wall(now_ms())
        self._decided_at = 0
        self.state = state
        self.name = f"plan {state.plan.id}"

    # --- telling it something ------------------------------------------------------------------

    def post(self, take: Take) -> None:
        """Tell what happened."""
        self._put(Message(take))

    async def ask(self, take: Take) -> Any:
        """Tell what a person wants, and return what came of it once that is stored; raises why it cannot be."""
        if self._over:
            raise self._left()
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._put(Message(take, reply))
        return await reply

    def wake(self) -> None:
        """Have it look at what follows from how its plan stands."""
        self.post(lambda turn, told: None)

    def refresh(self) -> None:
        """Have it read its plan anew: it was revised."""
        self._stale = True
        self.wake()

    @property
    def over(self) -> bool:
        """Whether it has ended: it has taken in all that there was, and hears nothing any more."""
        return self._over

    def _left(self) -> Refused:
        return Refused(f"{self.name} is not looked after any more.", hint="Look at it again, and repeat what you want.")

    def _put(self, message: Message) -> None:
        self._inbox.append(message)
        self._bell.set()

    # --- running -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until the plan has ended and nothing of it is under way."""
        try:
            if self._stale:
                self._stale = False
                self.state = await load(self._services.ledger, self.state.plan.id)
            await self._deadline.read(self._services.ledger, self.state.plan)
            await recover(self)
            await renew(self)
            self.wake()
            while True:
                await self._wait()
                taken, self._inbox = self._inbox, []
                await self._turn(taken)
                if self.state.plan.status in PLAN_ENDED and not (self._inbox or self._live):
                    self._over = True
                    return
        finally:
            for message in self._inbox:
                if message.reply is not None and not message.reply.done():
                    message.reply.set_exception(self._left())

    @property
    def doing(self) -> Doing:
        """What does the steps."""
        return self._doing

    @property
    def services(self) -> Services:
        """The engine's surroundings."""
        return self._services

    def follow(self, attempts: Iterable[Attempt]) -> None:
        """Wait for the ends of these attempts, whatever becomes of the plan."""
        self._live.update(attempt.id for attempt in attempts)

    def is_wanted(self, start: Start) -> bool:
        """Whether a step is still under way: its task was not given up, nor stopped by a revision, meanwhile."""
        task = self.state.board.tasks.get(start.task)
        if task is None or task.status is not TaskStatus.RUNNING or task.fate is not None:
            return False
        watch = watch_of(task)
        is_cut = watch is not None and watch.cut is not None
        return not is_cut and (task.attempts, task.step) == (start.attempt, start.number)

    def do(self, start: Start) -> None:
        """Do a step that is no command in the background."""
        name = f"{self.name} {start.task}.{start.attempt}.{start.number}"
        self._services.tasks.ensure(name, lambda: self._doing.do(self, start))

    def run_commands(self, commands: Sequence[tuple[Start, Attempt]]) -> None:
        """Run the commands of steps in the background."""
        if commands:
            name = f"{self.name} {commands[0][1].id}"
            self._services.tasks.ensure(name, lambda: self._doing.run(self, commands))

    async def _wait(self) -> None:
        """Wait until something happens, until a task may be tried again, or a limit is to be looked at."""
        waiting = (self.state.board.tasks[task].not_before for task in self.state.board.delayed)
        # What has come due since the last turn was decided has not been looked at, even if it is due by now.
        retries = (each for each in waiting if each is not None and each > self._decided_at)
        moments = [
            *retries,
            self.watching.due(self.state, self._decided_at),
            self._deadline.due(self.state.plan, self.state.planned),
        ]
        due = min((each for each in moments if each is not None), default=None)
        self._bell.clear()
        if self._inbox:
            return
        try:
            async with asyncio.timeout(None if due is None else max(0, due - now_ms()) / 1_000):
                await self._bell.wait()
        except TimeoutError:
            return

    async def _turn(self, taken: list[Message]) -> None:
        """Take in what happened, as often as it takes to store what follows."""
        try:
            await self._take(taken)
        except BaseException:
            for message in taken:
                if message.reply is not None and not message.reply.done():
                    message.reply.set_exception(self._left())
            raise

    async def _take(self, taken: list[Message]) -> None:
        while True:
            if self._stale:
                # Before it is read: a revision in the middle of that makes it stale again.
                self._stale = False
                self.state = await load(self._services.ledger, self.state.plan.id)
                await renew(self)
            # After what has ended, and before anything is committed or started because of it.
            self.state.strayed = await strayed(self._services.workspaces, self.state.plan)
            await self.watching.listen(self.state)
            turn, told, answers = self._decide(taken)
            followed = turn.changed or turn.starts or turn.questions or turn.notices
            if not (followed or turn.plan is not self.state.plan or told.ends or told.audits):
                self._wall.seen()
                break
            try:
                asked = await self._prepare(turn)
                host = await self._hosted() if any(each.step.what == "command" for each in turn.starts) else ""
                hit("plan.before_commit")
                claimed = await self._commit(turn, told, asked, host)
            except Outdated:
                self._stale = True
            except QuarterdeckError as error:
                self._stale = True
                # People are told at once; what has happened is kept, and taken in with what comes next.
                for message in taken:
                    if message.reply is not None and not message.reply.done():
                        message.reply.set_exception(error)
                await self._held_up(error)
                taken[:] = [message for message in taken if message.reply is None] + self._inbox
                self._inbox = []
            else:
                hit("plan.after_commit")
                self._live.difference_update(told.ends)
                self._committed(turn, claimed)
                break
        for message, answer in answers:
            if message.reply is not None and not message.reply.done():
                message.reply.set_result(answer)

    def _decide(self, taken: Sequence[Message]) -> tuple[Turn, Told, list[tuple[Message, Any]]]:
        state = self.state
        self._decided_at = now_ms()
        gap = self._wall.gap(self._decided_at)
        left = [message for message in taken if message.reply is None or not message.reply.done()]
        while True:
            signs = self.watching.signs
            turn, told, answers = Turn(state.program, state.plan, state.board, self._decided_at, signs), Told(), []
            if gap:
                escalating.jumped(turn, gap)
            refused: Message | None = None
            for message in left:
                try:
                    answers.append((message, message.take(turn, told)))
                except QuarterdeckError as error:
                    refused = message
                    if message.reply is None:
                        log.warning("%s: what it was told does not fit: %s", self.name, error)
                    else:
                        message.reply.set_exception(error)
                    break
            if refused is None:
                break
            # What is refused has changed nothing: the others are taken in without it.
            left.remove(refused)
        turn.finish()
        self._deadline.take(turn, state.planned)
        # With the parts of what was repeated. Should the turn not be stored, all is read anew.
        state.program = turn.program
        for start in turn.starts:
            if start.step.what == "session":
                # Named before it is stored, so that a crash in between does not make two of one.
                turn.changed[start.task] = replace(turn.task(start.task), session=new_id("ses"))
        return turn, told, answers

    async def _prepare(self, turn: Turn) -> dict[str, Asked]:
        """Commit to the plan's branch what is to be there before what follows, and collect what people are shown."""
        risky = [start.task for start in turn.starts if _is_risky(self.state, start)]
        needed = any(_needs_saved(self.state, start) for start in (*turn.starts, *turn.questions))
        if risky or needed or turn.rolled_back or _ends(self.state, turn):
            try:
                await self._doing.saving.save(self.state, risky, turn.changed)
            except QuarterdeckError as error:
                # Giving a plan up must always be possible, and so must its end when that is why it has failed; its
                # worktree stays as it is.
                why = isinstance(error, Strayed) and turn.plan.status is PlanStatus.FAILED
                if turn.plan.status is not PlanStatus.ABANDONED and not why:
                    raise
                log.warning("%s has ended, and what it changed could not be committed: %s", self.name, error)
        return {start.task: await self._doing.asking.asked(self.state, turn, start) for start in turn.questions}

    async def _commit(
        self, turn: Turn, told: Told, asked: dict[str, Asked], host: str
    ) -> dict[tuple[str, int], Attempt]:
        state, boot = self.state, self._services.boot_id

        def claim(transaction: Transaction, start: Start) -> Attempt:
            return claim_command(transaction, state.plan.id, start, boot, host)

        ends = _ends(state, turn)
        token = await self._doing.own_pass.kept() if ends else None

        def commit(transaction: Transaction) -> dict[tuple[str, int], Attempt]:
            if ends:
                revoke(transaction.conn, token)
            return store(transaction, self._services.desk, state, turn, told, asked, claim)

        return await self._services.ledger.commit(commit)

    def _committed(self, turn: Turn, claimed: dict[tuple[str, int], Attempt]) -> None:
        self._problem = ""
        if _ends(self.state, turn):
            self._doing.forget_pass()
        self._wall.seen()
        self._deadline.committed(turn)
        self.state.plan = turn.plan
        self.state.board.put(turn.changed)
        self.state.board.settled = True
        self.follow(claimed.values())
        for task in turn.stops:
            self._doing.stop(self, task)
        for start in turn.starts:
            if start.step.what != "command":
                self.do(start)
        together = []
        for start in turn.starts:
            if start.step.what == "command":
                command = start, claimed[start.task, start.number]
                if self.state.program.jobs[start.task].task.place == "plan" and not start.step.at_base:
                    together.append(command)
                else:  # Its place is made first: nobody else waits for that.
                    self.run_commands([command])
        self.run_commands(together)

    async def broke(self, error: Exception) -> None:
        """Say that something unexpected ended it, and have it begin anew from what is stored, after a while."""
        self._stale = True
        await self._held_up(QuarterdeckError(f"Something unexpected went wrong: {type(error).__name__}: {error}"[:500]))

    async def _held_up(self, error: QuarterdeckError) -> None:
        """Say once why the plan cannot go on now; it is tried again until it can."""
        log.warning("%s cannot go on now: %s", self.name, error)
        problem = _ID.sub("", str(error))
        if problem != self._problem:
            self._problem = problem
            plan = self.state.plan
            try:
                await self._services.ledger.commit(
                    lambda t: t.plan_event(EventType.ERROR, plan, severity="error", text=str(error))
                )
            except QuarterdeckError:
                log.warning("%s: this could not be stored either", self.name)
        self._bell.clear()
        try:
            async with asyncio.timeout(TRY_AGAIN_S):
                await self._bell.wait()
        except TimeoutError:
            return


def _needs_saved(state: State, start: Start) -> bool:
    """Whether what shared tasks changed is to be committed before a step: those of gates, and what forks the branch."""
    task = state.program.jobs[start.task].task
    forks = task.place == "own" and start.number == 0
    return task.kind == "gate" or start.step.what in ("ask", "merge") or forks


def _is_risky(state: State, start: Start) -> bool:
    """Whether a checkpoint is kept before a step: before what a task of kind deploy begins with, and a rollback."""
    deploys = state.program.jobs[start.task].task.kind == "deploy" and start.number == 0
    return deploys or start.number == UNDO


def _ends(state: State, turn: Turn) -> bool:
    return turn.plan.status in PLAN_ENDED and state.plan.status not in PLAN_ENDED
