"""Doing the steps of a plan's tasks: commands, expressions, agents' sessions, merges."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from config.settings import Settings
from supervisor.engine.artifacts import Artifacts
from supervisor.engine.failpoints import hit
from supervisor.engine.planruns.agents import Agents
from supervisor.engine.planruns.asking import Asking
from supervisor.engine.planruns.commands import GIVEN_UP, Commands, not_started
from supervisor.engine.planruns.committing import Told
from supervisor.engine.planruns.environment import Surroundings, surroundings
from supervisor.engine.planruns.keeping import keep_all
from supervisor.engine.planruns.knowledge import Knowledge
from supervisor.engine.planruns.measuring import Measuring, compare_noted, note
from supervisor.engine.planruns.passes import Pass
from supervisor.engine.planruns.places import Places
from supervisor.engine.planruns.recalling import recall, remember
from supervisor.engine.planruns.saving import Saving
from supervisor.engine.planruns.sources import Sources
from supervisor.engine.planruns.state import State
from supervisor.engine.planruns.straying import Outcome, Strayed, judged
from supervisor.engine.planruns.subjects import Subjects
from supervisor.engine.planruns.watching import taken
from supervisor.engine.planruns.words import last_words
from supervisor.engine.plans.expressions import parse
from supervisor.engine.plans.limits import attempt_left_s, silence_s, watch_of
from supervisor.engine.plans.program import UNDO
from supervisor.engine.plans.sheet import Start
from supervisor.engine.plans.turn import Turn
from supervisor.engine.plans.undoing import is_merged
from supervisor.engine.ports.processes import ExitRecord, Launch
from supervisor.engine.services import Services
from supervisor.model.entities import Attempt
from supervisor.model.errors import QuarterdeckError, Refused
from supervisor.model.plan.task import Task as PlannedTask
from supervisor.model.plans import PLAN_ENDED, Task, TaskStatus
from supervisor.model.times import now_ms

if TYPE_CHECKING:
    from supervisor.engine.planruns.loop import Loop

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Doing:
    """Does the steps of one plan."""

    services: Services
    commands: Commands
    agents: Agents
    places: Places
    artifacts: Artifacts
    saving: Saving
    own_pass: Pass
    _surroundings: tuple[Settings, Surroundings] | None = None

    @property
    def subjects(self) -> Subjects:
        """What finds out what decisions are bound to."""
        return Subjects(self.services.workspaces)

    @property
    def asking(self) -> Asking:
        """What puts questions to people together."""
        return Asking(self.services, self.agents, self.places)

    @property
    def measuring(self) -> Measuring:
        """What does the checks that look back."""
        return Measuring(self.places, self.artifacts)

    async def run(self, loop: Loop, commands: Sequence[tuple[Start, Attempt]]) -> None:
        """Run the commands of steps, all at once; the loop is told how each ends."""
        try:
            await self._start(loop, commands)
        except Exception as error:
            for start, attempt in commands:
                self._went_wrong(loop, start, attempt, error)
            return
        hit("plan.after_start")
        for start, attempt in commands:
            if not loop.is_wanted(start):
                await self.commands.stop(attempt.id)

    async def _start(self, loop: Loop, commands: Sequence[tuple[Start, Attempt]]) -> None:
        seen, launches = await self._seen(loop.state), []
        for start, attempt in commands:
            try:
                launches.append((await self._launch(loop, start, attempt, *seen), self.ended(loop, start, attempt)))
            except Exception as error:
                self._went_wrong(loop, start, attempt, error)
        hit("plan.before_start")
        await self.commands.start(launches)

    async def do(self, loop: Loop, start: Start) -> None:
        """Do a step that is no command, and tell the loop what came of it."""
        try:
            if start.step.what != "session" and not loop.is_wanted(start):
                raise Refused(GIVEN_UP)
            if start.step.what == "expression":
                await self._expression(loop, start)
            elif start.step.what == "session":
                planned = loop.state.program.jobs[start.task].task
                if planned.place == "plan":
                    self.saving.touched(planned)
                await self.agents.run(loop, start)
            elif start.step.what == "repeat":
                await self._repeat(loop, start)
            elif start.step.what == "keep":
                await self._keep(loop, start)
            elif start.step.what == "merge":
                await self._merge(loop, start)
            elif start.step.what == "recall":
                await recall(self, loop, start)
            elif start.step.what == "remember":
                await remember(self, loop, start)
            elif start.step.what in ("evidence", "baseline", "compare", "tidy"):
                await self._look_back(loop, start)
        except Exception as error:
            self._went_wrong(loop, start, None, error)

    def _went_wrong(self, loop: Loop, start: Start, attempt: Attempt | None, error: Exception) -> None:
        """Whatever goes wrong in a step ends that step: a task that runs for ever helps nobody."""
        expected = isinstance(error, QuarterdeckError)
        log.log(logging.INFO if expected else logging.ERROR, "%s: %s", loop.name, start.task, exc_info=not expected)
        final = isinstance(error, Strayed)
        why = str(error) if expected else f"{start.step.text[:100]}: {type(error).__name__}: {error}"[:500]

        def failed(turn: Turn, told: Told) -> None:
            if attempt is not None:
                told.ends[attempt.id] = not_started(attempt.id, attempt.fencing_token, why)
            turn.step_ended(start.task, start.attempt, start.number, ok=False, why=why, final=final)

        loop.post(failed)

    def stop(self, loop: Loop, task_id: str) -> None:
        """End what runs for a task."""
        was = loop.state.board.tasks[task_id]
        watch = watch_of(was)
        # What a limit ended in the very turn that began it anew has nothing to stop.
        cut = watch is not None and watch.cut is not None
        if was.status is not TaskStatus.RUNNING or was.fate is not None or cut:
            self.services.tasks.ensure(f"{loop.name} {task_id} stop", lambda: self._stop(loop, was))

    def ended(self, loop: Loop, start: Start, attempt: Attempt) -> Callable[[str, ExitRecord | None], None]:
        """Return what takes the end of a command in."""

        def take(_: str, record: ExitRecord | None) -> None:
            if record is not None and start.step.measures and record.cause == "exit":
                name = f"{loop.name} {attempt.id} measured"
                self.services.tasks.ensure(name, lambda: self._measured(loop, start, attempt, record))
                return
            if record is None or record.exit_code == 0:
                loop.post(lambda turn, told: self._took(loop.state, turn, told, start, attempt, record, ""))
                return
            name = f"{loop.name} {attempt.id} end"
            self.services.tasks.ensure(name, lambda: self._failed(loop, start, attempt, record))

        return take

    def over(self, loop: Loop, attempt: Attempt) -> Callable[[str, ExitRecord | None], None]:
        """Return what takes the end of a command in that nobody waits for any more."""

        def take(_: str, record: ExitRecord | None) -> None:
            loop.post(lambda _turn, told: told.ends.__setitem__(attempt.id, record))

        return take

    async def _measured(self, loop: Loop, start: Start, attempt: Attempt, record: ExitRecord) -> None:
        measured = await self.measuring.of(attempt, record)

        def take(turn: Turn, told: Told) -> None:
            told.ends[attempt.id] = record
            ended = judged(loop.state, start.task, Outcome(ok=True))
            if ended.ok:
                note(turn, start, measured)
            else:
                turn.step_ended(start.task, start.attempt, start.number, ok=False, why=ended.why, final=ended.final)

        loop.post(take)

    async def _leave_base(self, loop: Loop, start: Start) -> None:
        """Remove the worktree of what the plan began with, as nothing more is looked at there."""
        if start.step.at_base:
            try:
                await self.measuring.tidy(loop.state, start)
            except QuarterdeckError as error:
                log.warning("%s: the worktree of its base stays: %s", loop.name, error)

    async def _look_back(self, loop: Loop, start: Start) -> None:
        """Do a step of a gate that runs nothing of the plan's."""
        state, step = loop.state, start.step
        if step.what == "compare":
            loop.post(lambda turn, _: compare_noted(turn, start))
        elif step.what == "baseline":
            measured = await self.measuring.recalled(state, step.text)
            loop.post(lambda turn, _: note(turn, start, measured))
        else:
            ok, why = True, ""
            if step.what == "tidy":
                await self.measuring.tidy(state, start)
            else:
                folder, _ = await self._place(state, start, state.program.jobs[start.task].task)
                ok = await self.measuring.is_there(state, start, folder)
                why = "" if ok else f"There is no {step.text}: neither such a file, nor anything kept by that name."
            loop.post(lambda turn, _: turn.step_ended(start.task, start.attempt, start.number, ok=ok, why=why))

    async def _failed(self, loop: Loop, start: Start, attempt: Attempt, record: ExitRecord) -> None:
        words = await asyncio.to_thread(last_words, self.places.folder / f"{attempt.id}.log")
        await self._leave_base(loop, start)
        loop.post(lambda turn, told: self._took(loop.state, turn, told, start, attempt, record, words))

    def _took(
        self,
        state: State,
        turn: Turn,
        told: Told,
        start: Start,
        attempt: Attempt,
        record: ExitRecord | None,
        words: str,
    ) -> None:
        told.ends[attempt.id] = record = taken(turn, start.task, start.attempt, start.number, record)
        if record is None:
            turn.step_lost(start.task, start.attempt, start.number)
            return
        result = {} if start.step.proves or start.step.before else {"exit_code": record.exit_code}
        ok = record.exit_code == 0 and record.cause == "exit"
        ended = Outcome(ok, "" if ok else _why(start, record, words))
        ended = judged(state, start.task, ended)
        turn.step_ended(
            start.task, start.attempt, start.number, ok=ended.ok, why=ended.why, final=ended.final, result=result
        )

    async def _launch(
        self, loop: Loop, start: Start, attempt: Attempt, settings: Settings, seen: Surroundings
    ) -> Launch:
        state = loop.state
        planned = state.program.jobs[start.task].task
        if not (begins := judged(state, start.task, Outcome(ok=True))).ok:
            raise Strayed(begins.why)
        cwd, more = await self._place(state, start, planned)
        if not loop.is_wanted(start):
            raise Refused(GIVEN_UP)
        if planned.place == "plan" or str(cwd) == state.plan.worktree:
            self.saving.touched(planned)
        # What undoes a task has a timeout of its own: the clocks of the work have stopped.
        undoes = start.number >= UNDO
        left_s = planned.timeout if undoes else attempt_left_s(state.board.tasks[start.task], planned, now_ms())
        return Launch(
            attempt=attempt.id,
            session="",
            number=attempt.number,
            token=attempt.fencing_token,
            run=self.services.paths.run,
            folder=self.places.folder,
            argv=start.step.argv,
            env={**seen.of(planned), **more},
            cwd=cwd,
            secrets=seen.secrets,
            stdin="pipe" if start.step.given else "null",
            first_input=start.step.given.encode(),
            start_to_close_s=left_s,
            no_output_s=planned.no_output if undoes else silence_s(planned),
            log_limit=settings.storage.command_log_mb << 20,
        )

    async def _seen(self, state: State) -> tuple[Settings, Surroundings]:
        """Return the settings in force, and what commands see with them: put together once, until they change."""
        settings = self.services.config_for(Path(state.project.root)).settings
        if self._surroundings is None or self._surroundings[0] is not settings:
            plan, token = state.plan.id, await self._token(state)
            found = await asyncio.to_thread(surroundings, self.services, settings, plan, self.places.folder, token)
            self._surroundings = settings, found
        return self._surroundings

    async def _token(self, state: State) -> str:
        """Return the token of the plan's commands. What undoes a task of a plan that was given up has one that is not
        valid any more: with none at all it would be taken for the person."""
        if state.plan.status in PLAN_ENDED:
            return await self.own_pass.kept() or "ended"
        return await self.own_pass.token()

    def forget_pass(self) -> None:
        """Take note that the plan has ended: what runs of it later sees another token."""
        self._surroundings = None
        self.own_pass.forget()

    async def _place(self, state: State, start: Start, planned: PlannedTask) -> tuple[Path, dict[str, str]]:
        """Return the folder that a step works in, and what that adds to its environment."""
        if start.step.at_base:
            base = await self.measuring.base(state, start)
            return base.path, base.env
        if planned.place == "none":
            return await self.places.scratch(start.task, start.attempt), {}
        if planned.place == "plan" or (planned.runner == "agent" and start.step.before):
            # Before an agent begins there is no worktree of its own.
            return Path(state.plan.worktree or state.project.root), {}
        if start.number >= UNDO and is_merged(state.board.tasks[start.task]):
            # It is undone where its work is.
            return Path(state.plan.worktree or state.project.root), {}
        if (path := await self._of_session(state.board.tasks[start.task])) is not None:
            return path, {}
        workspace = await self.places.own_worktree(start.task, start.attempt)
        return workspace.path, workspace.env

    async def _of_session(self, task: Task) -> Path | None:
        """Return the worktree of the session that worked on a task."""
        session = await self.agents.session_of(task)
        return Path(session.worktree) if session is not None and session.worktree else None

    async def _expression(self, loop: Loop, start: Start) -> None:
        state = loop.state
        planned = state.program.jobs[start.task].task
        folder, _ = await self._place(state, start, planned)
        knowledge = Knowledge(state, start.task, folder)
        expression = parse(start.step.text)
        value = await asyncio.to_thread(expression.evaluate, knowledge)
        why = await asyncio.to_thread(expression.explain, knowledge)
        holds = value is True
        if not holds:
            await self._leave_base(loop, start)
        loop.post(
            lambda turn, _: turn.step_ended(
                start.task, start.attempt, start.number, ok=holds, why="" if holds else f"{start.step.text}. {why}"
            )
        )

    async def _repeat(self, loop: Loop, start: Start) -> None:
        """Find out what a task is repeated for."""
        items, left_out = await Sources(self.services.ledger, loop.state, self.places).items(start.task)
        loop.post(lambda turn, _: turn.repeat(start.task, start.attempt, start.number, items, left_out))

    async def _keep(self, loop: Loop, start: Start) -> None:
        """Keep what a task declares as artifacts and evidence."""
        folder, _ = await self._place(loop.state, start, loop.state.program.jobs[start.task].task)
        kept = await keep_all(self.artifacts, loop.state, start.task, folder)
        loop.post(
            lambda turn, _: turn.step_ended(
                start.task, start.attempt, start.number, ok=True, why="", result={"kept": kept}
            )
        )

    async def _merge(self, loop: Loop, start: Start) -> None:
        state = loop.state
        task, planned = state.board.tasks[start.task], state.program.jobs[start.task].task
        session = await self.agents.session_of(task)
        if session is not None and session.worktree and session.branch:
            path, branch = Path(session.worktree), session.branch
        else:
            workspace = await self.places.own_worktree(start.task, start.attempt)
            path, branch = workspace.path, workspace.branch
        await self.saving.save(state)
        if not loop.is_wanted(start):
            raise Refused("It was given up before it was merged.")
        hit("plan.before_merge")
        merged = await self.places.merge(path, branch, planned)
        hit("plan.after_merge")
        if merged.merged:
            if session is None:
                await self.places.remove(path, branch, merged.commit or "")
            loop.post(
                lambda turn, _: turn.step_ended(
                    start.task, start.attempt, start.number, ok=True, why="", result={"commit": merged.commit}
                )
            )
            return
        files = ", ".join(merged.conflicts[:5]) + (" …" if len(merged.conflicts) > 5 else "")
        why = (
            f"Its branch {branch} and the plan's changed the same lines of {files}; nothing was changed. Merge "
            f"them in {state.plan.worktree}, commit, then: "
            f"quarterdeck task complete {state.plan.id}/{task.id} --evidence T"
        )
        loop.post(
            lambda turn, _: turn.step_ended(
                start.task,
                start.attempt,
                start.number,
                ok=False,
                why=why,
                blocks=True,
                result={"conflicts": list(merged.conflicts)},
            )
        )

    async def _stop(self, loop: Loop, was: Task) -> None:
        """Stop the command or the session of a task; its end is told like any other.

        What has ended meanwhile has nothing to stop: another attempt, or its checks, may run by now.
        """
        live = await self.agents.live_attempts(loop.state.plan.id)
        now = loop.state.board.tasks[was.id]
        if (now.attempts, now.step) != (was.attempts, was.step):
            return
        for attempt in live:
            if attempt.task == was.id:
                await self.commands.stop(attempt.id)
        await self.agents.cancel(was)


def _why(start: Start, record: ExitRecord, words: str) -> str:
    """Say in one sentence why a command counts as failed."""
    line = start.step.text.strip().splitlines()[0][:100]
    if record.cause == "start_to_close":
        return f"`{line}` took longer than its timeout."
    if record.cause == "no_output":
        return f"`{line}` was silent for too long."
    if record.cause == "stopped":
        return f"`{line}` was stopped."
    if record.cause == "spawn_failed":
        return f"`{line}` could not be started: {record.message}"
    said = f": {words}" if words else "."
    return f"`{line}` ended with exit code {record.exit_code}{said}"
