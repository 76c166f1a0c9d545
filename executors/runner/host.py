"""The host: forks a runner for each session, and is itself the parent of short commands."""

from __future__ import annotations

import fcntl
import gc
import json
import os
import signal
import sys

from executors.runner import operations, tree
from executors.runner.child import Child
from executors.runner.control import Connection, Server, refusal
from executors.runner.identity import below, running, started_at
from executors.runner.launch import Launch, Message
from executors.runner.loop import READ, Loop
from executors.runner.owned import Owned
from executors.runner.session import first_start, run_session

IDLE_S = float(os.environ.get("QUARTERDECK_HOST_IDLE_S", "300"))
"""Seconds without a child, a client or a start after which a host goes away."""


class Host:
    """Serves ``<run>/host.sock``."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._loop = Loop()
        self._server = Server(self._loop, self._perform)
        self._owned = Owned(self._loop, self._server, lambda pid: pid in self._runners)
        self._starting: dict[str, list[Connection]] = {}
        self._runners: set[int] = set()
        self._started_since_look = False
        self._identity = ""

    def listen(self) -> None:
        """Be found. Raises OSError."""
        self._server.listen(f"{self._run}/host.sock")

    def serve(self) -> None:
        """Serve until it is told to quit, or has been of no use for a while: the next start makes a new one."""
        tree.become_subreaper()
        self._identity = f"{os.getpid()}:{started_at(os.getpid())}"
        self._loop.on_signal(signal.SIGCHLD, self._reap)
        gc.collect()
        gc.freeze()
        self._loop.call_later(IDLE_S, self._quit_when_idle)
        self._loop.run()
        self._server.withdraw()

    def _quit_when_idle(self) -> None:
        busy = self._runners or self._starting or self._owned.attempts() or self._server.has_clients
        if self._started_since_look or busy:
            self._started_since_look = False
            self._loop.call_later(IDLE_S, self._quit_when_idle)
        else:
            self._loop.stop()

    def _perform(self, connection: Connection, request: Message) -> Message | None:
        operation = request["op"]
        if operation == "start":
            launch = Launch(request)
            self._started_since_look = True
            return self._owned.start(launch) if request["own"] else self._start(connection, launch)
        if operation == "list":
            own = {"own": self._owned.attempts(), "stopped": self._owned.stopped()}
            return {"ok": True, **own, "host": self._identity}
        if operation == "quit":
            if self._owned.attempts():
                return refusal("refused", "It is the parent of commands that still run.")
            self._loop.stop()
            return {"ok": True}
        attempt = request["attempt"]
        child = self._owned.child(attempt)
        if operation == "watch":
            self._watch(connection, attempt, child)
            return None
        if child is None:
            return refusal("not_found", f"No command of the host is called {attempt}.")
        return operations.perform(child, request)

    def _watch(self, connection: Connection, attempt: str, child: Child | None) -> None:
        self._server.watch(connection, attempt)
        connection.send({"ok": True})
        if child:
            connection.send(operations.state(child))

    def _start(self, connection: Connection, launch: Launch) -> Message | None:
        waiting = self._starting.get(launch.attempt)
        if waiting is None:
            before = first_start(self._run, launch.attempt)
            if before:
                return before
            waiting = self._starting[launch.attempt] = []
            self._fork(launch)
        waiting.append(connection)
        connection.hold()
        return None

    def _fork(self, launch: Launch) -> None:
        reading, writing = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid == 0:
            try:
                self._abandon(writing)
                run_session(self._run, launch, writing)
            except BaseException:
                sys.excepthook(*sys.exc_info())
            finally:
                os._exit(0)
        os.close(writing)
        self._runners.add(pid)
        self._loop.watch(reading, READ, lambda: self._answer(launch.attempt, reading))

    def _abandon(self, keep: int) -> None:
        """Close everything that belongs to the host, in a fork of it."""
        self._loop.close()
        self._server.close()
        os.closerange(3, keep)
        os.closerange(keep + 1, os.sysconf("SC_OPEN_MAX"))

    def _answer(self, attempt: str, reading: int) -> None:
        self._loop.unwatch(reading)
        with open(reading, "rb") as source:
            told = source.read()
        answer = json.loads(told) if told else refusal("failed", "The runner ended before it started anything.")
        for connection in self._starting.pop(attempt):
            connection.send(answer)
            connection.release()

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid not in self._runners:
                self._owned.waited(pid, status)
            elif not (os.WIFSTOPPED(status) or os.WIFCONTINUED(status)):
                self._runners.discard(pid)
        self._owned.settle()
        if not self._owned.has_children:
            self._end_orphans()

    def _end_orphans(self) -> None:
        """Kill what no living command or runner can have started: what a killed runner left, for example."""
        if self._owned.orphans():
            tree.Tree(lambda: [*(left := self._owned.orphans()), *below(set(left), running())]).kill()


def run_host(run: str) -> int:
    """Be the host of a runtime folder, in the background; returns at once when there is one already.

    The parent returns when the host listens.
    """
    lock = os.open(f"{run}/host.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    os.chdir("/")
    ready, listening = os.pipe2(os.O_CLOEXEC)
    if os.fork():
        os.close(listening)
        return 0 if os.read(ready, 1) else 1
    os.close(ready)
    os.setsid()
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    host = Host(run)
    host.listen()
    os.write(listening, b"1")
    os.close(listening)
    host.serve()
    return 0
