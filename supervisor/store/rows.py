"""Between rows and the frozen dataclasses of the model. Sub-shapes are JSON text."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import fields
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")

SqlValue = str | int | float | bytes | None


class Shape(Generic[T]):
    """How one dataclass is kept as a row: a column per field, ``json`` names those kept as JSON text."""

    def __init__(self, entity: type[T], json: Iterable[str] = ()) -> None:
        self._entity = entity
        self._json = frozenset(json)
        self.columns = tuple(field.name for field in fields(entity))  # type: ignore[arg-type]

    def row(self, entity: T) -> dict[str, Any]:
        """Return the parameters that store ``entity``."""
        return {
            name: to_json(getattr(entity, name)) if name in self._json else getattr(entity, name)
            for name in self.columns
        }

    def changes(self, before: T, after: T) -> dict[str, Any]:
        """Return the parameters that store what is different of ``after``; equal values that were made anew count."""
        return {
            name: to_json(now) if name in self._json else now
            for name in self.columns
            if (now := getattr(after, name)) is not getattr(before, name)
        }

    def entity(self, row: sqlite3.Row) -> T:
        """Return the entity that ``row`` stores; msgspec.ValidationError when it does not fit."""
        # By place: a row looks for each name among all of its columns.
        values = dict(zip(row.keys(), row, strict=True))
        for name in self._json:
            if values[name] is not None:
                values[name] = msgspec.json.decode(values[name])
        return msgspec.convert(values, self._entity)


def to_json(value: object) -> str:
    """Return compact JSON text; the same value always gives the same text."""
    return msgspec.json.encode(value, order="deterministic").decode()
