"""Where the tasks of a plan stand when it is drawn from left to right: layers as columns, and lanes for long ways.

A task stands right of everything that comes before it, as near as can be to the rows of that. A way that passes a
column takes a row of it, which is shared by all long ways from one task. What follows from other needs anyway is not
drawn. Done once for a revision; how tasks stand plays no part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from panels.view.plan import Edge, Kind

LANES: Final = 20_000
"""Cells of columns that long ways may take; the longest are left out of what takes more, and counted."""


class Item(NamedTuple):
    """What takes a row of a column: a task, or the way from one past this column."""

    task: str
    lane: Kind | None = None


@dataclass(slots=True)
class Column:
    """One layer: which row has which item, and which items of this layer lead to which of the next."""

    rows: dict[int, Item] = field(default_factory=dict)
    links: dict[tuple[Item, Kind], list[Item]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns, the place (column, row) of each task, the number of rows, and of ways that are not drawn."""

    columns: list[Column]
    places: dict[str, tuple[int, int]]
    height: int
    left_out: int


def layout(layers: Mapping[str, int], edges: Sequence[Edge]) -> Layout:
    """Return where tasks stand; ``layers`` has the layer of each, in the order that they are wanted in."""
    columns = [Column() for _ in range(max(layers.values(), default=-1) + 1)]
    left_out = _link(columns, layers, _needed(layers, edges))
    members: list[list[Item]] = [[] for _ in columns]
    for task, layer in layers.items():
        members[layer].append(Item(task))
    rows: dict[Item, int] = {}
    for number, column in enumerate(columns):
        rows = _place(column, members[number], columns[number - 1] if number else Column(), rows)
    places = {
        item.task: (number, row)
        for number, column in enumerate(columns)
        for row, item in column.rows.items()
        if item.lane is None
    }
    height = 1 + max((row for column in columns for row in column.rows), default=-1)
    return Layout(columns, places, height, left_out)


def _needed(layers: Mapping[str, int], edges: Iterable[Edge]) -> list[Edge]:
    """Return the edges without those that follow from others."""
    into: dict[str, list[Edge]] = {task: [] for task in layers}
    for edge in edges:
        into[edge.target].append(edge)
    bit = {task: 1 << number for number, task in enumerate(layers)}
    above: dict[str, int] = {}
    kept: list[Edge] = []
    for task in sorted(layers, key=layers.__getitem__):
        needs = [edge.source for edge in into[task] if edge.kind == "needs"]
        through = 0
        for need in needs:
            through |= above[need]
        above[task] = through
        for need in needs:
            above[task] |= bit[need]
        kept += [edge for edge in into[task] if edge.kind != "needs" or not bit[edge.source] & through]
    return kept


def _link(columns: list[Column], layers: Mapping[str, int], edges: list[Edge]) -> int:
    """Lead each edge through the columns; return how many were left out."""
    room, left_out = LANES, 0
    reached: dict[tuple[str, Kind], int] = {}
    for edge in sorted(edges, key=lambda edge: layers[edge.target] - layers[edge.source]):
        first, last = layers[edge.source], layers[edge.target]
        # The way to the column before the target may be there already, for another target.
        known = reached.get((edge.source, edge.kind), first)
        room -= max(0, last - 1 - known)
        if room < 0:
            left_out += 1
            continue
        for number in range(known, last - 1):
            source = Item(edge.source, edge.kind if number > first else None)
            columns[number].links.setdefault((source, edge.kind), []).append(Item(edge.source, edge.kind))
        reached[edge.source, edge.kind] = max(known, last - 1)
        source = Item(edge.source, edge.kind if last - 1 > first else None)
        columns[last - 1].links.setdefault((source, edge.kind), []).append(Item(edge.target))
    return left_out


def _place(column: Column, tasks: list[Item], before: Column, rows: Mapping[Item, int]) -> dict[Item, int]:
    """Give each item of a column a row; ``rows`` are those of the column before."""
    sources: dict[Item, list[int]] = {item: [] for item in tasks}
    for (source, _), targets in before.links.items():
        for target in targets:
            sources.setdefault(target, []).append(rows[source])
    taken = {rows[source] for source, _ in before.links}
    wanted = {item: sorted(found)[(len(found) - 1) // 2] if found else 0 for item, found in sources.items()}
    placed: dict[Item, int] = {}
    row = -1
    for item in sorted(sources, key=wanted.__getitem__):
        row = max(row + 1, wanted[item])
        # Where a way goes on that does not lead here, nothing may stand: it would look as if it did.
        while row in taken and row not in sources[item]:
            row += 1
        placed[item] = row
        column.rows[row] = item
    return placed
