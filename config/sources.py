"""Where values came from, and the merging of layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Key = tuple[str, ...]
LayerName = Literal["built-in", "user", "project", "environment", "flag"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where one value came from. ``where`` is a file, a variable or a flag; ``line`` counts from 1."""

    layer: LayerName
    where: str = ""
    line: int | None = None

    def __str__(self) -> str:
        if not self.where:
            return self.layer
        return self.where if self.line is None else f"{self.where}:{self.line}"


BUILT_IN = Source("built-in")


@dataclass(slots=True)
class Tree:
    """Values that are not validated yet, with the source of each key."""

    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[Key, Source] = field(default_factory=dict)

    def add(self, values: Mapping[str, Any], sources: Mapping[Key, Source]) -> None:
        """Lay another layer over this one. Maps are merged, everything else is replaced."""
        _merge(self.values, values)
        self.sources.update(sources)

    def nearest(self, key: Key) -> Source:
        """Return the source of a key, or of the nearest thing that holds it."""
        held_by = (self.sources.get(key[:length]) for length in range(len(key), 0, -1))
        return next((source for source in held_by if source), BUILT_IN)


def _merge(below: dict[str, Any], above: Mapping[str, Any]) -> None:
    for name, value in above.items():
        old = below.get(name)
        if isinstance(old, dict) and isinstance(value, Mapping):
            _merge(old, value)
        elif not (isinstance(old, dict) and value is None):  # a section left empty changes nothing
            below[name] = value


def leaves(values: Mapping[str, Any], at: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Yield every value that is not a map; an empty map counts as a value."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*at, name))
        else:
            yield (*at, name), value
