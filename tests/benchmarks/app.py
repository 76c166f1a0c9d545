"""What the app takes: the first paint, keys and processor under load, a long transcript.

It is measured from outside, in a pseudo-terminal: from the key that is written to the text that comes back.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from pathlib import Path

import psutil

from config.paths import HOME_VARIABLE
from supervisor.api.client import Client
from tests.benchmarks.figures import Figure, median, ms, sized
from tests.benchmarks.stage import Stage, stage, wait_for
from tests.support.screen import Screen

PAINTS = 10
PAINT_BAR_S = 0.600
PAINT_RATIO = 1.5
SLEEPERS, FLOODERS = 180, 20
LINES_PER_S = 2_000
KEYS = 100
KEY_BAR_S = 0.050
LOAD_S = 30.0
LINES = 200_000
FIRST = 1_000_001
"""The first line's number: all have seven digits, which nothing else on the screen has."""

OPEN_BAR_S = 0.300
PAGES = 50

NUMBER = re.compile(rb"(?<![0-9;])1[0-9]{6}(?![0-9;])")
"""A line's number, not one in a control sequence."""

EMPTY = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("painted")
Empty().run()
"""

FLOODER = """
import sys, time
due = time.monotonic()
number = 0
while True:
    sys.stdout.write("".join(f"line {number + i} of what a busy tool prints all the time\\n" for i in range(10)))
    sys.stdout.flush()
    number += 10
    due += 10 / RATE
    time.sleep(max(0.0, due - time.monotonic()))
"""


async def measure(scale: float) -> list[Figure]:
    """Run all parts on one supervisor."""
    async with stage() as place, place.client() as client:
        figures = [await asyncio.to_thread(_paint, place, sized(PAINTS, scale))]
        figures += await _long(place, client, scale)
        figures += await _busy(place, client, scale)
        return figures


def _environment(place: Stage) -> dict[str, str]:
    return {**os.environ, HOME_VARIABLE: str(place.paths.home), "TERM": "xterm-256color", "COLORTERM": "truecolor"}


def _app(place: Stage) -> Screen:
    return Screen([str(Path(sys.executable).with_name("quarterdeck"))], _environment(place))


def _paint(place: Stage, count: int) -> Figure:
    ours, limit = [], []
    for _ in range(count):
        began = time.perf_counter()
        with Screen([sys.executable, "-c", EMPTY], _environment(place)) as screen:
            limit.append(screen.wait(b"painted") - began)
        began = time.perf_counter()
        with _app(place) as screen:
            ours.append(screen.wait(b"Fleet") - began)
    ratio = median(ours) / median(limit)
    return Figure(
        "app", "first paint of the app", f"{ms(ours)}, {ratio:.2f}x", f"an empty Textual app: {ms(limit)}",
        f"<= {PAINT_RATIO}x and < 600 ms", ratio <= PAINT_RATIO and median(ours) < PAINT_BAR_S,
    )  # fmt: skip


async def _long(place: Stage, client: Client, scale: float) -> list[Figure]:
    """Open a session that printed very much, and page through it."""
    count = sized(LINES, scale)
    started = await client.post("/sessions", place.request("seq", str(FIRST), str(FIRST + count - 1), name="long"))
    session = started["session"]["id"]
    await wait_for(client, {session}, "completed")
    opened, pages = await asyncio.to_thread(_scroll, place, FIRST + count - 1, sized(PAGES, scale))
    await client.post(f"/sessions/{session}/archive")
    return [
        Figure(
            "app", f"open a transcript of {count:,} lines", ms(opened), "", "< 300 ms", median(opened) < OPEN_BAR_S
        ),
        Figure("app", "scroll a page of it", ms(pages)),
    ]  # fmt: skip


def _scroll(place: Stage, last: int, pages: int) -> tuple[list[float], list[float]]:
    opened: list[float] = []
    paged: list[float] = []
    with _app(place) as screen:
        screen.wait(b"long")
        screen.wait(b"live")
        for _ in range(5):
            began = screen.press(b"\r")
            opened.append(screen.wait(str(last).encode(), after=b"Timeline") - began)
            began = screen.press(b"\x1b")
            screen.wait(b"Fleet")
        screen.press(b"\r")
        screen.wait(str(last).encode(), after=b"Timeline")
        for _ in range(pages):
            smallest = min(_numbers(screen), default=last)
            began = screen.press(b"\x1b[5~")
            paged.append(_above(screen, smallest) - began)
    return opened, paged


def _numbers(screen: Screen) -> list[int]:
    """Return the numbers of the lines that have been drawn; the first is in the command, too."""
    return [number for found in NUMBER.findall(screen.drawn()) if (number := int(found)) != FIRST]


def _above(screen: Screen, number: int) -> float:
    """Return the moment at which a line above one with a number has been drawn."""
    deadline = time.monotonic() + 10
    while not any(found < number for found in _numbers(screen)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing above {number} was drawn")
        screen.read(0.05)
    return time.perf_counter()


async def _busy(place: Stage, client: Client, scale: float) -> list[Figure]:
    """Use the app beside sessions that print."""
    flooders, sleepers = sized(FLOODERS, scale), sized(SLEEPERS, scale)
    flood = FLOODER.replace("RATE", str(LINES_PER_S / flooders))
    sessions: set[str] = set()
    for number in range(sleepers):
        sleeper = place.request("sleep", str(100_000 + number), name=f"sleeper-{number:03}")
        started = await client.post("/sessions", sleeper)
        sessions.add(started["session"]["id"])
    await wait_for(client, sessions, "running", timeout_s=300)
    for number in range(flooders):
        flooder = place.request(sys.executable, "-c", flood, name=f"flooder-{number:03}")
        started = await client.post("/sessions", flooder)
        sessions.add(started["session"]["id"])
    await wait_for(client, sessions, "running", timeout_s=300)
    before = await client.last_seq()
    began = time.perf_counter()
    keys, used, first, last = await asyncio.to_thread(_use, place, sized(KEYS, min(scale, 1)), LOAD_S * scale)
    rate = (await client.last_seq() - before) / (time.perf_counter() - began)
    beside = f"{len(sessions)} live sessions, {rate:,.0f} events/s"
    p95 = sorted(keys)[int(len(keys) * 0.95)]
    return [
        Figure(
            "app", f"key to paint, {beside}", f"p95 {p95 * 1000:.0f} ms; {ms(keys)}", "", "p95 < 50 ms", p95 < KEY_BAR_S
        ),
        Figure("app", "processor time of the app, the same", f"{used:.0%} of a core", "", "< 50 %", used < 0.5),
        Figure("app", f"memory of the app over {LOAD_S * scale:.0f} s of it", f"{first:.0f} -> {last:.0f} MB"),
    ]  # fmt: skip


def _use(place: Stage, count: int, load_s: float) -> tuple[list[float], float, float, float]:
    keys: list[float] = []
    with _app(place) as screen:
        screen.wait(b"live")
        screen.wait(b"100000")
        process = psutil.Process(screen.pid)
        for number in range(1, count):
            began = screen.press(b"j")
            keys.append(screen.wait(str(100_000 + number).encode()) - began)
            _watch(screen, 0.05)
        _watch(screen, 5.0)
        first, spent, at = process.memory_info().rss, sum(process.cpu_times()[:2]), time.perf_counter()
        _watch(screen, load_s)
        used = (sum(process.cpu_times()[:2]) - spent) / (time.perf_counter() - at)
        return keys, used, first / 1e6, process.memory_info().rss / 1e6


def _watch(screen: Screen, seconds: float) -> None:
    """Read what is drawn for so long, as a terminal does."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        screen.read(min(left, 0.05))
