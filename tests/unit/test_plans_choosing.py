"""Which ready tasks start now."""

from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import combinations

import pytest

from supervisor.engine.plans.choosing import Demand, Demands, disturb


def names(found: list[Demand]) -> list[str]:
    return [each.task for each in found]


def choose(ready: list[Demand], running: list[Demand], capacity: Mapping[str, float]) -> list[Demand]:
    demands = Demands((*ready, *running))
    return demands.choose({each.task for each in ready}, [each.task for each in running], capacity)


def a(task: str, **fields: object) -> Demand:
    given: dict[str, object] = {"pool": "commands", **fields}
    return Demand(task, **given)  # type: ignore[arg-type]


def test_the_most_urgent_come_first_then_the_order_of_the_document() -> None:
    ready = [a("late", position=2), a("early", position=1), a("urgent", position=3, priority=5)]
    assert names(choose(ready, [], {"commands": 2})) == ["urgent", "early"]


def test_what_runs_takes_its_places() -> None:
    assert choose([a("x")], [a("y"), a("z")], {"commands": 2}) == []
    assert names(choose([a("x", pool="agents")], [a("y"), a("z")], {"commands": 2, "agents": 1})) == ["x"]


def test_a_pool_has_as_much_as_it_says_and_an_unknown_one_is_a_lock() -> None:
    ready = [a("a", resources={"gpu": 2}, position=0), a("b", resources={"gpu": 1}, position=1)]
    assert names(choose(ready, [], {"commands": 9, "gpu": 3})) == ["a", "b"]
    assert names(choose(ready, [], {"commands": 9, "gpu": 2})) == ["a"]
    locked = [a("a", resources={"deploy": 1}), a("b", resources={"deploy": 1})]
    assert names(choose(locked, [], {"commands": 9})) == ["a"]


def test_what_waits_is_not_overtaken_by_what_needs_the_same() -> None:
    ready = [a("big", resources={"gpu": 3}, priority=1), a("small", resources={"gpu": 1}), a("other")]
    running = [a("holds", resources={"gpu": 2})]
    assert names(choose(ready, running, {"commands": 9, "gpu": 4})) == ["other"]


def test_what_waits_to_write_is_not_overtaken_by_readers() -> None:
    running = [a("reader", reads=("src",))]
    ready = [a("writer", writes=("src/app.py",), priority=1), a("another", reads=("src/app.py",))]
    assert choose(ready, running, {"commands": 9}) == []


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (a("x", writes=("src/a.py",)), a("y", reads=("src",)), True),
        (a("x", writes=("src/a.py",)), a("y", reads=("src/b.py",)), False),
        (a("x", writes=("src/a.py",)), a("y", writes=("src/a.py",)), True),
        (a("x", reads=("src",)), a("y", reads=("src",)), False),
        (a("x", writes=("src/*.py",)), a("y", reads=("src/a.py",)), True),
        (a("x", writes=("src/*.py",)), a("y", reads=("docs",)), False),
        (a("x", writes=("**/*.py",)), a("y", reads=("docs",)), True),
        (a("x", writes=("./src/",)), a("y", reads=("src/a",)), True),
        (a("x", writes=("src",)), a("y", reads=("src2",)), False),
        (a("x"), a("y"), False),
    ],
)
def test_two_disturb_each_other_when_one_writes_what_the_other_touches(
    one: Demand, other: Demand, expected: bool
) -> None:
    assert disturb(one, other) is disturb(other, one) is expected


@pytest.mark.parametrize("seed", range(100))
def test_what_is_chosen_is_always_allowed_and_the_most_urgent_starts(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - repeatable, not secret
    paths = ["a", "a/b", "a/*", "c", "c/d"]

    def some(task: str, position: int) -> Demand:
        return a(
            task, pool=dice.choice(["commands", "agents"]), position=position, priority=dice.randint(0, 2),
            reads=tuple(dice.sample(paths, dice.choice([0, 0, 1]))),
            writes=tuple(dice.sample(paths, dice.choice([0, 0, 1]))),
            resources=dice.choice([{}, {}, {"gpu": dice.randint(1, 3)}, {"lock": 1}]),
        )  # fmt: skip

    capacity = {"commands": 3, "agents": 1, "gpu": 3}
    ready = [some(f"t{number}", number) for number in range(12)]
    chosen = choose(ready, [], capacity)
    assert chosen[0] == min(ready, key=lambda each: (-each.priority, each.position))
    for one, other in combinations(chosen, 2):
        assert not disturb(one, other)
    for name in ("commands", "agents", "gpu", "lock"):
        assert sum(each.takes().get(name, 0) for each in chosen) <= capacity.get(name, 1)


def test_ten_thousand_that_touch_nothing_are_chosen_without_comparing_them() -> None:
    ready = [a(str(number), position=number) for number in range(10_000)]
    assert len(choose(ready, [], {"commands": 10_000})) == 10_000
