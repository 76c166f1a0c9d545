"""A plan as lines of a drawing, from left to right: tasks with their glyphs, and the ways between them.

Ways are solid where a task needs the other, dashed where it follows on an outcome. Where two ways cross, the one that
goes across is interrupted; a corner or a branch is a connection.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Final

from rich.cells import cell_len

from panels.view.fleet import fitted
from panels.view.plan import Edge, Kind, TaskView
from panels.view.planlayout import Column, Item, Layout, layout
from supervisor.model.plain import one_line

Span = tuple[str, str]

WIDEST: Final = 30
"""Cells of a column: a glyph, a name, and blanks around it."""

GAP: Final = 2
"""Cells between the ways and the next tasks."""

_LEFT, _RIGHT, _UP, _DOWN = 1, 2, 4, 8
_SIGNS: Final = {
    _LEFT | _RIGHT: "─", _UP | _DOWN: "│", _LEFT | _DOWN: "┐", _LEFT | _UP: "┘", _RIGHT | _DOWN: "┌",
    _RIGHT | _UP: "└", _LEFT | _UP | _DOWN: "┤", _RIGHT | _UP | _DOWN: "├", _LEFT | _RIGHT | _DOWN: "┬",
    _LEFT | _RIGHT | _UP: "┴", _LEFT | _RIGHT | _UP | _DOWN: "┼",
}  # fmt: skip
_DASHED: Final = {"─": "╌", "│": "╎"}
_STYLES: Final[dict[Kind, str]] = {"needs": "dim", "success": "ok", "failure": "failed"}


@dataclass(frozen=True, slots=True)
class Channel:
    """The cells between two columns, row by row; rows that are not there are blank."""

    width: int
    rows: Mapping[int, Sequence[Span]]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A plan that is laid out. ``starts`` are the cells at which columns begin, ``widths`` those of their names."""

    layout: Layout
    widths: list[int]
    channels: list[Channel]
    starts: list[int]

    @property
    def width(self) -> int:
        """Cells that the widest line takes."""
        return self.starts[-1] + self.widths[-1] if self.starts else 0

    def cells(self, task: str) -> tuple[int, int]:
        """Return the first cell of a task, and the one behind its last."""
        column = self.layout.places[task][0]
        return self.starts[column], self.starts[column] + self.widths[column]

    def task_at(self, row: int, cell: int) -> str | None:
        """Return the task that is drawn there."""
        column = bisect_right(self.starts, cell) - 1
        item = self.layout.columns[column].rows.get(row) if column >= 0 else None
        return None if item is None or item.lane else item.task


def drawing(tasks: Sequence[TaskView], edges: Sequence[Edge]) -> Drawing:
    """Lay a plan out; only which tasks there are, what they are called and what they need counts."""
    found = layout({task.id: task.layer for task in tasks}, edges)
    widths = [0] * len(found.columns)
    for task in tasks:
        widths[task.layer] = max(widths[task.layer], 3 + cell_len(label(task)))
    widths = [min(WIDEST, width) for width in widths]
    channels = [
        _channel(column, found.columns[number + 1]) if number + 1 < len(found.columns) else Channel(0, {})
        for number, column in enumerate(found.columns)
    ]
    whole = [width + channel.width for width, channel in zip(widths, channels, strict=True)]
    return Drawing(found, widths, channels, [0, *accumulate(whole)][:-1])


def label(task: TaskView) -> str:
    """Return what a task is called where there is little room: a gate has its diamond."""
    name = one_line(task.title[:200]) or one_line(task.id)
    return f"◇ {name}" if task.kind == "gate" else name


def spans(
    drawn: Drawing, row: int, first: int, width: int, task: Callable[[str], tuple[Span, Span]]
) -> tuple[int, list[Span]]:
    """Return a part of a row that holds ``width`` cells from ``first`` on, and the cell that it begins at.

    ``task`` says how a task is drawn: its glyph, and its name.
    """
    number = max(0, bisect_right(drawn.starts, first) - 1)
    begins, found = drawn.starts[number] if drawn.starts else 0, list[Span]()
    while number < len(drawn.starts) and drawn.starts[number] < first + width:
        found += _cell(drawn, number, row, task)
        channel = drawn.channels[number]
        found += channel.rows.get(row) or [(" " * channel.width, "")]
        number += 1
    return begins, found


def _cell(drawn: Drawing, number: int, row: int, task: Callable[[str], tuple[Span, Span]]) -> Iterator[Span]:
    column, width = drawn.layout.columns[number], drawn.widths[number]
    item = column.rows.get(row)
    if item is None:
        yield " " * width, ""
    elif item.lane is not None:
        yield (("─" if item.lane == "needs" else "╌") * width, _STYLES[item.lane])
    else:
        (glyph, glyph_style), (name, name_style) = task(item.task)
        yield f"{glyph} ", glyph_style
        text = fitted(name, width - 3).rstrip()
        yield text, name_style
        kind = next((kind for kind in _STYLES if (item, kind) in column.links), None)
        rest = width - 3 - cell_len(text)
        sign = " " if kind is None else "─" if kind == "needs" else "╌"
        yield " " + sign * rest, _STYLES[kind] if kind is not None else ""


