"""Access tokens of the API. The database holds their hashes: who reads it cannot use them."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from supervisor.store import queries
from supervisor.store.rows import Shape

SQL = queries.load("tokens")

Role = Literal["viewer", "operator", "approver", "agent"]


@dataclass(frozen=True, slots=True)
class Token:
    """What a token allows: a role, for an agent's token only within its session, or its plan (`plan_of`)."""

    sha256: str
    role: Role
    session: str | None
    created_at: int


SHAPE = Shape(Token)


def add(conn: sqlite3.Connection, token: str, *, role: Role, now: int, session: str | None = None) -> Token:
    """Make ``token`` valid."""
    added = Token(_hash(token), role, session, now)
    conn.execute(SQL["insert"], SHAPE.row(added))
    return added


def get(conn: sqlite3.Connection, token: str) -> Token | None:
    """Return what ``token`` allows; None when it is not valid."""
    row = conn.execute(SQL["get"], {"sha256": _hash(token)}).fetchone()
    return None if row is None else SHAPE.entity(row)


def for_plan(plan: str, secret: str) -> str:
    """Return a token of a plan's commands. Its text names the plan; only its hash is kept: nobody can change it."""
    return f"{plan}.{secret}"


def plan_of(token: str) -> str | None:
    """Return the plan that a valid token is of, None when it is no plan's."""
    plan, _, _ = token.rpartition(".")
    return plan or None


def revoke(conn: sqlite3.Connection, token: str) -> bool:
    """Take a token back; False when it was not valid."""
    return conn.execute(SQL["revoke"], {"sha256": _hash(token)}).rowcount > 0


def revoke_session(conn: sqlite3.Connection, session: str) -> int:
    """Take every token of a session back; returns how many."""
    return conn.execute(SQL["revoke_session"], {"session": session}).rowcount


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
