"""The Docker executor, on a real Docker Engine."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import docker.errors
import pytest

from config.profiles import ContainerProfile
from executors.docker.executor import DockerExecutor, name_of
from executors.link import read_started
from executors.local import LocalExecutor
from supervisor.engine.ports.processes import AttemptRef, ContainerLaunch, Launch
from supervisor.model.errors import QuarterdeckError, Refused, Unavailable
from tests.support.attempts import Home, ended, home, ref_of, spooled
from tests.support.dockerd import IMAGE, Dockerd, connected, docker_address, private_dockerd
from tests.wait import until, wait_until

pytestmark = pytest.mark.docker

__all__ = ["docker_address"]
Supervise = Callable[[str], DockerExecutor]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Home]:
    with home(tmp_path) as found:
        yield found
        stop_host(found)


@pytest.fixture
async def supervise() -> AsyncIterator[Supervise]:
    """Make executors as supervisors would, one after the other."""
    made: list[DockerExecutor] = []

    def make(address: str) -> DockerExecutor:
        made.append(DockerExecutor(LocalExecutor(), address))
        return made[-1]

    yield make
    for executor in made:
        await executor.close()


@pytest.fixture
def executor(docker_address: str, place: Home, supervise: Supervise) -> Iterator[DockerExecutor]:
    yield supervise(docker_address)
    with connected(docker_address) as client:
        label = f"quarterdeck.home={place.state}"
        for container in client.containers(all=True, quiet=True, filters={"label": label}):
            remove(client, container["Id"])


def remove(client: docker.APIClient, container: str) -> None:
    """Remove a container. One that ends just when it is to be killed cannot be; a moment later it can be removed."""
    try:
        client.remove_container(container, force=True)
    except docker.errors.APIError as error:
        if "is not running" not in str(error):
            raise
        client.remove_container(container, force=True)


def stop_host(place: Home) -> None:
    """End the runners' host of a home."""
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if f"\0host\0{place.run}\0".encode() in process.read_bytes():
                os.kill(int(process.parent.name), signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            continue


def container(place: Home, name: str, *argv: str, profile: dict[str, Any] | None = None, **fields: Any) -> Launch:
    """An attempt in a container with little of everything."""
    limits = {"memory_mb": 64, "cpus": 1.0, "pids": 50, "tmpfs_mb": 8, **(profile or {})}
    launch = place.launch(name, *argv, **fields)
    clone = launch.folder / "clone"
    clone.mkdir(exist_ok=True)
    os.chown(clone, 1000, 1000)
    # A name that is unique on an engine that may be shared.
    launch = replace(launch, session=f"{launch.session}-{place.run.name}", cwd=Path("/workspace"))
    return replace(
        launch,
        container=ContainerLaunch(
            profile=ContainerProfile(name="test", image=IMAGE, **limits),
            image=IMAGE,
            name=name_of(ref_of(launch)),
            clone=clone,
        ),
    )


def shell(place: Home, name: str, script: str, **fields: Any) -> Launch:
    return container(place, name, "sh", "-c", script, **fields)


async def run(executor: DockerExecutor, launch: Launch) -> tuple[AttemptRef, int]:
    """Start an attempt and wait for its end."""
    ref = ref_of(launch, await executor.start(launch))
    return ref, (await ended(executor, ref)).exit_code


async def test_a_command_runs_and_its_streams_are_spooled_apart(executor: DockerExecutor, place: Home) -> None:
    launch = shell(place, "one", "echo out; echo err >&2; pwd")
    ref, code = await run(executor, launch)
    assert code == 0
    assert spooled(launch, "stdout") == b"out\n/workspace\n"
    assert spooled(launch, "stderr") == b"err\n"
    assert ref.handle


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -9 $$", 137), ("kill -15 $$", 143)]
)
async def test_exit_codes_are_exact(executor: DockerExecutor, place: Home, script: str, code: int) -> None:
    assert (await run(executor, shell(place, "code", script)))[1] == code


