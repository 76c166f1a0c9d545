"""Sessions under detached runners: starts, ends, trees, deaths of everybody involved."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest

from executors import link
from executors.local import LocalExecutor, in_own_scope
from supervisor.engine.ports.processes import AttemptRef, ExitRecord, Signal
from supervisor.model.errors import QuarterdeckError, Refused, Unavailable
from tests.support.attempts import Home, ended, ref_of, spooled
from tests.support.runners import home_with_host, host_pid, is_alive, kill, news, pids_in, runner_pid, runners
from tests.wait import until


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Home]:
    with home_with_host(tmp_path) as place:
        yield place


@pytest.fixture
def executor() -> LocalExecutor:
    return LocalExecutor()


@pytest.fixture(params=["cgroup", "walk"])
def place_with_tree(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A home whose trees are held by a cgroup, and one where that is not allowed."""
    if request.param == "walk":
        # In a mount namespace of its own the runner finds no cgroup2 that it may write to.
        command = ["unshare", "-m", "sh", "-c", 'umount -a -l -t cgroup2; exec "$@"', "sh"]
        if os.getuid():
            pytest.skip("needs root to hide the cgroups")
        monkeypatch.setattr("executors.local.in_own_scope", lambda runner: [*command, *runner])
    elif not os.access("/sys/fs/cgroup/unified/cgroup.procs", os.W_OK) and not os.access(
        "/sys/fs/cgroup/cgroup.procs", os.W_OK
    ):
        pytest.skip("needs a cgroup v2 that is writable")
    with home_with_host(tmp_path) as place:
        yield place


async def collect(executor: LocalExecutor, ref: AttemptRef, told: list[Signal]) -> None:
    async for news_ in executor.watch(ref):
        told.append(news_)  # noqa: PERF401 - it is read while it grows


def kinds(told: list[Signal]) -> list[str]:
    return [news_.kind for news_ in told]


# --- starts and exits ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "code", "number"),
    [("exit 0", 0, None), ("exit 3", 3, None), ("exit 255", 255, None), ("kill -9 $$", 137, 9), ("kill $$", 143, 15)],
)
async def test_exit_codes_are_exact(
    executor: LocalExecutor, place: Home, script: str, code: int, number: int | None
) -> None:
    launch = place.launch("code", "sh", "-c", script)
    started = await executor.start(launch)
    told = await news(executor, launch)
    assert started.pid > 0
    assert started.pid_started_at > 0
    record = told[-1].exit
    assert record
    assert (record.exit_code, record.signal, record.cause, record.token) == (code, number, "exit", 1)
    assert record.started_at <= record.ended_at
    assert (await executor.find(ref_of(launch))).exit == record


async def test_both_streams_are_spooled_apart(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("out", "sh", "-c", "echo out; echo err >&2; printf rest")
    await executor.start(launch)
    await ended(executor, ref_of(launch))
    assert spooled(launch, "stdout") == b"out\nrest\n"
    assert spooled(launch, "stderr") == b"err\n"


async def test_the_child_gets_its_environment_its_folder_and_nothing_else(executor: LocalExecutor, place: Home) -> None:
    script = (
        "import os; print(sorted(os.environ.items()), os.getcwd(), os.listdir('/proc/self/fd'),"
        " os.getsid(0) == os.getpid()); print(open('/proc/self/status').read())"
    )
    launch = place.launch("env", sys.executable, "-I", "-c", script, env={"A": "ü", "PATH": "/bin"})
    await executor.start(launch)
    await ended(executor, ref_of(launch))
    told = spooled(launch, "stdout").decode()
    assert "('A', 'ü'), " in told
    assert told.count("('") <= 3  # the two, and a locale that Python itself may set
    assert f"{launch.folder} ['0', '1', '2', '3'] True" in told
    assert re.search(r"SigBlk:\t0+\n", told)
    # Python, which this child is, ignores SIGPIPE and SIGXFSZ and catches SIGINT: no other signal is touched.
    # Above 31 are the real-time ones, of which whoever runs the tests may have ignored some.
    assert int(re.findall(r"SigIgn:\t(\w+)", told)[0], 16) & 0x7FFF_FFFF == 1 << 12 | 1 << 24


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (("no-such-program",), 127, "There is no program no-such-program on PATH."),
        (("/no/such/program",), 127, "There is no program /no/such/program."),
        (("./plain.txt",), 126, "may not be executed"),
        (("./script.sh",), 126, "interpreter that it names does not exist"),
        (("./garbage",), 126, "not a program for this machine"),
        (("true", "x" * 200_000), 126, "too long"),
        (("true", "a\0b"), 126, "NUL"),
        (("true", "\ud800"), 126, "Invalid argument"),
        ((), 127, "no command"),
    ],
)
async def test_what_cannot_be_started_is_an_exit_too(
    executor: LocalExecutor, place: Home, argv: tuple[str, ...], code: int, words: str
) -> None:
    launch = place.launch("bad", *argv)
    (launch.folder / "plain.txt").write_text("x")
    (launch.folder / "script.sh").write_text("#!/no/such/interpreter\n")
    (launch.folder / "garbage").write_bytes(b"\x01\x02\x03")
    for name in ("script.sh", "garbage"):
        (launch.folder / name).chmod(0o700)
    with pytest.raises(Unavailable, match=re.escape(words)):
        await executor.start(launch)
    with pytest.raises(Unavailable, match=re.escape(words)):
        await executor.start(launch)
    record = await ended(executor, ref_of(launch))
    assert (record.cause, record.exit_code) == ("spawn_failed", code)
    assert words in record.message
    assert [told.kind for told in await news(executor, launch)] == ["exited"]


