"""Operations on the queue through the API, while it holds much."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from supervisor.api.client import Client
from tests.benchmarks.figures import Figure, ms, p99, sized
from tests.benchmarks.stage import Stage, stage

OPERATIONS = 200
BAR_S = 0.020


async def measure(scale: float) -> list[Figure]:
    """Put sessions into the queue, look at it, hold them back, let them go on, take them out."""
    async with stage(queue={"concurrent": 1, "waiting": 1000}) as place, place.client() as client:
        await client.post("/sessions", place.request("sleep", "600"))
        return await _operations(place, client, sized(OPERATIONS, scale))


async def _operations(place: Stage, client: Client, count: int) -> list[Figure]:
    took: dict[str, list[float]] = {}

    async def timed(name: str, operation: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        began = time.perf_counter()
        answer = await operation()
        took.setdefault(name, []).append(time.perf_counter() - began)
        return answer

    command = place.request("true")
    ids = [(await timed("enqueue", lambda: client.post("/sessions", command)))["session"]["id"] for _ in range(count)]
    for session in ids:
        for verb in ("pause", "resume"):
            await timed(verb, lambda at=f"/sessions/{session}/{verb}": client.post(at))  # type: ignore[misc]
    for _ in range(count):
        await timed("show", lambda: client.get("/queue"))
    for session in ids:
        await timed("cancel", lambda at=f"/sessions/{session}/cancel": client.post(at))  # type: ignore[misc]
    return [
        Figure(
            "queueing",
            f"queue: {name}, {count} in the queue",
            f"p99 {p99(times) * 1000:.1f} ms; {ms(times)}",
            "",
            "p99 < 20 ms",
            p99(times) < BAR_S,
        )
        for name, times in took.items()
    ]
