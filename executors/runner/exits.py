"""How attempts ended, kept durably: a file for a session's attempt, a journal for short commands."""

from __future__ import annotations

import contextlib
import json
import os

from executors.runner.child import Child
from executors.runner.launch import Launch, Message


def record(child: Child) -> Message:
    """Return the exit record of a child that has ended."""
    return {
        "attempt": child.launch.attempt,
        "token": child.launch.token,
        "exit_code": child.exit_code,
        "cause": child.cause,
        "started_at": child.started_at,
        "ended_at": child.ended_at,
        "message": child.message,
        "signal": child.signal,
    }


def spawn_failure(launch: Launch, exit_code: int, message: str, at: int) -> Message:
    """Return the exit record of an attempt whose child could not be started."""
    return {
        "attempt": launch.attempt,
        "token": launch.token,
        "exit_code": exit_code,
        "cause": "spawn_failed",
        "started_at": at,
        "ended_at": at,
        "message": message,
        "signal": None,
    }


def write_exit(launch: Launch, found: Message) -> None:
    """Write ``exit-<number>.json``; it is on the disk, whole, when this returns. Raises OSError."""
    os.makedirs(launch.folder, mode=0o700, exist_ok=True)
    path = f"{launch.folder}/exit-{launch.number}.json"
    write_whole(path, found, durable=True)


def write_whole(path: str, content: Message, *, durable: bool = False) -> None:
    """Write a JSON file (0600) so that a reader sees all of it or the one before. Raises OSError."""
    hidden = f"{path}.{os.getpid()}"
    fd = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "wb") as target:
            target.write(json.dumps(content).encode())
            target.flush()
            if durable:
                os.fsync(fd)
        os.rename(hidden, path)
    except OSError:
        os.unlink(hidden)
        raise
    if durable:
        sync_folder(os.path.dirname(path))


def sync_folder(path: str) -> None:
    """Return when the names in a folder are on the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class Journal:
    """``exits.jsonl`` of a folder: one record a line.

    What was written outlives its writer; only what was synced outlives the machine's power. Between the records are
    lines that say which process an attempt is, for who comes after a host that was killed.
    """

    def __init__(self, folder: str) -> None:
        path = f"{folder}/exits.jsonl"
        os.makedirs(folder, mode=0o700, exist_ok=True)
        fresh = not os.path.exists(path)
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if fresh:
            sync_folder(folder)
        self.waiting: list[Message] = []
        self._synced = True
        self._torn = os.fstat(self._fd).st_size > 0

    def begun(self, attempt: str, pid: int, since: int, boot: str) -> None:
        """Note which process an attempt is. What a full disk does not take is missing: the process has its mark."""
        start = b"\n" if self._torn else b""
        line = json.dumps({"attempt": attempt, "pid": pid, "pid_started_at": since, "boot_id": boot}).encode() + b"\n"
        self._torn = True
        with contextlib.suppress(OSError):
            self._torn = os.write(self._fd, start + line) < len(start + line)

    def write(self) -> list[Message]:
        """Append what waits, and return it. Raises OSError, and it waits on."""
        # After a crash or a full disk the last line may be cut: an empty line in between is no harm.
        start = b"\n" if self._torn else b""
        lines = b"".join(json.dumps(found).encode() + b"\n" for found in self.waiting)
        self._torn = True
        if os.write(self._fd, start + lines) < len(start + lines):
            raise OSError("the disk is full")
        self._torn = self._synced = False
        written, self.waiting = self.waiting, []
        return written

    def sync(self) -> None:
        """Return when what was written is on the disk. Raises OSError."""
        if not self._synced:
            os.fdatasync(self._fd)
            self._synced = True

    def close(self) -> None:
        """Close it."""
        os.close(self._fd)
