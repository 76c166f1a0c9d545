"""What policy takes to answer a tool call while the supervisor is flooded with output.

Two channels: an agent that asks on its stdout and reads the answer on its stdin (the whole way, measured by the
agent; and the supervisor's side, from the runner's stamp on the question until the answer is sent to the runner, which
are both in the database), and a hook's request over the socket (the supervisor's own time, which it reports with each
answer).
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from executors.agents.program import SCRIPTED
from supervisor.api.client import Client
from tests.benchmarks.figures import Figure, ms, p99, sized
from tests.benchmarks.stage import Stage, folder, stage, wait_for

CALLS_PER_S = 200
LINES_PER_S = 10_000
FLOODERS = 10
AGENTS = 10
SECONDS = 20.0
BAR_S = 0.015

FLOODER = """
import sys, time
line = b"x" * 120 + b"\\n"
due = time.monotonic()
while True:
    sys.stdout.buffer.write(line * 50)
    sys.stdout.buffer.flush()
    due += 50 / RATE
    time.sleep(max(0.0, due - time.monotonic()))
"""

AGENT = """
import json, os, random, sys, time
def say(value):
    sys.stdout.write(json.dumps(value) + chr(10)); sys.stdout.flush()
sys.stdin.readline()
say({"type": "system", "subtype": "init", "session_id": "s", "model": "m"})
while not os.path.exists(GO):
    time.sleep(0.01)
due, times = time.monotonic(), []
for number in range(COUNT):
    due += random.uniform(0, 2 * EVERY)
    time.sleep(max(0.0, due - time.monotonic()))
    began = time.perf_counter()
    given = {"command": "git status"}
    asked = {"subtype": "can_use_tool", "tool_name": "Bash", "input": given, "tool_use_id": str(number)}
    say({"type": "control_request", "request_id": f"r{number}", "request": asked})
    answer = json.loads(sys.stdin.readline())
    assert answer["response"]["response"]["behavior"] == "allow", answer
    times.append(time.perf_counter() - began)
open("times.json", "w").write(json.dumps(times))
say({"type": "result", "subtype": "success", "is_error": False, "result": "", "session_id": "s"})
sys.stdin.read()
"""


async def measure(scale: float) -> list[Figure]:
    """Flood, then ask: first agents on their stdin, then a hook over the socket."""
    seconds = max(2.0, SECONDS * scale)
    with folder() as signals:
        return await _measured(signals / "go", seconds)


async def _measured(go: Path, seconds: float) -> list[Figure]:
    count = sized(int(CALLS_PER_S * seconds), 1) // AGENTS
    agent = AGENT.replace("COUNT", str(count)).replace("EVERY", str(AGENTS / CALLS_PER_S)).replace("GO", repr(str(go)))
    profile = {
        "name": "asker",
        "adapter": "claude",
        # Naming the shipped scripted agent says that there is no real one to be probed.
        "command": [sys.executable, "-I", "-S", "-c", agent, str(SCRIPTED)],
    }
    async with stage(agents={"asker": profile}) as place, place.client() as client:
        quiet = await _agents(place, client, go)
        flood = FLOODER.replace("RATE", str(LINES_PER_S / FLOODERS))
        command = place.request(sys.executable, "-I", "-S", "-c", flood)
        flooders = {(await client.post("/sessions", command))["session"]["id"] for _ in range(FLOODERS)}
        await wait_for(client, flooders, "running")
        before, began = await _newest(client), time.monotonic()
        flooded = await _agents(place, client, go)
        side = await asyncio.to_thread(_stamped, place.paths.database)
        by_socket = await _by_socket(place, client, int(CALLS_PER_S * seconds))
        per_s = (await _newest(client) - before) / (time.monotonic() - began)
    beside = f"beside {per_s:,.0f} events/s"
    return [
        Figure("decisions", "a call judged by policy, asked on stdin, the whole way, quiet", _shown(quiet)),
        Figure("decisions", f"the same, {CALLS_PER_S}/s {beside}", _shown(flooded)),
        _figure(
            "of it the supervisor's side, from the stamp on the question until the answer is sent",
            side[-len(flooded) :],
        ),
        _figure(f"the same over the socket, the supervisor's side, {CALLS_PER_S}/s {beside}", by_socket),
    ]


def _figure(what: str, times: list[float]) -> Figure:
    return Figure("decisions", what, _shown(times), "", "p99 < 15 ms", p99(times) < BAR_S)


def _shown(times: list[float]) -> str:
    return f"p99 {p99(times) * 1000:.1f} ms; {ms(times)}"


async def _agents(place: Stage, client: Client, go: Path) -> list[float]:
    """Let agents ask, from when all of them have started, and return how long each answer took."""
    request = {**place.request(), "argv": [], "agent": "asker", "prompt": "Ask."}
    asked = [(await client.post("/sessions", request))["session"]["id"] for _ in range(AGENTS)]
    await wait_for(client, set(asked), "running")
    await asyncio.to_thread(go.touch)
    # Asking often whether they have ended would be a load of its own.
    await wait_for(client, set(asked), "completed", every_s=0.5)
    await asyncio.to_thread(go.unlink)
    times: list[float] = []
    for session in asked:
        worktree = (await client.get(f"/sessions/{session}"))["session"]["worktree"]
        times += json.loads(await asyncio.to_thread(Path(worktree, "times.json").read_text))
    return times


def _stamped(database: Path) -> list[float]:
    """Return the seconds from the stamp on each question until its answer was sent, in the order of the answers."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as conn:
        asked = "SELECT session, payload, time FROM events WHERE type = 'permission_asked'"
        stamps = {(session, json.loads(payload)["request_id"]): time for session, payload, time in conn.execute(asked)}
        written = "SELECT session, request_id, sent_at FROM outbox WHERE kind = 'reply' ORDER BY rowid"
        return [(at - stamps[session, request]) / 1000 for session, request, at in conn.execute(written)]


