"""`require_gate_for_prod`: no task of kind deploy runs before a gate has let it through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from supervisor.engine.plans.checks import Tasks

_WHAT: Final = "`require_gate_for_prod` is set: this task needs a gate before it (`needs: [GATE]`)"


def check_production(tasks: Tasks, *, within: bool = False) -> set[int]:
    """Check that each task of kind deploy has a gate before it, and return the numbers of the tasks that have one.

    With ``within`` these are the tasks of a subplan that comes after a gate. A gate lets through what needs it, or
    goes on from it on success: what goes on because it failed was let through by nobody.
    """
    named = {task["id"]: (number, task) for number, task in tasks.tasks if isinstance(task.get("id"), str)}
    needs = {name: [need for need in _texts(task.get("needs")) if need in named] for name, (_, task) in named.items()}
    ways: dict[str, list[tuple[str, str]]] = {name: [] for name in named}
    after: dict[str, list[str]] = {name: [] for name in named}
    for name, (_, task) in named.items():
        for outcome, target in _ways(task.get("next")):
            if target in named:
                ways[target].append((outcome, name))
                after[name].append(target)
        for need in needs[name]:
            after[need].append(name)
    gates = {name for name, (_, task) in named.items() if task.get("kind") == "gate"}
    behind = set(named) if within else set[str]()
    """What runs only after a gate has let it through."""

    def passed(name: str) -> bool:
        return name in behind or name in gates

    def follows(name: str) -> bool:
        if any(map(passed, needs[name])):
            return True
        # One way is enough for it to run: each of them must lead through a gate.
        return bool(ways[name]) and all(
            passed(source) if outcome == "success" else source in behind for outcome, source in ways[name]
        )

    waiting = [target for gate in (gates | behind) for target in after[gate]]
    while waiting:
        name = waiting.pop()
        if name not in behind and follows(name):
            behind.add(name)
            waiting += after[name]
    for name, (number, task) in named.items():
        if task.get("kind") == "deploy" and name not in behind:
            tasks.error(number, _WHAT)
    return {named[name][0] for name in behind}


def _texts(written: Any) -> list[str]:
    listed = [written] if isinstance(written, str) else written if isinstance(written, list | tuple) else ()
    return [each for each in listed if isinstance(each, str)]


def _ways(written: Any) -> Iterator[tuple[str, str]]:
    """Yield outcome and id of each task that `next` names, in either form."""
    if isinstance(written, dict):
        yield from ((str(outcome), target) for outcome, to in written.items() for target in _texts(to))
    for each in written if isinstance(written, list) else ():
        if isinstance(each, dict) and isinstance(each.get("to"), str):
            yield str(each.get("on")), each["to"]
