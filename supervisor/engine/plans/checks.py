"""What makes a set of tasks a plan: ids that are one each, needs that exist, no circle, gates that close.

The checks take canonical data that is not validated yet, so that a document's problems are found all at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from supervisor.engine.plans.graph import cycle
from supervisor.engine.plans.problems import Findings, quoted
from supervisor.engine.plans.shaping import Canonical, Places


class Tasks:
    """The tasks of a plan or subplan: their ids and what follows what."""

    def __init__(self, tasks: list[Any], at: Canonical, places: Places, findings: Findings) -> None:
        self.tasks = [(number, task) for number, task in enumerate(tasks) if isinstance(task, dict)]
        self.numbers: dict[str, int] = {}
        self.needs: dict[str, list[str]] = {}
        self._at, self._places, self._findings = at, places, findings

    def error(self, number: int, message: str, *below: str | int) -> None:
        """Add a problem of the task with this number, at what stands below it."""
        self._findings.error(self._places.written((*self._at, number, *below)), message)

    def warn(self, number: int, message: str, *below: str | int) -> None:
        """Add a doubt about the task with this number."""
        self._findings.warn(self._places.written((*self._at, number, *below)), message)

    def check_graph(self) -> None:
        """Find ids that come twice, ids that nothing has, and circles."""
        ids = [task.get("id") for _, task in self.tasks]
        repeated = {name for name in ids if isinstance(name, str) and name.endswith("-*")}
        for number, task in self.tasks:
            name = task.get("id")
            if not isinstance(name, str):
                continue
            if (first := self.numbers.setdefault(name, number)) != number:
                line = self._places.line(self._places.written((*self._at, first)))
                self.error(number, f"the id {quoted(name)} is a duplicate: a task on line {line} has it already", "id")
            elif (pattern := name.rstrip("0123456789") + "*") in repeated and not name.endswith("-"):
                self.error(number, f"{quoted(pattern)} gives this id to one of the tasks it fans out to", "id")
        self.needs = {name: [] for name in self.numbers}
        for number, task in self.tasks:
            name = task.get("id")
            if isinstance(name, str) and self.numbers[name] == number:
                self._take_needs(number, name, task)
                self._take_next(number, name, task)
        if circle := cycle(self.needs):
            named = " -> ".join(circle if len(circle) <= 12 else [*circle[:10], "…", circle[-1]])
            self._tell_circle(circle, f"the tasks need each other in a cycle: {named}. Take one of these needs away")

    def unknown(self, name: str) -> str:
        """Return what to say about an id that no task has."""
        return f"there is no task {quoted(name)}. {self._findings.meant(name, self.numbers)}".rstrip()

    @cached_property
    def made(self) -> frozenset[str]:
        """The names of what these tasks make: their artifacts and outputs."""
        names: set[str] = set()
        for _, task in self.tasks:
            artifacts, outputs = task.get("artifacts"), task.get("outputs")
            names.update(
                name
                for each in (artifacts if isinstance(artifacts, list) else ())
                if isinstance(name := each.get("name") if isinstance(each, dict) else each, str)
            )
            listed = outputs if isinstance(outputs, dict | list) else ()
            names.update(name for name in listed if isinstance(name, str))
        return frozenset(names)

    def _take_needs(self, number: int, name: str, task: dict[str, Any]) -> None:
        written = task.get("needs", ())
        listed = [written] if isinstance(written, str) else written if isinstance(written, list) else ()
        for place, need in enumerate(listed):
            if not isinstance(need, str):
                continue
            if need == name:
                self.error(number, f"the task {quoted(name)} needs itself", "needs", place)
            elif need in self.numbers:
                self.needs[name].append(need)
            else:
                self.error(number, self.unknown(need), "needs", place)

    def _take_next(self, number: int, name: str, task: dict[str, Any]) -> None:
        for below, target in _targets(task.get("next")):
            if target == name:
                self.error(number, f"the task {quoted(name)} goes on to itself", "next", *below)
            elif target in self.numbers:
                self.needs[target].append(name)
            else:
                self.error(number, self.unknown(target), "next", *below)

    def _tell_circle(self, circle: list[str], message: str) -> None:
        """Tell of a circle where its first task needs the second, or the second goes on to the first."""
        number = self.numbers[circle[0]]
        written = dict(self.tasks)[number].get("needs", ())
        if circle[1] == written or (isinstance(written, list) and circle[1] in written):
            self.error(number, message, "needs", *([written.index(circle[1])] if isinstance(written, list) else ()))
        else:
            self.error(self.numbers[circle[1]], message, "next")


def _targets(written: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the place and id of each task that `next` names, in either form."""
    if isinstance(written, list):
        for number, each in enumerate(written):
            if isinstance(each, dict) and isinstance(each.get("to"), str):
                yield (number, "to"), each["to"]
    elif isinstance(written, dict):
        for outcome, to in written.items():
            for number, each in enumerate(to if isinstance(to, list) else [to]):
                if isinstance(each, str):
                    yield (outcome, *((number,) if isinstance(to, list) else ())), each
