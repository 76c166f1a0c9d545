"""Control: JSON lines over a unix socket that only its owner may use."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import termios
from collections.abc import Callable

from executors.runner.launch import Message
from executors.runner.loop import READ, WRITE, Loop

LONGEST_REQUEST = 32 << 20
RECEIVE = 1 << 18
EVERY = "*"


class Connection:
    """One client. Requests are answered in their order."""

    def __init__(self, loop: Loop, sock: socket.socket, server: Server) -> None:
        self._loop = loop
        self._socket = sock
        self._server = server
        self._received = bytearray()
        self._unsent = bytearray()
        self._flush_due = False
        self._held = False
        self._last_ring = ""
        self._due = False
        loop.watch(sock.fileno(), READ, self._receive)

    def send(self, message: Message) -> None:
        """Send one line at the end of this round."""
        self._unsent += json.dumps(message, separators=(",", ":")).encode() + b"\n"
        self._last_ring = ""
        if not self._flush_due:
            self._flush_due = True
            self._loop.defer(self._flush)

    def ring(self, message: Message) -> None:
        """Send news that says nothing when the client has not read the same news yet."""
        if self._last_ring == message["ev"] and (self._unsent or self._has_unread()):
            return
        self.send(message)
        self._last_ring = message["ev"]

    def hold(self) -> None:
        """Handle no further request until ``release``: an answer takes its time."""
        self._held = True

    def release(self) -> None:
        """Go on with the requests."""
        self._held = False
        self._handle_soon()

    def close(self) -> None:
        """Close it; what was not sent is lost."""
        if self._socket.fileno() >= 0:
            self._loop.unwatch(self._socket.fileno())
            self._socket.close()
            self._server.closed(self)

    def _has_unread(self) -> bool:
        """Whether the client has not read everything that was sent (unix(7), SIOCOUTQ)."""
        queued = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
        return any(queued)

    def _receive(self) -> None:
        if self._due:  # What is here comes first: a client that asks for much does not fill the memory.
            return
        try:
            data = self._socket.recv(RECEIVE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._received += data
        if not data or len(self._received) > LONGEST_REQUEST:
            self.close()
        else:
            self._handle_next()

    def _handle_next(self) -> None:
        """Handle a request. What follows it is handled in the next round: a client that asks for much at once hears the
        first answers, and of the first ends, while the rest is done."""
        self._due = False
        if self._held or self._socket.fileno() < 0:
            return
        end = self._received.find(b"\n")
        if end >= 0:
            line = bytes(self._received[:end])
            del self._received[: end + 1]
            self._server.handle(self, line)
            self._handle_soon()

    def _handle_soon(self) -> None:
        if not self._due and b"\n" in self._received:
            self._due = True
            self._loop.call_soon(self._handle_next)

    def _flush(self) -> None:
        self._flush_due = False
        if self._socket.fileno() < 0:
            return
        try:
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            self._loop.watch(self._socket.fileno(), READ | WRITE, self._ready)
            return
        except OSError:
            # Nobody reads any more. What was asked before is done all the same; then reading comes to the end.
            self._unsent.clear()

    def _ready(self) -> None:
        self._flush()
        if self._socket.fileno() >= 0:
            if not self._unsent:
                self._loop.watch(self._socket.fileno(), READ, self._receive)
            self._receive()


class Server:
    """Answers clients. ``perform`` answers a request, or returns None to answer later."""

    def __init__(self, loop: Loop, perform: Callable[[Connection, Message], Message | None]) -> None:
        self._loop = loop
        self._perform = perform
        self._path = ""
        self._connections: set[Connection] = set()
        self._watchers: dict[str, set[Connection]] = {}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)

    def listen(self, path: str) -> None:
        """Listen at ``path``, which takes the place of what was there. Raises OSError."""
        # Bound under another name first: whoever finds the socket finds somebody who listens.
        hidden = f"{os.path.dirname(path)}/.{os.getpid()}"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(hidden)
        umask = os.umask(0o177)
        try:
            self._socket.bind(hidden)
        finally:
            os.umask(umask)
        self._socket.listen(1024)
        os.rename(hidden, path)
        self._path = path
        self._loop.watch(self._socket.fileno(), READ, self._accept)

    def watch(self, connection: Connection, attempt: str) -> None:
        """Give a client the news of an attempt, or of every one."""
        self._watchers.setdefault(attempt, set()).add(connection)

    def tell(self, attempt: str, event: str, **more: object) -> None:
        """Send news to whoever watches an attempt."""
        message = {"ev": event, "attempt": attempt, **more}
        for connection in self._watching(attempt):
            connection.send(message)

    def ring(self, attempt: str, event: str) -> None:
        """Send news that need not be heard twice."""
        message = {"ev": event, "attempt": attempt}
        for connection in self._watching(attempt):
            connection.ring(message)

    def forget(self, attempt: str) -> None:
        """There is no more news of an attempt."""
        self._watchers.pop(attempt, None)

    def handle(self, connection: Connection, line: bytes) -> None:
        """Answer one request."""
        try:
            answer = self._perform(connection, json.loads(line))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            answer = refusal("bad_request", f"The request makes no sense: {error!r}.")
        except OSError as error:
            answer = refusal("failed", f"The system refused it: {error.strerror}.")
        if answer is not None:
            connection.send(answer)

    def closed(self, connection: Connection) -> None:
        """Forget a client."""
        self._connections.discard(connection)
        for watching in self._watchers.values():
            watching.discard(connection)

    @property
    def has_clients(self) -> bool:
        """Whether anybody is connected."""
        return bool(self._connections)

    def withdraw(self) -> None:
        """Remove the socket's name: nobody new is to come."""
        if self._path:
            with contextlib.suppress(OSError):
                os.unlink(self._path)

    def close(self) -> None:
        """Stop listening and close every connection; the name stays."""
        self._loop.unwatch(self._socket.fileno())
        self._socket.close()
        for connection in list(self._connections):
            connection.close()

    def _watching(self, attempt: str) -> list[Connection]:
        return [*self._watchers.get(attempt, ()), *self._watchers.get(EVERY, ())]

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            peer = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            if int.from_bytes(peer[4:8], "little") not in (os.getuid(), 0):
                sock.close()
                continue
            sock.setblocking(False)
            self._connections.add(Connection(self._loop, sock, self))


def refusal(code: str, message: str) -> Message:
    """Return the answer that says no."""
    return {"ok": False, "code": code, "message": message}
