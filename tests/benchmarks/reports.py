"""What a tool or a hook pays for a report, against a bare socket client of the standard library."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

from executors import hookclient
from tests.benchmarks.decisions import token_of_agent
from tests.benchmarks.figures import Figure, median, ms, sized
from tests.benchmarks.stage import stage

REPORTS = 40
BAR = 1.2
BARE = """
import json, os, socket
body = json.dumps({"type": "heartbeat", "payload": {}}).encode()
head = (
    "POST /emit HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\nContent-Type: application/json\\r\\n"
    f"Authorization: Bearer {os.environ['QUARTERDECK_TOKEN']}\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n"
)
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(os.environ["QUARTERDECK_SOCKET"])
    connection.sendall(head.encode() + body)
    assert b" 200 " in connection.recv(4096)
"""


REQUEST = b'{"hook_event_name": "PermissionRequest", "tool_name": "Bash", "tool_input": {"command": "git status"}}'
BARE_ASK = """
import json, os, socket, sys
body = json.dumps({"key": os.urandom(8).hex(), "wait_s": 25, "request": json.loads(sys.stdin.read())}).encode()
head = (
    "POST /permissions/claude HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n"
    "Content-Type: application/json\\r\\n"
    f"Authorization: Bearer {os.environ['QUARTERDECK_TOKEN']}\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n"
)
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(os.environ["QUARTERDECK_SOCKET"])
    connection.sendall(head.encode() + body)
    received = b""
    while part := connection.recv(4096):
        received += part
answer = json.loads(received.partition(b"\\r\\n\\r\\n")[2])
assert answer["status"] == "decided", answer
print(json.dumps(answer["answer"]))
"""


async def measure(scale: float) -> list[Figure]:
    """Compare `quarterdeck beat`, and the hook client as agents call it, each with its bare peer."""
    quarterdeck = str(Path(sys.executable).with_name("quarterdeck"))
    isolated = [sys.executable, "-I", "-S"]
    pairs = [
        ("quarterdeck beat", [quarterdeck, "beat"], [sys.executable, "-c", BARE]),
        ("the hook client", [*isolated, str(hookclient.__file__), "beat"], [*isolated, "-c", BARE]),
    ]
    async with stage() as place:
        environment = {
            **os.environ,
            "QUARTERDECK_SOCKET": str(place.paths.socket),
            "QUARTERDECK_TOKEN": place.paths.token_file.read_text().strip(),
        }
        count = sized(REPORTS, scale)
        figures = [await asyncio.to_thread(_compare, *pair, environment, count) for pair in pairs]
        async with place.client() as client:
            asking = environment | {"QUARTERDECK_TOKEN": await token_of_agent(place, client)}
        hook = [*isolated, str(hookclient.__file__), "permission", "claude"]
        asks = ("the hook that asks, answered by policy", hook, [*isolated, "-c", BARE_ASK], asking, count)
        return [*figures, await asyncio.to_thread(_compare, *asks)]


def _compare(what: str, command: list[str], bare: list[str], environment: dict[str, str], count: int) -> Figure:
    ours = []
    limit = []
    for _ in range(count):
        limit.append(seconds(bare, environment))
        ours.append(seconds(command, environment))
    ratio = median(ours) / median(limit)
    told = f"{ms(ours)}, {ratio:.2f}x"
    return Figure("reports", what, told, f"bare client: {ms(limit)}", "<= 1.2x", ratio <= BAR)


def seconds(command: list[str], environment: dict[str, str] | None = None) -> float:
    """Return how long a command takes."""
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, input=REQUEST)
    return time.perf_counter() - began
