"""How commands put and get what is in artifacts, across breaks of the connection and restarts of the supervisor."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from io import BufferedRandom, BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from supervisor.api.client import TIMEOUT_S, Client, at
from supervisor.cli.connection import connected, own_session
from supervisor.model.errors import InvalidInput, NotFound, QuarterdeckError, Refused, SupervisorUnreachable

T = TypeVar("T")

PIECE: Final = 2 * 1024 * 1024
"""Bytes that one request carries."""


def speaking(use: Callable[[Client], Awaitable[T]], *, no_start: bool) -> T:
    """Return what ``use`` makes of a client: within a session one that speaks for the session."""
    own = own_session()
    if own is None:
        return connected(use, no_start=no_start)

    async def within(client: Client) -> T:
        async with client:
            return await use(client)

    return asyncio.run(within(own))


async def put_file(client: Client, file: Path, body: dict[str, Any]) -> dict[str, Any]:
    """Keep a file; returns the artifact."""
    try:
        with file.open("rb") as reading:
            return await put(client, reading, body)
    except IsADirectoryError as error:
        raise InvalidInput(f"{file} is a folder.", hint="Pack it first, for example with `tar`.") from error
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {file}.", hint="Check its name.") from error
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}.", hint="Check its permissions.") from error


async def put_text(client: Client, text: str, body: dict[str, Any]) -> dict[str, Any]:
    """Keep a text; returns the artifact."""
    return await put(client, BytesIO(text.encode(errors="surrogateescape")), body)


async def put(client: Client, content: BinaryIO, body: dict[str, Any]) -> dict[str, Any]:
    """Keep what can be read; returns the artifact."""
    sha256, size = await asyncio.to_thread(_measure, content)
    # Asked again, it goes on with what is unfinished: an answer that was lost does no harm.
    made = await patiently(client, lambda: client.post("/artifacts", {**body, "sha256": sha256, "size": size}))
    while made["artifact"] is None:
        path, offset = f"/uploads/{made['upload']['id']}", made["upload"]["offset"]
        content.seek(offset)
        data = await asyncio.to_thread(content.read, PIECE)
        if not data and offset < size:
            raise InvalidInput("The file has become shorter while it was read.", hint="Put it again.")
        try:
            made = await client.put(path, data, offset=offset)
        except (SupervisorUnreachable, Refused) as error:
            if isinstance(error, Refused) and error.specific_code != "offset":
                raise
            made = await patiently(client, lambda path=path: client.get(path))  # type: ignore[misc]
    artifact: dict[str, Any] = made["artifact"]
    return artifact


async def patiently(client: Client, ask: Callable[[], Awaitable[T]]) -> T:
    """Return an answer, also of a supervisor that was restarted meanwhile."""
    deadline = asyncio.get_running_loop().time() + TIMEOUT_S
    while True:
        try:
            return await ask()
        except SupervisorUnreachable:
            if asyncio.get_running_loop().time() > deadline:
                raise
            await client.pause()


async def get_into(client: Client, artifact: dict[str, Any], target: Path) -> None:
    """Write what is in an artifact to a file, which appears whole; what a break left is gone on with."""
    part = target.with_name(f".{artifact['sha256'][:16]}.part")
    try:
        with _opened(part) as writing:
            await _receive(client, artifact, writing)
            writing.seek(0)
            found = hashlib.file_digest(writing, "sha256").hexdigest()
        if found != artifact["sha256"]:
            part.unlink()
            raise QuarterdeckError("What has arrived is not the artifact: its hash is another.", hint="Get it again.")
        part.replace(target)
    except OSError as error:
        raise QuarterdeckError(f"{target} cannot be written: {error.strerror}.", hint="Check its folder.") from error


async def get_out(client: Client, artifact: dict[str, Any], output: BinaryIO) -> None:
    """Write what is in an artifact to a stream."""
    await _receive(client, artifact, output)
    output.flush()


async def _receive(client: Client, artifact: dict[str, Any], output: BinaryIO) -> None:
    """Write what is still missing of an artifact: as many bytes as the output is from its end."""
    there = min(output.tell(), artifact["size"]) if output.seekable() else 0
    path = at("artifact", artifact["id"], "content")
    while there < artifact["size"]:
        try:
            async with aclosing(client.content(path, there)) as content:
                async for data in content:
                    output.write(data)
                    there += len(data)
        except SupervisorUnreachable:
            await patiently(client, lambda: client.get(at("artifact", artifact["id"])))


def _opened(part: Path) -> BufferedRandom:
    """Open a file that may hold the beginning, at its end."""
    file = open(os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644), "r+b")  # noqa: SIM115 - the caller closes it
    file.seek(0, os.SEEK_END)
    return file


def _measure(content: BinaryIO) -> tuple[str, int]:
    digest = hashlib.sha256()
    size = 0
    while data := content.read(PIECE):
        digest.update(data)
        size += len(data)
    return digest.hexdigest(), size
