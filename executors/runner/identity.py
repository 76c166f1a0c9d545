"""Who a process is: boot, pid and start time together. A bare pid names nobody for long."""

from __future__ import annotations

import os

MARK = "QUARTERDECK_ATTEMPT"
"""The variable by which a command of a plan, and all that it starts, is known to belong to an attempt."""


class Process:
    """What ``/proc/<pid>/stat`` says (proc(5)); ``started_at`` is field 22, in clock ticks since boot."""

    __slots__ = ("parent", "pid", "session", "started_at", "state")

    def __init__(self, pid: int, stat: bytes) -> None:
        # The name in field 2 may hold spaces and brackets: count from its last bracket.
        fields = stat[stat.rindex(b")") + 2 :].split()
        self.pid = pid
        self.state = fields[0].decode()
        self.parent = int(fields[1])
        self.session = int(fields[3])
        self.started_at = int(fields[19])


def boot_id() -> str:
    """Return the identifier of this boot of the machine."""
    with open("/proc/sys/kernel/random/boot_id") as source:
        return source.read().strip()


def _content(path: str) -> bytes:
    """Return what a file of /proc holds, in few calls: it is read at each start and each end. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = b""
        while more := os.read(fd, 1 << 16):
            content += more
        return content
    finally:
        os.close(fd)


def process(pid: int) -> Process | None:
    """Return a process that runs or waits to be reaped, None when there is none."""
    try:
        return Process(pid, _content(f"/proc/{pid}/stat"))
    except (OSError, ValueError):
        return None


def started_at(pid: int) -> int:
    """Return when a process started, in clock ticks since boot; 0 when it is gone."""
    found = process(pid)
    return found.started_at if found else 0


def is_running(pid: int, since: int) -> bool:
    """Say whether the process that started at ``since`` still runs (a zombie does not)."""
    found = process(pid)
    return found is not None and found.started_at == since and found.state not in "ZX"


def running() -> dict[int, Process]:
    """Return every process that can still do something, by pid."""
    every = (process(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return {found.pid: found for found in every if found and found.state not in "ZX"}


def marked(pid: int) -> str | None:
    """Return the attempt whose mark a process has in its environment (proc(5), ``environ``), None without one."""
    start = MARK.encode() + b"="
    try:
        with open(f"/proc/{pid}/environ", "rb") as source:
            variables = source.read().split(b"\0")
    except OSError:
        return None
    return next((each[len(start) :].decode(errors="replace") for each in variables if each.startswith(start)), None)


def below(roots: set[int], among: dict[int, Process]) -> list[int]:
    """Return the descendants of ``roots``, without these."""
    children: dict[int, list[int]] = {}
    for found in among.values():
        children.setdefault(found.parent, []).append(found.pid)
    result: list[int] = []
    todo = list(roots)
    while todo:
        for pid in children.get(todo.pop(), ()):
            if pid not in roots:
                result.append(pid)
                todo.append(pid)
    return result


def own_children() -> list[int]:
    """Return the direct children of this process, which has one thread."""
    me = os.getpid()
    try:
        return [int(pid) for pid in _content(f"/proc/{me}/task/{me}/children").split()]
    except OSError:  # a kernel without CONFIG_PROC_CHILDREN
        return [found.pid for found in running().values() if found.parent == me]
