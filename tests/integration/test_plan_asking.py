"""Commands of plans that ask a person: the question is about their task, and the answer comes back to them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from supervisor.api.client import Client
from supervisor.engine.deciding import Decision
from supervisor.model.approvals import Approval
from supervisor.model.errors import QuarterdeckError, Refused
from supervisor.model.plans import PlanStatus, TaskStatus
from supervisor.model.statuses import ApprovalStatus
from supervisor.store import approvals
from tests.support.planruns import RunningPlan, created, sh, started
from tests.support.supervised import PERSON, Home, Supervised, eventually, throwaway_home
from tests.wait import until

P, T = PlanStatus, TaskStatus
QUARTERDECK = f"PYTHONPATH={Path(__file__).parents[2]} {sys.executable} -P -m supervisor.cli.main"
ASK = f"{QUARTERDECK} ask 'Which colour?' --option red=Red --option blue=Blue"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with throwaway_home(tmp_path) as home:
        yield home


@pytest.fixture
async def inside(home: Home) -> AsyncIterator[Supervised]:
    async with home.supervised() as inside:
        yield inside


async def asked(inside: Supervised) -> Approval:
    """The one question that waits, once it does."""
    found: list[Approval] = []

    async def look() -> bool:
        found[:] = await inside.engine.store.read(approvals.pending)
        return bool(found)

    await eventually(look, what=lambda: "it asks")
    (approval,) = found
    return approval


async def test_a_command_asks_and_gets_the_answer(inside: Supervised) -> None:
    plan = await started(inside, sh("paint", f"{ASK} > colour.txt"), sh("next", "true", "paint"))
    approval = await asked(inside)
    assert (approval.plan, approval.task, approval.subject) == ("plan-x", "paint", "plan-x paint")
    assert approval.project == (await plan.plan()).project
    assert (approval.requested_by, approval.question) == ("plan plan-x", "Which colour?")
    assert (await plan.statuses())["paint"] == "running"
    await inside.engine.broker.decide([Decision(approval.id, approve=True, choice="blue")], PERSON)
    await plan.reaches(P.COMPLETED)
    assert await plan.file("colour.txt") == "blue\n"
    assert (await inside.engine.store.read(approvals.get, approval.id)).status is ApprovalStatus.CONSUMED


async def test_a_command_that_is_told_no_ends_with_4(inside: Supervised) -> None:
    plan = await started(inside, sh("paint", f"{ASK}"))
    approval = await asked(inside)
    await inside.engine.broker.decide([Decision(approval.id, approve=False, rationale="Not now")], PERSON)
    await plan.reaches(P.FAILED)
    reason = (await plan.task("paint")).reason.text
    assert "exit code 4" in reason
    assert "Not now" in reason


async def test_a_question_goes_on_over_a_restart(home: Home, tmp_path: Path) -> None:
    async with home.supervised() as inside:
        plan = await started(inside, sh("paint", f"{ASK} > {tmp_path}/colour"))
        before = await asked(inside)
    async with home.supervised() as inside:
        plan = RunningPlan(inside, plan.id)
        approval = await asked(inside)
        assert approval.id == before.id
        await inside.engine.broker.decide([Decision(approval.id, approve=True, choice="red")], PERSON)
        await plan.reaches(P.COMPLETED)
    assert (tmp_path / "colour").read_text() == "red\n"


async def test_a_question_ends_with_its_task(inside: Supervised) -> None:
    plan = await started(inside, sh("paint", ASK))
    approval = await asked(inside)
    await inside.engine.plan_runs.cancel(plan.id, PERSON)
    assert (await inside.engine.store.read(approvals.get, approval.id)).status is ApprovalStatus.SUPERSEDED


async def test_a_question_ends_with_its_command(inside: Supervised, tmp_path: Path) -> None:
    plan = await started(inside, sh("paint", f"{ASK} & until test -e {tmp_path}/go; do sleep 0.02; done"))
    approval = await asked(inside)
    (tmp_path / "go").touch()
    await plan.reaches(P.COMPLETED)
    assert (await inside.engine.store.read(approvals.get, approval.id)).status is ApprovalStatus.SUPERSEDED


async def test_the_time_of_a_command_rests_while_a_person_decides(inside: Supervised, tmp_path: Path) -> None:
    late = f"{ASK} && touch {tmp_path}/answered && exec sleep 60"
    plan = await started(inside, sh("paint", late, timeout=3), sh("clock", "sleep 4"))
    approval = await asked(inside)
    await plan.task_is("clock", T.COMPLETED)
    assert (await plan.task("paint")).status is T.RUNNING
    await inside.engine.broker.decide([Decision(approval.id, approve=True, choice="red")], PERSON)
    await until((tmp_path / "answered").exists, 20, "the answer came")
    await plan.task_is("paint", T.FAILED)
    assert "timeout" in (await plan.task("paint")).reason.text


async def test_a_plans_token_asks_for_its_own_commands_only_and_decides_nothing(
    inside: Supervised, tmp_path: Path
) -> None:
    keep = f"echo $QUARTERDECK_TOKEN $QUARTERDECK_ATTEMPT > {tmp_path}/$QUARTERDECK_PLAN; exec sleep 600"
    one = await started(inside, sh("a", keep), plan="plan-one")
    await started(inside, sh("a", keep), plan="plan-two")
    await until(lambda: all((tmp_path / name).exists() for name in ("plan-one", "plan-two")), 20, "both run")
    token, attempt = (tmp_path / "plan-one").read_text().split()
    _, other = (tmp_path / "plan-two").read_text().split()
    body = {"key": "k", "question": "Is it?"}
    async with Client(inside.paths.socket, token=token) as client:
        with pytest.raises(Refused, match="runs as"):
            await client.post("/questions", {**body, "attempt": other})
        with pytest.raises(Refused, match="belongs to no session"):
            await client.post("/questions", body)
        approval = (await client.post("/questions", {**body, "attempt": attempt}))["approval"]
        assert approval["status"] == "pending"
        with pytest.raises(Refused, match="may not decide"):
            await client.post(f"/approvals/{approval['id']}/approve", {})
    await inside.engine.plan_runs.cancel(one.id, PERSON)
    async with Client(inside.paths.socket, token=token) as client:
        with pytest.raises(QuarterdeckError, match="No valid token"):
            await client.post("/questions", {**body, "attempt": attempt})


async def test_a_secret_is_not_in_what_a_command_asks(home: Home) -> None:
    home.configure(secrets=["COLOUR_KEY"])
    async with home.supervised() as inside:
        tell = f'{QUARTERDECK} ask "Use $(echo {shlex.quote("hush")}-$(printf %s me))?"'
        plan = await created(inside, sh("a", tell))
        environment = {"PATH": "/usr/bin:/bin", "COLOUR_KEY": "hush-me"}
        await inside.engine.plan_runs.start(plan.id, environment, PERSON)
        assert (await asked(inside)).question == "Use [redacted]?"
