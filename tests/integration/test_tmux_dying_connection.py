"""A control connection that dies in the middle of its commands takes no window with it."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from executors.tmux.server import TmuxServer
from tests.wait import until

pytestmark = pytest.mark.tmux


@pytest.fixture
def run() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="qdt") as folder:
        yield Path(folder)


async def test_windows_outlive_connections_that_die_while_windows_are_opened(run: Path) -> None:
    first = TmuxServer(run)
    opened = [await first.new_window("first", ["sleep", "60"])]
    dying = first
    for number in range(12):
        opening = [asyncio.create_task(dying.new_window("more", ["sleep", "60"])) for _ in range(6)]
        await asyncio.sleep(number * 0.0025)  # it dies at another point of its commands each time
        assert dying._connection is not None
        dying._connection._process.kill()
        await asyncio.gather(*opening, return_exceptions=True)
        dying = TmuxServer(run)
        opened.append(await dying.new_window("next", ["sleep", "60"]))
    living = await dying.command("list-panes", "-s", "-t", "quarterdeck", "-F", "#{pane_id}")
    assert set(opened) <= set(living)
    await dying.command("kill-session", "-t", "quarterdeck")
    await dying.close()
    await until(lambda: not dying.socket.exists() or not _answers(dying.socket), what="the end of the server")


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
