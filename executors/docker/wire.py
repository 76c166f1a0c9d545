"""The Docker Engine's HTTP over its unix socket, as little of it as a relay needs.

Standard library only, and without `http.client`: it is imported once for every container that starts.
Protocol: https://docs.docker.com/engine/api/ (ContainerAttach describes the hijacked, multiplexed stream).
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, BinaryIO

ANSWER_TIMEOUT_S = 30.0


class EngineGoneError(Exception):
    """The engine cannot be reached, stopped answering, or hung up in the middle of an answer."""


class EngineRefusedError(Exception):
    """The engine answered, with an error. ``status`` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Wire:
    """Requests to one engine; each has a connection of its own."""

    def __init__(self, path: str) -> None:
        self.path = path

    def call(self, method: str, target: str, *, timeout: float | None = ANSWER_TIMEOUT_S) -> Any:
        """Return the answer's JSON, or None when it has no body. ``timeout`` is in seconds."""
        try:
            with self._connect(timeout) as connection, connection.makefile("rb") as answer:
                # With HTTP/1.0 the engine never sends chunks: a body ends where the connection does.
                connection.sendall(f"{method} {target} HTTP/1.0\r\nContent-Length: 0\r\n\r\n".encode())
                self._expect(answer, 200, 201, 204, 304)
                body = answer.read()
        except OSError as error:
            raise EngineGoneError(str(error)) from error
        try:
            return json.loads(body) if body.strip() else None
        except ValueError:
            raise EngineGoneError("the answer was cut off") from None

    def attach(self, target: str) -> tuple[socket.socket, BinaryIO]:
        """Attach to a container: the socket to write stdin to, and the file to read frames from."""
        head = f"POST {target} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
        return self._stream(head + "Content-Length: 0\r\n\r\n", 101, 200)

    def logs(self, target: str) -> BinaryIO:
        """Open a container's log as a file of frames."""
        connection, answer = self._stream(f"GET {target} HTTP/1.0\r\n\r\n", 200)
        connection.close()  # the file holds it open
        return answer

    def _stream(self, head: str, *expected: int) -> tuple[socket.socket, BinaryIO]:
        with ExitStack() as opened:
            try:
                connection = opened.enter_context(self._connect(ANSWER_TIMEOUT_S))
                answer = opened.enter_context(connection.makefile("rb"))
                connection.sendall(head.encode())
                self._expect(answer, *expected)
                connection.settimeout(None)
            except OSError as error:
                raise EngineGoneError(str(error)) from error
            opened.pop_all()
            return connection, answer

    def _connect(self, timeout: float | None) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout)
        try:
            connection.connect(self.path)
        except OSError:
            connection.close()
            raise
        return connection

    @staticmethod
    def _expect(answer: BinaryIO, *expected: int) -> None:
        head = answer.readline(1024).split(None, 2)
        if len(head) < 2 or not head[1].isdigit():
            raise EngineGoneError("it hung up")
        while answer.readline(65536).strip():
            pass
        status = int(head[1])
        if status in expected:
            return
        body = answer.read(65536)
        try:
            message = str(json.loads(body)["message"])
        except (ValueError, KeyError, TypeError):
            message = body.decode(errors="replace").strip()
        raise EngineRefusedError(status, message)


def frames(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield (1 for stdout or 2 for stderr, data) until the stream ends; a torn frame ends it too.

    A frame is a header of eight bytes (stream, three zeros, length in big endian) and its data.
    """
    while len(header := _read(stream, 8)) == 8:
        size = int.from_bytes(header[4:], "big")
        data = _read(stream, size)
        if data:
            yield (2 if header[0] == 2 else 1), data
        if len(data) < size:
            return


def _read(stream: BinaryIO, size: int) -> bytes:
    try:
        return stream.read(size)
    except OSError:
        return b""
