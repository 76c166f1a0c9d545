"""Policy: the rules in force, what they would say, and their versions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from supervisor.api.auth import Principal, may
from supervisor.api.decisions import (
    PolicyApplyBody,
    PolicyProposeBody,
    PolicyRollbackBody,
    PolicyTestBody,
    judgement_json,
    proposal_json,
    rule_json,
    version_json,
)
from supervisor.api.state import project_named, state_of
from supervisor.model.acts import Act
from supervisor.store import approvals, policies, projects

router = APIRouter(prefix="/policy", tags=["policy"])

READ = [Depends(may("read"))]
Decider = Annotated[Principal, Depends(may("decide"))]


@router.get("", dependencies=READ)
async def show(request: Request, project: str | None = None) -> dict[str, Any]:
    """The rules in force, in the order of the book, with their sources; and what is wrong with them."""
    engine = state_of(request).engine
    root = None
    if (wanted := await project_named(request, project)) is not None:
        root = Path((await engine.store.read(projects.get, wanted)).root)
    book, version = await engine.policies.book(root)
    return {
        "version": version,
        "rules": [rule_json(rule) for rule in book.rules],
        "problems": [problem.message for problem in book.problems],
    }


@router.post("/test", dependencies=READ)
async def test(request: Request, body: PolicyTestBody) -> dict[str, Any]:
    """What would be decided about a command, by which rule, and why; nothing is stored."""
    engine = state_of(request).engine
    project = await engine.policies.project_at(Path(body.cwd))
    root = Path(project.root if project else body.cwd)
    act = Act(
        kind="execute",
        tool="Bash",
        cwd=body.cwd,
        worktree=str(root),
        agent=body.agent or engine.services.config_for(None).settings.default_agent,
        mode=body.mode,
        project=project.name if project else "",
        command=body.command if isinstance(body.command, str) else tuple(body.command),
    )
    return judgement_json(await engine.broker.judge(root, act))


@router.get("/versions", dependencies=READ)
async def versions(request: Request) -> dict[str, Any]:
    """Every version of the rules that people applied, newest first."""
    found = await state_of(request).engine.store.read(policies.find)
    return {"versions": [version_json(version) for version in found]}


@router.post("/apply")
async def apply(request: Request, body: PolicyApplyBody, principal: Decider) -> dict[str, Any]:
    """Apply rules: a whole document in the place of those that were applied, or one rule more."""
    policies_ = state_of(request).engine.policies
    if body.document is not None:
        made = await policies_.apply(body.document, principal.actor, body.rationale, base=body.base)
    else:
        made = await policies_.add(body.rule or {}, principal.actor, body.rationale, base=body.base)
    return {"version": version_json(made)}


@router.post("/rollback")
async def rollback(request: Request, body: PolicyRollbackBody, principal: Decider) -> dict[str, Any]:
    """Let an earlier version's document be in force again, exactly, as a new version."""
    made = await state_of(request).engine.policies.rollback(body.version, principal.actor, body.rationale)
    return {"version": version_json(made)}


@router.get("/suggestions", dependencies=READ)
async def suggestions(request: Request) -> dict[str, Any]:
    """Rules for what was approved again and again; only a person applies them."""
    found, version = await state_of(request).engine.suggesting.suggestions()
    return {"suggestions": [proposal_json(each) for each in found], "version": version}


@router.post("/propose", dependencies=READ)
async def propose(request: Request, body: PolicyProposeBody) -> dict[str, Any]:
    """The rule that would have allowed what an approval was about, and what of the history it would match."""
    engine = state_of(request).engine
    approval = await engine.store.read(approvals.resolve, body.approval)
    proposal, version = await engine.suggesting.propose(approval)
    return {"proposal": proposal_json(proposal), "version": version}
