"""Breakers: what is used up stops or pauses, for real, and what is not any more goes on.

They follow from what is stored: each round looks at which budgets are used up and does whatever is not done yet, so a
round that was cut off, or a supervisor that was, is made good by the next one.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Final

from config.settings import Settings
from supervisor.engine.budgets.limits import Document, Subject, at_work, document_of, limits_in, planned, used_in
from supervisor.engine.budgets.weighing import holds, name_of, period_of, reason, spent, tell, weigh_scope
from supervisor.engine.bus import Bus
from supervisor.engine.conducting import Conductor
from supervisor.engine.control import Control
from supervisor.engine.ledger import Transaction
from supervisor.engine.planruns.runs import PlanRuns
from supervisor.engine.services import Services
from supervisor.model.budgets import BUDGET, DAY, Limit, Standing, kind_of, level_of
from supervisor.model.entities import Attempt, Session
from supervisor.model.errors import InvalidInput, NotFound, QuarterdeckError, Refused
from supervisor.model.events import Event, EventType
from supervisor.model.plans import Plan, PlanStatus
from supervisor.model.statuses import NO_PROCESS, SessionStatus
from supervisor.model.times import local_day, now_ms
from supervisor.model.usage import Running
from supervisor.store import attempts, budgets, plans, projects, sessions, usage

log = logging.getLogger(__name__)

AT_ONCE: Final = frozenset({EventType.BUDGET_TRIPPED, EventType.BUDGET_RESUMED, EventType.PLAN_REVISED})
SOON: Final = frozenset(
    {EventType.STATUS_CHANGED, EventType.TASK_STATUS_CHANGED, EventType.PLAN_STATUS_CHANGED, EventType.PLAN_CREATED}
)
"""What may begin to take time, or goes on although it is to be held. There can be very many: see `SOON_S`."""

SOON_S: Final = 0.2
RAISED_LOOK_S: Final = 5.0
"""How soon it is seen that a limit in a file was raised, while a budget is used up."""

CALM_LOOK_S: Final = 60.0
TRY_AGAIN_S: Final = 1.0
TAKING_UP_S: Final = 10.0
"""Seconds after a start in which nothing is weighed for time alone: what ended while no supervisor ran seems at work
until it was taken up."""

SHORTEST_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Doing:
    """What a round has to do."""

    stop: list[tuple[Session, Attempt]]
    fail: list[tuple[str, str, str]]
    """(plan, task, why) of tasks whose commands run."""
    pause: list[tuple[Session, str]]
    resume: list[Session]
    hold: list[tuple[str, str]]
    """(plan, why)."""
    release: list[str]
    tripped: bool


@dataclass(slots=True)
class Breakers:
    """Does what follows when budgets are used up, and when they are not any more."""

    services: Services
    bus: Bus
    conductor: Conductor
    control: Control
    plan_runs: PlanRuns
    _bell: asyncio.Event = field(default_factory=asyncio.Event)
    _soon: bool = False
    _timed_from: float = 0.0
    _documents: dict[tuple[str, int, int], Document] = field(default_factory=dict)

    async def start(self, *, taking_up: bool) -> None:
        """Listen, and do what a crash left undone."""
        self._timed_from = asyncio.get_running_loop().time() + TAKING_UP_S if taking_up else 0.0
        self.bus.listen(self._hear)
        self._bell.set()

    async def run(self) -> None:
        """Keep on until cancelled."""
        while True:
            self._bell.clear()
            self._soon = False
            try:
                wait_s = await self._round()
            except (QuarterdeckError, OSError) as error:
                log.warning("Budgets cannot be kept now: %s", error)
                wait_s = TRY_AGAIN_S
            try:
                async with asyncio.timeout(max(SHORTEST_S, wait_s)):
                    await self._bell.wait()
            except TimeoutError:
                continue

    async def resume(self, ref: str, actor: str) -> list[Standing]:
        """Let a scope whose budget is used up go on: it may use as much again. Refused when it is not used up."""
        settings = self.services.config_for(None).settings

        def store(transaction: Transaction) -> list[Standing]:
            conn, now = transaction.conn, transaction.now
            scope = _resolve(conn, ref)
            weigh_scope(transaction, settings, scope)
            found = budgets.tripped(conn, [scope], period_of(scope, now))
            whose = name_of(conn, scope)
            if not found:
                raise Refused(f"No budget of {whose} is used up.", hint="`quarterdeck budget` shows them.")
            if any(each.limit == 0 for each in found):
                raise Refused(f"The limit of {whose} is 0: as much again is nothing.", hint="Raise the limit.")
            used = used_in(conn, scope, now)
            granted = [_granted(each, used.of(each.measure), settings.budgets.warn_at, now) for each in found]
            for each in granted:
                budgets.put(conn, each)
                tell(transaction, each, EventType.BUDGET_RESUMED, text=f"{actor} lets {whose} use as much again.")
            transaction.audit(actor, "budget.resume", scope, after={"allowed": {g.measure: g.allowed for g in granted}})
            return granted

        return await self.services.ledger.commit(store)

    def _hear(self, batch: Sequence[Event]) -> None:
        if any(event.type in AT_ONCE for event in batch):
            self._bell.set()
        elif not self._soon and any(event.type in SOON for event in batch):
            self._soon = True
            asyncio.get_running_loop().call_later(SOON_S, self._bell.set)

    async def _round(self) -> float:
        """Weigh what time alone changes, do what follows; returns how many seconds nothing happens by time alone."""
        settings = self.services.config_for(None).settings
        untimed_s = max(0.0, self._timed_from - asyncio.get_running_loop().time())
        scopes, wait_s = await self.services.ledger.store.read(self._due, settings, untimed_s)
        if scopes:

            def weighed(transaction: Transaction) -> None:
                for scope in scopes:
                    weigh_scope(transaction, settings, scope)

            await self.services.ledger.commit(weighed)
        doing = await self.services.ledger.store.read(_look, settings, now_ms())
        await self._do(doing)
        return min(wait_s, RAISED_LOOK_S if doing.tripped else CALM_LOOK_S)

    def _due(self, conn: sqlite3.Connection, settings: Settings, untimed_s: float) -> tuple[list[str], float]:
        """Return the scopes to be weighed now, and how soon the next limit of time is reached."""
        if untimed_s:
            return [], untimed_s
        now = now_ms()
        running = usage.running(conn)
        raised = budgets.raised(conn, local_day(now)[0])
        due, wait_s = {each.scope for each in raised}, CALM_LOOK_S
        for limit in self._timed(conn, settings, running, now):
            known = budgets.get(conn, limit.scope, limit.period, "time")
            allowed = limit.amount + (known.granted if known else 0)
            used = used_in(conn, limit.scope, now, running).time
            level = level_of(used, allowed, settings.budgets.warn_at)
            if level != (known.level if known else "closed"):
                due.add(limit.scope)
            goal = allowed if level != "closed" else min(allowed, round(settings.budgets.warn_at * allowed))
            if level != "tripped":
                wait_s = min(wait_s, (goal - used) / 1000 / len(at_work(limit.scope, running)))
        return sorted(due), wait_s

    def _timed(self, conn: sqlite3.Connection, settings: Settings, running: list[Running], now: int) -> list[Limit]:
        """Return the limits of time of what runs."""
        found: dict[str, list[Limit]] = {}
        for each in running:
            for scope in Subject(each.project, each.plan, each.task, each.session).scopes:
                if scope not in found:
                    found[scope] = self._limits(conn, settings, scope, now)
        return [limit for limits in found.values() for limit in limits if limit.measure == "time"]

    def _limits(self, conn: sqlite3.Connection, settings: Settings, scope: str, now: int) -> list[Limit]:
        """Return the limits of a scope. A revision never changes, so its document is read once."""
        kind, _, name = scope.partition(":")
        if kind not in ("plan", "task"):
            return limits_in(conn, settings, scope, now)
        plan_id = name.partition("/")[0]
        try:
            plan = plans.get(conn, plan_id)
        except NotFound:
            return []
        key = plan.id, plan.revision, plan.created_at
        if key not in self._documents:
            self._documents = {known: each for known, each in self._documents.items() if known[0] != plan.id}
            self._documents[key] = document_of(conn, plan.id)
        return planned(scope, self._documents[key])

    async def _do(self, doing: Doing) -> None:
        for session, attempt in doing.stop:
            await self._try(
                f"{session.name} was not stopped",
                self.services.executor(session).stop(self.services.ref(attempt, session), grace_s=0),
            )
        for plan, task, why in doing.fail:
            self.plan_runs.overspent(plan, task, why)
        for plan, why in doing.hold:
            await self._try(f"{plan} was not paused", self.plan_runs.pause(plan, BUDGET, why))
        for session, why in doing.pause:
            await self._try(f"{session.name} was not paused", self.control.pause(session.id, BUDGET, why))
        for session in doing.resume:
            await self._try(f"{session.name} was not resumed", self.control.resume(session.id, BUDGET))
        for plan in doing.release:
            await self._try(f"{plan} was not resumed", self.plan_runs.resume(plan, BUDGET))
        self.conductor.scheduler.kick()

    async def _try(self, problem: str, work: Awaitable[object]) -> None:
        try:
            await work
        except (QuarterdeckError, OSError) as error:
            # It has ended, or was moved by a person: the next round sees how it stands then.
            log.info("%s: %s", problem, error)


def _look(conn: sqlite3.Connection, settings: Settings, now: int) -> Doing:
    """Return what is not as the budgets that are used up would have it."""
    found = [each for each in budgets.raised(conn, local_day(now)[0]) if each.level == "tripped"]
    held_plans = {each.scope.partition(":")[2]: each for each in found if kind_of(each.scope) == "plan"}
    paused = [s for s in sessions.find(conn, statuses={SessionStatus.PAUSED}) if s.reason.signal == BUDGET]
    held = [plan for plan in plans.find(conn, statuses={PlanStatus.PAUSED}) if plan.reason.signal == BUDGET]
    doing = Doing([], [], [], [], [], [], bool(found))
    doing.resume.extend(s for s in paused if holds(conn, settings, s, now) is None)
    doing.release.extend(plan.id for plan in held if plan.id not in held_plans)
    if not found:
        return doing
    for session, attempt in _live(conn):
        if why := spent(conn, session):
            log.info("%s is stopped: %s", session.name, why)
            doing.stop.append((session, attempt))
        elif session.status is SessionStatus.RUNNING and (held_by := holds(conn, settings, session, now)) is not None:
            doing.pause.append((session, held_by.sentence(name_of(conn, held_by.scope))))
    of_tasks = {each.scope: each for each in found if kind_of(each.scope) == "task"}
    for running in usage.running(conn):
        scopes = Subject(None, running.plan, running.task).scopes
        standing_of = next((of_tasks[scope] for scope in scopes if scope in of_tasks), None)
        if running.session is None and standing_of is not None:
            doing.fail.append((str(running.plan), str(running.task), reason(standing_of)))
    for plan_id, standing in held_plans.items():
        if _goes_on(conn, plan_id):
            doing.hold.append((plan_id, standing.sentence(f"the plan {plan_id}")))
    return doing


def _live(conn: sqlite3.Connection) -> list[tuple[Session, Attempt]]:
    return [
        (sessions.get(conn, attempt.session), attempt)
        for attempt in attempts.live(conn)
        if attempt.session is not None and attempt.status not in NO_PROCESS and attempt.pid is not None
    ]


def _goes_on(conn: sqlite3.Connection, plan_id: str) -> bool:
    try:
        plan: Plan = plans.get(conn, plan_id)
    except NotFound:
        return False
    return plan.status in (PlanStatus.RUNNING, PlanStatus.BLOCKED)


def _granted(standing: Standing, used: int, warn_at: float, now: int) -> Standing:
    level = level_of(used, standing.limit + used, warn_at)
    return Standing(
        standing.scope, standing.period, standing.measure, level, now, used, standing.limit, granted=used
    )  # fmt: skip


def _resolve(conn: sqlite3.Connection, ref: str) -> str:
    """Return the scope that a person means: ``day``, ``plan:ID``, ``task:PLAN/TASK``, ``session:NAME``, …"""
    kind, _, name = ref.partition(":")
    if ref == DAY:
        return DAY
    if kind == "session":
        return f"session:{sessions.resolve(conn, name).id}"
    if kind == "project":
        return f"project:{projects.resolve(conn, name).id}"
    if kind == "plan":
        return f"plan:{plans.resolve(conn, name).id}"
    plan, slash, task = name.partition("/")
    if kind == "task" and slash:
        return f"task:{plans.resolve(conn, plan).id}/{task}"
    raise InvalidInput(
        f"{ref!r} is no scope of a budget.",
        hint="Use day, project:NAME, plan:ID, task:PLAN/TASK or session:NAME; `quarterdeck budget` lists them.",
    )
