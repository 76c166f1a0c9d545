from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from supervisor.notify import Notifier


def test_without_a_service_manager_nothing_is_sent() -> None:
    notifier = Notifier.take({})
    notifier.send("READY=1")
    assert notifier.watchdog_s == 0


@pytest.mark.parametrize("abstract", [False, True])
def test_states_go_to_the_socket_that_was_named(tmp_path: Path, abstract: bool) -> None:
    address = f"@quarterdeck-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + address[1:] if abstract else address)
        manager.settimeout(5)
        Notifier.take({"NOTIFY_SOCKET": address}).send("READY=1")
        assert manager.recv(100) == b"READY=1"


def test_what_was_taken_is_not_passed_on() -> None:
    environ = {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid()), "PATH": "/bin"}
    assert Notifier.take(environ).watchdog_s == 30
    assert environ == {"PATH": "/bin"}


def test_a_watchdog_of_another_process_is_not_ours() -> None:
    assert Notifier.take({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}).watchdog_s == 0


def test_a_service_manager_that_is_gone_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Notifier(str(tmp_path / "gone")).send("WATCHDOG=1")
    assert "WATCHDOG=1" in caplog.text
