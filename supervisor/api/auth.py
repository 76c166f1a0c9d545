"""Who is asking, and what they may do.

Two things are checked: the peer's uid, by the connection (`peers`), and a bearer token. A person's token
comes from the state folder (mode 0600); the token of a session, or of a plan's commands, can report and ask, and
nothing else.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fastapi import Request

from supervisor.model.errors import Forbidden
from supervisor.model.roles import AGENT
from supervisor.store import tokens
from supervisor.store.database import Store

Role = Literal["viewer", "operator", "approver", "agent"]
Right = Literal["read", "operate", "report", "decide"]

OWNER = "person"
"""The actor that holds the owner's token: the person at the terminal."""

_MAY: dict[Role, frozenset[Right]] = {
    "viewer": frozenset({"read"}),
    "operator": frozenset({"read", "operate", "report"}),
    "approver": frozenset({"read", "operate", "report", "decide"}),
    "agent": frozenset({"report"}),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking. ``session`` is set for a session's own token, ``plan`` for that of a plan's commands."""

    role: Role
    actor: str
    session: str | None = None
    plan: str | None = None

    def roles(self, also: Iterable[str] = ()) -> frozenset[str]:
        """Return the roles with which a decision is made: what the token carries, with all that may do less.

        ``also`` are those that the person at the terminal says that they have; another token does not have them.
        """
        less = {role for role in _MAY if role != AGENT and _MAY[role] <= _MAY[self.role]}
        return frozenset({*less, *(also if self.actor == OWNER else ())})

    def can(self, right: Right) -> bool:
        """Whether the role carries a right."""
        return right in _MAY[self.role]


def owner_token(path: Path) -> str:
    """Return the owner's token; it is made on first use, readable by this user only."""
    # A crash of the machine can leave an empty file, which would keep its owner out for good.
    if path.exists() and (known := path.read_text().strip()):
        return known
    token = secrets.token_urlsafe(32)
    temporary = path.with_name(f".token.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w") as file:
        file.write(token)
    temporary.rename(path)
    return token


class Gate:
    """Turns a request's token into a principal."""

    def __init__(self, owner: str, store: Store) -> None:
        self._owner = owner.encode()
        self._store = store

    def principal(self, authorization: str) -> Principal:
        """Return who holds this token; Forbidden when nobody does."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() == "bearer" and token:
            if secrets.compare_digest(token.encode(), self._owner):
                return Principal("approver", OWNER)
            found = self._store.peek(tokens.get, token)
            if found is not None and found.session:
                return Principal(found.role, f"session {found.session}", found.session)
            if found is not None:
                plan = tokens.plan_of(token)
                return Principal(found.role, f"plan {plan}" if plan else found.role, plan=plan)
        raise Forbidden("No valid token came with the request.", hint="Send `Authorization: Bearer TOKEN`.")


def may(*rights: Right) -> Callable[[Request], Awaitable[Principal]]:
    """Return a dependency that lets through those who have one of these rights."""

    async def check(request: Request) -> Principal:
        gate: Gate = request.app.state.gate
        principal = gate.principal(request.headers.get("authorization", ""))
        if not any(map(principal.can, rights)):
            raise Forbidden(f"A token of the role {principal.role} may not {rights[0]}.")
        return principal

    return check
