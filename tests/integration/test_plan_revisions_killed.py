"""Supervisors that are killed for real while what a revision stops is being stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from config.paths import Paths
from supervisor.api.client import Client, Json
from tests.chaos.round import clean_up
from tests.chaos.victim import Victim
from tests.support.git import repository
from tests.support.supervised import eventually
from tests.wait import until

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[Paths]:
    paths = Paths.below(tmp_path / "h", environ={})
    paths.create()
    yield paths
    clean_up(paths)


def document(*tasks: Mapping[str, object]) -> str:
    return json.dumps({"id": "plan-x", "advance": "auto", "tasks": list(tasks)})


@pytest.mark.parametrize("stopping", [False, True])
async def test_what_a_revision_stops_is_stopped_and_begun_anew_once(
    tmp_path: Path, paths: Paths, *, stopping: bool
) -> None:
    """It is killed as soon as the revision is stored, or while the old command takes its time to end."""
    log = tmp_path / "log"
    says = f"echo told >> {log}; sleep 1; echo gone >> {log}; exit"
    slow = f"trap '{says}' TERM; echo begun >> {log}; while :; do sleep 0.02; done"
    agent = {"id": "w", "agent": "scripted", "prompt": '[{"sleep": 600}]'}
    victim = Victim(paths, "", tmp_path / "failpoints")
    try:
        await victim.start()
        async with Client(paths.socket, paths.token_file) as client:
            body = {"document": document({"id": "a", "command": slow}, agent), "cwd": str(repository(tmp_path / "r"))}
            await client.post("/plans", body)
            await client.post("/plans/plan-x/start", {"environment": {"PATH": os.environ["PATH"]}})
            await until(lambda: log.exists() and log.read_text() == "begun\n", 20, "a runs")
            first = await _runs(client, "w")
            new = document({"id": "a", "command": f"echo new >> {log}"}, {**agent, "prompt": "[]"})
            await client.post("/plans/plan-x/revisions", {"document": new, "rationale": "Anew", "running": "restart"})
            if stopping:
                await until(lambda: "told" in log.read_text(), 20, "it was told to end")
            victim.kill()
        await victim.start()
        async with Client(paths.socket, paths.token_file) as client:
            plan = await _rested(client)
            assert [(task["status"], task["attempts"]) for task in plan["tasks"]] == [("completed", 2)] * 2
            assert log.read_text().split() == ["begun", "told", "gone", "new"]
            old = (await client.get(f"/sessions/{first}"))["session"]
            assert old["status"] == "cancelled"
        await victim.stop()
    finally:
        victim.kill()


async def _runs(client: Client, task: str) -> str:
    """Return the session of a task once it runs."""
    found = ""

    async def runs() -> bool:
        nonlocal found
        found = (await client.get(f"/plans/plan-x/tasks/{task}"))["task"]["session"] or ""
        known = [each["id"] for each in (await client.get("/sessions"))["sessions"] if each["status"] == "running"]
        return found in known

    await eventually(runs, what=lambda: f"the session {found} of {task} runs")
    return found


async def _rested(client: Client) -> Json:
    plan: Json = {}

    async def rests() -> bool:
        plan.update((await client.get("/plans/plan-x"))["plan"])
        return bool(plan["status"] != "running")

    await eventually(rests, what=lambda: f"{plan.get('tasks')} ended")
    return plan
