"""A plan that is looked at: its tasks as they stand, what its document says of them, and what events change of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from supervisor.model.times import from_rfc3339

Json = dict[str, Any]
Kind = Literal["needs", "success", "failure"]

ENDED: Final = frozenset({"completed", "failed", "skipped", "abandoned"})
"""Statuses of a task that has ended."""

RUNS_AGAIN: Final = frozenset({"completed", "failed", "skipped", "blocked"})
"""Statuses from which a person can have a task done once more."""

COMPLETED_BY_HAND: Final = frozenset({"ready", "waiting_approval", "blocked", "failed", "skipped"})
"""Statuses from which a person can say that a task is done."""


@dataclass(slots=True)
class TaskView:
    """A task. ``said`` is what the document says of it; ``within`` the task that it is a part of; times in milliseconds
    since the epoch."""

    id: str
    title: str
    kind: str
    layer: int
    needs: tuple[str, ...]
    after: tuple[str, ...]
    status: str
    reason: str
    reason_at: int | None
    attempts: int
    session: str | None
    result: Json
    started_at: int | None
    ended_at: int | None
    said: Json = field(default_factory=dict)
    within: str | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """A way from a task to one that follows: because that needs it, or on its success or failure."""

    source: str
    target: str
    kind: Kind


@dataclass(slots=True)
class PlanView:
    """A plan with its tasks in the order of its document, which is ``said``."""

    raw: Json
    tasks: dict[str, TaskView]
    said: Json

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.raw["id"])

    @property
    def revision(self) -> int:
        """The number of the revision in force."""
        return int(self.raw["revision"])

    def edges(self) -> list[Edge]:
        """Return what comes before what; a way on success to what needs it anyway is the same edge. Parts stand between
        what their task needs and the task itself."""
        found = [Edge(need, task.id, "needs") for task in self.tasks.values() for need in self._needs(task)]
        followed = {need for task in self.tasks.values() for need in task.needs}
        found += [
            Edge(task.id, task.within, "needs")
            for task in self.tasks.values()
            if task.within is not None and task.id not in followed
        ]
        for task in self.tasks.values():
            for each in task.said.get("next") or ():
                target = self.tasks.get(each["to"])
                if target is not None and not (each["on"] == "success" and task.id in target.needs):
                    found.append(Edge(task.id, target.id, each["on"]))
        return found

    def _needs(self, task: TaskView) -> tuple[str, ...]:
        """Return what a task needs; a part that needs nothing begins after what its task needs."""
        while not task.needs and task.within is not None:
            task = self.tasks[task.within]
        return task.needs


def plan_view(answer: Json, said: Json) -> PlanView:
    """Return a plan from what the API says of it, and the document of its revision."""
    documents = _documents(said["tasks"])
    tasks = {each["id"]: task_view(each, _document(each, documents)) for each in answer["tasks"]}
    return PlanView({name: value for name, value in answer.items() if name != "tasks"}, tasks, said)


def _documents(tasks: list[Json], within: str = "") -> dict[str, Json]:
    """Return what a document says of its tasks and those of subplans, by their whole ids."""
    found: dict[str, Json] = {}
    for each in tasks:
        ways = [{**way, "to": f"{within}{way['to']}"} for way in each.get("next") or ()]
        found[f"{within}{each['id']}"] = {**each, "next": ways}
        found |= _documents((each.get("subplan") or {}).get("tasks") or [], f"{within}{each['id']}/")
    return found


def _document(task: Json, documents: Mapping[str, Json]) -> Json:
    """Return what is said of a task; of one for an item, what is said of the task that is repeated."""
    if task["id"] in documents:
        return documents[task["id"]]
    repeated = documents.get(task.get("within") or "", {})
    return {name: value for name, value in repeated.items() if name not in ("next", "fan_out")}


def task_view(task: Json, said: Json) -> TaskView:
    """Return a task as the API has it."""
    return TaskView(
        id=task["id"],
        title=task["title"],
        kind=task["kind"],
        layer=task["layer"],
        needs=tuple(task["needs"]),
        after=tuple(task["after"]),
        status=task["status"],
        reason=task["status_reason"]["text"],
        reason_at=_ms(task["status_reason"]["at"]),
        attempts=task["attempts"],
        session=task["session"],
        result=task["result"],
        started_at=_ms(task["started_at"]),
        ended_at=_ms(task["ended_at"]),
        said=said,
        within=task.get("within"),
    )


def absorb(plan: PlanView, event: Mapping[str, Any]) -> bool:
    """Take an event of this plan as far as it goes; return whether there is another revision of it now."""
    payload, kind = event["payload"], event["type"]
    if kind == "plan_status_changed":
        plan.raw["status"] = payload["to"]
        plan.raw["status_reason"] = {"text": payload["reason"], "at": event["time"]}
    elif kind == "task_status_changed" and (task := plan.tasks.get(event["task"] or "")) is not None:
        at, counts = from_rfc3339(event["time"]), plan.raw["task_counts"]
        counts[task.status] = counts.get(task.status, 0) - 1
        counts[payload["to"]] = counts.get(payload["to"], 0) + 1
        task.status, task.reason, task.reason_at = payload["to"], payload["reason"], at
        task.attempts = max(task.attempts, payload.get("attempt") or 0)
        task.session = payload.get("session") or task.session
        if task.status == "running":
            task.started_at, task.ended_at = task.started_at or at, None
        elif task.status in ENDED:
            task.ended_at = at
    return bool(kind == "plan_revised" and payload["revision"] != plan.revision)


def _ms(time: str | None) -> int | None:
    return None if time is None else from_rfc3339(time)
