"""Plans of many short commands, everything durable, against other programs on the same graph in the same run."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime
from typing import Any

import yaml

from supervisor.api.client import Client
from supervisor.engine.plans.reading import read
from tests.benchmarks import rivals
from tests.benchmarks.figures import Figure, median, rate, sized
from tests.benchmarks.stage import Stage, stage

ROUNDS = 5
MANY = 16
BAR = 0.5
IDEAL = 0.9
READ_S = 1.0
SLEEP_S = 1.0
SLEEPS = 8
ENDED = ("completed", "failed", "blocked")

Edges = dict[str, list[str]]


async def measure(scale: float) -> list[Figure]:
    """Run both graphs with each program in turn; then sleeps that need nothing of each other."""
    layers, width, links = 10, sized(100, scale), sized(200, scale)
    wide = {f"t{layer}-{at}": [f"t{layer - 1}-{at}"] if layer else [] for layer in range(layers) for at in range(width)}
    chain = {f"t{at}": [f"t{at - 1}"] if at else [] for at in range(links)}
    async with stage() as place, place.client() as client:
        name = f"plan: {layers * width:,} x /bin/true, {layers} layers"
        return [
            await _compared(place, client, f"{name}, as many at once as each chooses", wide, None),
            await _compared(place, client, f"{name}, {MANY} at once", wide, MANY),
            await _compared(place, client, f"plan: a chain of {links}", chain, None),
            await _sleeps(place, client),
            _reading(sized(10_000, scale)),
        ]


async def _compared(place: Stage, client: Client, name: str, edges: Edges, at_once: int | None) -> Figure:
    """Run a graph with us and with others, one after the other, again and again."""
    ours, ninja, others = list[float](), list[float](), dict[str, list[float]]()
    tasks = [{"id": task, "command": "/bin/true", "needs": needs} for task, needs in edges.items()]
    parallel = {} if at_once is None else {"parallel": at_once}
    for again in range(ROUNDS):
        plan = f"plan-{len(edges)}-{at_once or 0}-{again}"
        ours.append(len(edges) / await _run(place, client, plan, tasks, **parallel))
        if (took := await asyncio.to_thread(rivals.ninja, edges, at_once)) is not None:
            ninja.append(len(edges) / took)
        for each in (rivals.doit, rivals.luigi):
            if (took := await asyncio.to_thread(each, edges)) is not None:
                others.setdefault(each.__name__, []).append(len(edges) / took)
    ratio = median(ours) / median(ninja) if ninja else None
    beside = [f"ninja: {rate(ninja)}" if ninja else "ninja is not installed"]
    beside += [f"{other}: {rate(found)}" for other, found in others.items()]
    shown = f"{rate(ours)}{'' if ratio is None else f', {ratio:.2f}x'}"
    above = all(median(ours) > median(found) for found in others.values())
    met = ratio is not None and ratio >= BAR and above
    return Figure("plans", name, shown, "; ".join(beside), ">= 0.5x, above doit and luigi", met)


def _reading(count: int) -> Figure:
    """Read and check a plan of many tasks, against reading its YAML alone with the same parser."""
    tasks = [
        f"  - {{id: t{n}, title: Task {n}, command: echo {n}, needs: [t{max(0, n - 100)}]}}" for n in range(1, count)
    ]
    data = "\n".join(["id: plan-big", "tasks:", "  - {id: t0, command: echo 0}", *tasks, ""]).encode()
    ours, parsed = list[float](), list[float]()
    for _ in range(ROUNDS):
        began = time.perf_counter()
        found = read(data, "big.yaml")
        ours.append(time.perf_counter() - began)
        assert found.plan is not None, found.errors
        began = time.perf_counter()
        yaml.load(data, yaml.CSafeLoader)
        parsed.append(time.perf_counter() - began)
    took = median(ours)
    return Figure(
        "plans", f"plan: {count:,} tasks are read and checked", f"{took:.2f} s",
        f"libyaml: {median(parsed):.2f} s", "< 1 s", took < READ_S,
    )  # fmt: skip


async def _sleeps(place: Stage, client: Client) -> Figure:
    """Sleeps that need nothing of each other, all at once: what is lost beside the sleep itself."""
    tasks = [{"id": f"s{at}", "command": f"sleep {SLEEP_S}"} for at in range(SLEEPS)]
    took = median([await _run(place, client, f"plan-sleep-{at}", tasks, parallel=SLEEPS) for at in range(ROUNDS)])
    share = SLEEP_S / took
    return Figure(
        "plans", f"plan: {SLEEPS} sleeps of {SLEEP_S} s at once", f"{took:.3f} s, {share:.2f} of ideal", "",
        ">= 0.9 of ideal", share >= IDEAL,
    )  # fmt: skip


async def _run(place: Stage, client: Client, plan: str, tasks: list[dict[str, Any]], **more: Any) -> float:
    """Create and start a plan; returns the seconds from its first claim to its end, as they are stored."""
    document = json.dumps({"id": plan, "advance": "auto", "tasks": tasks, **more})
    await client.post("/plans", {"document": document, "where": "plan.json", "cwd": str(place.repository)})
    environment = place.request("true")["environment"]
    last = await client.last_seq()
    await client.post(f"/plans/{plan}/start", {"environment": environment})
    async for event in client.follow(last, plan=plan, type="plan_status_changed"):
        if event["payload"]["to"] in ENDED:
            break
    moved = (await client.get("/events", plan=plan, type="plan_status_changed"))["events"]
    assert moved[-1]["payload"]["to"] == "completed", moved[-1]
    return _seconds(moved[0]["time"], moved[-1]["time"])


def _seconds(began: str, ended: str) -> float:
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds()