async def test_the_container_cannot_do_what_it_was_not_given(executor: DockerExecutor, place: Home) -> None:
    script = """
        id -u; id -g
        grep -E '^(CapEff|CapPrm|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status
        touch /root-is-writable 2>/dev/null || echo read-only
        touch /workspace/w /tmp/t $HOME/h && echo writable
        ls /sys/class/net
        test -e /var/run/docker.sock || echo no socket
        cat /proc/1/cmdline | tr '\\0' ' '
    """
    launch = shell(place, "hard", script)
    _, code = await run(executor, launch)
    said = spooled(launch).decode()
    assert code == 0, said
    lines = said.split("\n")
    assert lines[:2] == ["1000", "1000"]
    for name in ("CapEff", "CapPrm", "CapBnd"):
        assert f"{name}:\t0000000000000000" in lines
    assert "NoNewPrivs:\t1" in lines
    assert "Seccomp:\t2" in lines
    assert {"read-only", "writable", "lo", "no socket"} <= set(lines)
    assert "eth0" not in lines
    assert "docker-init" in said
    assert (launch.folder / "clone" / "w").exists()


async def test_limits_hold_and_are_recorded(executor: DockerExecutor, place: Home, docker_address: str) -> None:
    launch = shell(place, "limits", "sleep 1000")
    started = await executor.start(launch)
    flags = json.loads((launch.folder / "container-1.json").read_text())
    assert flags["container"] == started.handle
    with connected(docker_address) as client:
        host = client.inspect_container(str(started.handle))["HostConfig"]
    assert host["Memory"] == flags["memory_bytes"] == 64 * 1024 * 1024
    assert host["PidsLimit"] == flags["pids"] == 50
    assert host["NanoCpus"] == 1_000_000_000
    assert host["CapDrop"] == ["ALL"]
    assert host["ReadonlyRootfs"] is flags["read_only_root"] is True
    assert host["AutoRemove"] is False
    assert host["LogConfig"]["Type"] == "json-file"
    await executor.stop(ref_of(launch, started), grace_s=0)


async def test_out_of_memory_is_said(executor: DockerExecutor, place: Home) -> None:
    launch = shell(place, "oom", "x=a; while :; do x=$x$x; done", profile={"memory_mb": 16})
    ref = ref_of(launch, await executor.start(launch))
    record = await ended(executor, ref)
    assert record.exit_code == 137
    assert "out of memory" in record.message
    assert b"out of memory" in spooled(launch, "stderr")


async def test_the_environment_is_only_what_was_given(executor: DockerExecutor, place: Home) -> None:
    launch = container(place, "env", "env", env={"PATH": "/bin", "ODD": "a b'\"$x"})
    await run(executor, launch)
    names = {line.partition("=")[0] for line in spooled(launch).decode().splitlines()}
    assert names <= {"PATH", "ODD", "HOME", "HOSTNAME"}
    assert "ODD=a b'\"$x" in spooled(launch).decode()


async def test_secrets_are_removed_from_what_it_prints(executor: DockerExecutor, place: Home) -> None:
    launch = shell(place, "secret", "echo key $KEY", env={"PATH": "/bin", "KEY": "sk-12345"}, secrets=("sk-12345",))
    await run(executor, launch)
    assert spooled(launch) == b"key [redacted]\n"


async def test_hostile_arguments_are_only_arguments(executor: DockerExecutor, place: Home) -> None:
    odd = ["$(id)", "; exit 9", "--privileged", "a\nb", "'\"", "ü名", "{{.ID}}"]
    launch = container(place, "odd", "printf", "<%s>", *odd)
    _, code = await run(executor, launch)
    assert code == 0
    assert spooled(launch).decode().rstrip("\n") == "".join(f"<{argument}>" for argument in odd)


async def test_stdin_arrives_and_ends(executor: DockerExecutor, place: Home) -> None:
    launch = container(place, "cat", "cat", stdin="pipe", first_input=b"first\n")
    ref = ref_of(launch, await executor.start(launch))
    await until(lambda: spooled(launch) == b"first\n", 20)
    await executor.write(ref, b"second\n")
    await until(lambda: spooled(launch) == b"first\nsecond\n")
    await executor.write(ref, b"last", close=True)
    assert (await ended(executor, ref)).exit_code == 0
    assert spooled(launch) == b"first\nsecond\nlast\n"


