"""The engine: everything that decides, put together."""

from __future__ import annotations

import asyncio
import logging

from supervisor.engine.alerting import Alerting
from supervisor.engine.artifacts import Artifacts
from supervisor.engine.broker import Broker
from supervisor.engine.budgets.breakers import Breakers
from supervisor.engine.bus import Bus
from supervisor.engine.checkpoints import Checkpoints
from supervisor.engine.conducting import Conductor
from supervisor.engine.control import Control
from supervisor.engine.intake import Intake, RunRequest
from supervisor.engine.planning import Planning
from supervisor.engine.planruns.deleting import Deleting
from supervisor.engine.planruns.ending import Ending
from supervisor.engine.planruns.runs import PlanRuns
from supervisor.engine.policies import Policies
from supervisor.engine.reactions import Reactions
from supervisor.engine.reports import Reports
from supervisor.engine.schedules import Schedules
from supervisor.engine.scheduling import disk_problem
from supervisor.engine.services import Services
from supervisor.engine.suggesting import Suggesting
from supervisor.engine.uploads import Uploads
from supervisor.model.entities import Session
from supervisor.model.errors import QuarterdeckError
from supervisor.model.statuses import SessionStatus

log = logging.getLogger(__name__)


class Engine:
    """What handlers and the daemon talk to."""

    def __init__(self, services: Services, bus: Bus, hook_command: tuple[str, ...], policies: Policies) -> None:
        self.services = services
        self.bus = bus
        self.store = services.ledger.store
        self.conductor = Conductor(services, hook_command)
        self.intake = Intake(services)
        self.planning = Planning(services.ledger, self.intake)
        self.artifacts = Artifacts(services)
        self.uploads = Uploads(services.ledger, self.intake, self.artifacts)
        self.control = Control(services, self.conductor)
        self.reports = Reports(services, self.conductor)
        self.policies = policies
        self.alerting = Alerting(services.ledger, bus)
        self.suggesting = Suggesting(self.store, policies)
        self.broker = Broker(services, services.desk, self.conductor.adapter_of)
        self.checkpoints = Checkpoints(services)
        self.plan_runs = PlanRuns(services, self.run, self.control, self.artifacts, self.checkpoints)
        self.broker.guard = self.plan_runs.refuse_changed
        self.breakers = Breakers(services, bus, self.conductor, self.control, self.plan_runs)
        self.ending = Ending(services, self.planning, self.control)
        self.deleting = Deleting(services, self.planning)
        self.schedules = Schedules(services, self.planning, self.plan_runs.start, self.plan_runs.cancel)
        bus.listen(self.conductor.delivery.hear)
        self._reactions = Reactions(services, bus, self.conductor, self.broker, self.plan_runs, self.schedules)

    async def start(self) -> int:
        """Make good what a crash left, then serve the queue; returns how many attempts were adopted."""
        # First, before anything happens: what happens from now on it hears.
        await self.alerting.start()
        await self.policies.start()
        # What expired while no supervisor ran counts as expired before anything goes on.
        await self.broker.expire()
        self.services.tasks.start("reactions", self._reactions.run())
        # Before plans go on, which make others.
        if left := await self.checkpoints.tidy():
            log.info("%d checkpoints without a record were removed", left)
        adopted = await self.conductor.recover()
        plans = await self.plan_runs.recover()
        await self.schedules.tidy()
        await self.breakers.start(taking_up=adopted + plans > 0)
        self.services.tasks.start("budgets", self.breakers.run())
        self.services.tasks.start("scheduler", self.conductor.scheduler.run())
        self.services.tasks.start("rules", self.policies.warm())
        self.services.tasks.start("approvals", self.broker.run())
        self.services.tasks.start("watchdog", self.conductor.watchdog.run())
        self.services.tasks.start("artifacts", self.artifacts.run())
        self.services.tasks.start("schedules", self.schedules.run())
        return adopted

    async def run(self, request: RunRequest, actor: str) -> Session:
        """Store a session and let it start as soon as it may."""
        session = await self.intake.accept(request, actor)
        if session.status is SessionStatus.PREPARING:
            self.conductor.begin(session)
        else:
            self.conductor.scheduler.kick()
        return session

    async def health(self) -> tuple[str, dict[str, str]]:
        """Return healthy, degraded or unhealthy, and what each check found.

        The database is really written to, and the scheduler must have looked at its queue.
        """
        checks: dict[str, str] = {}
        try:
            async with asyncio.timeout(5):
                await self.store.check()
            checks["store"] = "ok"
        except Exception as error:
            checks["store"] = f"failed: {error}"
        checks["scheduler"] = "ok" if self.services.tasks.running("scheduler") else "failed: it has stopped"
        checks["disk"] = disk_problem(self.services, self.services.config_for(None).settings) or "ok"
        failures = self.services.tasks.failures
        checks["tasks"] = f"{len(failures)} failed, the last: {failures[-1]}" if failures else "ok"
        if checks["store"] != "ok" or checks["scheduler"] != "ok":
            return "unhealthy", checks
        return ("healthy" if all(found == "ok" for found in checks.values()) else "degraded"), checks

    async def close(self) -> None:
        """Stop deciding. What runs goes on; the next start adopts it."""
        await self.services.tasks.close()
        try:
            await self.conductor.delivery.settle()
        except QuarterdeckError as error:
            log.warning("Answers that were written will be written again: %s", error)
        await self.plan_runs.close()
