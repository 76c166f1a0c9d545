"""Reports to the supervisor over its socket, and asks it: for agents' hooks and for tools.

One file that imports next to nothing, run by its path with ``python -I -S``, because an agent waits
for it at every tool call::

    hookclient.py hook AGENT          the JSON on stdin    -> POST /hooks/AGENT
    hookclient.py permission AGENT    the JSON on stdin    -> POST /permissions/AGENT, until it is decided
    hookclient.py emit TYPE [JSON]    an event             -> POST /emit
    hookclient.py emit --test-alert SEVERITY               -> POST /emit
    hookclient.py beat                a heartbeat          -> POST /emit

``QUARTERDECK_SOCKET`` is the socket's path, ``QUARTERDECK_TOKEN`` the session's token and
``QUARTERDECK_SESSION`` its id.

A hook prints nothing and exits 0 whatever happens: anything else could change what the agent does.
Its failures are lines in ``hooks.log`` beside the socket. ``permission`` prints the supervisor's answer and
exits 0; while there is none it waits, also for a supervisor to come back, as long as the agent does. It never
allows anything by itself: refused or left, it prints nothing and exits 1, and the agent's own dialog decides.
The other two say on stderr what is wrong and exit 1 (it failed), 2 (wrong usage) or 5 (no supervisor answers).
"""

import os
import socket
import sys
import time

TIMEOUT_S = 2.0
LOG_LIMIT = 1024 * 1024
ALERTS = ("low", "medium", "high")
USAGE = "Usage: hookclient.py hook AGENT | permission AGENT | emit TYPE [JSON] | emit --test-alert SEVERITY | beat"


class ReportError(Exception):
    """Nothing was reported; ``exit_code`` as documented above."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def main(arguments: list[str]) -> int:
    """Report or ask what the arguments say; returns the exit code."""
    if arguments[:1] == ["permission"]:
        # A module of its own, whose compiled form is kept: the other ways pay nothing for it.
        if __name__ == "__main__":  # isolated: nothing but the standard library is found otherwise
            sys.path.append(__file__.rpartition("/executors/")[0])
        from executors import permissionclient

        return permissionclient.main(arguments[1:])
    is_hook = arguments[:1] == ["hook"]
    try:
        post(*request(arguments))
    except ReportError as failure:
        if not is_hook:
            os.write(2, f"{failure}\n".encode(errors="replace"))
            return failure.exit_code
        log(f"{' '.join(arguments)}: {failure}")
    return 0


def request(arguments: list[str]) -> tuple[str, bytes]:
    """Return the path and body of the request that the arguments mean."""
    match arguments:
        case ["hook", agent] if is_name(agent):
            return f"/hooks/{agent}", sys.stdin.buffer.read()
        case ["beat"]:
            return "/emit", b'{"type":"heartbeat","payload":{}}'
        case ["emit", "--test-alert", severity] if severity in ALERTS:
            return "/emit", b'{"type":"test_alert","payload":{"severity":"%s"}}' % severity.encode()
        case ["emit", option] if option.startswith("--test-alert="):
            return request(["emit", *option.split("=", 1)])
        case ["emit", kind] if is_name(kind):
            return "/emit", b'{"type":"%s","payload":{}}' % kind.encode()
        case ["emit", kind, payload] if is_name(kind):
            # The supervisor reads the JSON and refuses what is none.
            return "/emit", b'{"type":"%s","payload":%s}' % (kind.encode(), os.fsencode(payload))
    raise ReportError(USAGE, 2)


def is_name(text: str) -> bool:
    """Return whether a text needs no escaping in a path or in JSON."""
    return (
        text.isascii()
        and not text.startswith("-")
        and text.replace("_", "").replace("-", "").replace(".", "").isalnum()
    )


def post(path: str, body: bytes) -> None:
    """POST JSON; raises ReportError unless the answer is 2xx."""
    address = os.environ.get("QUARTERDECK_SOCKET")
    try:
        with sent(path, body) as connection:
            answer = status_line(connection)
    except OSError as error:
        raise ReportError(f"No supervisor answers on {address} ({error}).", 5) from None
    status = answer.split(" ")[1:2]
    if not status or not status[0].startswith("2"):
        raise ReportError(f"The supervisor refused it: {answer or 'it closed the connection'}.", 1)


def sent(path: str, body: bytes) -> socket.socket:
    """Return a connection on which JSON was posted; raises OSError, or ReportError outside of a session."""
    address = os.environ.get("QUARTERDECK_SOCKET")
    if not address:
        raise ReportError("QUARTERDECK_SOCKET is not set: this runs inside a session of Quarterdeck.", 2)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Authorization: Bearer {os.environ.get('QUARTERDECK_TOKEN', '')}\r\n"
        f"X-Quarterdeck-Session: {os.environ.get('QUARTERDECK_SESSION', '')}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(TIMEOUT_S)
        connection.connect(address)
        connection.sendall(head.encode(errors="replace") + body)
    except BaseException:
        connection.close()
        raise
    return connection


def status_line(connection: socket.socket) -> str:
    """Return the first line of the answer."""
    received = b""
    while b"\r\n" not in received and len(received) < 4096:
        part = connection.recv(4096)
        if not part:
            break
        received += part
    return received.partition(b"\r\n")[0].decode("ascii", "replace")


def log(line: str) -> None:
    """Append a line to the hooks' log; one that cannot be written is lost."""
    folder, slash, _ = os.environ.get("QUARTERDECK_SOCKET", "").rpartition("/")
    if not slash:
        return
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    record = f"{stamp} {os.environ.get('QUARTERDECK_SESSION', '-')} {line}\n"
    try:
        target = os.open(f"{folder}/hooks.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(target).st_size < LOG_LIMIT:
                os.write(target, record.encode(errors="replace"))
        finally:
            os.close(target)
    except OSError:
        pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
