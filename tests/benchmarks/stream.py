"""The way of a line: from being written by a session to a reader of the event stream, with 100 sessions open."""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress

from tests.benchmarks.figures import Figure, ms, p99, sized
from tests.benchmarks.stage import stage, wait_for

SESSIONS = 100
SECONDS = 10.0
BAR_S = 0.010
PRINTER = """
import random, sys, time
time.sleep(random.random())
while True:
    sys.stdout.write(f"{time.time_ns()}\\n")
    sys.stdout.flush()
    time.sleep(1)
"""


async def measure(scale: float) -> list[Figure]:
    """Each of the sessions prints the time once a second; the reader compares it with its own clock."""
    delays: list[float] = []
    sessions = sized(SESSIONS, scale)
    async with stage() as place, place.client() as client:
        command = place.request(sys.executable, "-I", "-S", "-c", PRINTER)
        ids = {(await client.post("/sessions", command))["session"]["id"] for _ in range(sessions)}
        await wait_for(client, ids, "running")
        await asyncio.sleep(2)  # what the starts left behind is done
        with suppress(TimeoutError):
            async with asyncio.timeout(max(2.0, SECONDS * scale)):
                async for event in client.follow(type="output"):
                    delay_ns = time.time_ns() - int(event["payload"]["text"])
                    delays.append(delay_ns / 1e9)
    return [
        Figure(
            "stream",
            f"line written -> in the event stream, {sessions} sessions, {len(delays)} lines",
            f"p99 {p99(delays) * 1000:.1f} ms; {ms(delays)}",
            "",
            "p99 <= 10 ms",
            p99(delays) <= BAR_S,
        )
    ]
