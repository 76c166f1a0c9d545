"""Approvals: what waits for a decision, deciding it, and asking for one."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from supervisor.api.auth import OWNER, Principal, may
from supervisor.api.decisions import (
    ApproveBody,
    DecideBody,
    OneDecision,
    PermissionBody,
    QuestionBody,
    RejectBody,
)
from supervisor.api.naming import named_approvals
from supervisor.api.protocol import Number
from supervisor.api.state import project_named, session_of, state_of
from supervisor.engine.broker import Command, Question
from supervisor.engine.deciding import Decision
from supervisor.model.approvals import Approval
from supervisor.model.errors import Forbidden, InvalidInput
from supervisor.model.statuses import ApprovalStatus
from supervisor.store import approvals

router = APIRouter(tags=["approvals"])

READ = [Depends(may("read"))]
Decider = Annotated[Principal, Depends(may("decide"))]
Reporter = Annotated[Principal, Depends(may("report"))]

LIMIT = 10_000


@router.get("/approvals", dependencies=READ)
async def list_approvals(
    request: Request,
    all: bool = False,  # noqa: A002 - the name in the contract
    project: str | None = None,
    session: str | None = None,
    limit: Number = 1000,
) -> dict[str, Any]:
    """What waits for a decision, oldest first; with ``all`` whatever was ever asked, newest first."""
    store = state_of(request).engine.store
    of_project = await project_named(request, project)
    of_session = (await session_of(request, session)).id if session else None
    count = max(1, min(limit, LIMIT))

    def read(conn: sqlite3.Connection) -> list[dict[str, Any]]:
        if all:
            found = approvals.find(conn, count, project=of_project, session=of_session)
        else:
            waiting = approvals.pending(conn, of_project)
            found = [each for each in waiting if of_session in (None, each.session)][:count]
        return named_approvals(conn, found)

    return {"approvals": await store.read(read)}


@router.get("/approvals/{ref}", dependencies=READ)
async def show(request: Request, ref: str) -> dict[str, Any]:
    """One approval, with exactly what would be done."""
    store = state_of(request).engine.store
    found = await store.read(lambda conn: named_approvals(conn, [approvals.resolve(conn, ref)]))
    return {"approval": found[0]}


@router.post("/approvals/decide")
async def decide(request: Request, body: DecideBody, principal: Decider) -> dict[str, Any]:
    """Make several decisions in one transaction: all of them, or none."""
    return {"approvals": await _decide(request, body.decisions, principal)}


@router.post("/approvals/{ref}/approve")
async def approve(request: Request, ref: str, body: ApproveBody, principal: Decider) -> dict[str, Any]:
    """Say yes, once; a question with options of its own needs a choice."""
    one = OneDecision(approval=ref, approve=True, choice=body.choice, rationale=body.rationale)
    return {"approval": (await _decide(request, [one], principal))[0]}


@router.post("/approvals/{ref}/reject")
async def reject(request: Request, ref: str, body: RejectBody, principal: Decider) -> dict[str, Any]:
    """Say no; what asked is told the reason."""
    one = OneDecision(approval=ref, approve=False, rationale=body.reason, interrupt=body.interrupt)
    return {"approval": (await _decide(request, [one], principal))[0]}


@router.post("/permissions/{agent}")
async def request_permission(request: Request, agent: str, body: PermissionBody, principal: Reporter) -> dict[str, Any]:
    """Ask whether the session's agent may do something; waits up to ``wait_s`` for the answer."""
    if principal.session is None:
        raise Forbidden("Only a session's own token asks for its permissions.", hint="Use `quarterdeck ask`.")
    broker = state_of(request).engine.broker
    if body.withdrawn:
        await broker.withdraw(principal.session, body.key)
        return {"status": "withdrawn"}
    return await broker.request_permission(principal.session, body.key, body.request, body.wait_s)


@router.post("/questions")
async def ask(request: Request, body: QuestionBody, principal: Reporter) -> dict[str, Any]:
    """Ask a person; waits up to ``wait_s`` for the decision. The same key finds the same question."""
    command = None
    if principal.session is None and not principal.can("operate"):
        if principal.plan is None or body.attempt is None:
            raise Forbidden(
                "This token belongs to no session and may not ask for itself.",
                hint="In a command of a plan, `quarterdeck ask` asks for that.",
            )
        command = Command(principal.plan, body.attempt)
    question = Question(
        text=body.question,
        options=body.choices(),
        default=body.default,
        expires_s=body.expires_s,
        risk=body.risk,
        preview=body.preview,
    )
    engine = state_of(request).engine
    found = await engine.broker.ask(
        question, body.key, body.wait_s, session_id=principal.session, actor=principal.actor, command=command
    )
    return {"approval": (await engine.store.read(named_approvals, [found]))[0]}


async def _decide(request: Request, asked: Sequence[OneDecision], principal: Principal) -> list[dict[str, Any]]:
    engine = state_of(request).engine
    found = await engine.store.read(lambda conn: [approvals.resolve(conn, each.approval) for each in asked])
    if len({approval.id for approval in found}) < len(found):
        raise InvalidInput("The same approval is decided twice.", hint="Name each one once.")
    for approval in found:
        _refuse_own(approval, principal)
    decisions = [
        Decision(approval.id, each.approve, each.choice, each.rationale, each.interrupt)
        for approval, each in zip(found, asked, strict=True)
    ]
    decided = await engine.broker.decide(decisions, principal.actor)
    return await engine.store.read(named_approvals, decided)


def _refuse_own(approval: Approval, principal: Principal) -> None:
    """Nobody approves what they asked for, but the person at the terminal: they answer their own scripts."""
    own = approval.requested_by == principal.actor and principal.actor != OWNER
    if own and approval.status is ApprovalStatus.PENDING:
        raise Forbidden(f"{approval.id} was asked by this same token.", hint="Somebody else must decide it.")
