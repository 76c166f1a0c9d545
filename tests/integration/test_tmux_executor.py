"""The tmux executor, on a real tmux server with a socket of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from executors.runner.identity import is_running
from executors.tmux import server as tmux_server
from executors.tmux.control import TmuxError, TmuxGoneError
from executors.tmux.executor import TmuxExecutor, window_name
from supervisor.engine.ports.processes import Launch, Started
from supervisor.model.errors import QuarterdeckError, Refused, Unavailable
from tests.support.attempts import Home, ended, home, ref_of, spooled
from tests.wait import until

pytestmark = pytest.mark.tmux

# Shows what arrives as it arrives, and asks for bracketed paste as agents do.
READER = """
import sys, termios, tty
tty.setcbreak(0)
sys.stdout.write("\\x1b[?2004hready> "); sys.stdout.flush()
text = ""
while True:
    got = sys.stdin.buffer.raw.read(4096).decode()
    for key in got:
        if key in "\\r\\n" and not text.count("\\x1b[200~") > text.count("\\x1b[201~"):
            shown = text.replace("\\x1b", "^").replace("\\n", "|").replace("\\r", "|")
            sys.stdout.write("\\n<" + shown + ">\\nready> ")
            text = ""
        else:
            text += key
            if key.isprintable():
                sys.stdout.write(key)
    sys.stdout.flush()
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Home]:
    with home(tmp_path) as found:
        yield found
        tmux(found, "kill-server")


@pytest.fixture
async def executor(place: Home) -> AsyncIterator[TmuxExecutor]:
    executor = TmuxExecutor(place.run)
    yield executor
    await executor.close()


def tmux(place: Home, *words: str) -> str:
    """The tmux command line as a witness from outside."""
    done = subprocess.run(
        ["tmux", "-S", str(place.run / "tmux.sock"), *words], capture_output=True, text=True, check=False
    )
    return done.stdout


def outside(place: Home, *words: str) -> str:
    """A command for a person's own tmux."""
    return subprocess.run(
        ["tmux", "-S", str(place.run / "outer.sock"), *words], capture_output=True, text=True, check=False
    ).stdout


async def reader(executor: TmuxExecutor, place: Home, name: str = "reader") -> tuple[Launch, Started]:
    launch = place.launch(name, sys.executable, "-c", READER)
    started = await executor.start(launch)
    await until(lambda: b"ready>" in spooled(launch), what="the reader is ready")
    return launch, started


async def shows(executor: TmuxExecutor, launch: Launch, started: Started, check: Callable[[str], bool]) -> str:
    """The screen, once it shows what is looked for."""
    seen = ""
    for _ in range(1000):
        _, seen = await executor.screen(ref_of(launch, started)) or ("", "")
        if check(seen):
            return seen
        await asyncio.sleep(0.01)
    raise AssertionError(seen)


async def test_a_command_runs_in_a_window_and_its_output_is_spooled(executor: TmuxExecutor, place: Home) -> None:
    launch = place.launch("one", "sh", "-c", "test -t 0 && test -t 1 && echo a terminal; echo $TERM")
    started = await executor.start(launch)
    assert started.handle is not None
    assert started.handle.startswith("%")
    record = await ended(executor, ref_of(launch, started))
    assert record.exit_code == 0
    assert spooled(launch, "tty").replace(b"\r", b"") == b"a terminal\ntmux-256color\n"
    assert "one-dispatch" in tmux(place, "list-windows", "-t", "quarterdeck")


@pytest.mark.parametrize(
    ("command", "code", "number"),
    [
        ("exit 0", 0, None),
        ("exit 3", 3, None),
        ("kill -9 $$", 137, 9),
        ("kill -15 $$", 143, 15),
        ("exit 255", 255, None),
    ],
)
async def test_exit_codes_are_exact(
    executor: TmuxExecutor, place: Home, command: str, code: int, number: int | None
) -> None:
    launch = place.launch("code", "sh", "-c", command)
    record = await ended(executor, ref_of(launch, await executor.start(launch)))
    assert (record.exit_code, record.signal, record.cause) == (code, number, "exit")


async def test_a_missing_program_is_said_at_once(executor: TmuxExecutor, place: Home) -> None:
    with pytest.raises(Unavailable, match="no program nonesuch"):
        await executor.start(place.launch("missing", "nonesuch"))


