"""Short commands whose parent is the host: cheap to start, their exits kept in a journal."""

from __future__ import annotations

import time
from collections.abc import Callable

from executors.runner import identity, tree
from executors.runner.child import Child, now_ms
from executors.runner.control import Server, refusal
from executors.runner.exits import Journal, record, spawn_failure
from executors.runner.launch import Launch, Message
from executors.runner.loop import Loop
from executors.runner.spawn import SpawnFailed, plain_streams, spawn
from executors.runner.spool import Spool

TRY_AGAIN_S = 1.0
# What ends within this time shares one sync. Whoever is told of an end before it stores that durably itself; only the
# ends that nobody was there to hear of, just before the power went, are not known any more.
SYNC_S = 0.1
# A start that is repeated after its command has ended is known for so many later ones.
REMEMBERED = 4096


class Owned:
    """The host's own children. ``is_stranger`` tells which pids are not theirs."""

    def __init__(self, loop: Loop, server: Server, is_stranger: Callable[[int], bool]) -> None:
        self._loop = loop
        self._server = server
        self._is_stranger = is_stranger
        self._by_attempt: dict[str, Child] = {}
        self._by_pid: dict[int, Child] = {}
        self._answers: dict[str, Message] = {}
        self._journals: dict[str, Journal] = {}
        self._orphans_of: set[int] = set()
        self._write_due = False
        self._sync_due = False
        self._beats = False
        self._boot = identity.boot_id()

    @property
    def has_children(self) -> bool:
        """Whether anything runs."""
        return bool(self._by_pid)

    def attempts(self) -> list[str]:
        """Return what has not ended, or whose end is not in the journal yet."""
        return list(self._by_attempt)

    def child(self, attempt: str) -> Child | None:
        """Return the child of an attempt that has not ended."""
        return self._by_attempt.get(attempt)

    def start(self, launch: Launch) -> Message:
        """Start a command; returns the answer, which is the first one's when it was started before."""
        answer = self._answers.get(launch.attempt)
        if answer is None:
            journal = self._journals.get(launch.folder)
            if journal is None:
                journal = self._journals[launch.folder] = Journal(launch.folder)
            answer = self._start(launch, journal)
            self._answers[launch.attempt] = answer
            if len(self._answers) > REMEMBERED:
                oldest = next((name for name in self._answers if name not in self._by_attempt), "")
                self._answers.pop(oldest, None)
        return answer

    def waited(self, pid: int, status: int) -> None:
        """Take what waitpid said of a pid, which may be an orphan's."""
        child = self._by_pid.get(pid)
        if child:
            child.waited(status)

    def settle(self) -> None:
        """Go on with the ends; to be called when everything that could be reaped was."""
        ending = [child for child in self._by_attempt.values() if child.exit_code is not None]
        if ending:
            found = map(identity.process, self.orphans())
            self._orphans_of = {orphan.session for orphan in found if orphan}
            for child in ending:
                child.settle()

    def orphans(self) -> list[int]:
        """Return the direct children of the host that it did not start."""
        return [pid for pid in identity.own_children() if pid not in self._by_pid and not self._is_stranger(pid)]

    def _start(self, launch: Launch, journal: Journal) -> Message:
        streams = plain_streams(launch.has_stdin)
        # Whatever it starts is known by this, also when nobody is left who could say which processes they are.
        launch.env[identity.MARK] = launch.attempt
        try:
            pid = spawn(launch, streams.child)
        except SpawnFailed as failure:
            streams.close()
            self._ended(journal, spawn_failure(launch, failure.exit_code, failure.message, now_ms()))
            return refusal("spawn_failed", failure.message)
        finally:
            streams.close_child()
        child = Child(
            self._loop,
            launch,
            Spool(f"{launch.folder}/{launch.attempt}.log", launch.log_limit),
            tree.Tree(lambda: tree.family(pid)),
            lambda: pid not in self._orphans_of,
            lambda event: self._tell(launch.attempt, event),
            lambda child: self._finished(journal, child),
        )
        self._by_attempt[launch.attempt] = child
        self._by_pid[pid] = child
        child.begin(pid, streams)
        journal.begun(launch.attempt, pid, child.pid_started_at, self._boot)
        self._beat_later(launch.heartbeat_s)
        return {"ok": True, "pid": pid, "pid_started_at": child.pid_started_at}

    def _finished(self, journal: Journal, child: Child) -> None:
        del self._by_pid[child.pid]
        child.spool.flush()
        child.spool.sync()
        child.spool.close()
        self._ended(journal, record(child))

    def _ended(self, journal: Journal, outcome: Message) -> None:
        journal.waiting.append(outcome)
        if not self._write_due:
            self._write_due = True
            self._loop.defer(self._write)

    def _write(self) -> None:
        """Record all ends of this round, then tell of them; a full disk is waited for."""
        self._write_due = False
        for journal in self._journals.values():
            try:
                written = journal.write() if journal.waiting else []
            except OSError:
                self._loop.call_later(TRY_AGAIN_S, self._write)
                continue
            for outcome in written:
                attempt = outcome["attempt"]
                self._by_attempt.pop(attempt, None)
                self._server.tell(attempt, "exited", record=outcome)
                self._server.forget(attempt)
        if not self._sync_due:
            self._sync_due = True
            self._loop.call_later(SYNC_S, self._sync)

    def _sync(self) -> None:
        self._sync_due = False
        for journal in self._journals.values():
            try:
                journal.sync()
            except OSError:
                self._sync_due = True
        if self._sync_due:
            self._loop.call_later(TRY_AGAIN_S, self._sync)
        elif not self._by_attempt:
            self._close_journals()

    def _close_journals(self) -> None:
        for folder, journal in list(self._journals.items()):
            if not journal.waiting:
                journal.close()
                del self._journals[folder]

    def _tell(self, attempt: str, event: str) -> None:
        if event == "grew":
            self._server.ring(attempt, event)
        else:
            self._server.tell(attempt, event)

    def _beat_later(self, interval: float) -> None:
        if not self._beats:
            self._beats = True
            self._loop.call_at((time.monotonic() // interval + 1) * interval, self._beat)

    def _beat(self) -> None:
        self._beats = False
        for attempt, child in self._by_attempt.items():
            child.beat()
            self._server.ring(attempt, "beat")
        if self._by_attempt:
            self._beat_later(min(child.launch.heartbeat_s for child in self._by_attempt.values()))