async def test_a_lot_of_output_arrives_whole(executor: DockerExecutor, place: Home) -> None:
    launch = shell(place, "much", "seq 1 200000; echo end >&2")
    _, code = await run(executor, launch)
    assert code == 0
    assert spooled(launch, "stdout") == b"".join(b"%d\n" % number for number in range(1, 200001))


async def test_a_missing_program_is_said(executor: DockerExecutor, place: Home) -> None:
    launch = container(place, "nonesuch", "nonesuch")
    ref, code = await run(executor, launch)
    assert code == 127
    assert b"nonesuch" in spooled(launch, "stderr")
    await executor.release(ref)


async def test_stop_gives_the_grace(executor: DockerExecutor, place: Home) -> None:
    launch = shell(place, "grace", "trap 'echo bye; exit 5' TERM; echo up; while :; do sleep 0.05; done")
    ref = ref_of(launch, await executor.start(launch))
    await until(lambda: b"up" in spooled(launch), 20)
    await executor.stop(ref, grace_s=5)
    record = await ended(executor, ref)
    assert (record.exit_code, record.cause) == (5, "stopped")
    assert spooled(launch) == b"up\nbye\n"


async def test_stop_kills_what_does_not_listen(executor: DockerExecutor, place: Home) -> None:
    launch = shell(place, "deaf", "trap '' TERM; echo up; (trap '' TERM; sleep 1000) & sleep 1000", stop_grace_s=600)
    ref = ref_of(launch, await executor.start(launch))
    await until(lambda: b"up" in spooled(launch), 20)
    await executor.stop(ref, grace_s=0.5)
    record = await ended(executor, ref, 10)
    assert (record.exit_code, record.cause) == (137, "stopped")


async def test_a_limit_of_time_ends_the_container(executor: DockerExecutor, place: Home) -> None:
    launch = shell(place, "limit", "echo up; sleep 1000", start_to_close_s=1.0)
    ref = ref_of(launch, await executor.start(launch))
    record = await ended(executor, ref)
    assert (record.exit_code, record.cause) == (143, "start_to_close")


async def test_pause_freezes_resume_thaws_and_a_paused_one_can_be_stopped(
    executor: DockerExecutor, place: Home, docker_address: str
) -> None:
    launch = shell(place, "pause", "while :; do echo tick; sleep 0.02; done")
    ref = ref_of(launch, await executor.start(launch))
    await until(lambda: b"tick" in spooled(launch), 20)
    for _ in range(2):
        await executor.pause(ref)
    with connected(docker_address) as client:
        assert client.inspect_container(str(ref.handle))["State"]["Status"] == "paused"
    kinds = []
    async for news in executor.watch(ref):
        kinds.append(news.kind)
        if news.kind == "stopped":
            break
    for _ in range(2):
        await executor.resume(ref)
    size = len(spooled(launch))
    await until(lambda: len(spooled(launch)) > size)
    await executor.pause(ref)
    await executor.stop(ref, grace_s=1)
    assert (await ended(executor, ref)).cause == "stopped"
    with pytest.raises(Refused):
        await executor.pause(ref)


async def test_a_signal_reaches_the_command(executor: DockerExecutor, place: Home) -> None:
    launch = shell(place, "signal", "trap 'exit 42' USR1; echo up; while :; do sleep 0.05; done")
    ref = ref_of(launch, await executor.start(launch))
    await until(lambda: b"up" in spooled(launch), 20)
    await executor.signal(ref, signal.SIGUSR1)
    assert (await ended(executor, ref)).exit_code == 42


async def test_a_new_supervisor_adopts_a_container(
    executor: DockerExecutor, place: Home, docker_address: str, supervise: Supervise
) -> None:
    launch = shell(place, "adopt", "echo up; read line; echo got $line; exit 4", stdin="pipe")
    started = await executor.start(launch)
    later = supervise(docker_address)
    found = await later.find(ref_of(launch))
    assert found.state == "alive"
    assert found.started is not None
    assert (found.started.pid, found.started.handle) == (started.pid, name_of(ref_of(launch)))
    await later.write(ref_of(launch, started), b"hello\n")
    kinds = [news.kind async for news in later.watch(ref_of(launch, started))]
    assert kinds[-1] == "exited"
    assert (await later.find(ref_of(launch))).exit is not None
    assert spooled(launch) == b"up\ngot hello\n"


