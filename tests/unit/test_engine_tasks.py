"""Background tasks: named, owned, never failing in silence."""

from __future__ import annotations

import asyncio

import pytest

from supervisor.engine.tasks import Tasks
from tests.wait import until


async def nothing() -> None:
    return None


async def test_work_that_has_just_ended_is_not_running_although_its_callbacks_have_not_run() -> None:
    tasks = Tasks()
    seen: list[bool] = []

    async def look() -> None:
        # Runs in the same round of the loop in which the first task ends.
        seen.append(tasks.running("first"))

    tasks.start("first", nothing())
    tasks.start("look", look())
    await until(lambda: seen)
    assert seen == [False]


async def test_a_name_can_be_used_again_in_the_moment_its_work_has_ended() -> None:
    tasks = Tasks()
    gate = asyncio.Event()
    ended: list[str] = []

    async def again() -> None:
        await gate.wait()
        ended.append("second")

    async def restart() -> None:
        tasks.start("name", again())

    tasks.start("name", nothing())
    tasks.start("restart", restart())
    await until(lambda: not tasks.running("restart"))
    assert tasks.running("name")
    gate.set()
    await until(lambda: ended == ["second"])
    await until(lambda: not tasks.running("name"))


async def test_a_second_start_of_what_runs_is_refused() -> None:
    tasks = Tasks()
    tasks.start("name", asyncio.sleep(60))
    with pytest.raises(RuntimeError, match="runs already"):
        tasks.start("name", nothing())
    await tasks.close()


async def test_ensure_starts_once() -> None:
    tasks = Tasks()
    started: list[int] = []

    async def work() -> None:
        started.append(1)
        await asyncio.Event().wait()

    tasks.ensure("name", work)
    tasks.ensure("name", work)
    await until(lambda: started)
    assert started == [1]
    await tasks.close()


async def test_a_failure_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks()

    async def fail() -> None:
        raise ValueError("broken")

    tasks.start("name", fail())
    await until(lambda: tasks.failures)
    assert tasks.failures == ["name: broken"]
    assert "name failed" in caplog.text


async def test_close_waits_for_what_cleans_up_and_cancel_says_whether_there_was_any() -> None:
    tasks = Tasks()
    cleaned: list[bool] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    tasks.start("name", work())
    await asyncio.sleep(0)
    assert not tasks.cancel("other")
    await tasks.close()
    assert cleaned == [True]
    assert not tasks.running("name")


async def test_work_that_follows_starts_when_the_work_before_it_has_ended() -> None:
    tasks = Tasks()
    gate = asyncio.Event()
    order: list[str] = []

    async def first() -> None:
        await gate.wait()
        order.append("first")

    async def second() -> None:
        order.append("second")

    tasks.start("name", first())
    tasks.follow("name", second)
    await asyncio.sleep(0)
    assert order == []
    gate.set()
    await until(lambda: order == ["first", "second"])


async def test_nothing_follows_when_everything_is_closed() -> None:
    tasks = Tasks()
    order: list[str] = []

    async def second() -> None:
        order.append("second")

    tasks.start("name", asyncio.sleep(60))
    tasks.follow("name", second)
    await tasks.close()
    await asyncio.sleep(0)
    assert order == []


async def test_nothing_starts_after_the_end() -> None:
    tasks = Tasks()
    await tasks.close()
    begun: list[str] = []

    async def work() -> None:
        begun.append("work")

    late = tasks.start("late", work())
    tasks.ensure("later", work)
    await asyncio.gather(late, return_exceptions=True)
    await tasks.close()
    assert late.cancelled()
    assert not begun
