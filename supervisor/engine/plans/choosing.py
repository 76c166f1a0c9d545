"""Which of the ready tasks start now: by priority, within pools and locks, and never two that disturb each other.

Tasks that declare no reads, writes or resources are independent of each other (cli.md, "Plan file"). What has to wait
for something is not overtaken by what needs the same: nothing starves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
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


class Demands:
    """What the tasks of a plan take. The cost of `choose` grows with what may start and what runs; what only waits for
    a place of its pool costs next to nothing."""

    def __init__(self, demands: Iterable[Demand]) -> None:
        urgent = sorted(demands, key=lambda each: (-each.priority, each.position))
        self._of = {each.task: each for each in urgent}
        self._rank = {task: rank for rank, task in enumerate(self._of)}
        self._plain: dict[str, set[str]] = {}
        """Those that take nothing but a place of their pool, by pool."""
        for each in urgent:
            if not (each.resources or each.touches):
                self._plain.setdefault(each.pool, set()).add(each.task)

    def choose(self, ready: AbstractSet[str], running: Iterable[str], capacity: Mapping[str, float]) -> list[Demand]:
        """Return what starts now, the most urgent first. A pool that ``capacity`` does not name is a lock: it holds
        one."""
        left = dict(capacity)
        touching: list[Demand] = []
        """What runs, starts or waits and says which files it touches."""
        for each in map(self._of.__getitem__, running):
            touching += [each] if each.touches else []
            for name, amount in each.takes().items():
                left[name] = left.get(name, 1) - amount
        chosen: list[Demand] = []
        kept: set[str] = set()
        for each in map(self._of.__getitem__, self._worth_a_look(ready, left)):
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

    def _worth_a_look(self, ready: AbstractSet[str], left: Mapping[str, float]) -> list[str]:
        """Return what may start at all, the most urgent first: of those that take nothing but a place of their pool, no
        more than it has places."""
        found: list[str] = []
        rest = ready
        for pool, plain in self._plain.items():
            if waiting := rest & plain:
                rest = rest - waiting
                found += nsmallest(max(0, int(left.get(pool, 1))), waiting, key=self._rank.__getitem__)
        return sorted((*found, *rest), key=self._rank.__getitem__)


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