async def test_the_same_attempt_starts_once(executor: DockerExecutor, place: Home) -> None:
    launch = shell(place, "once", "echo started; sleep 1000")
    first = await executor.start(launch)
    assert await executor.start(launch) == first
    await until(lambda: spooled(launch) == b"started\n", 20)
    await executor.stop(ref_of(launch, first), grace_s=0)


async def test_what_was_created_but_not_started_is_started(executor: DockerExecutor, place: Home) -> None:
    launch = shell(place, "between", "echo ran")
    assert (await executor.find(ref_of(launch))).state == "not_started"
    (launch.folder / "token").write_text("2")
    with pytest.raises(QuarterdeckError):  # the runner refuses after the container was made
        await executor.start(launch)
    (launch.folder / "token").write_text("1")
    _, code = await run(executor, launch)
    assert code == 0
    assert spooled(launch) == b"ran\n"


async def test_another_container_of_that_name_is_left_alone(
    executor: DockerExecutor, place: Home, docker_address: str
) -> None:
    launch = shell(place, "taken", "echo no")
    assert launch.container is not None
    with connected(docker_address) as client:
        client.create_container(IMAGE, ["true"], name=launch.container.name)
        try:
            with pytest.raises(Refused, match="did not make"):
                await executor.start(launch)
            assert (await executor.find(ref_of(launch))).state == "not_started"
        finally:
            client.remove_container(launch.container.name)


async def test_five_containers_at_once(executor: DockerExecutor, place: Home) -> None:
    launches = [shell(place, f"c{n}", f"echo container {n}; exit {n}") for n in range(5)]
    results = await asyncio.gather(*(run(executor, launch) for launch in launches))
    assert [code for _, code in results] == [0, 1, 2, 3, 4]
    for number, launch in enumerate(launches):
        assert spooled(launch) == b"container %d\n" % number


def kill_runner(ref: AttemptRef, *, relay: bool = False) -> None:
    """Kill a runner, or only its relay, as the kernel might."""
    noted = read_started(ref)
    assert noted is not None
    os.kill(noted["pid" if relay else "runner_pid"], signal.SIGKILL)


COUNTING = (
    "n=0; while [ $n -lt 300 ]; do echo line $n; echo e$n >&2; n=$((n+1)); sleep 0.005; done; printf unfinished; exit 6"
)


def whole_count(launch: Launch) -> None:
    """Nothing lost, nothing twice, on both streams."""
    assert spooled(launch, "stdout").rstrip(b"\n") == b"".join(b"line %d\n" % n for n in range(300)) + b"unfinished"
    assert spooled(launch, "stderr") == b"".join(b"e%d\n" % n for n in range(300))


@pytest.mark.parametrize("relay", [False, True], ids=["runner", "relay"])
async def test_a_killed_runner_loses_nothing_while_somebody_watches(
    executor: DockerExecutor, place: Home, relay: bool
) -> None:
    launch = shell(place, "killed", COUNTING)
    ref = ref_of(launch, await executor.start(launch))

    async def kill() -> None:
        for number in (50, 150, 250):
            await until(lambda n=number: b"line %d\n" % n in spooled(launch), 30)  # type: ignore[misc]
            kill_runner(ref, relay=relay)

    killing = asyncio.create_task(kill())
    news = [news async for news in executor.watch(ref)]
    await killing
    assert news[-1].kind == "exited"
    assert news[-1].exit is not None
    assert news[-1].exit.exit_code == 6
    whole_count(launch)


