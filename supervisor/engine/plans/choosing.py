"""Which of the ready tasks start now: by priority, within pools and locks, and never two that disturb each other.

Tasks that declare no reads, writes or resources are independent of each other (cli.md, "Plan file"). What has to wait
for something is not overtaken by what needs the same: nothing starves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest
from itertools import takewhile

_WILD = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Demand:
    """What a task takes while it runs.

    ``reads`` and ``writes`` are paths, with wildcards if wanted, that mean everything below them too. ``resources`` is
    how much it takes of which pool; a named lock is a pool that holds one. ``pool`` is the pool of runners that it
    takes a place in. ``position`` is its place in the document, ``priority`` the higher the sooner.
    """

    task: str
    pool: str
    position: int = 0
    priority: int = 0
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    resources: Mapping[str, float] = field(default_factory=dict)

    @property
    def touches(self) -> bool:
        """Whether it says which files it touches."""
        return bool(self.reads or self.writes)

    def takes(self) -> dict[str, float]:
        """Return how much it takes of everything that there is only so much of."""
        return {**self.resources, self.pool: self.resources.get(self.pool, 0) + 1}


def choose(ready: Iterable[Demand], running: Iterable[Demand], capacity: Mapping[str, float]) -> list[Demand]:
    """Return what starts now, the most urgent first. A pool that ``capacity`` does not name holds one: it is a lock."""
    left = dict(capacity)
    touching: list[Demand] = []
    """What runs, starts or waits and says which files it touches."""
    for each in running:
        touching += [each] if each.touches else []
        for name, amount in each.takes().items():
            left[name] = left.get(name, 1) - amount
    chosen: list[Demand] = []
    kept: set[str] = set()
    for each in _worth_a_look(ready, left):
        takes = each.takes()
        short = [name for name, amount in takes.items() if name in kept or left.get(name, 1) < amount]
        kept.update(short)
        disturbed = each.touches and any(disturb(each, other) for other in touching)
        touching += [each] if each.touches else []
        if short or disturbed:
            continue
        for name, amount in takes.items():
            left[name] = left.get(name, 1) - amount
        chosen.append(each)
    return chosen


def _worth_a_look(ready: Iterable[Demand], left: Mapping[str, float]) -> list[Demand]:
    """Return what may start at all, the most urgent first: of those that take nothing but a place of their pool, no
    more than it has places."""
    plain: dict[str, list[Demand]] = {}
    found: list[Demand] = []
    for each in ready:
        if each.resources or each.touches:
            found.append(each)
        else:
            plain.setdefault(each.pool, []).append(each)
    for pool, waiting in plain.items():
        found += nsmallest(max(0, int(left.get(pool, 1))), waiting, key=_urgency)
    return sorted(found, key=_urgency)


def _urgency(demand: Demand) -> tuple[int, int]:
    return -demand.priority, demand.position


def disturb(one: Demand, other: Demand) -> bool:
    """Whether two tasks must not run at the same time: one writes what the other reads or writes."""
    return _overlap(one.writes, (*other.reads, *other.writes)) or _overlap(other.writes, one.reads)


def _overlap(some: Iterable[str], others: Iterable[str]) -> bool:
    """Whether paths can mean the same file. Up to a wildcard they are compared, behind it anything may be meant."""
    left = [_fixed(path) for path in some]
    right = [_fixed(path) for path in others]
    return any(a[: len(b)] == b or b[: len(a)] == a for a in left for b in right)


def is_meant(pattern: str, path: str) -> bool:
    """Whether a path may be among those that a pattern means."""
    fixed = _fixed(pattern)
    return tuple(path.split("/"))[: len(fixed)] == fixed


def _fixed(path: str) -> tuple[str, ...]:
    """Return the parts of a path before the first with a wildcard."""
    parts = (part for part in path.split("/") if part not in ("", "."))
    return tuple(takewhile(lambda part: not _WILD.intersection(part), parts))