@dataclass(slots=True)
class _Bundle:
    """Ways that share a track: from each of the rows ``sources`` to each of ``targets``."""

    kind: Kind
    sources: list[int]
    targets: list[int]

    @property
    def span(self) -> tuple[int, int]:
        """The rows from the uppermost to the lowest."""
        return min(*self.sources, *self.targets), max(*self.sources, *self.targets)

    @property
    def turn(self) -> tuple[int, int]:
        """What its track is ordered by: of ways that go down the lowest is the first, of ways up the uppermost."""
        goes_down = sum(self.targets) * len(self.sources) >= sum(self.sources) * len(self.targets)
        return (0, -max(self.sources)) if goes_down else (1, min(self.sources))


def _channel(column: Column, following: Column) -> Channel:
    rows = {item: row for row, item in column.rows.items()}
    after = {item: row for row, item in following.rows.items()}
    bundles = _bundles(column, rows, after)
    tracks: dict[int, int] = {}
    placed: list[tuple[int, _Bundle]] = []
    for bundle in _ordered(bundles):
        first, last = bundle.span
        if first == last:
            placed.append((0, bundle))
            continue
        track = 1 + max((tracks.get(row, 0) for row in range(first, last + 1)), default=0)
        tracks.update(dict.fromkeys(range(first, last + 1), track))
        placed.append((track, bundle))
    width = 1 + max(tracks.values(), default=0) + GAP
    lanes = frozenset(row for row, item in following.rows.items() if item.lane is not None)
    return Channel(width, _cells(placed, width, lanes))


def _ordered(bundles: Sequence[_Bundle]) -> Iterator[_Bundle]:
    """Yield bundles in the order of their tracks.

    What leaves a row turns off before what comes into the same row: otherwise they would look like one way. Where that
    goes in a circle, it cannot be had.
    """
    leaving: dict[int, list[int]] = {}
    for number, bundle in enumerate(bundles):
        for row in bundle.sources:
            leaving.setdefault(row, []).append(number)
    first: list[set[int]] = [
        {other for row in bundle.targets for other in leaving.get(row, ()) if other != number}
        for number, bundle in enumerate(bundles)
    ]
    later: list[list[int]] = [[] for _ in bundles]
    for number, others in enumerate(first):
        for other in others:
            later[other].append(number)
    missing = [len(others) for others in first]
    in_turn = sorted(range(len(bundles)), key=lambda number: bundles[number].turn)
    place = {number: at for at, number in enumerate(in_turn)}
    free = [place[number] for number in in_turn if not missing[number]]
    done: set[int] = set()
    stuck = iter(in_turn)
    while len(done) < len(bundles):
        number = in_turn[heapq.heappop(free)] if free else next(each for each in stuck if each not in done)
        if number in done:
            continue
        done.add(number)
        yield bundles[number]
        for other in later[number]:
            missing[other] -= 1
            if not missing[other] and other not in done:
                heapq.heappush(free, place[other])


def _bundles(column: Column, rows: Mapping[Item, int], after: Mapping[Item, int]) -> list[_Bundle]:
    """Return the ways to the next column; tasks that lead to the same ones are taken together."""
    found: dict[tuple[Kind, frozenset[Item]], _Bundle] = {}
    for (source, kind), targets in column.links.items():
        key = (kind, frozenset(targets))
        if key not in found:
            found[key] = _Bundle(kind, [], [after[target] for target in key[1]])
        found[key].sources.append(rows[source])
    return list(found.values())


def _cells(placed: Sequence[tuple[int, _Bundle]], width: int, lanes: frozenset[int]) -> dict[int, list[Span]]:
    """Draw the ways; ``placed`` has the track of each, ``lanes`` the rows in which they go on."""
    cells: dict[int, list[Span]] = {}
    last_out: dict[int, int] = {}
    first_in: dict[int, int] = {}
    for track, bundle in placed:
        last_out.update((row, max(track, last_out.get(row, 0))) for row in bundle.sources)
        first_in.update((row, min(track, first_in.get(row, track))) for row in bundle.targets)

    straight = {row for track, bundle in placed if not track for row in bundle.sources}

    def row_of(row: int) -> list[Span]:
        return cells.setdefault(row, [(" ", "")] * width)

    for track, bundle in placed:
        across = ("─" if bundle.kind == "needs" else "╌", _STYLES[bundle.kind])
        for row in bundle.sources:
            row_of(row)[0:track] = [across] * track
        for row in bundle.targets:
            # The last cell before a task is blank, so that the way does not touch its name.
            ends = width if row in lanes else width - 1
            start = track + 1 if track else 0
            row_of(row)[start:ends] = [across] * (ends - start)
    for track, bundle in placed:
        if not track:
            continue
        first, last = bundle.span
        sources, targets = frozenset(bundle.sources), frozenset(bundle.targets)
        for row in range(first, last + 1):
            # Ways from one task, and ways to one, are one line where they run side by side.
            comes = row in sources or (row in targets and first_in[row] < track)
            goes = row in targets or (row in sources and (last_out[row] > track or row in straight))
            sign = _SIGNS[_LEFT * comes | _RIGHT * goes | _UP * (row > first) | _DOWN * (row < last)]
            row_of(row)[track] = (sign if bundle.kind == "needs" else _DASHED.get(sign, sign), _STYLES[bundle.kind])
    return {row: _joined(found) for row, found in cells.items()}


def _joined(cells: Sequence[Span]) -> list[Span]:
    return [("".join(sign for sign, _ in part), style) for style, part in groupby(cells, key=lambda each: each[1])]
