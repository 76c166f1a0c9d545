"""Supervisors that are killed for real while they make and start scheduled runs."""

from __future__ import annotations

import json
import os
from datetime import datetime
from pathlib import Path

import pytest

from config.paths import Paths
from supervisor.api.client import Client, Json
from supervisor.daemon import Daemon
from supervisor.engine.failpoints import SCHEDULE_FAILPOINTS
from supervisor.engine.schedules import Wanted
from supervisor.model.errors import SupervisorUnreachable
from supervisor.model.schedules import Approval, Missed
from tests.chaos.round import clean_up
from tests.chaos.victim import Victim
from tests.support.git import repository
from tests.support.supervised import PERSON, eventually

pytestmark = pytest.mark.timeout(90)

HOUR = 3_600_000
MISSED = 3


@pytest.mark.parametrize(
    ("failpoint", "approval"),
    [
        *((each, "auto") for each in SCHEDULE_FAILPOINTS),
        ("schedule.created", "each"),
        ("schedule.before_start", "each"),
    ],
)
async def test_each_time_has_one_run_that_runs_once(tmp_path: Path, failpoint: str, approval: Approval) -> None:
    """Three times were missed and are made good; the supervisor dies at a failpoint at the second of them."""
    paths = Paths.below(tmp_path / "h", environ={})
    ledger = tmp_path / "ledger"
    document = {"id": "nightly", "advance": "auto", "tasks": [{"id": "a", "command": f"echo x >> {ledger}"}]}
    async with Daemon(paths) as daemon:
        engine = daemon.engine
        now = engine.schedules.now()
        place = repository(tmp_path / "repository")
        await engine.planning.create(json.dumps(document).encode(), "plan.json", place, PERSON)
        engine.services.tasks.cancel("schedules")
        engine.schedules.now = lambda: now - MISSED * HOUR
        # Half an hour from now on, so that none comes due while it is looked.
        minute = datetime.fromtimestamp((now + HOUR // 2) / 1000).minute
        wanted = Wanted(f"{minute} * * * *", missed=Missed.ALL, approval=approval)
        await engine.schedules.create("nightly", wanted, {"PATH": os.environ["PATH"]}, PERSON)
    victim = Victim(paths, "", tmp_path / "failpoints")
    victim.armed = f"{failpoint}@{1 if failpoint == 'schedule.called' else 2}"
    try:
        await victim.start()
        await _approved(victim, paths)
        async with Client(paths.socket, paths.token_file) as client:
            plans = await _ended(client)
        assert len(plans) == MISSED
        assert {plan["status"] for plan in plans} == {"completed"}
        assert victim.died_at_failpoint
        assert ledger.read_text().split() == ["x"] * MISSED
        async with Client(paths.socket, paths.token_file) as client:
            asked = (await client.get("/approvals", all=True))["approvals"]
        assert [each["status"] for each in asked] == ["consumed"] * (0 if approval == "auto" else MISSED)
        await victim.stop()
    finally:
        victim.kill()
        clean_up(paths)


async def _approved(victim: Victim, paths: Paths) -> None:
    """Approve whatever waits, over the death of the supervisor, until every run has started."""

    async def started() -> bool:
        if not victim.is_running:
            await victim.start()
            return False
        try:
            async with Client(paths.socket, paths.token_file) as client:
                for each in (await client.get("/approvals"))["approvals"]:
                    await client.post(f"/approvals/{each['id']}/approve", {})
                runs = (await client.get("/schedules/nightly"))["schedule"]["runs"]
        except SupervisorUnreachable:
            return False  # It dies just now.
        return [run["state"] for run in runs] == ["started"] * MISSED

    await eventually(started, what=lambda: "every run has started")


async def _ended(client: Client) -> list[Json]:
    found: list[Json] = []

    async def ended() -> bool:
        plans = (await client.get("/plans"))["plans"]
        found[:] = [plan for plan in plans if plan["id"] != "nightly"]
        return all(plan["status"] not in ("pending", "running") for plan in found)

    await eventually(ended, what=lambda: f"{found} ended")
    return found
