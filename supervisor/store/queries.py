"""Loads the named queries that live beside this module as plain SQL.

A file holds any number of queries, each with its name and what it is for::

    -- name: by_id
    -- One session.
    SELECT * FROM sessions WHERE id = :id;
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

FOLDER = Path(__file__).with_name("queries")

_NAME = re.compile(r"^-- name: *(\w+) *$", re.MULTILINE)


def load(noun: str) -> Mapping[str, str]:
    """Return the queries of ``queries/<noun>.sql`` by name."""
    return parse((FOLDER / f"{noun}.sql").read_text(encoding="utf-8"))


def parse(text: str) -> Mapping[str, str]:
    """Return the queries in ``text`` by name; ValueError when one has no description or its name twice."""
    found: dict[str, str] = {}
    _, *parts = _NAME.split(text)
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in found:
            raise ValueError(f"The query {name} is there twice.")
        if not body.strip().startswith("--"):
            raise ValueError(f"The query {name} has no description.")
        found[name] = body.strip()
    return MappingProxyType(found)
