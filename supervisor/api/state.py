"""What handlers work with, and how they find what a request names."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from fastapi import Request

from supervisor.api.auth import Principal
from supervisor.engine.engine import Engine
from supervisor.model.entities import Project, Session
from supervisor.model.errors import NotFound
from supervisor.store import projects, sessions


@dataclass(frozen=True, slots=True)
class ServerState:
    """The engine and what belongs to this process. ``stop`` is set when the supervisor should end; ``config_problem``
    says what is wrong with an edit of the configuration that is not in force."""

    engine: Engine
    version: str
    doctor: Callable[[bool], Awaitable[list[dict[str, Any]]]]
    agents: Callable[[], Awaitable[list[dict[str, Any]]]]
    config_problem: Callable[[], str] = str
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    started: float = field(default_factory=time.monotonic)


def state_of(request: Request) -> ServerState:
    """Return the server's state."""
    return cast("ServerState", request.app.state.server)


async def session_of(request: Request, ref: str) -> Session:
    """Return the session that an id, its unique beginning, or a name means; NotFound when none."""
    return await state_of(request).engine.store.read(sessions.resolve, ref)


async def project_named(request: Request, ref: str | None) -> str | None:
    """Return the id of the project that a person names; None when they name none."""
    if ref is None:
        return None
    return (await state_of(request).engine.store.read(projects.resolve, ref)).id


async def project_of(request: Request, session: Session) -> Project:
    """Return the project of a session."""
    return await state_of(request).engine.store.read(projects.get, session.project)


def roles_of(request: Request, principal: Principal) -> frozenset[str]:
    """Return the roles with which somebody decides; those of the person at the terminal are in the settings, too."""
    settings = state_of(request).engine.services.config_for(None).settings
    return principal.roles(settings.approvals.roles)


def worktree_of(session: Session) -> Path:
    """Return a session's worktree; NotFound when it has none (yet), or it is gone."""
    if session.worktree is None:
        raise NotFound(f"{session.name} has no worktree yet.", hint="Wait until it runs.")
    path = Path(session.worktree)
    if not path.is_dir():
        raise NotFound(
            f"The worktree of {session.name} is not there any more: {path}.",
            hint=f"`quarterdeck merge {session.name}` merges its branch {session.branch}, if that is still there.",
        )
    return path
