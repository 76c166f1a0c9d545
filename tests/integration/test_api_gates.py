"""Gates over the API: who may decide, why they did, and what is said beforehand."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from supervisor.api.auth import Role
from supervisor.api.client import Client
from supervisor.engine.planruns.state import State
from supervisor.engine.planruns.subjects import Change, Subjects
from supervisor.model.approvals import Approval
from supervisor.model.errors import ConfigError, InvalidInput, NotFound, Refused
from supervisor.model.plans import PlanStatus, TaskStatus
from supervisor.model.statuses import ApprovalStatus
from supervisor.model.times import now_ms
from supervisor.store import tokens
from tests.support.planruns import Document, RunningPlan, sh, started
from tests.support.supervised import Home, Supervised

P, T = PlanStatus, TaskStatus
GATE: Document = {"id": "ok", "kind": "gate", "approver_role": "Tech Lead"}
APPROVE = "/plans/plan-x/gates/ok/approve"


async def at_gate(supervised: Supervised, *more: Document, **gate: Any) -> RunningPlan:
    plan = await started(supervised, {**GATE, **gate}, *more)
    await plan.task_is("ok", T.WAITING_APPROVAL)
    return plan


async def speaking(supervised: Supervised, role: Role) -> Client:
    """A client of the supervisor with a token of this role."""
    token = f"token-of-{role}"
    await supervised.engine.services.ledger.commit(lambda t: tokens.add(t.conn, token, role=role, now=now_ms()))
    return Client(supervised.paths.socket, token=token)


async def test_who_has_not_the_role_is_told_which_it_is_and_how_to_decide_as_it(supervised: Supervised) -> None:
    plan = await at_gate(supervised, sh("c", "true", "ok"))
    (asked,) = (await supervised.client.get("/approvals"))["approvals"]
    ways: list[tuple[str, dict[str, Any]]] = [
        (APPROVE, {}),
        ("/plans/plan-x/gates/ok/reject", {}),
        (f"/approvals/{asked['id']}/approve", {}),
        (f"/approvals/{asked['id']}/reject", {}),
        ("/approvals/decide", {"decisions": [{"approval": asked["id"], "approve": True}]}),
        ("/plans/plan-x/tasks/ok/complete", {"evidence": "I say so"}),
    ]
    for way, body in ways:
        with pytest.raises(Refused, match=r"the role Tech Lead; you are approver, operator, viewer") as error:
            await supervised.client.post(way, body)
        assert "add 'Tech Lead' to `roles` under `approvals:`" in error.value.hint, way
    assert (await plan.statuses())["ok"] == "waiting_approval"
    assert (await plan.asks()).id == asked["id"], "nothing was asked anew"


async def test_it_is_said_beforehand_what_role_is_needed(supervised: Supervised) -> None:
    await at_gate(supervised)
    (asked,) = (await supervised.client.get("/approvals"))["approvals"]
    assert asked["approver_role"] == "Tech Lead"
    assert asked["question"] == "ok: May it go on? Decided by: Tech Lead."
    assert asked["preview"]["who decides"] == "somebody with the role Tech Lead"
    (task,) = (await supervised.client.get("/plans/plan-x"))["plan"]["tasks"]
    assert task["status_reason"]["text"] == "Somebody with the role Tech Lead decides."
    (rehearsed,) = (await supervised.client.get("/plans/plan-x/rehearsal"))["tasks"]
    assert rehearsed["steps"] == ["a person with the role Tech Lead decides."]


async def test_who_says_in_their_settings_that_they_have_it_decides(home: Home, supervised: Supervised) -> None:
    """The words may be written differently; and it is in force without a restart."""
    plan = await at_gate(supervised)
    with pytest.raises(Refused):
        await supervised.client.post(APPROVE, {})
    home.configure(approvals={"roles": ["security", "tech  lead"]})
    await supervised.client.post(APPROVE, {"rationale": "It was looked at"})
    await plan.reaches(P.COMPLETED)


async def test_who_approves_is_answered_though_the_plan_has_ended_because_of_it(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan hears of the decision by itself, too, and may have ended before the request has looked at it."""
    plan = await at_gate(supervised, approver_role=None, approval=True)
    really = Subjects.change

    async def change(self: Subjects, state: State, approval: Approval) -> Change | None:
        task = asyncio.current_task()
        by_itself = task is not None and task.get_name().startswith("plan ")
        if approval.status is ApprovalStatus.APPROVED and not by_itself:
            await plan.reaches(P.COMPLETED)
        return await really(self, state, approval)

    monkeypatch.setattr(Subjects, "change", change)
    async with asyncio.timeout(20):
        answer = await supervised.client.post(APPROVE, {})
    assert answer["plan"]["status"] == P.COMPLETED


