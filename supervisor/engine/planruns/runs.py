"""Running plans: started by a person, each in a loop of its own, taken up again after a crash."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec

from supervisor.engine.artifacts import Artifacts
from supervisor.engine.checkpoints import Checkpoints
from supervisor.engine.control import Control
from supervisor.engine.deciding import APPROVER_ROLE, Decision
from supervisor.engine.intake import RunRequest
from supervisor.engine.planruns.agents import Agents
from supervisor.engine.planruns.commands import Commands
from supervisor.engine.planruns.committing import BOUND, Told
from supervisor.engine.planruns.doing import Doing
from supervisor.engine.planruns.environment import keep_environment
from supervisor.engine.planruns.judging import act_of
from supervisor.engine.planruns.loop import Loop, Take
from supervisor.engine.planruns.passes import Pass
from supervisor.engine.planruns.places import Places, branch_of
from supervisor.engine.planruns.recovering import ask_anew, rest, stored, take_answer
from supervisor.engine.planruns.saving import Saving
from supervisor.engine.planruns.state import State, existing, folder_of, load
from supervisor.engine.plans.explaining import Explained, explain
from supervisor.engine.plans.limits import Signs
from supervisor.engine.plans.program import Job, Step, with_examples
from supervisor.engine.plans.turn import Turn
from supervisor.engine.plans.undoing import Undo, roll_back, undo_of_task
from supervisor.engine.services import Services
from supervisor.model.approvals import Approval
from supervisor.model.budgets import BUDGET
from supervisor.model.entities import Attempt, Session
from supervisor.model.errors import InvalidInput, QuarterdeckError, Refused
from supervisor.model.events import Event
from supervisor.model.plans import PLAN_ENDED, Plan, PlanStatus, Task
from supervisor.model.roles import APPROVER, refuse_role
from supervisor.model.statuses import ApprovalStatus
from supervisor.store import approvals, attempts, budgets, plans, sessions, tasks

log = logging.getLogger(__name__)

UNDER_WAY: Final = frozenset({PlanStatus.RUNNING, PlanStatus.PAUSED, PlanStatus.BLOCKED})
RECOVER_AGAIN_S: Final = 2.0


class PlanRuns:
    """What people do to plans that run. Everything returns once it is stored, and raises why it cannot be."""

    def __init__(
        self,
        services: Services,
        begin: Callable[[RunRequest, str], Awaitable[Session]],
        control: Control,
        artifacts: Artifacts,
        checkpoints: Checkpoints,
    ) -> None:
        self._services = services
        self._artifacts, self._checkpoints = artifacts, checkpoints
        self._commands = Commands(services.commands, services.journal, services.end_left)
        self._agents = Agents(services.ledger, begin, control, self._folder)
        self._loops: dict[str, Loop] = {}
        self._starting: set[str] = set()

    # --- what people do --------------------------------------------------------------------------

    async def start(self, plan_id: str, environment: Mapping[str, str], actor: str) -> Plan:
        """Start a plan: the one explicit start that it has. Refused where it has a part that cannot be run, or when a
        rule denies one of its commands."""
        state = await load(self._services.ledger, plan_id)
        self._refuse_unfit(state)
        if plan_id in self._starting:
            raise Refused(f"{plan_id} is being started.")
        self._starting.add(plan_id)
        try:
            await self._check(state)
            await self._keep(state, environment)
            workspace = await self._places(state).plan_worktree(None)
            await self._refuse_old_branch(state, workspace.path, workspace.branch, workspace.base_commit)
            place = {
                "branch": workspace.branch,
                "base_commit": workspace.base_commit,
                "worktree": str(workspace.path),
            }

            def begin(turn: Turn, told: Told) -> None:
                turn.begin(actor, **place)
                told.audits.append((actor, "plan.start", {"revision": turn.plan.revision, **place}))

            return await self._tell(plan_id, begin)
        finally:
            self._starting.discard(plan_id)

    async def rehearse(self, plan_id: str) -> tuple[list[Explained], str]:
        """Return what a plan would do, and why its start would be refused; empty when it would not. Nothing is done."""
        state = await load(self._services.ledger, plan_id)
        refusal = ""
        try:
            self._refuse_unfit(state)
            await self._check(state)
        except QuarterdeckError as error:
            refusal = str(error)
        return explain(with_examples(state.program)), refusal

    async def advance(self, plan_id: str, actor: str, *, level: bool) -> tuple[Plan, list[str]]:
        """Let the next ready task run, or all that are ready; returns which."""
        released: list[str] = []

        def advance(turn: Turn, told: Told) -> None:
            if turn.plan.status is not PlanStatus.RUNNING:
                raise Refused(f"{plan_id} is {turn.plan.status}, not running.", hint=_way(turn.plan))
            released[:] = turn.release(actor, level=level)
            told.audits.append((actor, "plan.advance", {"tasks": list(released)}))

        return await self._tell(plan_id, advance), released

    async def pause(self, plan_id: str, actor: str, why: str = "") -> Plan:
        """Begin nothing more of a plan; what runs goes on to its end. ``why`` says which budget is used up."""

        def pause(turn: Turn, told: Told) -> None:
            if turn.plan.status not in (PlanStatus.RUNNING, PlanStatus.BLOCKED):
                raise Refused(f"{plan_id} is {turn.plan.status}, not running.", hint=_way(turn.plan))
            turn.pause(actor, why)
            told.audits.append((actor, "plan.pause", {"why": why} if why else {}))

        return await self._tell(plan_id, pause)

    async def resume(self, plan_id: str, actor: str) -> Plan:
        """Let a paused plan go on; Refused while its budget is used up."""
        found = await self._services.ledger.store.read(budgets.tripped, [f"plan:{plan_id}"], "")
        if found and actor != BUDGET:
            hint = f"Revise it with a higher budget, or: quarterdeck budget resume plan:{plan_id}"
            raise Refused(found[0].sentence(f"the plan {plan_id}"), hint=hint)

        def resume(turn: Turn, told: Told) -> None:
            turn.resume(actor)
            told.audits.append((actor, "plan.resume", {}))

        return await self._tell(plan_id, resume)

    async def cancel(self, plan_id: str, actor: str) -> Plan:
        """Give a plan up: what runs is stopped, nothing more begins. Its branch and worktree stay."""

        def cancel(turn: Turn, told: Told) -> None:
            if turn.plan.status in (PlanStatus.COMPLETED, PlanStatus.ABANDONED):
                raise Refused(f"{plan_id} is {turn.plan.status}.", hint="There is nothing to cancel.")
            turn.cancel(actor)
            told.audits.append((actor, "plan.cancel", {}))

        return await self._tell(plan_id, cancel)

    async def run_task(self, plan_id: str, task: str, actor: str, *, force: bool = False) -> Plan:
        """Let a task run now that is ready, or once more when it has ended; with ``force`` also when what it gave
        before could be taken."""
        about = {"force": True} if force else {}
        run = _on_task(task, actor, "task.run", lambda turn: turn.let_run(task, actor, force=force), **about)
        return await self._tell(plan_id, run)

    async def retry_task(self, plan_id: str, task: str, actor: str) -> Plan:
        """Have a task done once more that has ended or is blocked; what was skipped because of it waits anew."""
        return await self._tell(plan_id, _on_task(task, actor, "task.retry", lambda turn: turn.run_again(task, actor)))

    async def complete_task(
        self, plan_id: str, task: str, actor: str, evidence: str, *, roles: frozenset[str] = frozenset()
    ) -> Plan:
        """Take a person's word, and what shows it, that a task is done. A gate is passed over by who may approve it."""
        if not evidence.strip():
            raise InvalidInput("What shows that it is done?", hint="Give --evidence.")

        def complete(turn: Turn) -> None:
            job = turn.program.jobs.get(task)
            if job is not None and job.task.kind == "gate":
                refuse_role(APPROVER, roles, f"The gate {task}")
                refuse_role(job.task.approver_role, roles, f"The gate {task}")
            turn.complete(task, actor, evidence, evidence=evidence)

        return await self._tell(plan_id, _on_task(task, actor, "task.complete", complete))

    async def undo(self, plan_id: str, task: str) -> Undo:
        """Return what rolling a task back would do, and why it cannot be done now. Nothing is done."""
        # From what is stored: what a loop has in memory comes a moment later.
        state = await load(self._services.ledger, plan_id)
        found = undo_of_task(state.program, state.plan, state.board.tasks, existing(state, task))
        try:
            if not found.refusal:
                await self._check_undo(state, task)
        except QuarterdeckError as error:
            return replace(found, refusal=error.message, hint=error.hint or "")
        return found

    async def roll_back(self, plan_id: str, task: str, actor: str) -> tuple[Plan, Undo]:
        """Begin to roll a task back: run what undoes it, where it worked. Refused when that cannot be now."""
        found = await self.undo(plan_id, task)
        if found.refusal:
            raise Refused(found.refusal, hint=found.hint)
        done: list[Undo] = []
        plan = await self._tell(
            plan_id, _on_task(task, actor, "task.rollback", lambda turn: done.append(roll_back(turn, task, actor)))
        )
        return plan, done[-1]

    async def signs(self, plan_id: str, task: str) -> Signs | None:
        """Return when what runs for a task was last heard of; None when nothing of it runs."""
        loop = self._loops.get(plan_id)
        return None if loop is None else await loop.watching.heard(loop.state, task)

    def overspent(self, plan_id: str, task: str, why: str) -> None:
        """Stop a task whose budget is used up."""
        if (loop := self._loops.get(plan_id)) is not None:
            loop.post(lambda turn, told: turn.overspent(task, why))

    def revised(self, plan_id: str) -> None:
        """Have a plan go on with its new revision, also one that had ended before it."""
        if (loop := self._loops.get(plan_id)) is not None:
            loop.refresh()
        else:
            self._services.tasks.ensure(f"take up {plan_id}", lambda: self._take_up(plan_id))

    # --- what happens ----------------------------------------------------------------------------

    async def recover(self) -> int:
        """Take up every plan that was under way; returns how many there are."""
        found, left = await self._services.ledger.store.read(_under_way)
        for plan_id in found:
            self._services.tasks.start(f"take up {plan_id}", self._take_up(plan_id))
        for task in left:
            # The supervisor ended between giving the plan up and stopping this.
            await self._agents.cancel(task)
        return len(found)

    async def session_moved(self, session_id: str) -> None:
        """Hear that the status of a session has changed."""
        if not self._agents.is_waited_for(session_id):
            return
        self._agents.heard(await self._services.ledger.store.read(sessions.get, session_id))

    async def decided(self, event: Event) -> None:
        """Hear that a question was asked, was answered, or will not be."""
        approval_id = str(msgspec.json.decode(event.payload).get("approval"))
        approval = await self._services.ledger.store.read(approvals.get, approval_id)
        if approval.attempt is not None:
            # A command asked; it fetches the answer by itself, and has all its time for that.
            asked = approval.attempt
            attempt, asking = await self._services.ledger.store.read(
                lambda conn: (attempts.get(conn, asked), approvals.asking_attempts(conn))
            )
            if (loop := self._loops.get(str(attempt.plan))) is not None:
                self._rest(loop, attempt, asks=asked in asking)
        # Whether a plan may start at all is no question of one of its tasks: its schedule hears that.
        if approval.channel == "engine" and approval.task is not None and approval.plan in self._loops:
            self._hear(self._loops[approval.plan], approval)

    async def refuse_changed(self, decision: Decision) -> None:
        """Refuse to approve what is not any more as it was when it was asked; it is asked anew."""
        approval = await self._services.ledger.store.read(approvals.get, decision.approval)
        waits = approval.status is ApprovalStatus.PENDING and approval.asked.get(BOUND) is not None
        if not decision.approve or not waits or approval.plan is None:
            return
        refuse_role(approval.asked.get(APPROVER_ROLE), decision.roles, approval.id)
        loop = self._loops.get(approval.plan) or self._loop(await load(self._services.ledger, approval.plan))
        change = await loop.doing.subjects.change(loop.state, approval)
        if change is None:
            return
        await loop.ask(ask_anew(approval, change))
        raise Refused(
            f"{approval.id} cannot be approved. {change.words} It is checked and asked anew.",
            hint=f"`quarterdeck task show {approval.plan}/{approval.task}` shows the new question.",
            code="changed",
        )

    async def catch_up(self) -> None:
        """Look at what is stored, after events were missed."""
        for loop in list(self._loops.values()):
            live, decided, asking = await self._services.ledger.store.read(stored, loop)
            for approval in decided:
                self._hear(loop, approval)
            for attempt in live:
                self._rest(loop, attempt, asks=attempt.id in asking)
        for session_id in self._agents.waited_for():
            await self.session_moved(session_id)

    async def close(self) -> None:
        """Disconnect from the host of commands; they go on."""
        await self._commands.close()

    async def settle(self, approval_id: str) -> None:
        """Return when a plan has taken in what was decided about one of its tasks."""
        approval = await self._services.ledger.store.read(approvals.get, approval_id)
        if (loop := self._loops.get(str(approval.plan))) is not None:
            await take_answer(loop, approval, wait=True)

    def _hear(self, loop: Loop, approval: Approval) -> None:
        self._services.tasks.ensure(f"{loop.name} {approval.id} {approval.status}", lambda: take_answer(loop, approval))

    def _rest(self, loop: Loop, attempt: Attempt, *, asks: bool) -> None:
        """Let the clocks of a command rest, or run on; a host that does not answer holds up nobody else."""
        name = f"{loop.name} {attempt.id} {'rests' if asks else 'goes on'}"
        self._services.tasks.ensure(name, lambda: rest(loop, attempt, asks=asks))

    # --- inside ----------------------------------------------------------------------------------

    async def _tell(self, plan_id: str, take: Take) -> Plan:
        """Tell the loop of a plan something, and return the plan once it was stored."""
        loop = self._loops.get(plan_id) or self._loop(await load(self._services.ledger, plan_id))
        await loop.ask(take)
        return loop.state.plan

    def _loop(self, state: State) -> Loop:
        plan_id = state.plan.id
        if plan_id in self._loops:
            return self._loops[plan_id]
        places = self._places(state)
        doing = Doing(
            self._services,
            self._commands,
            self._agents,
            places,
            self._artifacts,
            Saving(places, self._checkpoints),
            Pass(self._services.ledger, plan_id, self._folder(plan_id)),
        )
        loop = self._loops[plan_id] = Loop(self._services, state, doing, self._commands.identity)
        self._services.tasks.follow(loop.name, lambda: self._run(loop))
        return loop

    async def _run(self, loop: Loop) -> None:
        try:
            while True:
                try:
                    await loop.run()
                except Exception as error:
                    # A plan that nobody looks after is the worst: it is taken up anew, from what is stored.
                    log.exception("%s broke off", loop.name)
                    await loop.broke(error)
                else:
                    return
        finally:
            self._loops.pop(loop.state.plan.id, None)

    async def _take_up(self, plan_id: str) -> None:
        while True:
            try:
                state = await load(self._services.ledger, plan_id)
                live = await self._services.ledger.store.read(attempts.live_of_plan, plan_id)
                if live or state.plan.status in UNDER_WAY:
                    self._loop(state)
            except QuarterdeckError as error:
                log.warning("%s cannot be taken up now: %s", plan_id, error)
                await asyncio.sleep(RECOVER_AGAIN_S)
            else:
                return

    def _folder(self, plan_id: str) -> Path:
        return folder_of(self._services.paths.state, plan_id)

    def _places(self, state: State) -> Places:
        return Places(self._services, state.project, state.plan.id, self._folder(state.plan.id))

    @staticmethod
    def _refuse_unfit(state: State) -> None:
        """Refuse what was started before, and what has a part that cannot be run."""
        plan, problems = state.plan, state.program.problems
        if plan.status is not PlanStatus.PENDING:
            raise Refused(
                f"{plan.id} was started already: it is {plan.status}.",
                hint=f"`quarterdeck plan show {plan.id}` shows how it stands; `task retry` runs a task again.",
            )
        if problems:
            more = len(problems) - 1
            raise Refused(
                f"{plan.id} cannot run as it is: {problems[0]}{f' ({more} more)' if more else ''}.",
                hint=f"Change the document, then: quarterdeck plan revise {plan.id} FILE --rationale T",
            )

    async def _check(self, state: State) -> None:
        """Refuse what a rule denies, and agents that are not known. What a person starts is their decision."""
        root = Path(state.project.root)
        settings = self._services.config_for(root).settings
        jobs = with_examples(state.program).jobs.values()
        for job in jobs:
            agent = job.task.agent
            if agent is not None and agent not in settings.agents:
                known = ", ".join(sorted(settings.agents))
                raise InvalidInput(f"{job.task.id}: there is no agent {agent}.", hint=f"Known agents: {known}.")
        # What undoes a task is judged with it: who starts a plan may rely on it.
        steps = [(job, step) for job in jobs for step in (*job.steps, *job.undo) if step.what == "command"]
        await self._judge(state, steps)

    async def _check_undo(self, state: State, task: str) -> None:
        """Refuse to roll a task back in a place that is gone, or when a rule denies one of its commands by now."""
        plan, job = state.plan, state.program.jobs[task]
        is_there = plan.worktree is not None and await asyncio.to_thread(Path(plan.worktree).is_dir)
        if plan.archived_at is not None or not is_there:
            raise Refused(f"The worktree of {plan.id} is gone.", hint=f"Its branch is {plan.branch}: undo it by hand.")
        await self._judge(state, [(job, step) for step in job.undo])

    async def _judge(self, state: State, steps: Iterable[tuple[Job, Step]]) -> None:
        """Refuse commands that a rule denies."""
        root = Path(state.project.root)
        for job, step in steps:
            task, act = job.task.id, act_of(job.task, step, root, state.project.name)
            judgement = await asyncio.to_thread(self._services.policy.judge, act, root)
            if judgement.effect == "deny":
                raise Refused(
                    f"{task}: policy does not allow this ({judgement.rule}): {judgement.reason}",
                    hint="`quarterdeck policy test` shows how a command is judged.",
                    code="denied",
                )

    async def _keep(self, state: State, environment: Mapping[str, str]) -> None:
        """Keep the environment of who starts the plan, without secrets."""
        settings = self._services.config_for(Path(state.project.root)).settings
        plain, secrets = self._services.secrets.split(environment, settings.secrets)
        settings.secret_values(secrets)
        await asyncio.to_thread(keep_environment, self._folder(state.plan.id), plain)
        self._services.secrets.keep(state.plan.id, secrets)

    async def _refuse_old_branch(self, state: State, worktree: Path, branch: str, base: str) -> None:
        left = await self._services.workspaces.state(worktree, branch, base)
        if left.holds_work:
            raise Refused(
                f"There is a branch {branch_of(state.plan.id)} already, and it holds work: {left.detail}",
                hint="Merge it or remove it with its worktree, or give the plan another id.",
            )


def _under_way(conn: sqlite3.Connection) -> tuple[set[str], list[Task]]:
    """Return the plans that are to be taken up, and given-up tasks whose sessions have not ended."""
    found = {plan.id for plan in plans.find(conn, statuses=UNDER_WAY, archived=True)}
    commands = {attempt.plan for attempt in attempts.live(conn) if attempt.plan is not None}
    return found | commands, tasks.given_up(conn)


def _on_task(task: str, actor: str, action: str, do: Callable[[Turn], Any], **about: Any) -> Take:
    def take(turn: Turn, told: Told) -> None:
        if turn.plan.status is PlanStatus.PENDING:
            raise Refused(f"{turn.plan.id} was not started yet.", hint=f"quarterdeck plan start {turn.plan.id}")
        do(turn)
        told.audits.append((actor, action, {"task": task, **about}))

    return take


def _way(plan: Plan) -> str:
    if plan.status is PlanStatus.PENDING:
        return f"quarterdeck plan start {plan.id}"
    if plan.status is PlanStatus.PAUSED:
        return f"quarterdeck plan resume {plan.id}"
    return f"`quarterdeck plan show {plan.id}` says why." if plan.status in PLAN_ENDED else ""