async def test_the_launch_file_with_its_secrets_is_private_and_does_not_stay(
    executor: TmuxExecutor, place: Home
) -> None:
    launch = place.launch(
        "secret", "sh", "-c", "echo $KEY", env={"PATH": "/bin", "KEY": "sk-12345"}, secrets=("sk-12345",)
    )
    started = await executor.start(launch)
    await ended(executor, ref_of(launch, started))
    assert spooled(launch).strip() == b"[redacted]"
    assert not list(place.run.glob("*.launch"))
    assert "sk-12345" not in tmux(place, "show-environment", "-g")
    _, screen = await executor.screen(ref_of(launch, started)) or ("", "")
    assert "[redacted]" in screen


async def test_stop_ends_the_whole_tree(executor: TmuxExecutor, place: Home) -> None:
    launch = place.launch("tree", "sh", "-c", "setsid sleep 1000 & echo $!; trap '' TERM; sleep 1000")
    started = await executor.start(launch)
    await until(lambda: spooled(launch).strip().isdigit(), what="the grandchild's pid")
    grandchild = int(spooled(launch))
    await executor.stop(ref_of(launch, started), grace_s=0.2)
    record = await ended(executor, ref_of(launch, started))
    assert record.cause == "stopped"
    await until(lambda: not Path(f"/proc/{grandchild}").exists(), what="the grandchild is gone")


async def test_pause_freezes_and_resume_thaws(executor: TmuxExecutor, place: Home) -> None:
    launch = place.launch("pause", "sh", "-c", "while :; do echo tick; sleep 0.02; done")
    ref = ref_of(launch, await executor.start(launch))
    await until(lambda: b"tick" in spooled(launch))
    await executor.pause(ref)
    kinds = []
    async for news in executor.watch(ref):
        kinds.append(news.kind)
        if news.kind == "stopped":
            break
    await executor.resume(ref)
    size = len(spooled(launch))
    await until(lambda: len(spooled(launch)) > size, what="it goes on")
    await executor.stop(ref, grace_s=1)
    assert (await ended(executor, ref)).exit_code == 143


async def test_a_signal_reaches_the_child(executor: TmuxExecutor, place: Home) -> None:
    launch = place.launch("signal", "sh", "-c", "trap 'exit 42' USR1; echo set; while :; do sleep 0.05; done")
    ref = ref_of(launch, await executor.start(launch))
    await until(lambda: b"set" in spooled(launch))
    await executor.signal(ref, signal.SIGUSR1)
    assert (await ended(executor, ref)).exit_code == 42


async def test_a_new_supervisor_adopts_a_window(executor: TmuxExecutor, place: Home) -> None:
    launch, started = await reader(executor, place)
    await executor.close()
    later = TmuxExecutor(place.run)
    found = await later.find(ref_of(launch))
    assert found.state == "alive"
    assert found.started == started
    await later.type_text(ref_of(launch, started), "still here")
    await shows(later, launch, started, lambda text: "still here^[201~>" in text)
    await later.stop(ref_of(launch, started), grace_s=1)
    kinds = [news.kind async for news in later.watch(ref_of(launch, started))]
    assert kinds[-1] == "exited"
    await later.close()


async def test_the_same_attempt_starts_once(executor: TmuxExecutor, place: Home) -> None:
    launch = place.launch("once", "sh", "-c", "echo started; sleep 1000")
    first, second = await asyncio.gather(executor.start(launch), executor.start(launch))
    assert first == second == await executor.start(launch)
    await until(lambda: spooled(launch).strip() == b"started")
    await until(lambda: len(tmux(place, "list-windows", "-t", "quarterdeck").splitlines()) == 1)


async def test_a_stale_attempt_is_refused(executor: TmuxExecutor, place: Home) -> None:
    launch = place.launch("stale", "sh", "-c", "echo no")
    (launch.folder / "token").write_text("2")
    with pytest.raises(QuarterdeckError, match="ended at once") as refused:
        await executor.start(launch)
    assert "newer attempt" in refused.value.hint
    assert spooled(launch) == b""


