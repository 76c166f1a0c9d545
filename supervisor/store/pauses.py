"""Agents that must not be started now, for example until their usage limit resets."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from supervisor.store import queries
from supervisor.store.rows import Shape

SQL = queries.load("pauses")


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause of one agent. ``until`` is None when a person must lift it."""

    agent: str
    until: int | None
    reason: str
    since: int


SHAPE = Shape(Pause)


def set_pause(conn: sqlite3.Connection, agent: str, until: int | None, reason: str, now: int) -> bool:
    """Pause an agent; a pause that is there is only made longer. True when something changed."""
    values = {"agent": agent, "until": until, "reason": reason, "since": now}
    return conn.execute(SQL["put"], values).rowcount > 0


def get(conn: sqlite3.Connection, agent: str) -> Pause | None:
    """Return the pause of an agent, also one whose time is over."""
    row = conn.execute(SQL["get"], {"agent": agent}).fetchone()
    return None if row is None else SHAPE.entity(row)


def find(conn: sqlite3.Connection) -> list[Pause]:
    """Return every pause, also those whose time is over."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["all"])]


def lift(conn: sqlite3.Connection, agent: str) -> bool:
    """End the pause of an agent; False when there is none."""
    return conn.execute(SQL["lift"], {"agent": agent}).rowcount > 0
