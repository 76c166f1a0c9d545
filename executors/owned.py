"""Short commands without a session: many at once under one parent, their exits in a journal."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Self

from executors import link
from executors.local import LocalExecutor
from supervisor.engine.ports import ExitRecord, Launch, Started
from supervisor.model.errors import QuarterdeckError, Refused


class OwnedRuns:
    """Commands whose parent is the host of a runtime folder.

    Cheaper than sessions: nothing is written for one that puts nothing out, and the exits of a moment
    share one sync of ``<folder>/exits.jsonl``. The price: when the host is killed, its commands end
    with it for the caller (``gone``), so they are to be idempotent or guarded. Output goes to
    ``<folder>/<attempt>.log``. Requests are pipelined on one connection. ``identity`` names the host, by pid and start.
    """

    def __init__(self, run: Path, executor: LocalExecutor) -> None:
        self._run = run
        self._executor = executor
        self._answers: deque[asyncio.Future[link.Message]] = deque()
        self._exits: asyncio.Queue[ExitRecord | None] = asyncio.Queue()
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self.identity = ""

    async def __aenter__(self) -> Self:
        """Connect to the host, which is started when there is none."""
        async with await self._executor.host(self._run):
            pass
        reader, self._writer = await asyncio.open_unix_connection(str(self._run / "host.sock"), limit=link.LONGEST_LINE)
        self._reading = asyncio.create_task(self._read(reader), name="owned runs")
        await self._ask({"op": "watch", "attempt": "*"})
        self.identity = (await self._ask({"op": "list"})).get("host", "")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect; the commands go on."""
        if self._writer and self._reading:
            self._writer.close()
            self._reading.cancel()
            with suppress(asyncio.CancelledError):
                await self._reading

    async def start(self, launch: Launch) -> Started:
        """Start a command; a second call for the same attempt starts nothing.

        Raises Unavailable where there is no such program, which is recorded as an exit too.
        """
        return link.started_from(await self._ask({"op": "start", "own": True, **link.launch_fields(launch)}))

    async def stop(self, attempt: str, *, grace_s: float) -> None:
        """End a command's tree; one that has ended already is no error."""
        answer = await self._ask({"op": "stop", "attempt": attempt, "grace_s": grace_s})
        if not answer["ok"] and answer["code"] != "not_found":
            raise Refused(answer["message"], code=answer["code"])

    async def running(self) -> set[str]:
        """Return the attempts that have not ended, whoever started them."""
        return set((await self._ask({"op": "list"}))["own"])

    async def alive(self) -> set[str]:
        """Return the attempts that have not ended and whose processes are not stopped (SIGSTOP)."""
        answer = await self._ask({"op": "list"})
        # A host that was started by an older version does not say which are stopped.
        return set(answer["own"]) - set(answer.get("stopped", ()))

    async def exits(self) -> AsyncIterator[ExitRecord]:
        """Yield the ends of commands as they come, each of them durable; stops when the host goes away."""
        while (record := await self._exits.get()) is not None:
            yield record

    async def _ask(self, message: link.Message) -> link.Message:
        if self._writer is None or self._reading is None or self._reading.done():
            raise QuarterdeckError("The runner's host went away.", hint="Connect anew and compare the journal.")
        future: asyncio.Future[link.Message] = asyncio.get_running_loop().create_future()
        self._answers.append(future)
        self._writer.write(link.encode(message))
        return await future

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                told = json.loads(line)
                if "ok" in told:
                    self._answer(told)
                elif told["ev"] == "exited":
                    self._exits.put_nowait(link.exit_record(told["record"]))
        except (ConnectionResetError, BrokenPipeError):
            pass
        finally:
            self._exits.put_nowait(None)
            for future in self._answers:
                if not future.done():
                    future.set_exception(QuarterdeckError("The runner's host went away."))

    def _answer(self, told: link.Message) -> None:
        future = self._answers.popleft()
        if not future.done():  # whoever asked may have been cancelled
            future.set_result(told)


def journal(folder: Path) -> dict[str, ExitRecord]:
    """Return the ends that a folder's journal holds, by attempt. Blocks."""
    found: dict[str, ExitRecord] = {}
    with suppress(FileNotFoundError):
        for line in (folder / "exits.jsonl").read_bytes().splitlines():
            with suppress(ValueError, KeyError):  # a line that a crash cut
                record = link.exit_record(json.loads(line))
                found[record.attempt] = record
    return found
