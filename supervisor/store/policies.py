"""Versions of the rules that people applied: only ever added to, so that each can be looked at and come back."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from supervisor.model.errors import NotFound
from supervisor.store import queries
from supervisor.store.rows import Shape

SQL = queries.load("policies")


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """A whole document of rules (YAML), as a person applied it. ``number`` counts from 1."""

    number: int
    created_at: int
    author: str
    rationale: str
    document: str


SHAPE = Shape(PolicyVersion)


def append(conn: sqlite3.Connection, document: str, *, author: str, rationale: str, now: int) -> PolicyVersion:
    """Add a version, which is the one in force from now on."""
    values = {"document": document, "author": author, "rationale": rationale, "created_at": now}
    return SHAPE.entity(conn.execute(SQL["append"], values).fetchone())


def get(conn: sqlite3.Connection, number: int) -> PolicyVersion:
    """Return a version; NotFound when there is none of this number."""
    row = conn.execute(SQL["get"], {"number": number}).fetchone()
    if row is None:
        raise NotFound(f"There is no policy version {number}.", hint="`quarterdeck policy versions` lists them.")
    return SHAPE.entity(row)


def latest(conn: sqlite3.Connection) -> PolicyVersion | None:
    """Return the version in force; None while nobody has applied anything."""
    row = conn.execute(SQL["latest"]).fetchone()
    return None if row is None else SHAPE.entity(row)


def find(conn: sqlite3.Connection) -> list[PolicyVersion]:
    """Return every version, newest first."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["all"])]
