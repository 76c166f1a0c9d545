"""One persistent control-mode connection: tmux commands without a process for each.

Protocol: CONTROL MODE in tmux(1). Every command is answered by a block between ``%begin`` and
``%end`` or ``%error``, in the order of the commands; other lines that begin with ``%`` are news.
"""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress

LONGEST_LINE = 1 << 20
# tmux tells answers to this connection's own commands from others by this flag.
OWN = "1"


class TmuxError(Exception):
    """tmux refused a command, in its own words."""


class TmuxGoneError(Exception):
    """The server is not there any more, or never was."""


class Parser:
    """Finds the answers in the lines of a control-mode connection.

    The first is the answer to the command that the client was started with.
    """

    def __init__(self) -> None:
        self._attached = False
        self._guard: list[str] | None = None
        self._lines: list[str] = []

    def feed(self, line: str) -> tuple[bool, list[str]] | None:
        """Take a line; returns (whether it went well, the lines) when it ends an answer to a command."""
        word, *guard = line.split(" ")
        if self._guard is None:
            if word == "%begin" and len(guard) == 3:
                self._guard = guard
                self._lines = []
            return None
        # What a window shows may look like an end, too: only the same time and number count.
        if word in ("%end", "%error") and guard == self._guard:
            own = guard[2] == OWN or not self._attached
            self._attached = True
            self._guard = None
            return (word == "%end", self._lines) if own else None
        self._lines.append(line)
        return None


class Connection:
    """A running control-mode client. Make one with `connect`.

    ``attached`` is the answer to the command that it was started with.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self._waiting: deque[asyncio.Future[list[str]]] = deque()
        self._closed = False
        self.attached = self._expect()
        self._reader = asyncio.create_task(self._read(), name="tmux control connection")

    @property
    def closed(self) -> bool:
        """Whether the server hung up."""
        return self._closed

    async def command(self, *words: str) -> list[str]:
        """Run one tmux command; returns the lines of its answer. Raises TmuxError or TmuxGoneError."""
        stdin = self._process.stdin
        if self._closed or stdin is None:
            raise TmuxGoneError("the tmux server went away")
        answer = self._expect()
        stdin.write(" ".join(map(quote, words)).encode() + b"\n")
        return await answer

    async def close(self) -> None:
        """Hang up; the server and its windows stay."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        # Shielded: also who is told to hurry leaves no process behind.
        await asyncio.shield(self._reader)

    def _expect(self) -> asyncio.Future[list[str]]:
        answer: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        return answer

    async def _read(self) -> None:
        parser = Parser()
        stdout = self._process.stdout
        try:
            while stdout is not None and (line := await stdout.readline()):
                answer = parser.feed(line.decode(errors="replace").rstrip("\n"))
                if answer is not None:
                    self._resolve(*answer)
        finally:
            self._closed = True
            for future in self._waiting:
                if not future.done():
                    future.set_exception(TmuxGoneError("the tmux server went away"))
            if self._process.stdin is not None:
                self._process.stdin.close()
            await self._process.wait()

    def _resolve(self, well: bool, lines: list[str]) -> None:
        if not self._waiting:
            return
        future = self._waiting.popleft()
        if future.done():
            return
        if well:
            future.set_result(lines)
        else:
            future.set_exception(TmuxError(" ".join(lines) or "tmux gives no reason"))


async def connect(argv: Sequence[str], env: Mapping[str, str]) -> Connection:
    """Start a control-mode client; returns when it is attached: it takes no command before.

    Raises TmuxError or TmuxGoneError when it could not be attached.
    """
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=env, limit=LONGEST_LINE, start_new_session=True
    )
    connection = Connection(process)
    try:
        await connection.attached
    except BaseException:
        # A client that is not attached yet may not read that it should go.
        with suppress(ProcessLookupError):
            process.kill()
        await connection.close()
        raise
    return connection


def quote(word: str) -> str:
    """Quote a word for tmux's command parser; a line break, which would end the command, becomes a space."""
    flat = " ".join(word.splitlines()) if "\n" in word or "\r" in word else word
    return "'" + flat.replace("'", "'\\''") + "'"