async def test_what_was_never_started_is_said(executor: TmuxExecutor, place: Home) -> None:
    assert (await executor.find(ref_of(place.launch("never", "true")))).state == "not_started"


async def test_twenty_windows_at_once(executor: TmuxExecutor, place: Home) -> None:
    launches = [place.launch(f"w{n}", "sh", "-c", f"echo window {n}; exit {n}") for n in range(20)]
    started = await asyncio.gather(*map(executor.start, launches))
    assert len({one.handle for one in started}) == 20
    for number, (launch, one) in enumerate(zip(launches, started, strict=True)):
        assert (await ended(executor, ref_of(launch, one))).exit_code == number
        assert spooled(launch).strip() == b"window %d" % number


async def test_a_server_that_is_killed_ends_its_sessions_and_the_next_start_makes_a_new_one(
    executor: TmuxExecutor, place: Home
) -> None:
    launch = place.launch("killed", "sleep", "1000")
    started = await executor.start(launch)
    tmux(place, "kill-server")
    record = await ended(executor, ref_of(launch, started))
    assert "window went away" in record.message
    assert not is_running(started.pid, started.pid_started_at)
    assert await executor.screen(ref_of(launch, started)) is None
    after = place.launch("after", "sh", "-c", "echo again")
    await ended(executor, ref_of(after, await executor.start(after)))
    assert spooled(after).strip() == b"again"


async def test_a_pane_of_the_same_number_on_a_new_server_is_another_one(executor: TmuxExecutor, place: Home) -> None:
    launch = place.launch("old", "sleep", "1000")
    started = await executor.start(launch)
    tmux(place, "kill-server")
    await ended(executor, ref_of(launch, started))
    other, fresh = await reader(executor, place)
    assert fresh.handle == started.handle
    assert await executor.screen(ref_of(launch, started)) is None
    with pytest.raises(Refused):
        await executor.type_text(ref_of(launch, started), "for the other")
    await executor.release(ref_of(launch, started))
    assert (await executor.find(ref_of(other, fresh))).state == "alive"


async def test_a_killed_runner_is_gone_and_leaves_nothing_running(executor: TmuxExecutor, place: Home) -> None:
    launch = place.launch("runner", "sleep", "1000")
    started = await executor.start(launch)
    runner = int(tmux(place, "display-message", "-p", "-t", str(started.handle), "#{pane_pid}"))
    os.kill(runner, signal.SIGKILL)
    await dead(place, started)
    kinds = [news.kind async for news in executor.watch(ref_of(launch, started))]
    assert kinds[-1] == "gone"
    assert not is_running(started.pid, started.pid_started_at)


async def test_a_dead_pane_is_the_second_source_of_an_exit_code(executor: TmuxExecutor, place: Home) -> None:
    launch = place.launch("second", "sh", "-c", "read line; exit 7")
    started = await executor.start(launch)
    ref = ref_of(launch, started)
    await executor.write(ref, b"go\n")
    await ended(executor, ref)
    await dead(place, started)
    (launch.folder / "exit-1.json").unlink()
    found = await executor.find(ref)
    told = tmux(place, "display-message", "-p", "-t", str(started.handle), "#{pane_dead_status}").strip()
    # Now and then tmux has no status: that is no zero.
    assert (found.state, found.exit and found.exit.exit_code) == (("ended", 7) if told else ("gone", None))
    kinds = [news.kind async for news in executor.watch(ref)]
    assert kinds[-1] == ("exited" if told else "gone")
    tmux(place, "kill-server")
    assert "server is gone" in (await executor.find(ref)).detail


async def dead(place: Home, started: Started) -> None:
    """Wait until the runner in a window has ended."""
    pane = ("display-message", "-p", "-t", str(started.handle), "#{pane_dead}")
    await until(lambda: tmux(place, *pane).strip() == "1", what="the pane is dead")


async def test_text_is_typed_with_one_enter(executor: TmuxExecutor, place: Home) -> None:
    launch, started = await reader(executor, place)
    await executor.type_text(ref_of(launch, started), "first line\nsecond line\n")
    seen = await shows(executor, launch, started, lambda text: ">\n" in text)
    assert "<^[200~first line|second line^[201~>" in seen


