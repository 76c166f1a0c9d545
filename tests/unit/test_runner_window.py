"""The runner in a terminal window; the window is a pseudo terminal of the test's own."""

from __future__ import annotations

import fcntl
import json
import os
import select
import socket
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from executors import local
from executors.link import launch_fields, read_exit, read_started, socket_path
from supervisor.engine.ports.processes import ExitRecord, Launch
from tests.support.attempts import Home, ref_of, spooled
from tests.support.runners import home_with_host
from tests.wait import wait_until


class Screen:
    """A terminal, and the runner in it."""

    def __init__(self, launch: Launch, rows: int = 30, columns: int = 90) -> None:
        self.launch = launch
        self.ref = ref_of(launch)
        self.shown = b""
        path = launch.run / f"{launch.attempt}.launch"
        path.write_text(json.dumps(launch_fields(launch)))
        self.master, slave = os.openpty()
        self.resize(rows, columns)
        self.process = subprocess.Popen(
            ["setsid", "-c", "-w", *local.runner_command("window", str(path))],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={"TERM": "xterm-test", "PATH": os.environ["PATH"]},
        )
        os.close(slave)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self) -> bytes:
        while select.select([self.master], [], [], 0)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                break
            if not data:
                break
            self.shown += data
        return self.shown

    def shows(self, text: bytes) -> None:
        wait_until(lambda: text in self.read(), what=f"{text!r} in {self.shown[-500:]!r}")

    def type(self, text: bytes) -> None:
        os.write(self.master, text)

    def ended(self) -> ExitRecord:
        # A runner waits for a window that does not read: read all the time.
        wait_until(lambda: self.read() is not None and read_exit(self.ref), timeout=15)
        record = read_exit(self.ref)
        assert record
        return record

    def code(self) -> int:
        wait_until(lambda: self.read() is not None and self.process.poll() is not None)
        return int(self.process.wait())

    def close(self) -> None:
        if self.master >= 0:
            os.close(self.master)
            self.master = -1


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Home]:
    with home_with_host(tmp_path) as place:
        yield place


@pytest.fixture
def screens() -> Iterator[list[Screen]]:
    screens: list[Screen] = []
    yield screens
    for screen in screens:
        screen.close()
        screen.process.wait(20)


def show(screens: list[Screen], place: Home, script: str, **fields: Any) -> Screen:
    screens.append(Screen(place.launch("win", "sh", "-c", script, **fields)))
    return screens[-1]


def test_the_child_has_a_terminal_of_the_same_size(screens: list[Screen], place: Home) -> None:
    screen = show(screens, place, "stty size; tty; echo $TERM; exit 3")
    record = screen.ended()
    assert screen.code() == 3
    assert (record.exit_code, record.cause) == (3, "exit")
    assert b"30 90\r\n/dev/pts/" in screen.shown
    assert b"xterm-test" in screen.shown
    assert spooled(screen.launch, "tty").startswith(b"30 90\r\n/dev/pts/")
    assert not (place.run / "att_win.launch").exists()
    assert not (place.run / "att_win.sock").exists()


def test_typing_resizing_and_the_interrupt_key(screens: list[Screen], place: Home) -> None:
    screen = show(
        screens,
        place,
        "trap 'stty size' WINCH; trap 'echo int; exit 9' INT; echo up; while :; do read x && echo got $x; done",
    )
    screen.shows(b"up")
    screen.type(b"hello\r")
    screen.shows(b"got hello")
    screen.resize(40, 100)
    screen.type(b"\r")
    screen.shows(b"40 100")
    screen.type(b"\x03")
    assert screen.ended().exit_code == 9
    assert b"int" in spooled(screen.launch)


def test_raw_bytes_pass_both_ways(screens: list[Screen], place: Home) -> None:
    screen = show(
        screens, place, "stty raw -echo; printf '\\033[?2004hready'; dd bs=1 count=3 2>/dev/null | od -An -tx1"
    )
    screen.shows(b"\x1b[?2004hready")
    screen.type(b"\x1a\x13\r")
    screen.shows(b"1a 13 0d")
    assert screen.ended().exit_code == 0


def test_the_last_output_is_kept(screens: list[Screen], place: Home) -> None:
    for number in range(10):
        name = f"last{number}"
        screens.append(Screen(place.launch(name, "sh", "-c", "seq 1 500; printf end")))
        screens[-1].ended()
        assert (
            spooled(screens[-1].launch).replace(b"\r", b"") == b"".join(b"%d\n" % n for n in range(1, 501)) + b"end\n"
        )
        screens[-1].shows(b"500\r\nend")


def test_a_lot_of_output_through_a_slow_window(screens: list[Screen], place: Home) -> None:
    screen = show(screens, place, "seq 1 200000; echo done")
    time.sleep(0.2)  # the window reads nothing for a while, and everything later
    assert screen.ended().exit_code == 0
    screen.shows(b"200000\r\ndone")
    assert spooled(screen.launch).count(b"\n") == 200001


def test_secrets_are_not_shown(screens: list[Screen], place: Home) -> None:
    screen = show(screens, place, "echo my s3cret-value", secrets=("s3cret-value",))
    screen.ended()
    screen.shows(b"my [redacted]")
    assert b"s3cret-value" not in screen.shown + (screen.launch.folder / "stream.log").read_bytes()


def test_a_window_that_goes_away_ends_the_tree(screens: list[Screen], place: Home) -> None:
    screen = show(screens, place, "trap '' HUP; echo up; sleep 60; sleep 60", stop_grace_s=0.2)
    screen.shows(b"up")
    screen.close()
    wait_until(lambda: read_exit(screen.ref))
    record = read_exit(screen.ref)
    assert record
    assert (record.cause, record.message) == ("stopped", "Its terminal window went away.")
    assert record.exit_code in (137, 143)
    screen.process.wait(10)


def test_control_works_as_elsewhere(screens: list[Screen], place: Home) -> None:
    screen = show(screens, place, "cat; exit 5")
    wait_until(lambda: (place.run / "att_win.sock").exists() and (read_started(screen.ref) or {}).get("pid"))
    asked(screen, {"op": "write", "data": "aGkK", "close": True})
    assert screen.ended().exit_code == 5
    assert b"hi" in screen.read()


def asked(screen: Screen, request: dict[str, object]) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(socket_path(screen.launch.run, screen.launch.attempt)))
        client.sendall(json.dumps(request).encode() + b"\n")
        assert json.loads(client.recv(4096))["ok"]


def test_what_cannot_be_started_is_said_in_the_window(screens: list[Screen], place: Home) -> None:
    screens.append(Screen(place.launch("none", "no-such-program")))
    assert screens[0].ended().cause == "spawn_failed"
    assert screens[0].code() == 126
    screens[0].shows(b"There is no program no-such-program on PATH.")


def test_a_child_that_closes_its_terminal_lives_on(screens: list[Screen], place: Home) -> None:
    screen = show(screens, place, "exec </dev/null >/dev/null 2>&1; sleep 0.2; echo back > /dev/tty; exit 6")
    assert screen.ended().exit_code == 6
    assert b"back" in spooled(screen.launch)
