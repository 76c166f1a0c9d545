"""Everything that one attempt started: frozen, thawed, signalled and killed as a whole.

A cgroup (v2, also in a hybrid hierarchy) holds what joined it, whatever it does afterwards. Where none
can be made, and for what left it, the tree is walked: stopped until nothing new turns up, then killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import signal
import time
from collections.abc import Callable, Iterable

from executors.runner.identity import below, is_running, running

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
PRCTL = ctypes.CDLL(None, use_errno=True).prctl
FREEZE_WAIT_S = 0.5
# A tree that starts processes faster than it is walked is killed without having been stopped.
WALKS = 50


def become_subreaper() -> None:
    """Be the parent of all orphans below: nothing leaves the tree by a double fork."""
    PRCTL(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def send(pids: Iterable[int], number: int) -> None:
    """Send a signal to each; those that are gone or belong to another user are left out.

    Never to init, to a whole group (pids below 1 mean that), or to the sender.
    """
    for pid in pids:
        if pid <= 1 or pid == os.getpid():
            continue
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


class Cgroup:
    """A cgroup v2 for one attempt."""

    def __init__(self, path: str) -> None:
        self.path = path

    def processes(self) -> list[int]:
        """Return the pids in it and below it."""
        found: list[int] = []
        for folder, _, _ in os.walk(self.path):
            with contextlib.suppress(OSError), open(f"{folder}/cgroup.procs") as source:
                found += map(int, source.read().split())
        return found

    def freeze(self, frozen: bool) -> None:
        """Freeze or thaw it; returns when that is true, at most after FREEZE_WAIT_S."""
        self._write("cgroup.freeze", b"1" if frozen else b"0")
        deadline = time.monotonic() + FREEZE_WAIT_S
        while self._is_frozen() != frozen and time.monotonic() < deadline:
            time.sleep(0.0002)

    def kill(self) -> None:
        """Kill all of it at once."""
        try:
            self._write("cgroup.kill", b"1")
        except OSError:  # a kernel before 5.14
            self.freeze(True)
            send(self.processes(), signal.SIGKILL)

    def remove(self) -> None:
        """Remove it, with what the attempt may have made below it."""
        for folder, _, _ in os.walk(self.path, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)

    def _is_frozen(self) -> bool:
        with open(f"{self.path}/cgroup.events") as source:
            return "frozen 1" in source.read()

    def _write(self, name: str, value: bytes) -> None:
        fd = os.open(f"{self.path}/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, value)
        finally:
            os.close(fd)


@functools.cache
def cgroup_root() -> str | None:
    """Return the folder of this process' own cgroup v2; None where there is none."""
    try:
        with open("/proc/self/mounts") as source:
            mount = next(fields[1] for line in source if (fields := line.split())[2] == "cgroup2")
        with open("/proc/self/cgroup") as source:
            own = next(line.strip()[3:] for line in source if line.startswith("0::"))
    except (OSError, StopIteration):
        return None
    return mount + own.rstrip("/")


def make_cgroup(attempt: str) -> Cgroup | None:
    """Make an attempt's cgroup below the one that this process is in; None where that is not allowed."""
    root = cgroup_root()
    if root is None:
        return None
    path = f"{root}/quarterdeck/{attempt}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        # One that is there already was left by something else, and might be frozen.
        Cgroup(path).remove()
        os.mkdir(path)
    except OSError:
        return None
    return Cgroup(path) if os.access(f"{path}/cgroup.procs", os.W_OK) else None


class Tree:
    """A tree of processes. ``members`` lists what runs in it now, without the runner itself."""

    def __init__(self, members: Callable[[], list[int]], cgroup: Cgroup | None = None) -> None:
        self._members = members
        self.cgroup = cgroup

    def terminate(self) -> None:
        """Ask every process to end; a frozen or stopped one is woken to hear it."""
        members = self._members()
        send(members, signal.SIGTERM)
        if self.cgroup:
            self.cgroup.freeze(False)
        send(members, signal.SIGCONT)

    def freeze(self) -> None:
        """Let nothing in it run."""
        if self.cgroup:
            self.cgroup.freeze(True)
        else:
            self._stop_all()

    def thaw(self) -> None:
        """Let it run again."""
        if self.cgroup:
            self.cgroup.freeze(False)
        else:
            send(self._members(), signal.SIGCONT)

    def kill(self) -> None:
        """Kill every process in it."""
        if self.cgroup:
            self.cgroup.kill()
        self._stop_all()
        send(self._members(), signal.SIGKILL)

    def close(self) -> None:
        """Remove what held it together; nothing is in it."""
        if self.cgroup:
            self.cgroup.remove()
            self.cgroup = None

    def _stop_all(self) -> None:
        stopped: set[int] = set()
        for _ in range(WALKS):
            new = set(self._members()) - stopped
            if not new:
                break
            send(new, signal.SIGSTOP)
            stopped |= new


def descendants() -> list[int]:
    """Return everything below this process."""
    return below({os.getpid()}, running())


def family(leader: int) -> list[int]:
    """Return the processes of the session that ``leader`` leads or led, and all below them.

    Session 0 is what the kernel and init started: nobody's family.
    """
    if leader <= 1:
        return []
    now = running()
    roots = {found.pid for found in now.values() if found.session == leader}
    return [*roots, *below(roots, now)]


def end_leftovers(pid: int, since: int, cgroup: str | None) -> int:
    """Kill what a dead runner left behind; returns how many processes that were.

    Without a cgroup the child's process session tells them, while the child itself is there to prove that
    its number was not given out again. What cannot be proven to be the attempt's is left alone.
    """
    group = Cgroup(cgroup) if cgroup and os.path.isdir(cgroup) else None
    known = is_running(pid, since)

    def members() -> list[int]:
        return list({*(family(pid) if known else ()), *(group.processes() if group else ())})

    count = len(members())
    tree = Tree(members, group)
    deadline = time.monotonic() + FREEZE_WAIT_S
    while members() and time.monotonic() < deadline:
        tree.kill()
    tree.close()
    return count
