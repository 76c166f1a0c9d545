"""Commands on their way to their host: whatever happens to it, each is told of once, and never what is not so."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest

from executors.local import LocalExecutor
from executors.owned import OwnedRuns, end_left, journal
from executors.runner import identity
from supervisor.engine.planruns.commands import Commands
from supervisor.engine.ports.processes import ExitRecord, Launch
from tests.support.attempts import Home
from tests.support.runners import home_with_host
from tests.wait import until


class Told:
    """What was told of commands, and which of them ran at that moment."""

    def __init__(self) -> None:
        self.ends: dict[str, ExitRecord | None] = {}
        self.running: set[str] = set()

    def __call__(self, attempt: str, record: ExitRecord | None) -> None:
        assert attempt not in self.ends, "told twice"
        self.ends[attempt] = record
        self.running |= {attempt} & marked()


def marked() -> set[str | None]:
    """Return the attempts of which something runs."""
    return {identity.marked(pid) for pid in identity.running()}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Home]:
    with home_with_host(tmp_path) as place:
        yield place


@pytest.fixture
async def commands(place: Home) -> AsyncIterator[Commands]:
    executor = LocalExecutor()
    made = Commands(lambda: OwnedRuns(place.run, executor), journal, end_left)
    yield made
    await made.close()


def launches(place: Home, *names: str) -> list[Launch]:
    return [place.launch(f"{place.run.name}{name}", "sleep", "60", folder=place.state / "plan") for name in names]


async def kill_host(commands: Commands) -> None:
    os.kill(int((await commands.identity()).split(":")[0]), signal.SIGKILL)


async def all_told(told: Told, asked: Sequence[Launch]) -> None:
    await until(lambda: len(told.ends) == len(asked), what="each is told of")


async def test_what_a_host_that_died_may_have_started_is_ended_before_it_is_told(
    place: Home, commands: Commands
) -> None:
    told, asked = Told(), launches(place, *(f"s{n}" for n in range(12)))
    await commands.identity()
    starting = asyncio.create_task(commands.start([(each, told) for each in asked]))
    await until(lambda: bool(marked() & {each.attempt for each in asked}), what="one of them runs")
    await kill_host(commands)
    await starting
    await all_told(told, asked)
    assert set(told.ends.values()) == {None}, "nobody knows how they ended; that nothing was started is not so"
    assert told.running == set()
    assert not marked() & {each.attempt for each in asked}


async def test_what_a_host_that_died_was_asked_for_is_not_known(place: Home, commands: Commands) -> None:
    told, asked = Told(), launches(place, "a", "b")
    pid = int((await commands.identity()).split(":")[0])
    os.kill(pid, signal.SIGSTOP)
    starting = asyncio.create_task(commands.start([(each, told) for each in asked]))
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGKILL)
    await starting
    await all_told(told, asked)
    assert set(told.ends.values()) == {None}


async def test_an_end_that_cannot_be_taken_in_keeps_no_other_away(
    place: Home, commands: Commands, caplog: pytest.LogCaptureFixture
) -> None:
    told, folder = Told(), place.state / "plan"
    bad, good = (place.launch(name, "true", folder=folder) for name in ("bad", "good"))

    def refuse(attempt: str, record: ExitRecord | None) -> None:
        raise ValueError("It does not fit.")

    await commands.start([(bad, refuse), (good, told)])
    await all_told(told, [good])
    found = told.ends[good.attempt]
    assert found is not None
    assert found.exit_code == 0
    assert "could not be taken in" in caplog.text
