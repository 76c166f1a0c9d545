"""The event stream: every number once, in order, whatever happens to reader or supervisor."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from config.paths import Paths
from supervisor.api import stream
from supervisor.api.client import Client
from supervisor.api.stream import Filter, follow
from supervisor.daemon import Daemon
from supervisor.engine.bus import Bus
from supervisor.model.errors import NotFound, SupervisorUnreachable
from tests.support.git import repository
from tests.wait import until


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.below(tmp_path / "home")


@pytest.fixture
async def daemon(paths: Paths) -> AsyncIterator[Daemon]:
    async with Daemon(paths) as running:
        yield running


@pytest.fixture
async def client(daemon: Daemon, paths: Paths) -> AsyncIterator[Client]:
    async with Client(paths.socket, paths.token_file) as connected:
        yield connected


async def emit(daemon: Daemon, count: int, kind: str = "progress") -> list[int]:
    return [(await daemon.engine.reports.emit(None, kind, {"n": n})).seq for n in range(count)]


async def first(events: AsyncIterator[dict[str, Any]], count: int) -> list[int]:
    seen = []
    async for event in events:
        seen.append(event["seq"])
        if len(seen) == count:
            return seen
    return seen


OWN = 1
"""The supervisor listens itself."""


async def subscribed(bus: Bus, count: int = 1) -> None:
    await until(lambda: len(bus._subscriptions) == count + OWN, what=f"{count} subscribers")


async def all_waiting(bus: Bus) -> None:
    """A reader that is still at its replay would find in the store what it is to miss on the bus."""
    await until(
        lambda: all(subscription._ready._waiters for subscription in bus._subscriptions), what="readers that wait"
    )


async def test_a_replay_goes_over_into_what_happens_now(daemon: Daemon, client: Client) -> None:
    old = await emit(daemon, 2_500)
    reading = asyncio.create_task(first(client.follow(old[0]), 2_509))
    await subscribed(daemon.engine.bus)
    new = await emit(daemon, 10)
    assert await asyncio.wait_for(reading, 20) == [*old[1:], *new]


async def test_without_a_number_only_what_is_new_comes(daemon: Daemon, client: Client) -> None:
    await emit(daemon, 5)
    reading = asyncio.create_task(first(client.follow(), 3))
    await subscribed(daemon.engine.bus)
    assert await emit(daemon, 3) == await asyncio.wait_for(reading, 10)


async def test_a_filter_is_kept_in_the_replay_and_live(daemon: Daemon, client: Client) -> None:
    old = await emit(daemon, 2, "alpha")
    await emit(daemon, 2, "beta")
    reading = asyncio.create_task(first(client.follow(0, type="alpha"), 3))
    await subscribed(daemon.engine.bus)
    await emit(daemon, 2, "beta")
    new = await emit(daemon, 1, "alpha")
    assert await asyncio.wait_for(reading, 10) == [*old, *new]


async def test_sessions_and_projects_are_filters_that_must_exist(
    daemon: Daemon, client: Client, tmp_path: Path
) -> None:
    project = (await client.post("/projects", {"path": str(repository(tmp_path / "shop"))}))["project"]
    await emit(daemon, 1)
    assert (await client.get("/events", project=project["name"], type="progress"))["events"] == []
    for wanted in ({"session": "nobody"}, {"project": "nothing"}):
        with pytest.raises(NotFound):
            await first(client.follow(0, **wanted), 1)
    assert not Filter(project="other").matches(daemon_event := (await recent(daemon))[0])
    assert Filter(types=frozenset({"progress"})).matches(daemon_event)


async def recent(daemon: Daemon) -> list[Any]:
    from supervisor.store import events

    return await daemon.engine.store.read(events.recent, 1)


async def test_a_reader_that_is_too_slow_is_told_where_to_read_on(
    daemon: Daemon, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus = daemon.engine.bus
    subscribe = Bus.subscribe
    monkeypatch.setattr(Bus, "subscribe", lambda self: subscribe(self, limit=5))
    seq = (await emit(daemon, 1))[0]
    frames = follow(daemon.engine.store, bus, seq, Filter())
    async with aclosing(frames):
        assert await anext(frames) == b": connected\n\n"
        reading = asyncio.ensure_future(anext(frames))
        await all_waiting(bus)
        missed = await daemon.engine.services.ledger.commit(lambda t: t.record(list(some_events(20))))
        notice = await reading
        assert notice.startswith(b"event: gap")
        assert json.loads(notice.splitlines()[1][6:]) == {"from": missed[0].seq}
        after = await emit(daemon, 1)
        assert b"id: %d\n" % after[0] in await anext(frames)


def some_events(count: int) -> list[Any]:
    from supervisor.model.events import NewEvent

    return [NewEvent("burst", "telemetry", 1_700_000_000_000, payload={"n": n}) for n in range(count)]


async def test_the_client_fills_a_gap_by_itself(
    daemon: Daemon, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe = Bus.subscribe
    monkeypatch.setattr(Bus, "subscribe", lambda self: subscribe(self, limit=5))
    start = (await emit(daemon, 1))[0]
    reading = asyncio.create_task(first(client.follow(start), 24))
    await subscribed(daemon.engine.bus)
    await all_waiting(daemon.engine.bus)
    missed = await daemon.engine.services.ledger.commit(lambda t: t.record(some_events(20)))
    await emit(daemon, 4)
    assert await asyncio.wait_for(reading, 10) == list(range(missed[0].seq, missed[0].seq + 24))


async def test_an_idle_stream_says_that_it_lives(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "KEEPALIVE_S", 0.01)
    frames = follow(daemon.engine.store, daemon.engine.bus, None, Filter())
    async with aclosing(frames):
        assert [await anext(frames) for _ in range(2)] == [b": connected\n\n", b": keepalive\n\n"]


async def test_a_reader_that_goes_away_leaves_nothing_behind(daemon: Daemon, client: Client, paths: Paths) -> None:
    bus = daemon.engine.bus
    reading = asyncio.create_task(first(client.follow(0), 1_000_000))
    await subscribed(bus)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await subscribed(bus, 0)
    assert await emit(daemon, 1)


async def test_a_stop_ends_open_streams_at_once(paths: Paths) -> None:
    loop = asyncio.get_running_loop()
    async with Client(paths.socket, paths.token_file) as early:
        with pytest.raises(SupervisorUnreachable):
            await early.get("/status")
    async with Daemon(paths) as daemon:
        readers = [Client(paths.socket, paths.token_file) for _ in range(3)]
        reading = [asyncio.create_task(first(reader.follow(0), 1_000_000)) for reader in readers]
        await subscribed(daemon.engine.bus, 3)
        began = loop.time()
    assert loop.time() - began < 1.5
    ended = await asyncio.gather(*reading, return_exceptions=True)
    assert [type(each) for each in ended] == [SupervisorUnreachable] * 3
    for reader in readers:
        await reader.__aexit__(None, None, None)


async def test_numbers_go_on_after_a_restart(paths: Paths) -> None:
    async with Daemon(paths) as daemon:
        before = await emit(daemon, 3)
    async with Daemon(paths) as daemon, Client(paths.socket, paths.token_file) as client:
        after = await emit(daemon, 2)
        seen = await asyncio.wait_for(first(client.follow(before[0]), 4), 10)
    assert seen == [*before[1:], *after]


async def test_last_event_id_is_where_a_browser_goes_on(daemon: Daemon, client: Client) -> None:
    numbers = await emit(daemon, 3)
    headers = {"Last-Event-ID": str(numbers[1])}
    async with client._http.stream("GET", "/events/stream", params={"after": 0}, headers=headers) as response:
        async for line in response.aiter_lines():
            if line.startswith("id: "):
                assert line == f"id: {numbers[2]}"
                break