async def token_of_agent(place: Stage, client: Client) -> str:
    """Start an agent that does nothing more, and return the token by which its hooks ask."""
    steps = json.dumps([{"run": 'printf %s "$QUARTERDECK_TOKEN" > token'}, {"say": "ready"}, {"sleep": 600}])
    request = {**place.request(), "argv": [], "agent": "scripted", "prompt": steps}
    session = (await client.post("/sessions", request))["session"]["id"]
    await wait_for(client, {session}, "running")
    token = ""
    while not token:
        worktree = (await client.get(f"/sessions/{session}"))["session"]["worktree"]
        token = await asyncio.to_thread(_text, Path(worktree, "token"))
    return token


async def _by_socket(place: Stage, client: Client, count: int) -> list[float]:
    """Ask as a hook does, at a steady rate, and return what the supervisor says that each took."""
    token = await token_of_agent(place, client)
    connections = [await asyncio.open_unix_connection(place.paths.socket) for _ in range(AGENTS)]
    due, took = time.monotonic(), list[float]()
    free: asyncio.Queue[Any] = asyncio.Queue()
    for connection in connections:
        free.put_nowait(connection)

    async def one(number: int) -> None:
        reader, writer = await free.get()
        took.append(await _ask(reader, writer, token, number))
        free.put_nowait((reader, writer))

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            due += 1 / CALLS_PER_S
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            group.create_task(one(number))
    for _, writer in connections:
        writer.close()
    return took


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str, number: int) -> float:
    asked = {"hook_event_name": "PermissionRequest", "tool_name": "Bash", "tool_input": {"command": "git status"}}
    body = json.dumps({"key": f"k{number}", "wait_s": 0, "request": asked}).encode()
    head = (
        f"POST /permissions/claude HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    answer = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = int(re.search(r"content-length: (\d+)", answer)[1])  # type: ignore[index]
    content = await reader.readexactly(length)
    assert b'"allow"' in content, content
    return float(re.search(r"server-timing: app;dur=([\d.]+)", answer)[1]) / 1000  # type: ignore[index]


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""


async def _newest(client: Client) -> int:
    return int((await client.get("/events", limit=1))["events"][-1]["seq"])
