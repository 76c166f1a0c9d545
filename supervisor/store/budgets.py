"""How far budgets are. What is used follows from `usage`; this is what was said and done about it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from supervisor.model.budgets import Standing
from supervisor.model.usage import Measure
from supervisor.store import queries
from supervisor.store.rows import Shape, to_json

SQL = queries.load("budgets")
SHAPE = Shape(Standing)


def put(conn: sqlite3.Connection, standing: Standing) -> None:
    """Note how far a budget is."""
    conn.execute(SQL["put"], SHAPE.row(standing))


def get(conn: sqlite3.Connection, scope: str, period: str, measure: Measure) -> Standing | None:
    """Return how far a budget is, as far as it ever was near its limit."""
    row = conn.execute(SQL["get"], {"scope": scope, "period": period, "measure": measure}).fetchone()
    return None if row is None else SHAPE.entity(row)


def of_scope(conn: sqlite3.Connection, scope: str, period: str) -> list[Standing]:
    """Return how far the budgets of a scope are."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["of_scope"], {"scope": scope, "period": period})]


def raised(conn: sqlite3.Connection, period: str) -> list[Standing]:
    """Return the budgets that are near their limit or over it: those of a period, and those that have none."""
    return [SHAPE.entity(row) for row in conn.execute(SQL["raised"], {"period": period})]


def tripped(conn: sqlite3.Connection, scopes: Iterable[str], period: str) -> list[Standing]:
    """Return the budgets of some scopes that are used up."""
    rows = conn.execute(SQL["tripped"], {"scopes": to_json(list(scopes)), "period": period})
    return [SHAPE.entity(row) for row in rows]
