"""A tiny HTTP server on a unix socket, where hooks and tools report in tests."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from typing import Any

PENDING = {"status": "pending", "approval": "app_1"}


def reply(document: object, status: str = "200 OK") -> bytes:
    """Return a whole answer with a JSON document, or with bytes as they are."""
    body = document if isinstance(document, bytes) else json.dumps(document, separators=(",", ":")).encode()
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


class HookServer:
    """Keeps the requests (first line, headers, body) and gives the answer that is set.

    ``permission``, when it is set, answers the hooks that ask in place of ``answer``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answer = b"HTTP/1.1 204 No Content\r\n\r\n"
        self.permission: bytes | None = None
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def hooks(self) -> list[dict[str, Any]]:
        """The inputs of the hooks that reported."""
        return [json.loads(body) for first, _, body in self.requests if "/hooks/" in first]

    @property
    def asked(self) -> list[dict[str, Any]]:
        """What the hooks that ask have sent, each time anew."""
        return [json.loads(body) for first, _, body in self.requests if "/permissions/" in first]

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as stream:
                first = stream.readline().decode().strip()
                headers = {}
                while line := stream.readline().decode().strip():
                    name, _, value = line.partition(": ")
                    headers[name.lower()] = value
                self.requests.append((first, headers, stream.read(int(headers["content-length"]))))
                is_question = self.permission is not None and "/permissions/" in first
                connection.sendall(self.permission if is_question and self.permission else self.answer)