async def test_a_missing_folder_is_said(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("cwd", "true", cwd=place.state / "missing")
    with pytest.raises(Unavailable, match="working folder"):
        await executor.start(launch)
    assert (await ended(executor, ref_of(launch))).exit_code == 126


async def test_a_log_that_cannot_be_written_starts_nothing(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("log", "true")
    (launch.folder / "stream.log").mkdir()
    with pytest.raises(QuarterdeckError, match="could not be started"):
        await executor.start(launch)
    assert (await executor.find(ref_of(launch))).state == "not_started"


async def test_two_hundred_quick_exits(executor: LocalExecutor, place: Home) -> None:
    launches = [place.launch(f"quick{n}", "sh", "-c", f"echo {n}; exit {n}") for n in range(200)]
    slots = asyncio.Semaphore(16)

    async def run(number: int) -> None:
        async with slots:
            launch = launches[number]
            await executor.start(launch)
            record = (await news(executor, launch))[-1].exit
            assert record
            assert record.exit_code == number
            assert spooled(launch, "stdout") == b"%d\n" % number

    async with asyncio.TaskGroup() as group:
        for number in range(200):
            group.create_task(run(number))
    await until(lambda: len(runners(place.run)) == 1, what="only the host is left, and no zombie")


async def test_two_starts_are_one_spawn(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("twice", "sh", "-c", "echo once; sleep 60")
    starts = await asyncio.gather(executor.start(launch), LocalExecutor().start(launch), executor.start(launch))
    assert len(set(starts)) == 1
    assert await executor.start(launch) == starts[0]
    await executor.stop(ref_of(launch), grace_s=1)
    await ended(executor, ref_of(launch))
    assert await executor.start(launch) == starts[0]
    assert spooled(launch, "stdout") == b"once\n"


async def test_a_stale_token_starts_nothing(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("stale", "touch", "ran")
    (launch.folder / "token").write_text("2\n")
    with pytest.raises(Refused, match="newer attempt"):
        await executor.start(launch)
    assert not (launch.folder / "ran").exists()
    assert (await executor.find(ref_of(launch))).state == "not_started"


async def test_two_executors_share_one_host(place: Home) -> None:
    launches = [place.launch(f"host{n}", "sleep", "60") for n in range(4)]
    await asyncio.gather(*(LocalExecutor().start(launch) for launch in launches))
    parents = {psutil.Process(runner_pid(ref_of(launch))).ppid() for launch in launches}
    assert parents == {host_pid(place.run)}


# --- streams -----------------------------------------------------------------------------------


async def test_stdin_goes_round(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("cat", "cat", stdin="pipe", first_input=b"first\n")
    ref = ref_of(launch)
    await executor.start(launch)
    await until(lambda: spooled(launch) == b"first\n")
    await executor.write(ref, b"sec")
    await executor.write(ref, b"ond\n", close=True)
    record = await ended(executor, ref)
    assert record.exit_code == 0
    assert spooled(launch) == b"first\nsecond\n"


async def test_megabytes_of_stdin(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("wc", "wc", "-c", stdin="pipe")
    ref = ref_of(launch)
    await executor.start(launch)
    for _ in range(5):
        await executor.write(ref, b"x" * 1_000_000)
    await executor.write(ref, b"", close=True)
    await ended(executor, ref)
    assert spooled(launch) == b"5000000\n"


async def test_a_closed_stdin_refuses(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("closed", "sh", "-c", "exec <&-; echo shut; sleep 60", stdin="pipe")
    ref = ref_of(launch)
    await executor.start(launch)
    await until(lambda: spooled(launch) == b"shut\n")
    await executor.write(ref, b"nobody reads this\n")
    with pytest.raises(Refused, match="closed"):
        await executor.write(ref, b"more\n")
    nothing = place.launch("null", "sleep", "60")
    await executor.start(nothing)
    with pytest.raises(Refused, match="closed"):
        await executor.write(ref_of(nothing), b"x")


async def test_a_child_that_does_not_read_is_not_written_to_for_ever(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("deaf", "sleep", "60", stdin="pipe")
    await executor.start(launch)
    await executor.write(ref_of(launch), b"x" * 6_000_000)
    await executor.write(ref_of(launch), b"x" * 6_000_000)
    with pytest.raises(Refused, match="does not read"):
        await executor.write(ref_of(launch), b"x" * 6_000_000)


async def test_ten_megabytes_on_one_line(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("long", "sh", "-c", "head -c 10000000 /dev/zero | tr '\\0' x; echo; echo end")
    await executor.start(launch)
    await ended(executor, ref_of(launch))
    assert spooled(launch) == b"x" * 10_000_000 + b"\nend\n"


async def test_binary_output(executor: LocalExecutor, place: Home) -> None:
    data = os.urandom(1_000_000)
    launch = place.launch("binary", "cat", "data")
    (launch.folder / "data").write_bytes(data)
    await executor.start(launch)
    await ended(executor, ref_of(launch))
    assert spooled(launch).removesuffix(b"\n") == data.removesuffix(b"\n")


async def test_secrets_do_not_reach_the_spool(executor: LocalExecutor, place: Home) -> None:
    script = "printf 'key=topse'; sleep 0.05; printf 'cret-1\\n'; echo topsecret-1topsecret-1 >&2; printf topsecret"
    launch = place.launch("secret", "sh", "-c", script, secrets=("topsecret-1",))
    await executor.start(launch)
    await ended(executor, ref_of(launch))
    log = (launch.folder / "stream.log").read_bytes()
    assert b"topsecret-1" not in log
    assert spooled(launch, "stderr") == b"[redacted][redacted]\n"
    assert spooled(launch, "stdout") == b"key=[redacted]\ntopsecret\n"


async def test_output_of_descendants_after_the_childs_exit(executor: LocalExecutor, place: Home) -> None:
    script = "(while read line; do echo got $line; done; sleep 0.05; echo late) < fifo & exec > fifo; echo x; exit 4"
    launch = place.launch("late", "sh", "-c", "mkfifo fifo; " + script)
    await executor.start(launch)
    assert (await ended(executor, ref_of(launch))).exit_code == 4
    assert spooled(launch) == b"got x\nlate\n"


async def test_a_renamed_and_a_truncated_spool(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("moved", "sh", "-c", "while read n; do echo $n; done", stdin="pipe", heartbeat_s=0.05)
    ref = ref_of(launch)
    log = launch.folder / "stream.log"
    await executor.start(launch)
    await executor.write(ref, b"1\n")
    await until(lambda: spooled(launch) == b"1\n")
    log.rename(launch.folder / "stream.log.1")
    await until(log.exists)
    await executor.write(ref, b"2\n")
    await until(lambda: spooled(launch) == b"2\n")
    os.truncate(log, 0)
    await executor.write(ref, b"3\n", close=True)
    await ended(executor, ref)
    assert spooled(launch) == b"3\n"


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to mount a small file system")
async def test_a_full_disk_does_not_end_the_child(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("full", "sh", "-c", "while read n; do echo $n; done; exit 7", stdin="pipe")
    ref = ref_of(launch)
    mount = await asyncio.create_subprocess_exec("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", launch.folder)
    assert await mount.wait() == 0
    try:
        filler = launch.folder / "filler"
        await executor.start(launch)
        await executor.write(ref, b"before\n")
        await until(lambda: spooled(launch) == b"before\n")
        with pytest.raises(OSError, match="No space"):
            filler.write_bytes(b"x" * 100_000)
        await executor.write(ref, b"x" * 5000 + b"\nduring\n")
        assert (await executor.find(ref)).state == "alive"
        filler.unlink()
        await until(lambda: b"during" in spooled(launch))
        with pytest.raises(OSError, match="No space"):
            filler.write_bytes(b"x" * 100_000)
        await executor.write(ref, b"", close=True)
        await until(lambda: not is_alive_child(ref))
        assert (await executor.find(ref)).state == "alive"
        filler.unlink()
        assert (await ended(executor, ref)).exit_code == 7
        assert spooled(launch) == b"before\n" + b"x" * 5000 + b"\nduring\n"
    finally:
        unmount = await asyncio.create_subprocess_exec("umount", "-l", launch.folder)
        await unmount.wait()


def is_alive_child(ref: AttemptRef) -> bool:
    return is_alive((link.read_started(ref) or {})["pid"])


# --- stopping, pausing, limits ---------------------------------------------------------------------


async def test_stop_asks_first(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("polite", "sh", "-c", "trap 'echo bye; exit 9' TERM; echo up; while :; do sleep 0.05; done")
    await executor.start(launch)
    await until(lambda: spooled(launch) == b"up\n")
    await executor.stop(ref_of(launch), grace_s=10)
    record = await ended(executor, ref_of(launch))
    assert (record.cause, record.exit_code, record.signal) == ("stopped", 9, None)
    assert spooled(launch, "stdout") == b"up\nbye\n"


STUBBORN = "trap '' TERM; echo $$ >> pids; "
LEAF = "trap '' TERM; echo $$ >> pids; sleep 60"
# One that stays, one in a session of its own, one that forked twice, one without environment.
FAMILY = STUBBORN + 'setsid sh -c "$0" & (setsid sh -c "$0" &) & env -i /bin/sh -c "$0" & wait; sleep 60'


def cgroups(attempt: str) -> list[Path]:
    return list(Path("/sys/fs/cgroup").glob(f"**/quarterdeck/{attempt}"))


async def test_stop_ends_every_descendant(executor: LocalExecutor, place_with_tree: Home) -> None:
    launch = place_with_tree.launch("family", "sh", "-c", FAMILY, LEAF)
    ref = ref_of(launch)
    await executor.start(launch)
    pids = await pids_in(launch.folder / "pids", 4)
    await executor.stop(ref, grace_s=0.1)
    record = await ended(executor, ref)
    assert (record.cause, record.exit_code) == ("stopped", 137)
    assert not any(map(is_alive, pids))
    assert not cgroups(launch.attempt)


async def test_the_childs_end_ends_its_daemons(executor: LocalExecutor, place_with_tree: Home) -> None:
    script = '(setsid sh -c "$0" &); while ! test -s pids; do sleep 0.01; done; exit 5'
    launch = place_with_tree.launch("daemon", "sh", "-c", script, LEAF, stop_grace_s=0.1)
    await executor.start(launch)
    record = await ended(executor, ref_of(launch))
    (daemon,) = await pids_in(launch.folder / "pids")
    assert (record.cause, record.exit_code) == ("exit", 5)
    assert not is_alive(daemon)


async def test_a_paused_tree_does_nothing_and_can_be_stopped(executor: LocalExecutor, place_with_tree: Home) -> None:
    script = "trap 'exit 6' TERM; (while :; do echo x >> ticks; sleep 0.01; done) & while :; do sleep 0.02; done"
    launch = place_with_tree.launch("paused", "sh", "-c", script)
    ref = ref_of(launch)
    ticks = launch.folder / "ticks"
    told: list[Signal] = []
    await executor.start(launch)
    watching = asyncio.create_task(collect(executor, ref, told))
    await until(lambda: ticks.exists() and told)
    await executor.pause(ref)
    await executor.pause(ref)
    size = ticks.stat().st_size
    await asyncio.sleep(0.1)
    assert ticks.stat().st_size == size
    await executor.resume(ref)
    await executor.resume(ref)
    await until(lambda: ticks.stat().st_size > size)
    await executor.pause(ref)
    await until(lambda: kinds(told).count("stopped") == 2)
    late = executor.watch(ref)
    assert [(await anext(late)).kind, (await anext(late)).kind] == ["grew", "stopped"]
    await executor.stop(ref, grace_s=10)
    await watching
    record = told[-1].exit
    assert record
    assert (record.cause, record.exit_code) == ("stopped", 6)
    changes = [kind for kind in kinds(told) if kind in ("stopped", "continued")]
    assert changes == ["stopped", "continued", "stopped"]


async def test_a_child_stopped_by_somebody_else_is_news(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("sigstop", "sleep", "60")
    ref = ref_of(launch)
    started = await executor.start(launch)
    told: list[Signal] = []
    watching = asyncio.create_task(collect(executor, ref, told))
    await until(lambda: kinds(told) == ["grew"])
    os.kill(started.pid, signal.SIGSTOP)
    await until(lambda: kinds(told) == ["grew", "stopped"])
    await executor.signal(ref, signal.SIGCONT)
    await until(lambda: kinds(told) == ["grew", "stopped", "continued"])
    await executor.signal(ref, signal.SIGUSR1)
    await watching
    assert (await ended(executor, ref)).exit_code == 128 + signal.SIGUSR1


async def test_a_limit_on_the_whole(executor: LocalExecutor, place: Home) -> None:
    script = STUBBORN + "while :; do echo x; sleep 0.02; done"
    launch = place.launch("close", "sh", "-c", script, start_to_close_s=0.3, no_output_s=5.0, stop_grace_s=0.1)
    await executor.start(launch)
    record = await ended(executor, ref_of(launch))
    assert (record.cause, record.exit_code) == ("start_to_close", 137)
    assert 300 <= record.ended_at - record.started_at < 5000


async def test_a_limit_on_silence(executor: LocalExecutor, place: Home) -> None:
    script = "for n in 1 2 3 4 5 6; do echo $n; sleep 0.1; done; sleep 60"
    launch = place.launch("silent", "sh", "-c", script, start_to_close_s=50.0, no_output_s=0.4)
    await executor.start(launch)
    record = await ended(executor, ref_of(launch))
    assert (record.cause, record.exit_code, record.signal) == ("no_output", 143, 15)
    assert record.ended_at - record.started_at > 800
    assert spooled(launch) == b"1\n2\n3\n4\n5\n6\n"


async def test_a_pause_does_not_count(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("nap", "sh", "-c", "sleep 0.3; exit 2", start_to_close_s=1.0, no_output_s=1.0)
    await executor.start(launch)
    await executor.pause(ref_of(launch))
    await asyncio.sleep(1.2)
    await executor.resume(ref_of(launch))
    assert (await ended(executor, ref_of(launch))).exit_code == 2


async def test_a_second_stop_may_hurry(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("hurry", "sh", "-c", STUBBORN + "sleep 60; sleep 60")
    ref = ref_of(launch)
    await executor.start(launch)
    await pids_in(launch.folder / "pids")
    await executor.stop(ref, grace_s=60)
    await executor.stop(ref, grace_s=0)
    assert (await ended(executor, ref)).exit_code == 137
    await executor.stop(ref, grace_s=1)


async def test_a_runner_that_is_told_to_end_ends_its_tree(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("term", "sleep", "60")
    await executor.start(launch)
    os.kill(runner_pid(ref_of(launch)), signal.SIGTERM)
    record = await ended(executor, ref_of(launch))
    assert (record.cause, record.message) == ("stopped", "The runner was told to end.")


# --- deaths ------------------------------------------------------------------------------------------


async def test_sessions_outlive_their_host(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("orphan", "sh", "-c", "read n; echo $n; exit 21", stdin="pipe")
    ref = ref_of(launch)
    started = await executor.start(launch)
    kill(host_pid(place.run))
    found = await executor.find(ref)
    assert (found.state, found.started) == ("alive", started)
    other = place.launch("other", "true")
    await LocalExecutor().start(other)
    assert (await ended(executor, ref_of(other))).exit_code == 0
    assert await executor.start(launch) == started
    await executor.write(ref, b"still here\n")
    assert (await ended(executor, ref)).exit_code == 21
    assert spooled(launch) == b"still here\n"


@pytest.mark.parametrize("host_dies", [False, True])
async def test_a_killed_runner_is_gone_and_so_is_its_tree(
    executor: LocalExecutor, place_with_tree: Home, host_dies: bool
) -> None:
    script = "sh -c 'echo $$ >> pids; sleep 60' & echo $$ >> pids; wait"
    launch = place_with_tree.launch("killed", "sh", "-c", script)
    ref = ref_of(launch)
    await executor.start(launch)
    pids = await pids_in(launch.folder / "pids", 2)
    if host_dies:
        kill(host_pid(place_with_tree.run))
    told: list[Signal] = []
    watching = asyncio.create_task(collect(executor, ref, told))
    await until(lambda: told)
    kill(runner_pid(ref))
    await watching
    assert told[-1].kind == "gone"
    assert (await executor.find(ref)).state == "gone"
    await until(lambda: not any(map(is_alive, pids)))
    assert not cgroups(launch.attempt)


async def test_a_stopped_runner_counts_as_alive(
    executor: LocalExecutor, place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "ANSWER_S", 0.2)
    launch = place.launch("frozen", "sleep", "60")
    ref = ref_of(launch)
    started = await executor.start(launch)
    os.kill(runner_pid(ref), signal.SIGSTOP)
    found = await executor.find(ref)
    assert (found.state, found.started) == ("alive", started)
    with pytest.raises(QuarterdeckError, match="does not answer"):
        await executor.pause(ref)
    os.kill(runner_pid(ref), signal.SIGCONT)


async def test_another_boot_and_another_token_are_not_found(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("boot", "true")
    ref = ref_of(launch)
    assert (await executor.find(ref)).state == "not_started"
    assert (await executor.find(replace(ref, boot_id="other"))).state == "gone"
    await executor.start(launch)
    await ended(executor, ref)
    assert (await executor.find(replace(ref, boot_id="other"))).state == "ended"
    assert (await executor.find(replace(ref, token=2))).state == "gone"


async def test_a_claim_that_nobody_followed_up_is_gone(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("claim", "true")
    ref = ref_of(launch)
    fields = f'{{"runner_pid":{os.getpid()},"runner_started_at":1,"token":1,"cgroup":null}}'
    (place.run / f"{launch.attempt}.started").write_text(fields)
    assert (await executor.find(ref)).state == "gone"
    with pytest.raises(QuarterdeckError, match="nobody knows"):
        await executor.start(launch)


async def test_a_pid_that_was_given_out_again_is_left_alone(executor: LocalExecutor, place: Home) -> None:
    stranger = await asyncio.create_subprocess_exec("sleep", "60", start_new_session=True)
    ref = ref_of(place.launch("reused", "true"))
    noted = f'{{"runner_pid":1,"runner_started_at":1,"pid":{stranger.pid},"pid_started_at":1,"token":1,"cgroup":null}}'
    (place.run / f"{ref.attempt}.started").write_text(noted)
    assert (await executor.find(ref)).state == "gone"
    assert stranger.returncode is None
    assert is_alive(stranger.pid)
    stranger.kill()
    await stranger.wait()


# --- watching ---------------------------------------------------------------------------------------


async def test_beats_come_by_themselves(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("beat", "sleep", "0.5", heartbeat_s=0.1)
    await executor.start(launch)
    assert kinds(await news(executor, launch)).count("beat") >= 3


async def test_rings_are_few_while_nobody_listens(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("bell", "sh", "-c", "read go; seq 1 200000; read end", stdin="pipe", heartbeat_s=600)
    ref = ref_of(launch)
    await executor.start(launch)
    watching = executor.watch(ref)
    assert (await anext(watching)).kind == "grew"
    await executor.write(ref, b"go\n")
    await until(lambda: spooled(launch).endswith(b"\n200000\n"))
    await executor.write(ref, b"end\n")
    rest = [told.kind async for told in watching]
    assert rest == ["grew", "exited"]


async def test_a_watch_can_be_cancelled_and_begun_again(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("again", "sleep", "60")
    ref = ref_of(launch)
    await executor.start(launch)
    for _ in range(3):
        task = asyncio.create_task(news(executor, launch))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    watching = [asyncio.create_task(news(executor, launch)) for _ in range(3)]
    await executor.stop(ref, grace_s=5)
    for task in watching:
        assert (await task)[-1].kind == "exited"


async def test_an_idle_session_costs_nothing(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("idle", "sleep", "60")
    ref = ref_of(launch)
    await executor.start(launch)
    await executor.find(ref)
    runner = psutil.Process(runner_pid(ref))
    before = switches(runner)
    await asyncio.sleep(0.5)
    assert switches(runner) - before <= 1


def switches(process: psutil.Process) -> int:
    # Those that others force upon it say nothing of itself.
    return int(process.num_ctx_switches().voluntary)


# --- the rest of the port ------------------------------------------------------------------------------


async def test_what_needs_a_terminal_is_refused(executor: LocalExecutor, place: Home) -> None:
    ref = ref_of(place.launch("terminal", "true"))
    await executor.check()
    assert await executor.screen(ref) is None
    with pytest.raises(Refused, match="terminal"):
        executor.attach_command(ref)
    with pytest.raises(Refused, match="terminal"):
        await executor.type_text(ref, "x")


async def test_an_ended_attempt_refuses_words(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("over", "true", stdin="pipe")
    await executor.start(launch)
    await ended(executor, ref_of(launch))
    with pytest.raises(Refused, match="not running"):
        await executor.write(ref_of(launch), b"x")
    with pytest.raises(Refused, match="not running"):
        await executor.signal(ref_of(launch), 15)


async def test_release_removes_the_leftovers_of_the_dead_only(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("release", "sleep", "60")
    ref = ref_of(launch)
    await executor.start(launch)
    with pytest.raises(Refused, match="still running"):
        await executor.release(ref)
    await executor.stop(ref, grace_s=1)
    record = await ended(executor, ref)
    await until(lambda: not list(place.run.glob("*.sock.*")) and not is_alive(runner_pid(ref)))
    await executor.release(ref)
    await executor.release(ref)
    assert not list(place.run.glob("att_*"))
    assert (await executor.find(ref)).exit == record


async def test_files_of_a_session_are_private(executor: LocalExecutor, place: Home) -> None:
    launch = place.launch("private", "sh", "-c", "echo x; read n", stdin="pipe")
    await executor.start(launch)
    await until(lambda: spooled(launch) == b"x\n")
    files = [*place.run.glob("att_*"), place.run / "host.sock", launch.folder / "stream.log"]
    assert [path.stat().st_mode & 0o777 for path in files] == [0o600] * len(files)
    await executor.write(ref_of(launch), b"\n")
    await ended(executor, ref_of(launch))
    assert (launch.folder / "exit-1.json").stat().st_mode & 0o777 == 0o600


async def test_a_host_that_cannot_start_is_said(
    executor: LocalExecutor, place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("executors.local.HOST_START_S", 0.2)
    monkeypatch.setattr("executors.local.runner_command", lambda *_: [sys.executable, "-c", "raise SystemExit('no')"])
    with pytest.raises(Unavailable, match=r"host does not start.*host\.log"):
        await executor.start(place.launch("nohost", "true"))
    assert (place.run / "host.log").read_text() == "no\n" * (place.run / "host.log").read_text().count("no")


def test_under_systemd_the_host_gets_a_scope_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "systemd-run").write_text("#!/bin/sh\n")
    (tmp_path / "systemd-run").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert in_own_scope(["x"], {}) == ["x"]
    assert in_own_scope(["x"], {"INVOCATION_ID": "1"})[:3] == ["systemd-run", "--user", "--scope"]
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert in_own_scope(["x"], {"INVOCATION_ID": "1"}) == ["x"]


def test_an_exit_record_of_somebody_else_is_not_read(tmp_path: Path) -> None:
    ref = AttemptRef("att_a", "ses", 1, 1, "boot", tmp_path, tmp_path)
    path = tmp_path / "exit-1.json"
    for text in ("", "{}", '{"attempt": 1}', "[]"):
        path.write_text(text)
        assert link.read_exit(ref) is None
    record = ExitRecord("att_b", 1, 0, "exit", 1, 2)
    path.write_text(json.dumps(asdict(record)))
    assert link.read_exit(ref) is None
    assert link.read_exit(replace(ref, attempt="att_b")) == record
