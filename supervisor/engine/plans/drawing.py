"""A plan as a picture in text: its layers, and a Mermaid flowchart."""

from __future__ import annotations

from collections.abc import Mapping

from supervisor.engine.plans.graph import layers
from supervisor.engine.plans.mermaid import Edge, Node, mermaid
from supervisor.engine.plans.outline import task_graph
from supervisor.model.plan.plan import Plan


def drawing(plan: Plan, states: Mapping[str, str] | None = None) -> str:
    """Return the plan as a Mermaid flowchart; ``states`` are the statuses of its tasks."""
    known = states or {}
    nodes = [Node(task.id, task.title, task.kind, known.get(task.id, "")) for task in plan.tasks]
    edges = [Edge(needed, task.id) for task in plan.tasks for needed in task.needs]
    edges += [Edge(task.id, each.to, f"on {each.on}") for task in plan.tasks for each in task.next]
    return mermaid(nodes, edges)


def layered(plan: Plan) -> list[list[str]]:
    """Return the ids of the tasks, layer by layer: each needs only what stands in layers before its own."""
    return layers(task_graph(plan.tasks))
