"""The HTTP protocol on the unix socket: connections of other users are closed before a byte is read."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from pathlib import Path

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_CREDENTIALS = struct.Struct("3i")


def peer_uid(connection: socket.socket) -> int | None:
    """Return the uid of the process at the other end, or None where the platform cannot tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _pid, uid, _gid = _CREDENTIALS.unpack(raw)
    return int(uid)


class PeerCheckedProtocol(HttpToolsProtocol):
    """Serves this user only."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Close the connection of another user; the socket's mode should have kept them out already."""
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        uid = peer_uid(connection) if connection is not None else None
        if uid is not None and uid != os.geteuid():
            transport.abort()


def bind(path: Path) -> socket.socket:
    """Return a listening socket at ``path`` that only this user can open.

    It is bound under a temporary name and renamed, so that nobody ever sees it with a wider mode or
    before it listens; the socket of a supervisor that died is replaced.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    previous = os.umask(0o177)
    try:
        listener.bind(str(temporary))
    finally:
        os.umask(previous)
    listener.listen(512)
    listener.setblocking(False)
    temporary.rename(path)
    return listener