async def test_the_same_text_can_be_typed_again_and_again(executor: TmuxExecutor, place: Home) -> None:
    launch, started = await reader(executor, place)
    for _ in range(30):
        await executor.type_text(ref_of(launch, started), "continue")
    await until(lambda: spooled(launch).count(b"<^[200~continue^[201~>") == 30)


async def test_hostile_text_cannot_leave_the_paste(executor: TmuxExecutor, place: Home) -> None:
    launch, started = await reader(executor, place)
    await executor.type_text(
        ref_of(launch, started), "a\x1b[201~\rb\x03\x00 'q' \"d\" $HOME #{x} ; kill-server ü\u4e2d"
    )
    await until(lambda: b"kill-server" in spooled(launch) and b"201~>" in spooled(launch))
    assert "<^[200~a[201~|b 'q' \"d\" $HOME #{x} ; kill-server ü\u4e2d^[201~>" in spooled(launch).decode()


async def test_copy_mode_is_left_before_typing(executor: TmuxExecutor, place: Home) -> None:
    launch, started = await reader(executor, place)
    tmux(place, "copy-mode", "-t", str(started.handle))
    await executor.type_text(ref_of(launch, started), "through")
    await until(lambda: b"<^[200~through^[201~>" in spooled(launch))


async def test_text_that_is_not_shown_did_not_arrive(
    executor: TmuxExecutor, place: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("executors.tmux.keyboard.SEEN_WITHIN_S", 0.3)
    launch = place.launch("deaf", "sh", "-c", "stty -echo; echo deaf; sleep 1000")
    started = await executor.start(launch)
    await until(lambda: b"deaf" in spooled(launch))
    with pytest.raises(QuarterdeckError, match="did not arrive"):
        await executor.type_text(ref_of(launch, started), "hello")


async def test_an_ended_terminal_takes_no_text(executor: TmuxExecutor, place: Home) -> None:
    launch = place.launch("over", "true")
    started = await executor.start(launch)
    await ended(executor, ref_of(launch, started))
    await dead(place, started)
    with pytest.raises(Refused, match="did not arrive"):
        await executor.type_text(ref_of(launch, started), "hello")
    tmux(place, "kill-server")
    with pytest.raises(QuarterdeckError, match="did not arrive"):
        await executor.type_text(ref_of(launch, started), "hello")


async def test_bytes_are_written_as_if_typed(executor: TmuxExecutor, place: Home) -> None:
    launch = place.launch("cat", "sh", "-c", "cat; echo over")
    ref = ref_of(launch, await executor.start(launch))
    await executor.write(ref, b"hello\n", close=True)
    assert (await ended(executor, ref)).exit_code == 0
    assert b"over" in spooled(launch)


async def test_the_screen_has_a_title(executor: TmuxExecutor, place: Home) -> None:
    launch = place.launch("title", "printf", "\\033]2;the #[fg=red] title\\007on the screen")
    started = await executor.start(launch)
    await shows(executor, launch, started, lambda text: "on the screen" in text)
    title, _ = await executor.screen(ref_of(launch, started)) or ("", "")
    assert title == "the #[fg=red] title"


async def test_a_screen_that_shows_control_mode_is_just_a_screen(executor: TmuxExecutor, place: Home) -> None:
    launch = place.launch(
        "guards", "sh", "-c", "for n in $(seq 40); do echo %end 1 $n 1; done; echo '%exit'; sleep 1000"
    )
    started = await executor.start(launch)
    seen = await shows(executor, launch, started, lambda text: "%exit" in text)
    assert seen.count("%end") == 40
    assert (await executor.server.command("list-sessions"))[0]


@pytest.mark.parametrize(
    "name",
    [
        "#(touch {marker})",
        "$(touch {marker})",
        "'; kill-server; '",
        "a:b.c\nd\x1b[31m",
        "",
        "#{E:x}#[fg=red]",
        "ü-名前",
        "x" * 500,
    ],
)
async def test_hostile_window_names_are_only_names(executor: TmuxExecutor, place: Home, name: str) -> None:
    marker = place.run / "marker"
    launch = place.launch("hostile", "true", window=name.format(marker=marker) if "{marker}" in name else name)
    started = await executor.start(launch)
    assert (await ended(executor, ref_of(launch, started))).exit_code == 0
    assert window_name(launch.window) in tmux(place, "list-windows", "-t", "quarterdeck", "-F", "#{window_name}")
    assert not marker.exists()


async def test_a_private_server_reads_no_configuration_and_lets_nothing_out(
    executor: TmuxExecutor, place: Home
) -> None:
    await executor.start(place.launch("options", "true"))
    for option, value in (("set-titles", "off"), ("set-clipboard", "off"), ("mouse", "on"), ("status", "on")):
        assert tmux(place, "show-options", "-gsv" if option == "set-clipboard" else "-gv", option).strip() == value
    assert tmux(place, "show-options", "-gwv", "remain-on-exit").strip() == "on"
    assert tmux(place, "show-options", "-gwv", "allow-passthrough").strip() == "off"
    assert "detach" in tmux(place, "show-options", "-gv", "status-right")


async def test_the_window_is_attached_to_also_from_inside_another_tmux(executor: TmuxExecutor, place: Home) -> None:
    launch, started = await reader(executor, place)
    command = executor.attach_command(ref_of(launch, started))
    outside(place, "-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", *command)
    try:
        await until(lambda: "attached" in tmux(place, "list-sessions", "-f", "#{==:#{session_name},quarterdeck}"))
        await until(lambda: "ready>" in outside(place, "capture-pane", "-p"), what="the attached screen")
        assert "detach: Ctrl-b d" in outside(place, "capture-pane", "-p")
    finally:
        outside(place, "kill-server")


async def test_an_attempt_without_a_window_cannot_be_attached_to_or_seen(executor: TmuxExecutor, place: Home) -> None:
    ref = ref_of(place.launch("nowhere", "true"))
    with pytest.raises(Refused):
        executor.attach_command(ref)
    with pytest.raises(Refused):
        await executor.type_text(ref, "hello")
    assert await executor.screen(ref) is None


async def test_release_closes_the_window_and_the_server_goes_with_the_last(executor: TmuxExecutor, place: Home) -> None:
    first, second = place.launch("first", "true"), place.launch("second", "true")
    refs = [ref_of(launch, await executor.start(launch)) for launch in (first, second)]
    for ref in refs:
        await ended(executor, ref)
    await until(lambda: not list(place.run.glob("*.sock.*")))
    for count, ref in zip((1, 0), refs, strict=True):
        await release(executor, ref)
        assert len(tmux(place, "list-windows", "-t", "=quarterdeck").splitlines()) == count
        await executor.release(ref)
    await executor.close()
    await until(lambda: not tmux(place, "list-sessions"), what="the server is gone")
    assert not list(place.run.glob("att_*"))


async def test_what_was_hung_up_is_not_connected_again(place: Home) -> None:
    server = tmux_server.TmuxServer(place.run)
    connecting = [asyncio.ensure_future(server.command("list-sessions", start=True)) for _ in range(3)]
    await until(lambda: server._connecting.locked(), what="a connection under way")
    await server.close()
    ended = await asyncio.gather(*connecting, return_exceptions=True)
    assert all(isinstance(each, TmuxGoneError | TmuxError | list) for each in ended)
    with pytest.raises(TmuxGoneError):
        await server.command("list-sessions", start=True)


async def test_a_connection_that_is_given_up_leaves_no_process(place: Home) -> None:
    server = tmux_server.TmuxServer(place.run)
    connecting = asyncio.ensure_future(server.command("list-sessions", start=True))
    await until(lambda: clients(place), what="a client")
    connecting.cancel()
    await asyncio.gather(connecting, return_exceptions=True)
    await until(lambda: not clients(place), what="no client")
    await server.close()


def clients(place: Home) -> list[int]:
    """The processes of ours that speak to the tmux server of a folder, not the server itself."""
    mine = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return [int(pid) for pid in mine if str(place.run / "tmux.sock") in command_line(int(pid))]


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


async def release(executor: TmuxExecutor, ref: object) -> None:
    """Release once the runner, whose record is there already, has gone."""
    for _ in range(1000):
        try:
            await executor.release(ref)  # type: ignore[arg-type]
        except Refused:
            await asyncio.sleep(0.01)
        else:
            return
    raise AssertionError("the runner stays")


async def test_a_running_attempt_is_not_released(executor: TmuxExecutor, place: Home) -> None:
    launch, started = await reader(executor, place)
    with pytest.raises(Refused):
        await executor.release(ref_of(launch, started))


async def test_an_attached_client_does_not_share_the_control_connections_size(
    executor: TmuxExecutor, place: Home
) -> None:
    _, started = await reader(executor, place)
    size = tmux(place, "display-message", "-p", "-t", str(started.handle), "#{pane_width}x#{pane_height}")
    assert size.strip() == "160x48"


async def test_missing_tmux_is_said_with_what_to_do(place: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    executor = TmuxExecutor(place.run)
    monkeypatch.setenv("PATH", str(place.run))
    with pytest.raises(Unavailable, match="not installed") as missing:
        await executor.check()
    assert "apt install tmux" in missing.value.hint
    with pytest.raises(Unavailable, match="not installed"):
        await executor.start(place.launch("missing", "true"))


@pytest.mark.parametrize(
    ("said", "works"), [("tmux 2.9a", False), ("tmux 3.1", False), ("tmux 3.3a", True), ("tmux next-3.5", True)]
)
async def test_an_old_tmux_is_refused(place: Home, monkeypatch: pytest.MonkeyPatch, said: str, works: bool) -> None:
    fake = place.run / "tmux"
    fake.write_text(f"#!/bin/sh\necho '{said}'\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{place.run}:{os.environ['PATH']}")
    if works:
        await TmuxExecutor(place.run).check()
    else:
        with pytest.raises(Unavailable, match="too old"):
            await TmuxExecutor(place.run).check()


async def test_a_server_that_cannot_start_is_said(place: Home) -> None:
    (place.run / "tmux.sock").mkdir()
    executor = TmuxExecutor(place.run)
    with pytest.raises(Unavailable, match="could not be started"):
        await executor.start(place.launch("cannot", "true"))


async def test_commands_report_what_tmux_says(executor: TmuxExecutor, place: Home) -> None:
    with pytest.raises(TmuxGoneError):
        await executor.server.command("list-sessions")
    with pytest.raises(TmuxError, match="unknown command"):
        await executor.server.command("no-such-command", start=True)


async def test_a_command_in_flight_when_the_server_dies_fails(executor: TmuxExecutor, place: Home) -> None:
    await executor.start(place.launch("flight", "true"))
    server = int(tmux(place, "display-message", "-p", "#{pid}"))
    os.kill(server, signal.SIGSTOP)
    waiting = asyncio.create_task(executor.server.command("list-sessions"))
    await asyncio.sleep(0)
    os.kill(server, signal.SIGKILL)
    with pytest.raises(TmuxGoneError):
        await waiting


async def test_a_cancelled_command_does_not_shift_the_answers(executor: TmuxExecutor, place: Home) -> None:
    await executor.start(place.launch("cancel", "true"))
    task = asyncio.create_task(executor.server.command("display-message", "-p", "one"))
    await asyncio.sleep(0)
    task.cancel()
    assert await executor.server.command("display-message", "-p", "two") == ["two"]


async def test_in_a_service_the_server_gets_a_scope_of_its_own(
    place: Home, monkeypatch: pytest.MonkeyPatch, executor: TmuxExecutor
) -> None:
    fake = place.run / "systemd-run"
    fake.write_text(f'#!/bin/sh\necho "$@" > {place.run}/asked\nwhile [ "$1" != tmux ]; do shift; done\nexec "$@"\n')
    fake.chmod(0o755)
    (place.run / "systemd").mkdir()
    (place.run / "systemd" / "private").touch()
    monkeypatch.setenv("PATH", f"{place.run}:{os.environ['PATH']}")
    monkeypatch.setenv("INVOCATION_ID", "abc")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place.run))
    launch = place.launch("scope", "true")
    await ended(executor, ref_of(launch, await executor.start(launch)))
    asked = (place.run / "asked").read_text()
    assert asked.startswith("--user --scope --quiet -p OOMPolicy=continue tmux")
    assert tmux_server.CONF.exists()


async def test_a_handle_that_was_not_stored_is_found(executor: TmuxExecutor, place: Home) -> None:
    launch, started = await reader(executor, place)
    found = await executor.find(replace(ref_of(launch), handle=None))
    assert found.started is not None
    assert found.started.handle == started.handle
