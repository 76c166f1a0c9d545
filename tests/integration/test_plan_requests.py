"""Tasks of plans that use http and db."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from supervisor.model.errors import Refused
from supervisor.model.plans import PlanStatus, TaskStatus
from supervisor.store import attempts
from tests.support.planruns import created, sh, start, started
from tests.support.supervised import PERSON, Home, Supervised, throwaway_home
from tests.support.web import Answer, site

P, T = PlanStatus, TaskStatus


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with throwaway_home(tmp_path) as home:
        yield home


@pytest.fixture
async def inside(home: Home) -> AsyncIterator[Supervised]:
    async with home.supervised() as inside:
        yield inside


async def test_a_request_a_database_and_what_follows(inside: Supervised) -> None:
    with site(numbers=Answer(body=b"[1, 2, 3]")) as server:
        plan = await created(
            inside,
            {"id": "get", "http": {"url": f"{server.url}/numbers", "headers": {"Authorization": "Bearer ${API_TOKEN}"}},
             "outputs": {"numbers": "numbers.json"}, "success_criteria": ["len(outputs.numbers) == 3"]},
            {"id": "keep", "needs": ["get"], "outputs": {"rows": "rows.jsonl"},
             "db": {"url": "sqlite:a.db", "sql": ["CREATE TABLE t (n); INSERT INTO t VALUES (3)", "SELECT n FROM t"]}},
            sh("show", "cat numbers.json rows.jsonl > all.txt", "keep"),
        )  # fmt: skip
        environment = {"PATH": os.environ["PATH"], "API_TOKEN": "hunter2-hunter2"}
        await inside.engine.plan_runs.start(plan.id, environment, PERSON)
        await plan.reaches(P.COMPLETED)
    assert await plan.file("all.txt") == '[1, 2, 3]{"n": 3}\n'
    assert server.seen[0].headers["authorization"] == "Bearer hunter2-hunter2"
    stored = await inside.engine.store.read(attempts.of_task, plan.id, "get")
    assert "hunter2" not in json.dumps([attempt.work.argv for attempt in stored])


async def test_a_request_that_fails_says_why(inside: Supervised) -> None:
    with site(broken=Answer(500, b"oh")) as server:
        plan = await started(
            inside,
            {"id": "get", "http": f"{server.url}/broken", "next": {"failure": "fix"}},
            sh("fix", "true"),
            {"id": "db", "db": {"url": "sqlite:../elsewhere.db", "sql": "SELECT 1"}},
        )
        shown = await plan.reaches(P.FAILED)
    why = {task.id: task.reason.text for task in shown.tasks}
    assert f"`GET {server.url}/broken` ended with exit code 1: The answer was 500 Internal Server Error" in why["get"]
    assert "leads out of the folder that the task works in" in why["db"]
    assert (await plan.statuses())["fix"] == "completed"


RULES = """\
version: 1
rules:
  - name: no-bank
    effect: deny
    reason: Not there.
    host: bank.example
    match: "https://bank.example/x"
    no_match: "https://a.example/"
  - name: no-ledger
    effect: deny
    reason: Not that.
    path: "**/ledger.db"
    access: write
    match: "/x/ledger.db"
    no_match: "/x/a.db"
"""


async def test_policy_judges_what_a_request_reaches(home: Home) -> None:
    home.paths.config_file.with_name("policy.yaml").write_text(RULES)
    async with home.supervised() as inside:
        bank = await created(inside, {"id": "web", "http": "https://bank.example/pay"})
        with pytest.raises(Refused, match="web: policy does not allow this"):
            await start(bank)
        ledger = await created(
            inside, {"id": "db", "db": {"url": "sqlite:ledger.db", "sql": "SELECT 1"}}, plan="plan-y"
        )
        with pytest.raises(Refused, match="db: policy does not allow this"):
            await start(ledger)
        assert (await bank.plan()).status is P.PENDING


async def test_a_rehearsal_says_what_would_be_done_and_stores_nothing(inside: Supervised) -> None:
    plan = await created(
        inside,
        {
            "id": "get",
            "title": "Get it",
            "http": "https://a.example/",
            "success_criteria": ["exists('x')", "It reads well"],
        },
        sh(
            "save",
            "make",
            "get",
            preconditions="test -f Makefile",
            next={"failure": "fix"},
            timeout="90s",
            timebox="1h",
            retry={"attempts": 3, "delay": 5},
            escalation={"near": "warn", "passed": "ask"},
        ),
        {"id": "fix", "agent": "scripted", "prompt": "Repair it", "no_output": 60},
        {"id": "ok", "kind": "gate", "approval": True, "workspace": "none"},
    )
    before = await inside.engine.store.read(lambda conn: conn.execute("SELECT max(seq) FROM events").fetchone()[0])
    found = await inside.client.get("/plans/plan-x/rehearsal")
    assert found == {
        "plan": "plan-x",
        "refusal": None,
        "tasks": [
            {"task": "get", "title": "Get it", "after": [], "place": "in the plan's worktree",
             "steps": ["request: GET https://a.example/", "must hold: exists('x')", "a person decides: It reads well"],
             "bounds": []},
            {"task": "save", "title": "save", "after": ["get"], "place": "in the plan's worktree",
             "steps": ["must hold before: test -f Makefile", "run: make"],
             "bounds": ["timebox 1 h, then a person is asked; an alert when it is nearly used up",
                        "timeout 1 min 30 s, then a person is asked; an alert when it is nearly used up",
                        "up to 3 attempts, 5 s after a failure"]},
            {"task": "fix", "title": "fix", "after": ["save (on failure)"], "place": "in a worktree of its own",
             "steps": ["scripted works on: Repair it", "merge into the plan's branch"],
             "bounds": ["no_output 1 min, then it is stopped"]},
            {"task": "ok", "title": "ok", "after": [], "place": "in a scratch folder", "steps": ["a person decides."],
             "bounds": []},
        ],
    }  # fmt: skip
    after = await inside.engine.store.read(lambda conn: conn.execute("SELECT max(seq) FROM events").fetchone()[0])
    assert (before, (await plan.plan()).status) == (after, P.PENDING)
    denied = await created(inside, sh("a", "rm -rf /"), plan="plan-y")
    assert "a: policy does not allow this" in (await inside.client.get(f"/plans/{denied.id}/rehearsal"))["refusal"]
