"""The graph of a plan: each task with the tasks that it needs.

A graph is a mapping, task -> needs. What is returned depends on the order of the mapping only, never on the order of a
task's needs, so that these may be sets. A need that is no task of the graph counts for nothing: whoever reads a plan
refuses it, with its line. Nothing recurses, so a chain may be as long as memory allows. With V tasks and E needs
everything takes time and memory O(V + E), except ``order``, which takes O((V + E) log V) time for the priorities.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Collection, Mapping

from supervisor.model.errors import InvalidInput, NotFound

Graph = Mapping[str, Collection[str]]
"""Task -> the tasks that it needs."""


def cycle(graph: Graph) -> list[str] | None:
    """Return tasks that need each other in a circle, or None. In ``[a, b, a]`` a needs b and b needs a.

    It begins at the earliest task of the first circle found, and is a shortest one through that task.
    """
    after, caught = _dependents(graph), _caught(graph)
    if not caught:
        return None
    inside = frozenset(caught)
    task, met = caught[0], dict[str, int]()
    while task not in met:
        met[task] = len(met)
        task = next(following for following in after[task] if following in inside)
    place = {task: index for index, task in enumerate(graph)}
    first = min((member for member, step in met.items() if step >= met[task]), key=place.__getitem__)
    return _shortest(after, first)


def layers(graph: Graph) -> list[list[str]]:
    """Return the tasks in layers: a task stands one below the lowest of its needs. Each layer keeps the graph's order.

    Raises InvalidInput when tasks need each other in a circle.
    """
    depth: dict[str, int] = {}
    for task in _sorted(graph):
        depth[task] = 1 + max((depth[need] for need in graph[task] if need in graph), default=-1)
    found: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for task in graph:
        found[depth[task]].append(task)
    return found


def order(graph: Graph, priority: Mapping[str, float]) -> list[str]:
    """Return the tasks, each behind its needs; of those that could come next the highest priority comes first.

    A task without a priority has 0; equal ones keep the graph's order. Raises InvalidInput when tasks need each other
    in a circle.
    """
    after, missing = _dependents(graph), _missing(graph)
    place = {task: index for index, task in enumerate(graph)}
    ready = [(-priority.get(task, 0), place[task], task) for task in graph if not missing[task]]
    heapq.heapify(ready)
    found: list[str] = []
    while ready:
        task = heapq.heappop(ready)[2]
        found.append(task)
        for following in after[task]:
            missing[following] -= 1
            if not missing[following]:
                heapq.heappush(ready, (-priority.get(following, 0), place[following], following))
    return _whole(graph, found)


def dependents(graph: Graph, task: str) -> set[str]:
    """Return every task that needs this one, directly or through others. Raises NotFound when there is no such task."""
    if task not in graph:
        raise NotFound(f"There is no task {task} in this plan.", hint="Look at its tasks with `plan show`.")
    after, found, waiting = _dependents(graph), {task}, [task]
    while waiting:
        for following in after[waiting.pop()]:
            if following not in found:
                found.add(following)
                waiting.append(following)
    return found - {task}


def critical_path(graph: Graph, duration: Mapping[str, float]) -> tuple[list[str], float]:
    """Return the chain of tasks that takes longest, and how long it takes, in the unit of the durations.

    Durations are not negative; a task without one takes 0. Of chains that take equally long it is one whose end stands
    first, the same one each time. Raises InvalidInput when tasks need each other in a circle.
    """
    after, best, before = _dependents(graph), dict[str, float](), dict[str, str]()
    for task in _sorted(graph):
        best[task] = best.get(task, 0.0) + duration.get(task, 0.0)
        for following in after[task]:
            if following not in before or best[task] > best[following]:
                before[following], best[following] = task, best[task]
    if not best:
        return [], 0.0
    path = [max(graph, key=best.__getitem__)]
    longest = best[path[0]]
    while path[-1] in before:
        path.append(before[path[-1]])
    return path[::-1], longest


def _dependents(graph: Graph) -> dict[str, list[str]]:
    """Return for each task those that need it directly, in the graph's order."""
    after: dict[str, list[str]] = {task: [] for task in graph}
    for task, needs in graph.items():
        for need in set(needs):
            if need in after:
                after[need].append(task)
    return after


def _missing(graph: Graph) -> dict[str, int]:
    """Return for each task how many of its needs are not met yet: at first all of them."""
    return {task: sum(need in graph for need in set(needs)) for task, needs in graph.items()}


def _sorted(graph: Graph) -> list[str]:
    """Return the tasks, each behind its needs, in the order in which they become possible."""
    after, missing = _dependents(graph), _missing(graph)
    found = [task for task in graph if not missing[task]]
    for task in found:
        for following in after[task]:
            missing[following] -= 1
            if not missing[following]:
                found.append(following)
    return _whole(graph, found)


def _whole(graph: Graph, found: list[str]) -> list[str]:
    """Return what was sorted, when it is the whole graph."""
    if len(found) < len(graph):
        circle = " -> ".join(cycle(graph) or ())
        raise InvalidInput(f"Tasks need each other in a circle: {circle}.", hint="Take one of these needs away.")
    return found


def _caught(graph: Graph) -> list[str]:
    """Return the tasks on circles and those that circles lead to circles through, in the graph's order.

    What nobody needs is taken away as long as there is any, so each task that is left is needed by one that is left.
    """
    needed = {task: len(following) for task, following in _dependents(graph).items()}
    free = [task for task, count in needed.items() if not count]
    for task in free:
        for need in set(graph[task]):
            if need in needed:
                needed[need] -= 1
                if not needed[need]:
                    free.append(need)
    gone = frozenset(free)
    return [task for task in graph if task not in gone]


def _shortest(after: Mapping[str, list[str]], first: str) -> list[str]:
    """Return a shortest circle through a task that is known to be on one, each behind the one that needs it."""
    came: dict[str, str] = {}
    waiting = deque([first])
    while first not in came:
        task = waiting.popleft()
        for following in after[task]:
            if following not in came:
                came[following] = task
                waiting.append(following)
    circle = [first, came[first]]
    while circle[-1] != first:
        circle.append(came[circle[-1]])
    return circle
