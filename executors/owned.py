"""Short commands without a session: many at once under one parent, their exits in a journal."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

import msgspec

from executors import link
from executors.local import LocalExecutor
from executors.runner import identity, tree
from supervisor.engine.ports.processes import ExitRecord, Launch, Started
from supervisor.model.errors import QuarterdeckError, Refused

GONE = "The runner's host went away."


class OwnedRuns(asyncio.Protocol):
    """Commands whose parent is the host of a runtime folder.

    Cheaper than sessions: nothing is written for one that puts nothing out, and an end is told as soon as it is in
    ``<folder>/exits.jsonl``, which is synced for all ends of a moment together: whoever is told keeps it durably.
    The price: when the host is killed, its commands end with it for the caller (``gone``), so they are to be
    idempotent or guarded. Output goes to ``<folder>/<attempt>.log``. Requests are pipelined on one connection.
    ``identity`` names the host, by pid and start.
    """

    def __init__(self, run: Path, executor: LocalExecutor) -> None:
        self._run = run
        self._executor = executor
        self._answers: deque[asyncio.Future[link.Message]] = deque()
        self._transport: asyncio.Transport | None = None
        self._closed = asyncio.Event()
        self._begun = b""
        self._early: list[ExitRecord] = []
        self._ended: Callable[[ExitRecord], None] = self._early.append
        self._gone: Callable[[], None] = _nobody
        self.identity = ""

    async def __aenter__(self) -> Self:
        """Connect to the host, which is started when there is none."""
        async with await self._executor.host(self._run):
            pass
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_unix_connection(lambda: self, str(self._run / "host.sock"))
        await self._ask({"op": "watch", "attempt": "*"})
        self.identity = (await self._ask({"op": "list"})).get("host", "")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect; the commands go on."""
        self._gone = _nobody
        if self._transport is not None:
            self._transport.abort()
            await self._closed.wait()

    async def start(self, launch: Launch) -> Started:
        """Start a command; a second call for the same attempt starts nothing.

        Raises Unavailable where there is no such program, which is recorded as an exit too.
        """
        (started,) = await self.start_all([launch])
        if isinstance(started, QuarterdeckError):
            raise started
        return started

    async def start_all(self, launches: Sequence[Launch]) -> list[Started | QuarterdeckError]:
        """Start commands, with one request for all; returns what each was answered, or why it was not started."""
        told = await self._ask_all([{"op": "start", "own": True, **link.launch_fields(each)} for each in launches])
        return [_started(answer) for answer in told]

    async def stop(self, attempt: str, *, grace_s: float) -> None:
        """End a command's tree; one that has ended already is no error."""
        await self._have({"op": "stop", "attempt": attempt, "grace_s": grace_s})

    async def hold(self, attempt: str, *, held: bool) -> None:
        """Stop the clocks of a command's timeouts, or let them run on; one that has ended already is no error."""
        await self._have({"op": "hold", "attempt": attempt, "held": held})

    async def running(self) -> set[str]:
        """Return the attempts that have not ended, whoever started them."""
        return set((await self._ask({"op": "list"}))["own"])

    async def alive(self) -> set[str]:
        """Return the attempts that have not ended and whose processes are not stopped (SIGSTOP)."""
        answer = await self._ask({"op": "list"})
        # A host that was started by an older version does not say which are stopped.
        return set(answer["own"]) - set(answer.get("stopped", ()))

    def listen(self, ended: Callable[[ExitRecord], None], gone: Callable[[], None]) -> None:
        """Call ``ended`` for each end of a command as it comes, in the journal by then, ``gone`` when the host goes
        away before it is left."""
        self._ended, self._gone = ended, gone
        for record in self._early:
            ended(record)
        self._early.clear()
        if self._closed.is_set():
            gone()

    async def _have(self, message: link.Message) -> None:
        """Have something done to a command, if it has not ended."""
        answer = await self._ask(message)
        if not answer["ok"] and answer["code"] != "not_found":
            raise Refused(answer["message"], code=answer["code"])

    async def _ask(self, message: link.Message) -> link.Message:
        (answer,) = await self._ask_all([message])
        if isinstance(answer, QuarterdeckError):
            raise answer
        return answer

    async def _ask_all(self, messages: Sequence[link.Message]) -> list[link.Message | QuarterdeckError]:
        """Send requests in one piece; returns their answers, or that the host went away before it gave them."""
        if self._transport is None or self._transport.is_closing():
            return [_gone() for _ in messages]
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[link.Message]] = [loop.create_future() for _ in messages]
        self._answers.extend(futures)
        self._transport.write(b"".join(map(link.encode, messages)))
        # Each is waited for in turn, not gathered: they come in this order, and mostly together.
        return [await _answer_or_error(future) for future in futures]

    def data_received(self, data: bytes) -> None:
        """Take what the host says: an end goes to who waits for it without a detour."""
        *lines, self._begun = (self._begun + data).split(b"\n")
        for line in lines:
            told = msgspec.json.decode(line)
            if "ok" in told:
                self._answer(told)
            elif told["ev"] == "exited":
                self._ended(link.exit_record(told["record"]))

    def connection_lost(self, _: Exception | None) -> None:
        """Tell everybody who waits that the host is gone."""
        for future in self._answers:
            if not future.done():
                future.set_exception(_gone())
        self._closed.set()
        self._gone()

    def _answer(self, told: link.Message) -> None:
        future = self._answers.popleft()
        if not future.done():  # whoever asked may have been cancelled
            future.set_result(told)


