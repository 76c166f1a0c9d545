"""What many sessions cost the supervisor: memory and time when they are idle, and its start among them."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import psutil

from supervisor.model.statuses import SessionStatus
from supervisor.store import sessions
from supervisor.store.migrate import open_database
from tests.benchmarks.figures import Figure, median, ms, sized
from tests.benchmarks.stage import Stage, stage, wait_for
from tests.support.stores import NOON, fill
from tests.support.stores import a_session as a_stored_session

LOCAL, TMUX = 100, 50
FINISHED = 1_000
STARTS = 5
SETTLE_S, WATCH_S = 5.0, 20.0
RSS_BAR_MB, CPU_BAR, START_BAR_S = 150, 1.0, 2.0


async def measure(scale: float) -> list[Figure]:
    """Start them, let them be, look at the supervisor; then kill it and start it again and again."""
    local, tmux = sized(LOCAL, scale), sized(TMUX, scale)
    async with stage() as place:
        async with place.client() as client:
            jobs = ["local"] * local + ["tmux"] * tmux
            ids = {
                (await client.post("/sessions", place.request("sleep", "3600", executor=executor)))["session"]["id"]
                for executor in jobs
            }
            await wait_for(client, ids, "running")
        rss, cpu = await _watch(place.pid, scale)
        place.kill()
        finished = sized(FINISHED, scale)
        _store_finished(place, finished)
        starts = []
        for _ in range(STARTS):
            starts.append(await place.start())
            place.kill()
        await place.start()
        async with place.client() as client:
            await wait_for(client, ids, "running")
    sessions_told = f"{local} local and {tmux} tmux sessions"
    return [
        Figure("idle", f"memory of the supervisor, {sessions_told}", f"{rss:.0f} MB", "", "< 150 MB", rss < RSS_BAR_MB),
        Figure("idle", "processor time of the supervisor, the same", f"{cpu:.2f} %", "", "< 1 %", cpu < CPU_BAR),
        Figure(
            "idle",
            f"start until it answers, {finished} finished and {local + tmux} live",
            ms(starts),
            "",
            "< 2 s",
            median(starts) < START_BAR_S,
        ),
    ]


async def _watch(pid: int, scale: float) -> tuple[float, float]:
    """Return resident MB and per cent of one core over some seconds."""
    process = psutil.Process(pid)
    await asyncio.sleep(SETTLE_S * min(1, scale))
    before = process.cpu_times()
    span = WATCH_S * min(1, scale)
    await asyncio.sleep(span)
    after = process.cpu_times()
    used = after.user + after.system - before.user - before.system
    return process.memory_info().rss / 1e6, used / span * 100


def _store_finished(place: Stage, count: int) -> None:
    with closing(open_database(place.paths.database, place.paths.backups)) as conn:
        fill(conn)
        conn.execute("BEGIN")
        for number in range(count):
            _insert(conn, f"ses_finished_{number:05}")
        conn.execute("COMMIT")


def _insert(conn: sqlite3.Connection, name: str) -> None:
    ended = {"started_at": NOON, "ended_at": NOON + 1000, "exit_code": 0, "attempts": 1}
    sessions.insert(conn, a_stored_session(name, status=SessionStatus.COMPLETED, **ended))
