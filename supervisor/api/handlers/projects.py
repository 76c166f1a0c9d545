"""Projects: the git repositories that were added."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from supervisor.api.auth import Principal, may
from supervisor.api.protocol import PathBody, project_json
from supervisor.api.state import state_of
from supervisor.engine.ledger import Transaction
from supervisor.store import projects

router = APIRouter(prefix="/projects", tags=["projects"])

Operator = Annotated[Principal, Depends(may("operate"))]


@router.get("", dependencies=[Depends(may("read"))])
async def list_projects(request: Request) -> dict[str, Any]:
    """All projects."""
    found = await state_of(request).engine.store.read(projects.find)
    return {"projects": [project_json(project) for project in found]}


@router.post("")
async def add(request: Request, body: PathBody, principal: Operator) -> dict[str, Any]:
    """Add the repository that holds a path; adding it again changes nothing."""
    project = await state_of(request).engine.intake.project(Path(body.path), principal.actor)
    return {"project": project_json(project)}


@router.delete("/{ref}")
async def remove(request: Request, ref: str, principal: Operator) -> dict[str, Any]:
    """Forget a project that has no sessions; the repository is not touched."""
    engine = state_of(request).engine
    project = await engine.store.read(projects.resolve, ref)

    def store(transaction: Transaction) -> None:
        projects.remove(transaction.conn, project.id)
        transaction.audit(principal.actor, "project.remove", project.id, before={"root": project.root})

    await engine.services.ledger.commit(store)
    return {"project": project_json(project)}