async def test_a_runner_killed_while_nobody_looks_loses_nothing(
    executor: DockerExecutor, place: Home, docker_address: str, supervise: Supervise
) -> None:
    launch = shell(place, "away", COUNTING)
    ref = ref_of(launch, await executor.start(launch))
    await until(lambda: b"line 50\n" in spooled(launch), 30)
    kill_runner(ref)
    with connected(docker_address) as client:
        await asyncio.to_thread(client.wait, str(ref.handle))
    later = supervise(docker_address)
    found = await later.find(ref)
    assert found.state == "alive"
    assert "new runner" in found.detail
    assert (await ended(later, ref)).exit_code == 6
    whole_count(launch)


async def test_a_new_runner_has_only_the_rest_of_the_time(executor: DockerExecutor, place: Home) -> None:
    launch = shell(place, "rest", "echo up; sleep 1000", start_to_close_s=2.0)
    ref = ref_of(launch, await executor.start(launch))
    await until(lambda: b"up" in spooled(launch), 20)
    kill_runner(ref)
    assert (await executor.find(ref)).state == "alive"
    record = await ended(executor, ref)
    assert record.cause == "start_to_close"


async def test_after_another_boot_the_containers_state_is_the_end(
    executor: DockerExecutor, place: Home, docker_address: str
) -> None:
    launch = shell(place, "boot", "echo up; read line; exit 9", stdin="pipe")
    ref = ref_of(launch, await executor.start(launch))
    await until(lambda: b"up" in spooled(launch), 20)
    kill_runner(ref)
    with connected(docker_address) as client:
        await asyncio.to_thread(client.wait, str(ref.handle))
    for left in place.run.glob(f"{launch.attempt}.*"):
        left.unlink()
    found = await executor.find(replace(ref, boot_id="another"))
    assert found.state == "ended"
    assert found.exit is not None
    # Its stdin ended with its runner, so `read` did, and the script went on.
    assert found.exit.exit_code == 9
    assert 0 < found.exit.started_at < found.exit.ended_at


async def test_a_running_container_whose_launch_was_lost_is_ended(
    executor: DockerExecutor, place: Home, docker_address: str
) -> None:
    launch = shell(place, "lost", "echo up; sleep 1000")
    ref = ref_of(launch, await executor.start(launch))
    await until(lambda: b"up" in spooled(launch), 20)
    kill_runner(ref)
    assert (place.run / f"{launch.attempt}.relay").stat().st_mode & 0o777 == 0o600
    (place.run / f"{launch.attempt}.relay").unlink()
    found = await executor.find(ref)
    assert found.state == "gone"
    assert "ended" in found.detail
    with connected(docker_address) as client:
        await asyncio.to_thread(client.wait, str(ref.handle))


async def test_a_container_removed_behind_our_back_is_said(
    executor: DockerExecutor, place: Home, docker_address: str
) -> None:
    launch = shell(place, "removed", "echo up; sleep 1000")
    ref = ref_of(launch, await executor.start(launch))
    await until(lambda: b"up" in spooled(launch), 20)
    with connected(docker_address) as client:
        client.remove_container(str(ref.handle), force=True)
    record = await ended(executor, ref)
    assert record.exit_code in (125, 137)
    if record.exit_code == 125:
        assert b"removed" in spooled(launch, "stderr")
    await executor.release(ref)


async def test_a_removed_container_without_a_runner_is_gone(
    executor: DockerExecutor, place: Home, docker_address: str
) -> None:
    launch = shell(place, "nothing", "echo up; sleep 1000")
    ref = ref_of(launch, await executor.start(launch))
    await until(lambda: b"up" in spooled(launch), 20)
    kill_runner(ref)
    with connected(docker_address) as client:
        client.remove_container(str(ref.handle), force=True)
    found = await executor.find(ref)
    assert found.state == "gone"
    assert "removed" in found.detail
    assert [news.kind async for news in executor.watch(ref)][-1] == "gone"


async def test_release_removes_the_container_and_what_was_kept(
    executor: DockerExecutor, place: Home, docker_address: str
) -> None:
    launch = shell(place, "release", "exit 0")
    ref, _ = await run(executor, launch)
    for _ in range(1000):
        try:
            await executor.release(ref)
            break
        except Refused:
            await asyncio.sleep(0.01)
    await executor.release(ref)
    assert not list(place.run.glob("att_*"))
    with connected(docker_address) as client:
        assert not client.containers(all=True, filters={"name": name_of(ref)})


