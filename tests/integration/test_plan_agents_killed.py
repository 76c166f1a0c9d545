"""Agents of plans whose supervisor is killed while it starts them: each has one session, which works once."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from supervisor.api.client import Client
from tests.support.git import repository
from tests.support.planruns import scripted
from tests.support.supervised import eventually
from tests.support.victims import a_victim
from tests.wait import until


@pytest.mark.parametrize("failpoint", ["plan.after_commit", "session.prepared", "session.stored"])
async def test_one_that_was_being_started_is_started_once(tmp_path: Path, failpoint: str) -> None:
    begun = tmp_path / "begun"
    place = repository(tmp_path / "repository")
    document = {"id": "plan-x", "advance": "auto", "tasks": [scripted("a", [{"run": f"echo x >> {begun}"}])]}
    with a_victim(tmp_path) as victim:
        # The start of the plan is its first commit; the one that starts the agent is the same or the next.
        victim.armed = failpoint
        await victim.start()
        async with Client(victim.paths.socket, victim.paths.token_file) as client:
            body = {"document": json.dumps(document), "where": "plan.json", "cwd": str(place)}
            await client.post("/plans", body)
            try:
                await client.post("/plans/plan-x/start", {"environment": {"PATH": os.environ["PATH"]}})
            except Exception:
                assert failpoint == "plan.after_commit", "only there is the start itself not answered"
        await until(lambda: not victim.is_running, what="it dies at its failpoint")
        assert victim.died_at_failpoint
        await victim.start()
        async with Client(victim.paths.socket, victim.paths.token_file) as client:

            async def ended() -> bool:
                return (await client.get("/plans/plan-x"))["plan"]["status"] in ("completed", "failed", "blocked")

            await eventually(ended, what=lambda: "the plan ends")
            (task,) = (await client.get("/plans/plan-x"))["plan"]["tasks"]
            assert task["status"] == "completed", task["status_reason"]
            assert len((await client.get("/sessions"))["sessions"]) == 1
        assert begun.read_text() == "x\n"
        await victim.stop()