def _gone() -> QuarterdeckError:
    """Return what who waited for an answer is told: nobody knows whether it was done."""
    return QuarterdeckError(GONE, hint="Connect anew and compare the journal.", code="gone")


def _nobody() -> None:
    """Nobody is there who would want to know."""


async def _answer_or_error(future: asyncio.Future[link.Message]) -> link.Message | QuarterdeckError:
    try:
        return await future
    except QuarterdeckError as error:
        return error


def _started(answer: link.Message | QuarterdeckError) -> Started | QuarterdeckError:
    try:
        return answer if isinstance(answer, QuarterdeckError) else link.started_from(answer)
    except QuarterdeckError as error:
        return error


def end_left(folder: Path, attempts: Collection[str]) -> bool:
    """Kill what runs of these attempts though their host is dead, with all that it started; whether nothing is left.

    To be called again while something is: it hangs in the kernel, or belongs to another user. A process is known by
    its pid, start and boot from the journal, or by the mark that it inherited. Blocks.
    """
    noted = [each for each in _noted(folder) if each["attempt"] in attempts and each["boot_id"] == identity.boot_id()]

    def members() -> list[int]:
        found = {pid for pid in identity.running() if identity.marked(pid) in attempts}
        for each in noted:
            if identity.is_running(each["pid"], each["pid_started_at"]):
                found.update(tree.family(each["pid"]))
        return list(found | set(identity.below(found, identity.running())))

    left = tree.Tree(members)
    deadline = time.monotonic() + tree.FREEZE_WAIT_S
    while members():
        if time.monotonic() > deadline:
            return False
        left.kill()
    return True


def _noted(folder: Path) -> list[link.Message]:
    """Return which processes a folder's journal says its attempts are."""
    found: list[link.Message] = []
    with suppress(FileNotFoundError):
        for line in (folder / "exits.jsonl").read_bytes().splitlines():
            with suppress(ValueError):  # a line that a crash cut
                said = json.loads(line)
                if "boot_id" in said:
                    found.append(said)
    return found


def journal(folder: Path) -> dict[str, ExitRecord]:
    """Return the ends that a folder's journal holds, by attempt. Blocks."""
    found: dict[str, ExitRecord] = {}
    with suppress(FileNotFoundError):
        for line in (folder / "exits.jsonl").read_bytes().splitlines():
            with suppress(ValueError, KeyError):  # a line that a crash cut
                record = link.exit_record(json.loads(line))
                found[record.attempt] = record
    return found
