"""What may be signalled, and what must never be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from executors.runner import tree
from executors.runner.identity import Process, below, boot_id, is_running, process, running, started_at
from tests.wait import wait_until


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The signals that would have been sent; none is."""
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    return sent


def test_groups_init_and_oneself_are_never_signalled(sent: list[tuple[int, int]]) -> None:
    tree.send([-1, 0, 1, os.getpid(), 4_194_305], signal.SIGKILL)
    assert sent == [(4_194_305, signal.SIGKILL)]


@pytest.mark.parametrize("leader", [-1, 0, 1])
def test_session_zero_is_nobodys_family(leader: int) -> None:
    assert tree.family(leader) == []


@pytest.mark.parametrize(("pid", "since"), [(0, 0), (1, 0), (-1, 5), (4_194_305, 7)])
def test_without_a_proven_child_nothing_is_ended(sent: list[tuple[int, int]], pid: int, since: int) -> None:
    assert tree.end_leftovers(pid, since, None) == 0
    assert tree.end_leftovers(pid, since, "/no/such/cgroup") == 0
    assert sent == []


def test_a_pid_with_another_start_is_a_stranger(sleeper: subprocess.Popen[bytes], sent: list[tuple[int, int]]) -> None:
    assert tree.end_leftovers(sleeper.pid, started_at(sleeper.pid) + 1, None) == 0
    assert sent == []


def test_a_proven_child_is_ended_with_its_session() -> None:
    script = "sleep 60 & sleep 60 & echo up; wait"
    child = subprocess.Popen(["sh", "-c", script], start_new_session=True, stdout=subprocess.PIPE)
    assert child.stdout
    assert child.stdout.readline() == b"up\n"
    child.stdout.close()
    family = tree.family(child.pid)
    assert len(family) == 3
    assert tree.end_leftovers(child.pid, started_at(child.pid), None) == 3
    assert child.wait() == -signal.SIGKILL
    wait_until(lambda: not any(pid in running() for pid in family))


def test_who_a_process_is(sleeper: subprocess.Popen[bytes]) -> None:
    found = process(sleeper.pid)
    assert found
    assert (found.parent, found.session) == (os.getpid(), sleeper.pid)
    assert is_running(sleeper.pid, found.started_at)
    assert not is_running(sleeper.pid, found.started_at + 1)
    assert sleeper.pid in below({os.getpid()}, running())
    assert len(boot_id()) == 36
    sleeper.kill()
    wait_until(lambda: not is_running(sleeper.pid, found.started_at))
    assert sleeper.pid not in running()
    sleeper.wait()
    assert process(sleeper.pid) is None
    assert started_at(sleeper.pid) == 0


def test_a_name_with_brackets_and_spaces() -> None:
    found = Process(7, b"7 (a) R (b) S 3 4 5 0 -1 " + b"0 " * 13 + b"12345 0 0")
    assert (found.state, found.parent, found.session, found.started_at) == ("S", 3, 5, 12345)


def test_a_frozen_cgroup_that_was_left_is_not_used() -> None:
    attempt = f"att_left{os.getpid()}"
    left = tree.make_cgroup(attempt)
    if left is None:
        pytest.skip("needs a cgroup v2 that is writable")
    left.freeze(True)
    made = tree.make_cgroup(attempt)
    assert made
    try:
        with open(f"{made.path}/cgroup.events") as events:
            assert "frozen 0" in events.read()
        assert made.processes() == []
    finally:
        made.remove()
    assert not Path(made.path).exists()


def test_no_cgroup_where_none_may_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "cgroup_root", lambda: None)
    assert tree.make_cgroup("att_x") is None
    monkeypatch.setattr(tree, "cgroup_root", lambda: "/proc/1")
    assert tree.make_cgroup("att_x") is None


def test_the_runner_needs_few_modules() -> None:
    code = (
        "import sys; sys.path.append('.'); import executors.runner.host, executors.runner.window; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"asyncio", "subprocess", "pathlib", "typing", "logging", "threading", "shutil", "dataclasses"}