async def test_only_the_persons_own_token_has_the_roles_of_their_settings(home: Home, supervised: Supervised) -> None:
    home.configure(approvals={"roles": ["Tech Lead"]})
    await at_gate(supervised)
    for role in ("approver", "operator", "viewer", "agent"):
        async with await speaking(supervised, role) as other:
            with pytest.raises(Refused) as error:
                await other.post(APPROVE, {})
            assert error.value.specific_code == "forbidden"


async def test_a_projects_settings_give_no_role(supervised: Supervised) -> None:
    (supervised.repository / "quarterdeck.yaml").write_text("approvals: {roles: [Tech Lead]}\n")
    with pytest.raises(ConfigError, match=r"quarterdeck\.yaml"):
        await at_gate(supervised)


@pytest.mark.parametrize("role", ["Approver", "OPERATOR", "viewer"])
async def test_an_approver_has_what_may_do_less(supervised: Supervised, role: str) -> None:
    plan = await at_gate(supervised, approver_role=role)
    async with await speaking(supervised, "approver") as other:
        await other.post(APPROVE, {})
    await plan.reaches(P.COMPLETED)


async def test_passing_over_a_gate_is_a_decision(supervised: Supervised) -> None:
    plan = await at_gate(supervised, {"id": "b", "command": "false"}, approver_role="approver")
    await plan.task_is("b", T.FAILED)
    async with await speaking(supervised, "operator") as operator:
        with pytest.raises(Refused, match="The gate ok is decided by somebody with the role approver"):
            await operator.post("/plans/plan-x/tasks/ok/complete", {"evidence": "I say so"})
        await operator.post("/plans/plan-x/tasks/b/complete", {"evidence": "no gate"})
    await supervised.client.post("/plans/plan-x/tasks/ok/complete", {"evidence": "by telephone"})
    await plan.reaches(P.COMPLETED)
    assert (await plan.task("ok")).reason.text == "person completed it: by telephone"


async def test_the_rationale_is_kept_and_shown(supervised: Supervised) -> None:
    plan = await at_gate(supervised, approver_role="approver")
    (asked,) = (await supervised.client.get("/approvals"))["approvals"]
    shown = await supervised.client.post(APPROVE, {"rationale": "It reads well"})
    assert shown["plan"]["id"] == "plan-x"
    await plan.reaches(P.COMPLETED)
    task = (await supervised.client.get("/plans/plan-x/tasks/ok"))["task"]
    assert task["status_reason"]["text"] == "person approved it: It reads well"
    (decision,) = task["decisions"]
    assert (decision["id"], decision["rationale"], decision["decided_by"]) == (asked["id"], "It reads well", "person")
    assert (await supervised.client.get(f"/approvals/{asked['id']}"))["approval"]["rationale"] == "It reads well"
    entries = (await supervised.client.get("/audit"))["entries"]
    decided = next(each for each in entries if each["action"] == "approval.approve")
    assert (decided["actor"], decided["after"]["rationale"]) == ("person", "It reads well")
    with pytest.raises((Refused, NotFound)):
        await supervised.client.post(APPROVE, {"rationale": "again"})


async def test_production_is_behind_a_gate_or_the_plan_is_not_taken(supervised: Supervised) -> None:
    deploy = {"id": "d", "kind": "deploy", "command": "echo out > out"}
    policies = {"requireGateForProd": True}
    with pytest.raises(InvalidInput, match="this task needs a gate before it"):
        await started(supervised, deploy, policies=policies)
    gate = {"id": "ok", "kind": "gate", "approval": True}
    with pytest.raises(InvalidInput, match="this task needs a gate before it"):
        await started(supervised, {**gate, "next": {"failure": "d"}}, deploy, policies=policies)
    plan = await started(supervised, gate, {**deploy, "needs": ["ok"]}, policies=policies)
    await plan.task_is("ok", T.WAITING_APPROVAL)
    assert (await plan.statuses())["d"] == "pending"
    await supervised.client.post("/plans/plan-x/gates/ok/reject", {"rationale": "not today"})
    await plan.reaches(P.FAILED)
    assert (await plan.statuses())["d"] == "skipped"
