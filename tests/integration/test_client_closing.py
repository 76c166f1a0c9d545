"""A client that is closed while it works: none of its connections stays open."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import tempfile
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from supervisor.api.client import Client

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
MOMENTS = 120
ANSWERS_AFTER_S = (0.0, 0.0005, 0.001, 0.002)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each request, until the other side is gone."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError), contextlib.closing(writer):
        for after in itertools.cycle(ANSWERS_AFTER_S):
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(after)
            writer.write(ANSWER)
            await writer.drain()


@pytest.fixture
async def listening() -> AsyncIterator[Path]:
    """The path of a socket on which every request is answered."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "s"
        async with await asyncio.start_unix_server(answer, path):
            yield path


async def ask_on(client: Client) -> None:
    while True:
        await client.get("/anything")


async def use(socket: Path, opened: asyncio.Future[Client]) -> None:
    async with Client(socket, token="t") as client:
        opened.set_result(client)
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(ask_on(client))


@pytest.mark.parametrize("cancels", [1, 2, 3])
async def test_cancelled_once_or_more_often_it_closes_every_connection(listening: Path, cancels: int) -> None:
    left: list[str] = []
    gc.freeze()
    for moment in range(MOMENTS):
        opened: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        user = asyncio.create_task(use(listening, opened))
        others = [asyncio.create_task(ask_on(await opened)) for _ in range(2)]
        for turn in range(moment % 40):
            await asyncio.sleep(0 if turn % 5 else 0.0005)
        # An app that closes cancels what it does once for each thing that goes, within a few turns of the loop.
        for _ in range(cancels):
            for task in (user, *others):
                task.cancel()
            for _ in range(moment % 7):
                await asyncio.sleep(0)
        await asyncio.wait([user, *others])
        del opened, user, others, task
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            gc.collect()
        left += [str(each.message) for each in told if "unclosed" in str(each.message)]
    gc.unfreeze()
    assert not left


async def test_what_is_under_way_when_it_closes_is_closed_with_its_end(listening: Path) -> None:
    left: list[str] = []
    gc.freeze()
    for moment in range(MOMENTS):
        async with Client(listening, token="t") as client:
            late = [asyncio.create_task(client.get("/anything")) for _ in range(3)]
            for _ in range(moment % 12):
                await asyncio.sleep(0)
        for _ in range(moment % 5):
            await asyncio.sleep(0)
        if moment % 2:
            late[0].cancel()
        await asyncio.wait(late)
        assert [await each for each in late[1:]] == [{}, {}], "it is answered"
        del client, late
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            gc.collect()
        left += [str(each.message) for each in told if "unclosed" in str(each.message)]
    gc.unfreeze()
    assert not left
