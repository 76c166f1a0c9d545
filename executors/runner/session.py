"""The runner of one session: takes the start, spawns the child, serves, and records the end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time

from executors.runner import identity, operations, tree
from executors.runner.child import Child, now_ms
from executors.runner.control import Connection, Server, refusal
from executors.runner.exits import record, spawn_failure, write_exit, write_whole
from executors.runner.launch import Launch, Message
from executors.runner.loop import Loop
from executors.runner.spawn import SpawnFailed, Streams, fork, plain_streams
from executors.runner.spool import Spool

TRY_AGAIN_S = 1.0


def first_start(run: str, attempt: str) -> Message | None:
    """Return the answer that the first start of an attempt got, None when there was none."""
    try:
        with open(f"{run}/{attempt}.started", "rb") as source:
            started: Message = json.load(source)
    except FileNotFoundError:
        return None
    except ValueError:  # its runner was killed between making the file and filling it
        started = {}
    if "failure" in started:
        return refusal("spawn_failed", started["failure"])
    if not started.get("pid"):
        return refusal("unknown", "The attempt was taken before, and nobody knows what came of it.")
    return {"ok": True, "pid": started["pid"], "pid_started_at": started["pid_started_at"]}


class Session:
    """One attempt of a session, from its claim to its exit record."""

    def __init__(self, run: str, launch: Launch) -> None:
        self._run = run
        self.launch = launch
        # A session that a plan's command has started is no part of that command.
        launch.env.pop(identity.MARK, None)
        self._started_path = f"{run}/{launch.attempt}.started"
        self.loop = Loop()
        self._spool = Spool(f"{launch.folder}/stream.log")
        self._server = Server(self.loop, self._perform)
        self._nothing_left = False
        self._tree = tree.Tree(tree.descendants)
        self._outcome: Message = {}
        self.child = Child(
            self.loop,
            launch,
            self._spool,
            self._tree,
            lambda: self._nothing_left,
            self._tell,
            self._conclude,
            relay=self.relay,
        )
        self.loop.on_signal(signal.SIGTERM, self._told_to_end)
        self.loop.on_signal(signal.SIGCHLD, self._reap)

    def start(self) -> Message:
        """Start the attempt unless it was started before; returns the answer to the request."""
        try:
            fd = os.open(self._started_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            return first_start(self._run, self.launch.attempt) or refusal("failed", "It was taken elsewhere.")
        answer = self._claimed(fd)
        if not answer["ok"]:
            self._tree.close()
            self._server.withdraw()
        return answer

    def serve(self) -> int:
        """Serve until the end is recorded; returns the child's exit code."""
        self._beat_later()
        self._reap()
        self.loop.run()
        return int(self._outcome["exit_code"])

    def open_streams(self) -> Streams:
        """Open what connects the child."""
        return plain_streams(self.launch.has_stdin)

    def relay(self, data: bytes) -> None:
        """Take output, after redaction, that is shown somewhere else too."""

    @property
    def has_terminal(self) -> bool:
        """Whether the child's stdin is to be its controlling terminal."""
        return False

    def all_ended(self) -> None:
        """The child and its tree have ended; their last output is about to be taken."""

    def _claimed(self, fd: int) -> Message:
        """Go on as the one that made the ``started`` file."""
        try:
            self._tree.cgroup = tree.make_cgroup(self.launch.attempt)
            with open(fd, "wb") as started:
                started.write(json.dumps(self._identity()).encode())
            newest = self._newest_token()
            if newest > self.launch.token:
                os.unlink(self._started_path)
                return refusal("stale", f"A newer attempt (token {newest}) took this session over.")
            self._spawn()
        except SpawnFailed as failure:
            return self._not_spawned(failure)
        except OSError as error:
            os.unlink(self._started_path)
            return refusal("failed", f"The attempt could not be started: {error}.")
        started_child = {"pid": self.child.pid, "pid_started_at": self.child.pid_started_at}
        with contextlib.suppress(OSError):  # a full runtime folder: it runs, and its socket says so
            write_whole(self._started_path, {**self._identity(), **started_child})
        return {"ok": True, **started_child}

    def _spawn(self) -> None:
        self._spool.open()
        # Whoever comes before the child is there waits to be accepted.
        self._server.listen(f"{self._run}/{self.launch.attempt}.sock")
        tree.become_subreaper()
        streams = self.open_streams()
        try:
            pid, joined = fork(self.launch, streams.child, self._tree.cgroup, terminal=self.has_terminal)
        finally:
            streams.close_child()
        if not joined:
            self._tree.close()
        self.child.begin(pid, streams)

    def _not_spawned(self, failure: SpawnFailed) -> Message:
        outcome = spawn_failure(self.launch, failure.exit_code, failure.message, now_ms())
        try:
            write_exit(self.launch, outcome)
            write_whole(self._started_path, {**self._identity(), "failure": failure.message})
        except OSError as error:
            os.unlink(self._started_path)
            return refusal("failed", f"{failure.message} That could not be recorded: {error}.")
        return refusal("spawn_failed", failure.message)

    def _identity(self) -> Message:
        me = os.getpid()
        return {
            "runner_pid": me,
            "runner_started_at": identity.started_at(me),
            "boot_id": identity.boot_id(),
            "token": self.launch.token,
            "cgroup": self._tree.cgroup.path if self._tree.cgroup else None,
        }

    def _newest_token(self) -> int:
        try:
            with open(f"{self.launch.folder}/token") as source:
                return int(source.read())
        except (FileNotFoundError, ValueError):
            return 0

    def _perform(self, connection: Connection, request: Message) -> Message | None:
        if request["op"] != "watch":
            return operations.perform(self.child, request)
        self._server.watch(connection, self.launch.attempt)
        connection.send({"ok": True})
        connection.send(operations.state(self.child))
        return None

    def _tell(self, event: str) -> None:
        if event in ("grew", "beat"):
            self._server.ring(self.launch.attempt, event)
        else:
            self._server.tell(self.launch.attempt, event)

    def _beat_later(self) -> None:
        # On whole multiples of the interval: all runners of one machine wake up together.
        interval = self.launch.heartbeat_s
        self.loop.call_at((time.monotonic() // interval + 1) * interval, self._beat)

    def _beat(self) -> None:
        self.child.beat()
        self._tell("beat")
        self._beat_later()

    def _told_to_end(self) -> None:
        self.child.stop(self.launch.stop_grace_s, message="The runner was told to end.")

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
            except ChildProcessError:
                self._nothing_left = True
                self.all_ended()
                break
            if pid == 0:
                break
            if pid == self.child.pid:
                self.child.waited(status)
        self.child.settle()

    def _conclude(self, child: Child) -> None:
        self._outcome = record(child)
        self._write_outcome()

    def _write_outcome(self) -> None:
        """Record the end, and go; a full disk is waited for, since an end must not be lost."""
        self._spool.flush()
        try:
            self._spool.sync()
            write_exit(self.launch, self._outcome)
        except OSError:
            self.loop.call_later(TRY_AGAIN_S, self._write_outcome)
            return
        self._server.tell(self.launch.attempt, "exited", record=self._outcome)
        self._server.withdraw()
        self.loop.stop()


def run_session(run: str, launch: Launch, report: int) -> None:
    """Be the runner of one session in a process of its own; the answer goes to ``report``."""
    os.setsid()
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    session = Session(run, launch)
    answer = session.start()
    with contextlib.suppress(BrokenPipeError), open(report, "wb") as asking:
        asking.write(json.dumps(answer).encode())
    if answer["ok"] and answer["pid"] == session.child.pid:
        session.serve()
