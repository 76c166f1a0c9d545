"""The loop, the control connection and the journal, each alone."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from executors.runner.control import LONGEST_REQUEST, Connection, Server
from executors.runner.exits import Journal
from executors.runner.launch import Launch, Message
from executors.runner.loop import READ, Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


class Desk:
    """A server that keeps what it was asked, in a loop that a test turns by hand."""

    def __init__(self, loop: Loop, path: Path) -> None:
        self.loop = loop
        self.path = path
        self.asked: list[object] = []
        self.held: list[Connection] = []
        self.server = Server(loop, self.perform)
        self.server.listen(str(path))

    def perform(self, connection: Connection, request: Message) -> Message | None:
        self.asked.append(request)
        if request["op"] == "watch":
            self.server.watch(connection, "att_a")
        if request["op"] == "slow":
            connection.hold()
            self.held.append(connection)
            return None
        if request["op"] == "fail":
            raise PermissionError(1, "Operation not permitted")
        return {"ok": True, "op": request["op"]}

    def turn(self, seconds: float = 0.02) -> None:
        self.loop._running = True
        self.loop.call_later(seconds, self.loop.stop)
        self.loop.run()

    def client(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(str(self.path))
        except OSError:
            client.close()
            raise
        client.setblocking(False)
        return client


@pytest.fixture
def desk(loop: Loop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.chdir(tmp_path)  # a path in the test's own folder may be too long for a socket
    desk = Desk(loop, Path("./d.sock"))
    yield desk
    desk.server.close()
    desk.server.withdraw()


def lines(client: socket.socket) -> list[Message]:
    return [json.loads(line) for line in client.recv(1 << 20).splitlines()]


def test_requests_in_pieces_and_many_at_once(desk: Desk) -> None:
    with desk.client() as client:
        client.send(b'{"op":"a"}\n{"op":"b"}\n{"o')
        desk.turn()
        client.send(b'p":"c"}\n')
        desk.turn()
        assert [line["op"] for line in lines(client)] == ["a", "b", "c"]


def test_of_many_requests_each_has_a_round_of_its_own(desk: Desk, loop: Loop) -> None:
    rounds: list[int] = []
    asked = desk.perform

    def perform(connection: Connection, request: Message) -> Message | None:
        loop.call_soon(lambda: rounds.append(len(desk.asked)))
        return asked(connection, request)

    desk.server._perform = perform
    with desk.client() as client:
        desk.turn()
        client.sendall(b"".join(b'{"op": "%d"}\n' % number for number in range(5)))
        desk.turn()
        assert [line["op"] for line in lines(client)] == ["0", "1", "2", "3", "4"]
    assert rounds == [1, 2, 3, 4, 5], "what is ready is looked at between any two"


def test_what_was_asked_is_done_also_when_nobody_waits_for_the_answers(desk: Desk) -> None:
    with desk.client() as client:
        desk.turn()
        client.sendall(b"".join(b'{"op": "%d"}\n' % number for number in range(5)))
    desk.turn()
    assert [request["op"] for request in desk.asked] == ["0", "1", "2", "3", "4"]  # type: ignore[index]
    assert not desk.server.has_clients


def test_much_that_is_asked_at_once_is_not_taken_for_an_endless_request(desk: Desk) -> None:
    padded = b'{"op": "list", "more": "%s"}\n' % (b"x" * 100_000)
    count = LONGEST_REQUEST // len(padded) + 10
    with desk.client() as client:
        left = memoryview(padded * count)
        answered = b""
        while answered.count(b"\n") < count:
            with suppress(BlockingIOError):
                left = left[client.send(left) :] if left else left
            desk.turn(0.001)
            with suppress(BlockingIOError):
                received = client.recv(1 << 20)
                assert received, "the connection was closed"
                answered += received
    assert len(desk.asked) == count


def test_an_answer_that_takes_its_time_keeps_the_order(desk: Desk) -> None:
    with desk.client() as client:
        client.send(b'{"op":"slow"}\n{"op":"next"}\n')
        desk.turn()
        assert [asked["op"] for asked in desk.asked] == ["slow"]  # type: ignore[index]
        desk.held[0].send({"ok": True, "op": "slow"})
        desk.held[0].release()
        desk.turn()
        assert [line["op"] for line in lines(client)] == ["slow", "next"]


def test_nonsense_and_refusals_of_the_system_are_answered(desk: Desk) -> None:
    with desk.client() as client:
        client.send(b'nonsense\n{"op":"fail"}\n' + b"[" * 100_000 + b"\n\xff\n{}\n")
        desk.turn(0.1)
        assert [line["code"] for line in lines(client)] == ["bad_request", "failed", *["bad_request"] * 3]


def test_an_endless_request_is_cut_off(desk: Desk) -> None:
    with desk.client() as client:
        sent = 0
        while sent <= LONGEST_REQUEST * 2:
            try:
                sent += client.send(b"x" * (1 << 20))
            except BlockingIOError:
                desk.turn(0.005)
            except OSError:
                break
        assert LONGEST_REQUEST < sent < LONGEST_REQUEST * 2


def test_a_ring_is_heard_once_until_it_was_read(desk: Desk) -> None:
    with desk.client() as client:
        client.send(b'{"op":"watch"}\n')
        desk.turn()
        client.recv(1000)
        for _ in range(3):
            for _ in range(5):
                desk.server.ring("att_a", "grew")
            desk.turn()
        assert [line["ev"] for line in lines(client)] == ["grew"]
        desk.server.ring("att_a", "grew")
        desk.server.tell("att_a", "stopped")
        desk.server.ring("att_a", "grew")
        desk.server.ring("att_other", "grew")
        desk.turn()
        assert [line["ev"] for line in lines(client)] == ["grew", "stopped", "grew"]


def test_a_client_that_does_not_read_gets_everything_later(desk: Desk) -> None:
    with desk.client() as client:
        client.send(b'{"op":"watch"}\n')
        desk.turn()
        for number in range(3000):
            desk.server.tell("att_a", "news", number=number, padding="x" * 300)
        desk.turn()
        desk.server.ring("att_a", "grew")
        received = b""
        while b"grew" not in received:
            desk.turn(0.005)
            received += client.recv(1 << 16)
        told = [json.loads(line) for line in received.splitlines()]
        assert [line["number"] for line in told[1:-1]] == list(range(3000))
        client.send(b'{"op":"after"}\n')
        desk.turn()
        assert lines(client) == [{"ok": True, "op": "after"}]


def test_a_client_that_is_gone_is_forgotten(desk: Desk) -> None:
    client = desk.client()
    client.send(b'{"op":"watch"}\n')
    desk.turn()
    client.close()
    desk.server.tell("att_a", "news")
    desk.turn()
    desk.server.tell("att_a", "news")
    assert desk.server._connections == set()


def test_the_socket_is_private_and_replaces_a_dead_one(desk: Desk, loop: Loop) -> None:
    assert desk.path.stat().st_mode & 0o777 == 0o600
    other = Desk(loop, desk.path)
    with desk.client() as client:
        client.send(b'{"op":"x"}\n')
        desk.turn()
        assert (len(desk.asked), len(other.asked)) == (0, 1)
    other.server.close()
    with pytest.raises(ConnectionRefusedError):
        desk.client()


def test_timers_come_in_order_and_can_be_cancelled(loop: Loop) -> None:
    called: list[int] = []
    loop.call_later(0.02, loop.stop)
    loop.call_later(0.01, lambda: called.append(2))
    loop.call_later(0.0, lambda: called.append(1))
    loop.call_later(0.005, lambda: called.append(3)).cancel()
    loop.run()
    assert called == [1, 2]


def test_signals_are_handled_in_the_loop(loop: Loop) -> None:
    loop.on_signal(signal.SIGUSR2, loop.stop)
    os.kill(os.getpid(), signal.SIGUSR2)
    began = time.monotonic()
    loop.call_later(10, loop.stop)
    loop.run()
    assert time.monotonic() - began < 5


def test_what_was_unwatched_in_the_same_round_is_not_called(loop: Loop) -> None:
    called: list[int] = []
    ends = [os.pipe() for _ in range(2)]

    def first(number: int) -> None:
        called.append(number)
        for reading, _ in ends:
            loop.unwatch(reading)
        loop.stop()

    for number, (reading, writing) in enumerate(ends):
        os.write(writing, b"x")
        loop.watch(reading, READ, lambda number=number: first(number))  # type: ignore[misc]
    loop.run()
    assert len(called) == 1
    for end in ends:
        os.close(end[0])
        os.close(end[1])


def test_a_journal_keeps_what_it_could_not_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(str(tmp_path / "plan"))
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:5]))
    journal.waiting.append({"attempt": "att_a"})
    with pytest.raises(OSError, match="full"):
        journal.write()
    monkeypatch.undo()
    assert journal.write() == [{"attempt": "att_a"}]
    assert journal.waiting == []
    torn, whole = (tmp_path / "plan" / "exits.jsonl").read_text().splitlines()
    assert (torn, json.loads(whole)) == ('{"att', {"attempt": "att_a"})
    journal.close()


def test_a_journal_is_synced_once_for_all_that_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, synced = Journal(str(tmp_path / "plan")), list[int]()
    monkeypatch.setattr(os, "fdatasync", synced.append)
    for attempt in ("att_a", "att_b"):
        journal.waiting.append({"attempt": attempt})
        journal.write()
    assert not synced
    journal.sync()
    journal.sync()
    assert len(synced) == 1

    def fails(fd: int) -> None:
        raise OSError("no")

    journal.waiting.append({"attempt": "att_c"})
    journal.write()
    monkeypatch.setattr(os, "fdatasync", fails)
    with pytest.raises(OSError, match="no"):
        journal.sync()
    monkeypatch.setattr(os, "fdatasync", synced.append)
    journal.sync()
    assert len(synced) == 2, "what could not be synced is synced later"
    journal.close()


FIELDS: Message = {"attempt": "att_a", "token": 1, "folder": "/f", "argv": ["x"], "env": {}, "cwd": "/"}


@pytest.mark.parametrize("attempt", ["", ".", "a/b", "../x", "a b", "a\n", None, 5])
def test_a_name_that_could_be_a_path_is_refused(attempt: object) -> None:
    with pytest.raises((ValueError, AttributeError)):
        Launch({**FIELDS, "attempt": attempt})


def test_what_a_launch_need_not_say() -> None:
    launch = Launch(FIELDS)
    assert (launch.has_stdin, launch.first_input, launch.no_output_s) == (False, b"", None)
    with pytest.raises(KeyError):
        Launch({"attempt": "att_a"})