async def test_a_running_attempt_is_not_released(executor: DockerExecutor, place: Home) -> None:
    launch = shell(place, "busy", "sleep 1000")
    ref = ref_of(launch, await executor.start(launch))
    with pytest.raises(Refused, match="still runs"):
        await executor.release(ref)
    await executor.stop(ref, grace_s=0)


async def test_there_is_no_terminal_but_a_shell(
    executor: DockerExecutor, place: Home, docker_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = ref_of(shell(place, "shell", "true"))
    assert await executor.screen(ref) is None
    with pytest.raises(Refused, match="no terminal"):
        await executor.type_text(ref, "text")
    command = executor.attach_command(ref)
    assert command[1:] == ["--host", docker_address, "exec", "-it", name_of(ref), "sh"]
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Refused, match="docker command"):
        executor.attach_command(ref)


async def test_a_missing_image_is_said(executor: DockerExecutor, place: Home) -> None:
    await executor.check()
    await executor.check(IMAGE)
    with pytest.raises(Unavailable, match="image nonesuch:1 is not on this machine") as missing:
        await executor.check("nonesuch:1")
    assert "docker pull nonesuch:1" in missing.value.hint
    launch = shell(place, "image", "true")
    assert launch.container is not None
    with pytest.raises(Unavailable, match="not on this machine"):
        await executor.start(replace(launch, container=replace(launch.container, image="nonesuch:1")))


async def test_a_launch_without_a_container_is_refused(executor: DockerExecutor, place: Home) -> None:
    with pytest.raises(QuarterdeckError, match="no container"):
        await executor.start(place.launch("none", "true"))


# --- an engine that goes away ------------------------------------------------------------------


@pytest.fixture(scope="module")
def dockerd() -> Iterator[Dockerd]:
    if os.geteuid() != 0:
        pytest.skip("a dockerd of its own needs root")
    with private_dockerd() as daemon:
        yield daemon


@pytest.fixture
def engine(dockerd: Dockerd) -> Iterator[Dockerd]:
    """A dockerd that may be stopped and killed; it runs again afterwards."""
    yield dockerd
    dockerd.stop()
    dockerd.start()


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_an_engine_that_is_restarted_ends_its_containers_and_it_is_said(
    engine: Dockerd, place: Home, supervise: Supervise, how: str
) -> None:
    executor = supervise(engine.address)
    launch = shell(place, "restart", "trap 'exit 77' TERM; n=0; while :; do echo $n; n=$((n+1)); sleep 0.02; done")
    ref = ref_of(launch, await executor.start(launch))
    await until(lambda: b"20\n" in spooled(launch), 20)
    await asyncio.to_thread(getattr(engine, how))
    with pytest.raises(Unavailable, match="docker"):
        await executor.check()
    await asyncio.to_thread(engine.start)
    record = await ended(executor, ref, 40)
    printed = [int(line) for line in spooled(launch, "stdout").split()]
    assert printed == list(range(len(printed)))
    with connected(engine.address) as client:
        assert record.exit_code == client.inspect_container(str(ref.handle))["State"]["ExitCode"]
    if how == "kill":
        assert b"Docker went away" in spooled(launch, "stderr")


async def test_an_engine_that_stays_away_ends_the_wait(engine: Dockerd, place: Home, supervise: Supervise) -> None:
    executor = supervise(engine.address)
    launch = shell(place, "away", "echo up; sleep 1000")
    started = await executor.start(launch)
    ref = ref_of(launch, started)
    await until(lambda: b"up" in spooled(launch), 20)
    await asyncio.to_thread(engine.kill)
    await executor.stop(ref, grace_s=0)
    kill_runner(ref)
    found = await executor.find(ref)
    assert found.state == "gone"
    assert "Docker" in found.detail
    with pytest.raises(Unavailable):
        await executor.release(ref)
    await asyncio.to_thread(engine.start)
    await executor.release(ref)


def test_the_private_engine_leaves_nothing(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("a dockerd of its own needs root")
    with private_dockerd() as daemon:
        folder = daemon.folder
    wait_until(lambda: not folder.exists())
