"""Short commands under the host itself: many at once, each end written before it is told."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from executors import link
from executors.local import LocalExecutor
from executors.owned import OwnedRuns, end_left, journal
from executors.runner import identity
from supervisor.engine.ports.processes import ExitRecord, Launch, Started
from supervisor.model.errors import QuarterdeckError, Refused, Unavailable
from tests.support.attempts import RECORD, Home
from tests.support.runners import home_with_host, host_pid, is_alive, kill, pids_in
from tests.support.supervised import eventually
from tests.wait import until


class Plan:
    """Commands of one folder, and their ends as they were told."""

    def __init__(self, runs: OwnedRuns, place: Home) -> None:
        self.runs = runs
        self.folder = place.state / "plan"
        self.told: dict[str, ExitRecord] = {}
        self._place = place

    def launch(self, name: str, *argv: str, **fields: object) -> Launch:
        return self._place.launch(name, *argv, folder=self.folder, **fields)

    def collect(self, record: ExitRecord) -> None:
        assert journal(self.folder)[record.attempt] == record, "told before it was written"
        self.told[record.attempt] = record

    async def ended(self, launch: Launch) -> ExitRecord:
        await until(lambda: launch.attempt in self.told, what=launch.attempt)
        return self.told[launch.attempt]

    def output(self, launch: Launch) -> list[tuple[bytes, bytes]]:
        lines = (self.folder / f"{launch.attempt}.log").read_bytes().splitlines()
        return [(match[1], match[3]) for line in lines if (match := RECORD.match(line))]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Home]:
    with home_with_host(tmp_path) as place:
        yield place


@asynccontextmanager
async def connected(place: Home) -> AsyncIterator[Plan]:
    async with OwnedRuns(place.run, LocalExecutor()) as runs:
        plan = Plan(runs, place)
        runs.listen(plan.collect, lambda: None)
        yield plan


@pytest.fixture
async def plan(place: Home) -> AsyncIterator[Plan]:
    async with connected(place) as plan:
        yield plan


async def test_many_quick_exits_with_exact_codes(plan: Plan) -> None:
    launches = [plan.launch(f"q{n}", "sh", "-c", f"exit {n}") for n in range(200)]
    await asyncio.gather(*(plan.runs.start(launch) for launch in launches))
    for number, launch in enumerate(launches):
        record = await plan.ended(launch)
        assert (record.exit_code, record.cause, record.token) == (number, "exit", 1)
    assert await plan.runs.running() == set()
    assert [path.name for path in plan.folder.iterdir()] == ["exits.jsonl"]


async def test_output_has_a_file_of_its_own(plan: Plan) -> None:
    launch = plan.launch("out", "sh", "-c", "echo one; echo two >&2; echo s3cret", secrets=("s3cret",))
    await plan.runs.start(launch)
    await plan.ended(launch)
    found = plan.output(launch)
    assert [text for stream, text in found if stream == b"stdout"] == [b"one", b"[redacted]"]
    assert (b"stderr", b"two") in found


async def test_two_starts_are_one_spawn_also_after_the_end(plan: Plan) -> None:
    launch = plan.launch("twice", "sh", "-c", "echo once")
    first, second = await asyncio.gather(plan.runs.start(launch), plan.runs.start(launch))
    assert first == second
    await plan.ended(launch)
    assert await plan.runs.start(launch) == first
    assert plan.output(launch) == [(b"stdout", b"once")]


async def test_what_cannot_be_started_is_journalled(plan: Plan) -> None:
    launch = plan.launch("missing", "no-such-program")
    for _ in range(2):
        with pytest.raises(Unavailable, match="no program no-such-program"):
            await plan.runs.start(launch)
    record = await plan.ended(launch)
    assert (record.cause, record.exit_code) == ("spawn_failed", 127)
    script = plan.launch("script", "./script")
    (script.cwd / "script").write_bytes(b"\x01\x02")
    (script.cwd / "script").chmod(0o700)
    with pytest.raises(Unavailable, match="not a program"):
        await plan.runs.start(script)


async def test_whoever_listens_late_hears_what_was_before(place: Home) -> None:
    async with OwnedRuns(place.run, LocalExecutor()) as runs:
        plan = Plan(runs, place)
        launch = plan.launch("early", "true")
        await runs.start(launch)
        await until(lambda: launch.attempt in journal(plan.folder))
        assert await runs.running() == set()
        runs.listen(plan.collect, lambda: None)
        assert plan.told.keys() == {launch.attempt}
        os.kill(int(runs.identity.split(":")[0]), signal.SIGKILL)
        await until(lambda: runs._closed.is_set())
        gone = asyncio.Event()
        runs.listen(plan.collect, gone.set)
        assert gone.is_set(), "a host that is gone already is told of, too"


async def test_of_many_started_at_once_the_first_end_is_told_while_the_rest_is_started(plan: Plan) -> None:
    first = plan.launch("first", "true")
    rest = [plan.launch(f"r{n}", "true") for n in range(300)]
    starting = asyncio.create_task(plan.runs.start_all([first, *rest]))
    await plan.ended(first)
    assert not starting.done(), "it was told after everything was started"
    assert len(await starting) == 301


async def test_of_many_started_at_once_each_has_its_own_answer(plan: Plan) -> None:
    good = [plan.launch(f"g{n}", "sh", "-c", f"exit {n}") for n in range(20)]
    bad = plan.launch("bad", "/no/such/program")
    told = await plan.runs.start_all([*good[:10], bad, *good[10:]])
    assert [type(each) for each in told] == [Started] * 10 + [Unavailable] + [Started] * 10
    for number, launch in enumerate(good):
        assert (await plan.ended(launch)).exit_code == number
    assert (await plan.ended(bad)).cause == "spawn_failed"


async def test_when_the_host_is_killed_all_that_were_asked_for_are_answered(plan: Plan, place: Home) -> None:
    kill(host_pid(place.run))
    told = await plan.runs.start_all([plan.launch(f"l{n}", "true") for n in range(3)])
    assert [type(each) for each in told] == [QuarterdeckError] * 3
    assert await plan.runs.start_all([]) == []


async def test_limits_and_stopping(plan: Plan) -> None:
    slow = plan.launch("slow", "sleep", "60", start_to_close_s=0.2)
    quiet = plan.launch("quiet", "sleep", "60", no_output_s=0.2)
    stubborn = plan.launch("stubborn", "sh", "-c", "trap '' TERM; echo $$ > pids; sleep 60; sleep 60")
    for launch in (slow, quiet, stubborn):
        await plan.runs.start(launch)
    await pids_in(stubborn.cwd / "pids")
    assert stubborn.attempt in await plan.runs.running()
    await plan.runs.stop(stubborn.attempt, grace_s=0.1)
    ends = [await plan.ended(launch) for launch in (slow, quiet, stubborn)]
    assert [(end.cause, end.exit_code) for end in ends] == [
        ("start_to_close", 143),
        ("no_output", 143),
        ("stopped", 137),
    ]
    await plan.runs.stop(stubborn.attempt, grace_s=0.1)


async def test_what_somebody_stopped_is_not_alive(plan: Plan) -> None:
    one, other = plan.launch("one", "sleep", "60"), plan.launch("other", "sleep", "60")
    pid = (await plan.runs.start(one)).pid
    await plan.runs.start(other)
    assert await plan.runs.alive() == {one.attempt, other.attempt}
    os.kill(pid, signal.SIGSTOP)

    async def stopped() -> bool:
        return await plan.runs.alive() == {other.attempt}

    await eventually(stopped, what=lambda: "one is not alive")
    assert await plan.runs.running() == {one.attempt, other.attempt}
    os.kill(pid, signal.SIGCONT)

    async def goes_on() -> bool:
        return await plan.runs.alive() == {one.attempt, other.attempt}

    await eventually(goes_on, what=lambda: "one is alive again")
    for launch in (one, other):
        await plan.runs.stop(launch.attempt, grace_s=0)
        await plan.ended(launch)


async def test_a_commands_daemons_end_with_it_and_others_live(plan: Plan) -> None:
    other = plan.launch("other", "sh", "-c", "sleep 60 & echo $! > pids; wait")
    await plan.runs.start(other)
    (survivor,) = await pids_in(other.cwd / "pids")
    script = "sh -c 'trap \"\" TERM; echo $$ > pids; sleep 60' & while ! test -s pids; do sleep 0.01; done; exit 3"
    launch = plan.launch("daemon", "sh", "-c", script, stop_grace_s=0.1)
    await plan.runs.start(launch)
    assert (await plan.ended(launch)).exit_code == 3
    (daemon,) = await pids_in(launch.cwd / "pids")
    assert not is_alive(daemon)
    assert is_alive(survivor)
    await plan.runs.stop(other.attempt, grace_s=1)
    await plan.ended(other)


async def test_a_daemon_in_its_own_session_ends_when_no_command_is_left(plan: Plan) -> None:
    script = "(setsid sh -c 'echo $$ > pids; sleep 60' &); while ! test -s pids; do sleep 0.01; done"
    launch = plan.launch("setsid", "sh", "-c", script)
    await plan.runs.start(launch)
    (daemon,) = await pids_in(launch.cwd / "pids")
    await plan.ended(launch)
    await until(lambda: not is_alive(daemon))


async def test_a_killed_host_ends_the_connection_and_the_journal_tells(place: Home) -> None:
    async with connected(place) as plan:
        done, lost = plan.launch("done", "true"), plan.launch("lost", "sleep", "60")
        await plan.runs.start(done)
        await plan.ended(done)
        await plan.runs.start(lost)
        pid = host_pid(place.run)
        kill(pid)
        asking = [asyncio.create_task(plan.runs.running()) for _ in range(2)]
        for answer in await asyncio.gather(*asking, return_exceptions=True):
            assert isinstance(answer, QuarterdeckError)
        await until(lambda: not is_alive(pid))
        with pytest.raises(QuarterdeckError, match="went away"):
            await plan.runs.running()
    async with connected(place) as again:
        assert await again.runs.running() == set()
        assert set(journal(again.folder)) == {done.attempt}


async def test_what_outlived_its_host_is_ended_and_nothing_else(place: Home) -> None:
    script = "setsid sleep 60 & echo $! > pids; echo $$ >> pids; exec env -i PATH=$PATH sleep 60"
    async with connected(place) as plan:
        one, other = plan.launch("one", "sh", "-c", script), plan.launch("other", "sleep", "60")
        await plan.runs.start(one)
        stays = await plan.runs.start(other)
        pids = await pids_in(one.cwd / "pids", 2)
        kill(host_pid(place.run))
        await until(lambda: end_left(plan.folder, [one.attempt]), what="it is gone")
        assert not any(map(is_alive, pids))
        assert is_alive(stays.pid)
        assert end_left(plan.folder, [one.attempt, other.attempt])
        assert not is_alive(stays.pid)


async def test_a_number_that_was_given_out_again_is_left_alone(place: Home) -> None:
    async with connected(place) as plan:
        launch = plan.launch("again", "sleep", "60")
        found = await plan.runs.start(launch)
        line = {"pid": found.pid, "pid_started_at": found.pid_started_at, "boot_id": identity.boot_id()}
        other = place.state / "other"
        other.mkdir()
        said = [{**line, "attempt": "att_a", "pid_started_at": 1}, {**line, "attempt": "att_b", "boot_id": "before"}]
        (other / "exits.jsonl").write_text("".join(json.dumps(each) + "\n" for each in said) + '{"torn')
        assert end_left(other, ["att_a", "att_b"])
        assert is_alive(found.pid)


async def test_a_client_that_comes_back_finds_its_commands(place: Home) -> None:
    async with connected(place) as plan:
        launch = plan.launch("back", "sh", "-c", "sleep 0.3; exit 8")
        await plan.runs.start(launch)
    async with connected(place) as again:
        assert await again.runs.running() == {launch.attempt}
        assert (await again.ended(launch)).exit_code == 8


async def test_a_torn_journal_is_read_and_continued(plan: Plan) -> None:
    plan.folder.mkdir()
    (plan.folder / "exits.jsonl").write_bytes(b'{"attempt":"att_old","tok')
    launch = plan.launch("after", "true")
    await plan.runs.start(launch)
    await plan.ended(launch)
    assert set(journal(plan.folder)) == {launch.attempt}
    assert journal(plan.folder / "missing") == {}


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to mount a small file system")
async def test_a_full_disk_delays_the_end(plan: Plan) -> None:
    plan.folder.mkdir()
    mount = await asyncio.create_subprocess_exec("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", plan.folder)
    assert await mount.wait() == 0
    try:
        first, second = plan.launch("first", "true"), plan.launch("second", "sh", "-c", "exit 4")
        await plan.runs.start(first)
        await plan.ended(first)
        fill(plan.folder)
        launches = [plan.launch(f"fill{n}", "true") for n in range(30)]
        for launch in (*launches, second):
            await plan.runs.start(launch)
        (plan.folder / "filler").unlink()
        assert (await plan.ended(second)).exit_code == 4
        assert len(journal(plan.folder)) == 32
    finally:
        unmount = await asyncio.create_subprocess_exec("umount", "-l", plan.folder)
        await unmount.wait()


def fill(folder: Path) -> None:
    with pytest.raises(OSError, match="No space"):
        (folder / "filler").write_bytes(b"x" * 100_000)


async def test_beats_and_rings_of_one_command(plan: Plan, place: Home) -> None:
    launch = plan.launch("beat", "sh", "-c", "echo x; sleep 60", heartbeat_s=0.1)
    started = await plan.runs.start(launch)
    heard: list[str] = []
    async with await link.Link.open(place.run / "host.sock") as host:
        await host.request({"op": "watch", "attempt": launch.attempt})
        while heard.count("beat") < 2:
            heard += [json.loads(line)["ev"] for line in await host.receive()]
        assert heard[0] == "state"
        for operation, event in (("pause", "stopped"), ("resume", "continued")):
            async with await link.Link.open(place.run / "host.sock") as other:
                assert (await other.request({"op": operation, "attempt": launch.attempt}))["ok"]
            while event not in heard:
                heard += [json.loads(line)["ev"] for line in await host.receive()]
        assert psutil.pid_exists(started.pid)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"op": "start"}, "bad_request"),
        ({"op": "start", "own": True, "attempt": "../x"}, "bad_request"),
        ({"op": "dance", "attempt": "att_x"}, "not_found"),
        ({"op": "stop", "attempt": "att_x"}, "not_found"),
        ({}, "bad_request"),
        ([], "bad_request"),
        ("x", "bad_request"),
    ],
)
async def test_nonsense_is_refused_and_the_host_goes_on(place: Home, request_: object, code: str) -> None:
    async with await LocalExecutor().host(place.run) as host:
        answer = await host.request(request_)  # type: ignore[arg-type]
        assert (answer["ok"], answer["code"]) == (False, code)
        assert (await host.request({"op": "list"}))["own"] == []


async def test_a_host_quits_when_it_is_nobodys_parent(plan: Plan, place: Home) -> None:
    pid = host_pid(place.run)
    launch = plan.launch("child", "sleep", "60")
    await plan.runs.start(launch)
    async with await LocalExecutor().host(place.run) as host:
        assert not (await host.request({"op": "quit"}))["ok"]
        await plan.runs.stop(launch.attempt, grace_s=1)
        await plan.ended(launch)
        assert (await host.request({"op": "quit"}))["ok"]
    await until(lambda: not is_alive(pid))
    assert not (place.run / "host.sock").exists()
    with pytest.raises(QuarterdeckError):
        await plan.runs.start(launch)


async def test_a_refused_stop_is_said(plan: Plan) -> None:
    launch = plan.launch("nan", "sleep", "60")
    await plan.runs.start(launch)
    with pytest.raises(Refused):
        await plan.runs.stop(launch.attempt, grace_s="soon")  # type: ignore[arg-type]
    await plan.runs.stop(launch.attempt, grace_s=0)
    assert (await plan.ended(launch)).exit_code == 137
