from __future__ import annotations

import time
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.engine.plans.graph import Graph, critical_path, cycle, dependents, layers, order
from supervisor.model.errors import InvalidInput, NotFound

DIAMOND = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}

NAMES = list("abcdef")
GRAPHS = st.permutations(NAMES).flatmap(
    lambda names: st.fixed_dictionaries(
        {name: st.sets(st.sampled_from([*NAMES, "unknown"]), max_size=3) for name in names}
    )
)
NO_CIRCLES = st.permutations(NAMES).flatmap(
    lambda names: st.permutations(names).flatmap(
        lambda shown: st.fixed_dictionaries(
            {name: st.sets(st.sampled_from([*names[: names.index(name)], "unknown"]), max_size=3) for name in shown}
        )
    )
)
FIGURES = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 5))


def circles(graph: Graph) -> list[list[str]]:
    """Every simple circle, found by trying all ways to stand in a row."""
    return [
        [*way, way[0]]
        for count in range(1, len(graph) + 1)
        for way in permutations(graph, count)
        if all(after in graph[before] for before, after in pairwise([*way, way[0]]))
    ]


def needs_of(graph: Graph, task: str) -> set[str]:
    """Every task that this one needs, directly or not, by asking again until nothing is new."""
    found: set[str] = set()
    while more := {need for member in (task, *found) for need in graph[member] if need in graph} - found:
        found |= more
    return found


@given(GRAPHS)
def test_a_circle_is_a_shortest_one_through_its_first_task(graph: dict[str, set[str]]) -> None:
    found, every = cycle(graph), circles(graph)
    if found is None:
        assert not every
    else:
        assert found in every
        assert len(found) == min(len(circle) for circle in every if circle[0] == found[0])


@given(GRAPHS)
def test_what_needs_an_order_refuses_circles_only(graph: dict[str, set[str]]) -> None:
    for function in (lambda: layers(graph), lambda: order(graph, {}), lambda: critical_path(graph, {})):
        if cycle(graph):
            with pytest.raises(InvalidInput, match=r"in a circle: \w.* -> "):
                function()
        else:
            function()


@given(GRAPHS, st.sampled_from(NAMES))
def test_dependents_are_all_that_need_a_task(graph: dict[str, set[str]], task: str) -> None:
    assert dependents(graph, task) == {other for other in graph if task in needs_of(graph, other)} - {task}


@given(NO_CIRCLES)
def test_layers_are_the_longest_ways_down(graph: dict[str, set[str]]) -> None:
    def depth(task: str) -> int:
        return max((depth(need) + 1 for need in graph[task] if need in graph), default=0)

    expected = [[task for task in graph if depth(task) == level] for level in range(len(graph))]
    assert layers(graph) == [level for level in expected if level]


@given(NO_CIRCLES, FIGURES)
def test_an_order_always_takes_the_first_of_the_highest_priority(
    graph: dict[str, set[str]], given: dict[str, int]
) -> None:
    expected: list[str] = []
    while len(expected) < len(graph):
        ready = [task for task in graph if task not in expected and graph[task] & set(graph) <= set(expected)]
        expected.append(max(ready, key=lambda task: given.get(task, 0)))
    assert order(graph, given) == expected


@given(NO_CIRCLES, FIGURES)
def test_no_chain_takes_longer_than_the_critical_path(graph: dict[str, set[str]], given: dict[str, int]) -> None:
    def longest(task: str) -> int:
        return given.get(task, 0) + max((longest(need) for need in graph[task] if need in graph), default=0)

    path, total = critical_path(graph, given)
    assert total == max(longest(task) for task in graph) == sum(given.get(task, 0) for task in path)
    assert all(before in graph[after] for before, after in pairwise(path))


def test_the_order_of_needs_does_not_matter() -> None:
    turned = {task: needs[::-1] for task, needs in DIAMOND.items()}
    assert critical_path(DIAMOND, {}) == critical_path(turned, {}) == (["a"], 0.0)
    assert critical_path(DIAMOND, {"d": 1}) == critical_path(turned, {"d": 1}) == (["a", "b", "d"], 1)
    both = {"a": ["b", "c"], "b": ["a"], "c": ["a"]}
    assert cycle(both) == cycle({task: needs[::-1] for task, needs in both.items()})


def test_doubled_needs_count_once() -> None:
    graph = {"a": [], "b": ["a", "a"]}
    assert layers(graph) == [["a"], ["b"]]
    assert order(graph, {}) == ["a", "b"]
    assert cycle({"a": ["b", "b"], "b": ["a", "a"]}) == ["a", "b", "a"]


def test_a_circle_begins_at_its_earliest_task_and_leaves_out_what_hangs_on_it() -> None:
    assert cycle({"x": ["a"], "a": ["b"], "b": ["c"], "c": ["a", "y"], "y": []}) == ["a", "b", "c", "a"]
    assert cycle({"a": ["a"]}) == ["a", "a"]
    assert cycle({"a": ["b"], "b": ["c", "a"], "c": ["a"]}) == ["a", "b", "a"]


def test_nothing_has_nothing() -> None:
    assert (cycle({}), layers({}), order({}, {}), critical_path({}, {})) == (None, [], [], ([], 0.0))


def test_an_unknown_task_has_no_dependents() -> None:
    with pytest.raises(NotFound, match="no task z"):
        dependents(DIAMOND, "z")


def test_long_chains_and_wide_graphs_take_linear_time() -> None:
    chain = {str(number): [str(number - 1)] if number else [] for number in range(10_000)}
    ring = chain | {"0": ["9999"]}
    wide = {
        "0": list[str](),
        **{str(number): ["0"] for number in range(1, 10_000)},
        "end": [str(n) for n in range(10_000)],
    }
    began = time.process_time()
    for graph in (chain, wide):
        assert cycle(graph) is None
        assert len(order(graph, {})) == len(graph)
        assert len(dependents(graph, "0")) == len(graph) - 1
    assert len(layers(chain)) == 10_000
    assert critical_path(chain, dict.fromkeys(chain, 1.0))[1] == 10_000.0
    assert len(cycle(ring) or ()) == 10_001
    assert time.process_time() - began < 5
