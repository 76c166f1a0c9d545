"""What becomes of a plan's tasks: which are ready, which will never run, and how the plan ends.

Pure: it looks at the tasks' statuses and says which moves follow. A task runs when all that it needs was completed and,
where there are routes to it (``next`` of other tasks), when one of them was taken. What depends on a failure never
runs: it is skipped, and says because of what. The cost of `settle` grows with the tasks that changed and with what
depends on them, not with the plan.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from supervisor.model.plans import TASK_ENDED, PlanStatus, TaskStatus

Outcome = Literal["success", "failure"]

_TAKEN: dict[Outcome, TaskStatus] = {"success": TaskStatus.COMPLETED, "failure": TaskStatus.FAILED}


class Route(NamedTuple):
    """A way to a task: it is taken when the task ``source`` ends with ``on``."""

    source: str
    on: Outcome


@dataclass(frozen=True, slots=True)
class Node:
    """What decides when a task runs: everything it ``needs``, and one of its ``routes``, when it has any.

    A task that is a part of another runs only ``within`` that one. One that is ``left`` over from an earlier revision
    goes on to its end, and how it ends says nothing about the plan.
    """

    needs: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    within: str | None = None
    left: bool = False


class Move(NamedTuple):
    """A status that a task gets, and why."""

    task: str
    to: TaskStatus
    why: str


Opened = Callable[[str], bool]
"""Whether a task has come so far that its parts may run: until they have ended, nothing else of it happens."""


def _closed(_: str) -> bool:
    return False


class Progress:
    """The graph of one revision. Statuses are given with each question: nothing of them is kept."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self._nodes = nodes
        self._waiting_for: dict[str, list[str]] = {task: [] for task in nodes}
        self._parts: dict[str, list[str]] = {}
        for task, node in nodes.items():
            for source in dict.fromkeys((*node.needs, *(route.source for route in node.routes))):
                self._waiting_for[source].append(task)
            if node.within is not None:
                self._waiting_for[node.within].append(task)
                self._parts.setdefault(node.within, []).append(task)

    def node(self, task: str) -> Node:
        """Return what decides when a task runs."""
        return self._nodes[task]

    def extended(self, nodes: Mapping[str, Node]) -> Progress:
        """Return the graph with further tasks."""
        return Progress({**self._nodes, **nodes})

    def parts(self, task: str) -> Sequence[str]:
        """Return the tasks that are parts of a task."""
        return self._parts.get(task, ())

    def settle(
        self,
        statuses: Mapping[str, TaskStatus],
        changed: Iterable[str] | None = None,
        opened: Opened = _closed,
    ) -> list[Move]:
        """Return the moves that follow once these tasks have ``changed`` (None: look at all), in order.

        Pending tasks become ready or skipped; what is skipped is looked at in its turn.
        """
        now = dict(statuses)
        moves: list[Move] = []
        if changed is None:
            look = deque(self._nodes)
        else:
            look = deque(waiting for task in changed for waiting in self._waiting_for[task])
        while look:
            task = look.popleft()
            if now[task] is not TaskStatus.PENDING:
                continue
            move = self._judge(task, now, opened)
            if move is not None:
                now[task] = move.to
                moves.append(move)
                if move.to is TaskStatus.SKIPPED:
                    look.extend(self._waiting_for[task])
        return moves

    def _judge(self, task: str, statuses: Mapping[str, TaskStatus], opened: Opened) -> Move | None:
        """Return what becomes of a pending task now; None while it waits."""
        node = self._nodes[task]
        if node.within is not None:
            if statuses[node.within] in TASK_ENDED:
                why = f"It is a part of {node.within}, which {_ended(statuses[node.within])}."
                return Move(task, TaskStatus.SKIPPED, why)
            if not opened(node.within):
                return None
        for needed in node.needs:
            if statuses[needed] in TASK_ENDED and statuses[needed] is not TaskStatus.COMPLETED:
                return Move(task, TaskStatus.SKIPPED, f"It needs {needed}, which {_ended(statuses[needed])}.")
        if any(statuses[needed] is not TaskStatus.COMPLETED for needed in node.needs):
            return None
        if not node.routes:
            return Move(
                task, TaskStatus.READY, "Everything that it needs was completed." if node.needs else "It needs nothing."
            )
        for route in node.routes:
            if statuses[route.source] is _TAKEN[route.on]:
                return Move(task, TaskStatus.READY, f"{route.source} {_ended(statuses[route.source])}.")
        if all(statuses[route.source] in TASK_ENDED for route in node.routes):
            ways = ", ".join(f"on {route.on} of {route.source}" for route in node.routes)
            return Move(task, TaskStatus.SKIPPED, f"It runs only {ways}.")
        return None

    def revived_with(self, statuses: Mapping[str, TaskStatus], task: str) -> list[str]:
        """Return what waits anew when a person has a task run again: all that was skipped because of it."""
        found: dict[str, None] = {}
        look = deque(self._waiting_for[task])
        while look:
            waiting = look.popleft()
            if statuses[waiting] is TaskStatus.SKIPPED and waiting not in found:
                found[waiting] = None
                look.extend(self._waiting_for[waiting])
        return list(found)

    def after(self, task: str) -> list[str]:
        """Return everything that waits for a task, also through others."""
        found: dict[str, None] = {}
        look = deque(self._waiting_for[task])
        while look:
            waiting = look.popleft()
            if waiting not in found:
                found[waiting] = None
                look.extend(self._waiting_for[waiting])
        return list(found)

    def part_outcome(self, statuses: Mapping[str, TaskStatus], task: str) -> tuple[bool, str] | None:
        """Return whether the parts of a task succeeded, and what failed if not; None until all of them have ended."""
        parts = self.parts(task)
        if any(statuses[part] not in TASK_ENDED for part in parts):
            return None
        failed = [part for part in parts if statuses[part] is TaskStatus.FAILED]
        lost = [part for part in failed if not self._was_recovered(part, statuses)]
        return (False, f"Failed: {_named(lost)}.") if lost else (True, "")

    def outcome(self, statuses: Mapping[str, TaskStatus], opened: Opened = _closed) -> tuple[PlanStatus, str] | None:
        """Return how the plan ends, or that it is blocked, with the reason; None while something can still happen.

        A failure that a recovery was completed for does not make the plan fail; that of a part counts as its task's.
        """
        open_ = [task for task, status in statuses.items() if status not in TASK_ENDED]
        if open_:
            stuck = [task for task in open_ if statuses[task] is TaskStatus.BLOCKED]
            still = (TaskStatus.BLOCKED, TaskStatus.PENDING)
            moving = any(statuses[task] not in still and not opened(task) for task in open_)
            return None if moving or not stuck else (PlanStatus.BLOCKED, f"Blocked: {_named(stuck)}.")
        failed = [
            task
            for task, status in statuses.items()
            if status is TaskStatus.FAILED and self._nodes[task].within is None and not self._nodes[task].left
        ]
        lost = [task for task in failed if not self._was_recovered(task, statuses)]
        if lost:
            return PlanStatus.FAILED, f"Failed: {_named(lost)}. Nothing more of it can run."
        if failed:
            return PlanStatus.COMPLETED, f"Failed and made good: {_named(failed)}."
        return PlanStatus.COMPLETED, "Every task has ended, none has failed."

    def _was_recovered(self, task: str, statuses: Mapping[str, TaskStatus]) -> bool:
        return any(
            statuses[waiting] is TaskStatus.COMPLETED and Route(task, "failure") in self._nodes[waiting].routes
            for waiting in self._waiting_for[task]
        )


def _ended(status: TaskStatus) -> str:
    return {TaskStatus.SKIPPED: "was skipped", TaskStatus.ABANDONED: "was abandoned", TaskStatus.FAILED: "failed"}.get(
        status, "was completed"
    )


def _named(tasks: Sequence[str], most: int = 3) -> str:
    more = len(tasks) - most
    return ", ".join(tasks[:most]) + (f" and {more} more" if more > 0 else "")
