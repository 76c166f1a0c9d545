"""The client of runners: their sockets, and what they leave on the disk. All executors share it."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from executors.runner import identity, tree
from supervisor.engine.ports.processes import AttemptRef, ExitRecord, Found, Launch, Signal, Started
from supervisor.model.errors import QuarterdeckError, Refused, Unavailable
from supervisor.model.times import now_ms

Message = dict[str, Any]

RECEIVE = 1 << 18
LONGEST_LINE = 1 << 24
ANSWER_S = 10.0
LOOK_AGAIN_S = 0.01
GREW = b'{"ev":"grew"'
NOBODY = (FileNotFoundError, ConnectionRefusedError, ConnectionResetError, BrokenPipeError)


class Link:
    """One connection to a runner or host."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._received = bytearray()

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Connect; FileNotFoundError or ConnectionRefusedError when nobody is there."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            await asyncio.get_running_loop().sock_connect(sock, str(path))
        except BaseException:
            sock.close()
            raise
        return cls(sock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    async def request(self, message: Message) -> Message:
        """Send a request and return its answer; ConnectionResetError when the runner goes away."""
        await asyncio.get_running_loop().sock_sendall(self._socket, encode(message))
        lines = await self.receive()
        if not lines:
            raise ConnectionResetError("the runner went away")
        self._received[:0] = b"".join(line + b"\n" for line in lines[1:])
        answer: Message = json.loads(lines[0])
        return answer

    async def answer(self, message: Message, seconds: float) -> Message:
        """Like `request`; QuarterdeckError when there is no answer within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                return await self.request(message)
        except TimeoutError as error:
            raise QuarterdeckError("The runner does not answer.", hint="It may be stopped (SIGSTOP).") from error

    async def receive(self) -> list[bytes]:
        """Return the lines that came since the last time, at least one; none when the runner went away."""
        loop = asyncio.get_running_loop()
        while True:
            whole, newline, rest = self._received.rpartition(b"\n")
            if newline:
                self._received = rest
                return bytes(whole).split(b"\n")
            data = await loop.sock_recv(self._socket, RECEIVE)
            if not data:
                return []
            self._received += data


def encode(message: Message) -> bytes:
    """Return a request as its line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def launch_fields(launch: Launch) -> Message:
    """Return a launch as its runner reads it, in a start request or in a launch file."""
    return {
        "attempt": launch.attempt,
        "number": launch.number,
        "token": launch.token,
        "folder": str(launch.folder),
        "argv": launch.argv,
        "env": launch.env,
        "cwd": str(launch.cwd),
        "secrets": launch.secrets,
        "stdin": launch.stdin,
        "first_input": base64.b64encode(launch.first_input).decode(),
        "start_to_close_s": launch.start_to_close_s,
        "no_output_s": launch.no_output_s,
        "stop_grace_s": launch.stop_grace_s,
        "heartbeat_s": launch.heartbeat_s,
        "log_limit": launch.log_limit,
    }


def socket_path(run: Path, attempt: str) -> Path:
    """Return where the runner of an attempt listens."""
    return run / f"{attempt}.sock"


def exit_record(fields: Message) -> ExitRecord:
    """Return an exit record from its JSON; KeyError when a field is missing."""
    return ExitRecord(**{name: fields[name] for name in ExitRecord.__dataclass_fields__})


def started_from(answer: Message) -> Started:
    """Return what a start request was answered; raises what a refusal means."""
    if answer["ok"]:
        return Started(answer["pid"], answer["pid_started_at"])
    code, message = answer["code"], answer["message"]
    if code == "spawn_failed":
        raise Unavailable(message, hint="Check the command, its PATH and its folder.", code=code)
    if code == "stale":
        raise Refused(message, hint="Look at the session: it has a newer attempt.", code=code)
    raise QuarterdeckError(message, hint="The host's log in the runtime folder says more.", code=code)


async def ask(ref: AttemptRef, message: Message) -> None:
    """Have the runner of an attempt do something; Refused when it does not, or is not there."""
    try:
        async with await Link.open(socket_path(ref.run, ref.attempt)) as link:
            answer = await link.answer({**message, "attempt": ref.attempt}, ANSWER_S)
    except NOBODY as error:
        raise Refused(
            "The attempt is not running.", hint="`quarterdeck sessions show` tells how it ended.", code="ended"
        ) from error
    if not answer["ok"]:
        raise Refused(answer["message"], code=answer["code"])


async def write(ref: AttemptRef, data: bytes, *, close: bool) -> None:
    """Write to the child's stdin; with ``close`` end it."""
    await ask(ref, {"op": "write", "data": base64.b64encode(data).decode(), "close": close})


async def send_signal(ref: AttemptRef, number: int) -> None:
    """Send a signal to the child alone."""
    await ask(ref, {"op": "signal", "number": signal.Signals(number).value})


async def stop(ref: AttemptRef, *, grace_s: float) -> None:
    """End the tree; one that has ended already is no error."""
    try:
        await ask(ref, {"op": "stop", "grace_s": grace_s})
    except Refused as refused:
        if refused.specific_code != "ended":
            raise


def read_exit(ref: AttemptRef) -> ExitRecord | None:
    """Return the attempt's own exit record from the disk. Blocks."""
    try:
        found = exit_record(json.loads((ref.folder / f"exit-{ref.number}.json").read_bytes()))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return found if (found.attempt, found.token) == (ref.attempt, ref.token) else None


def read_started(ref: AttemptRef) -> Message | None:
    """Return what the runner noted when it took the attempt; {} before it wrote, None without. Blocks."""
    try:
        text = (ref.run / f"{ref.attempt}.started").read_bytes()
    except FileNotFoundError:
        return None
    with suppress(ValueError):
        noted: Message = json.loads(text)
        return noted
    return {}


def remove_leftovers(ref: AttemptRef) -> None:
    """Remove what an ended attempt left in the runtime folder; what still runs keeps it. Blocks."""
    started = read_started(ref)
    if started and identity.is_running(started.get("runner_pid", 0), started.get("runner_started_at", 0)):
        raise Refused("The attempt is still running.", hint="Stop it first.")
    for ending in ("sock", "launch", "started"):
        (ref.run / f"{ref.attempt}.{ending}").unlink(missing_ok=True)


async def state(ref: AttemptRef) -> Message | None:
    """Return how the attempt's runner says that things stand, None when there is no runner."""
    try:
        async with await Link.open(socket_path(ref.run, ref.attempt)) as link:
            await link.request({"op": "watch", "attempt": ref.attempt})
            lines = await link.receive()
    except NOBODY:
        return None
    told: Message | None = json.loads(lines[0]) if lines else None
    return told


async def find(ref: AttemptRef) -> Found:
    """Say what became of an attempt that a runner was to start.

    A runner that is there but does not answer (it starts just now, or is stopped) is waited for, then
    taken for alive. What a killed runner left running is ended before the answer is ``gone``.
    """
    deadline = asyncio.get_running_loop().time() + ANSWER_S
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                told = await state(ref)
                if told:
                    return Found("alive", started=Started(told["pid"], told["pid_started_at"]))
        # Only now: a runner that went between the two looks has written it before it went.
        found = await asyncio.to_thread(_on_disk, ref)
        if found.state != "alive" or asyncio.get_running_loop().time() > deadline:
            return found
        await asyncio.sleep(LOOK_AGAIN_S)


def _on_disk(ref: AttemptRef) -> Found:
    """Say what files and processes tell; alive without ``started`` while nothing was spawned."""
    started = read_started(ref)
    record = read_exit(ref)
    if record:
        return Found("ended", exit=record)
    if ref.boot_id != identity.boot_id():
        return Found("gone", detail="The machine was started anew since.")
    if started is None:
        return Found("not_started")
    if not started or identity.is_running(started["runner_pid"], started["runner_started_at"]):
        child = started and started.get("pid")
        known = Started(child, started["pid_started_at"]) if started and child else None
        return Found("alive", started=known, detail="Its runner does not answer.")
    cgroup = started.get("cgroup") or ""
    own_cgroup = cgroup if cgroup.endswith(f"/quarterdeck/{ref.attempt}") else None
    ended = tree.end_leftovers(started.get("pid", 0), started.get("pid_started_at", 0), own_cgroup)
    left = f" {ended} processes that it left were ended." if ended else ""
    return Found("gone", detail=f"Its runner was killed.{left}")


async def watch(ref: AttemptRef) -> AsyncIterator[Signal]:
    """Yield an attempt's news until ``exited`` or ``gone``; the first is ``grew``: read what is there."""
    while True:
        with suppress(*NOBODY):
            async with await Link.open(socket_path(ref.run, ref.attempt)) as link:
                await link.request({"op": "watch", "attempt": ref.attempt})
                yield Signal("grew", at=now_ms())
                while lines := await link.receive():
                    for told in _news(lines):
                        yield told
                        if told.kind == "exited":
                            return
        found = await find(ref)
        if found.state == "ended":
            yield Signal("exited", found.exit, now_ms())
            return
        if found.state != "alive":
            yield Signal("gone", at=now_ms())
            return
        await asyncio.sleep(LOOK_AGAIN_S)


def _news(lines: list[bytes]) -> list[Signal]:
    """Return what some lines mean, any number of ``grew`` as one."""
    at = now_ms()
    news: list[Signal] = []
    grew = False
    for line in lines:
        if line.startswith(GREW):
            grew = True
            continue
        told = json.loads(line)
        match told["ev"]:
            case "state" if told["stopped"]:
                news.append(Signal("stopped", at=at))
            case "beat" | "stopped" | "continued" as kind:
                news.append(Signal(kind, at=at))
            case "exited":
                news.append(Signal("exited", exit_record(told["record"]), at))
    return [Signal("grew", at=at), *news] if grew else news
