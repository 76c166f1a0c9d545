"""Asks the supervisor whether an agent's tool may run, for as long as the agent waits (``hookclient.py permission``).

Imports next to nothing, because the agent waits. It never allows anything by itself: what it prints is what
the supervisor decided. Each request carries the whole question, to which the decision is bound::

    POST /permissions/AGENT {"wait_s": 25, "key": KEY, "request": what the hook was given}
    200 {"status": "pending", ...}                  it is asked again
    200 {"status": "decided", "answer": {...}}      the answer is printed
    4xx                                             nothing is printed: the agent's own dialog decides

An answer that is none (no supervisor, 5xx, cut off) is asked for again after a pause. When the question needs
no answer any more, because the dialog was answered or the agent ended, ``"withdrawn": true`` says so once.
"""

import os
import select
import socket
import sys
import time

from executors.hookclient import USAGE, ReportError, is_name, log, post, sent

WAIT_S = 25
"""How long the supervisor may keep a question before it says that it is still open."""
GRACE_S = 10.0
FIRST_TICK_S = 0.05
TICK_S = 1.0
PAUSES_S = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0)
ANSWER_LIMIT = 4 * 1024 * 1024


class Left(Exception):
    """Whoever asked is gone, or has its answer from elsewhere."""


def main(arguments: list[str]) -> int:
    """Ask until there is an answer; returns the exit code."""
    if len(arguments) != 1 or not is_name(arguments[0]):
        os.write(2, f"{USAGE}\n".encode())
        return 1
    path = f"/permissions/{arguments[0]}"
    # One key for as long as this process asks: the supervisor finds the question again by it.
    question = b'"key":"%s","request":%s}' % (os.urandom(16).hex().encode(), sys.stdin.buffer.read())
    try:
        answer = ask(path, b'{"wait_s":%d,' % WAIT_S + question, os.getppid())
    except ReportError as failure:
        log(f"permission: {failure}")
        return 1
    except Left as left:
        log(f"permission: {left}")
        try:
            post(path, b'{"wait_s":0,"withdrawn":true,' + question)
        except ReportError as failure:
            log(f"permission: {failure}")
        return 1
    while answer:
        answer = answer[os.write(1, answer) :]
    return 0


def ask(path: str, body: bytes, parent: int) -> bytes:
    """Return the JSON to print; raises ReportError when the supervisor refuses, Left when nobody waits any more."""
    failures = 0
    while True:
        began = time.monotonic()
        try:
            with sent(path, body) as connection:
                status, document = received(connection, parent)
            if status == 200:
                if failures:
                    log("permission: a supervisor answers again.")
                failures = 0
                decided = answer_in(document)
                if decided is not None:
                    return decided
            elif 400 <= status < 500:
                raise ReportError(f"The supervisor refused it: {status} {document[:500].decode(errors='replace')}", 1)
            else:
                raise OSError(f"status {status}")
        except OSError as error:
            if not failures:
                log(f"permission: No supervisor answers ({error}); it is asked again until one does.")
            failures += 1
        if failures or time.monotonic() - began < TICK_S:
            readable(None, PAUSES_S[min(failures, len(PAUSES_S)) - 1] if failures else TICK_S, parent)


def answer_in(document: bytes) -> bytes | None:
    """Return the JSON to print out of a decided answer; None while it is pending."""
    begin, end = b'{"status":"decided","answer":{', b"}}"
    if document.startswith(begin) and document.endswith(end):  # as the supervisor writes it: nothing to import
        return document[len(begin) - 1 : -1]
    import json

    try:
        known = json.loads(document)
        if known["status"] == "pending":
            return None
        if known["status"] == "decided" and isinstance(known["answer"], dict):
            return json.dumps(known["answer"]).encode()
    except (ValueError, LookupError, TypeError, RecursionError):
        pass
    raise ReportError("The supervisor's answer cannot be read.", 1)


def received(connection: socket.socket, parent: int) -> tuple[int, bytes]:
    """Return status and body of the answer; raises OSError when it does not come whole."""
    data = b""
    while len(data) < ANSWER_LIMIT:
        if not readable(connection, WAIT_S + GRACE_S, parent):
            raise OSError("it does not answer in time")
        part = connection.recv(65536)
        if not part:
            break
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    first, *headers = head.split(b"\r\n")
    status = first.split(b" ")[1:2]
    length = [value for name, _, value in (header.partition(b":") for header in headers)
              if name.lower() == b"content-length"]  # fmt: skip
    if not status or not status[0].isdigit() or not length or int(length[0]) != len(body):
        raise OSError("its answer is cut off")
    return int(status[0]), body


def readable(connection: socket.socket | None, seconds: float, parent: int) -> bool:
    """Wait until a connection can be read; raises Left as soon as nobody reads what would be printed."""
    waiting = select.poll()
    waiting.register(1, 0)
    if connection is not None:
        waiting.register(connection, select.POLLIN)
    end = time.monotonic() + seconds
    tick = FIRST_TICK_S
    while (left := end - time.monotonic()) > 0:
        for descriptor, _ in waiting.poll(min(left, tick) * 1000):
            if descriptor == 1:
                raise Left("nobody waits for the answer any more.")
            return True
        leave_on_signals()
        tick = TICK_S
        if os.getppid() != parent:
            raise Left("nobody waits for the answer any more.")
    return False


def leave_on_signals() -> None:
    """From now on a signal that ends this withdraws the question; done late: what is answered at once needs none."""
    import signal

    def leave(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise Left("it is not asked any more: the dialog was answered or left.")

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL or signal.getsignal(number) is signal.default_int_handler:
            signal.signal(number, leave)
