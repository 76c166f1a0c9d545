"""The relay's rare ways, against a scripted engine; the common ones are tested on a real one."""

from __future__ import annotations

import io
import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from executors.docker import attach
from executors.docker.attach import Relay, main
from executors.docker.position import Position, Spooled
from executors.docker.wire import EngineGoneError, EngineRefusedError, Wire, frames
from tests.wait import wait_until

Answer = bytes | Callable[[str], bytes]


def answer(body: Any = None, status: int = 200) -> bytes:
    return f"HTTP/1.0 {status} X\r\n\r\n".encode() + (b"" if body is None else json.dumps(body).encode())


def frame(number: int, data: bytes) -> bytes:
    return bytes([number, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


def state(status: str, code: int = 0, **more: Any) -> bytes:
    about = {"Status": status, "ExitCode": code, **more}
    return answer({"State": about, "Config": {"OpenStdin": False}})


def log(*pieces: bytes) -> bytes:
    return b"HTTP/1.0 200 X\r\n\r\n" + b"".join(pieces)


class Engine:
    """Answers each request with the next answer of a script; an empty one hangs up."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.script: list[Answer] = []
        self.requests: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as received:
                line = received.readline().decode().rsplit(" ", 1)[0]
                while received.readline().strip():
                    pass
                self.requests.append(line)
                next_one = self.script.pop(0) if self.script else b""
                connection.sendall(next_one if isinstance(next_one, bytes) else next_one(line))


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    monkeypatch.setattr(attach, "RETRY_S", 0.01)
    monkeypatch.setattr(attach, "close_stdin", lambda: None)  # it would be the tests' own
    engine = Engine(Path("d.sock"))
    yield engine
    engine.close()


def relay(engine: Engine, spooled: Spooled | None = None, grace: str = "grace") -> Relay:
    return Relay(Wire(str(engine.path)), "c1", grace, spooled or Spooled())


def test_a_container_that_has_ended_gives_its_log_and_code(engine: Engine, capfd: pytest.CaptureFixture[str]) -> None:
    engine.script = [state("exited", 7), log(frame(1, b"out\n"), frame(2, b"err\n"))]
    assert relay(engine).run() == 7
    assert capfd.readouterr() == ("out\n", "err\n")
    assert engine.requests[1].endswith("follow=0")


def test_what_was_spooled_is_not_said_again(engine: Engine, capfd: pytest.CaptureFixture[str]) -> None:
    spooled = Spooled()
    spooled.positions[1] = Position(lines=1, tail=2)
    engine.script = [state("exited"), log(frame(1, b"one\ntw"), frame(1, b"o\nthree\n"))]
    assert relay(engine, spooled).run() == 0
    assert capfd.readouterr().out == "o\nthree\n"


def test_a_spool_that_was_replaced_is_resumed_by_time(engine: Engine) -> None:
    spooled = Spooled()
    spooled.whole, spooled.last = False, 1234.5
    engine.script = [state("exited"), log()]
    assert relay(engine, spooled).run() == 0
    assert engine.requests[1].endswith("&since=1234.500000")


def test_a_log_that_may_have_been_rotated_is_resumed_by_time(engine: Engine) -> None:
    spooled = Spooled()
    spooled.size, spooled.last = attach.KEPT_LOG_BYTES, 5.0
    engine.script = [state("exited"), log()]
    relay(engine, spooled).run()
    assert "since=5.0" in engine.requests[1]


def test_a_live_stream_that_breaks_is_resumed_by_count(engine: Engine, capfd: pytest.CaptureFixture[str]) -> None:
    engine.script = [
        state("created"),
        b"HTTP/1.1 101 UPGRADED\r\n\r\n" + frame(1, b"one\n") + frame(1, b"two\n")[:-2],
        answer(status=204),
        b"",  # the engine hangs up when it is asked for the exit code
        state("running"),
        log(frame(1, b"one\ntwo\n"), frame(1, b"three\n")),
        state("exited", 3),
        log(frame(1, b"one\ntwo\nthree\n")),
    ]
    assert relay(engine).run() == 3
    out, err = capfd.readouterr()
    assert out == "one\ntwo\nthree\n"
    assert "Docker went away" in err


def test_an_engine_that_does_not_come_back_is_given_up(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(attach, "PATIENCE_S", 0.05)
    assert relay(engine).run() == 125
    assert "not back" in capfd.readouterr().err


def test_a_removed_container_is_said(engine: Engine, capfd: pytest.CaptureFixture[str]) -> None:
    engine.script = [answer({"message": "No such container"}, 404)]
    assert relay(engine).run() == 125
    assert "was removed" in capfd.readouterr().err


def test_a_refusal_is_said_in_the_engines_words(engine: Engine, capfd: pytest.CaptureFixture[str]) -> None:
    engine.script = [b"HTTP/1.0 500 X\r\n\r\nout of luck"]
    assert relay(engine).run() == 125
    assert "out of luck" in capfd.readouterr().err


@pytest.mark.parametrize(("code", "told"), [(127, 127), (0, 125)])
def test_a_container_that_cannot_start_says_why(
    engine: Engine, capfd: pytest.CaptureFixture[str], code: int, told: int
) -> None:
    engine.script = [
        state("created"),
        b"HTTP/1.1 101 UPGRADED\r\n\r\n",
        answer({"message": "no such file"}, 400),
        state("created", code),
    ]
    assert relay(engine).run() == told
    assert "no such file" in capfd.readouterr().err


def test_out_of_memory_is_told_from_a_kill(engine: Engine, capfd: pytest.CaptureFixture[str]) -> None:
    engine.script = [
        state("created"),
        b"HTTP/1.1 101 UPGRADED\r\n\r\n",
        answer(status=204),
        answer({"StatusCode": 137}),
        state("exited", 137, OOMKilled=True),
    ]
    assert relay(engine).run() == 137
    assert "out of memory" in capfd.readouterr().err


def test_one_that_is_stopped_before_it_was_started_never_starts(engine: Engine, tmp_path: Path) -> None:
    engine.script = [answer(status=304), state("created")]
    early = relay(engine)
    early.stop()
    wait_until(lambda: engine.requests)
    assert early.run() == 128 + signal.SIGTERM
    assert not any("start" in request for request in engine.requests)


@pytest.mark.parametrize(("grace", "seconds"), [("2.1", 3), ("0", 0), ("nonsense", 5), (None, 5)])
def test_the_grace_is_whole_seconds(engine: Engine, tmp_path: Path, grace: str | None, seconds: int) -> None:
    if grace is not None:
        (tmp_path / "grace").write_text(grace)
    relay(engine).stop()
    wait_until(lambda: engine.requests)
    assert engine.requests == [f"POST /containers/c1/stop?t={seconds}"]


def test_a_stop_is_repeated_once_the_engine_is_back(engine: Engine) -> None:
    engine.script = [b"", state("running"), lambda _: log(), lambda _: log(), state("exited", 143), log()]
    late = relay(engine)
    late.stop()
    wait_until(lambda: engine.requests)
    assert late.run() == 143
    assert sum("stop?t=" in request for request in engine.requests) == 2


def test_the_command_line_names_everything(
    engine: Engine, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    engine.script = [state("exited", 9), log(frame(1, b"all\n"))]
    assert main([str(engine.path), "c1", "grace", "spool", "0", "0"]) == 9
    assert capfd.readouterr().out == "all\n"


# --- the wire ----------------------------------------------------------------------------------


def test_frames_are_taken_apart_whatever_their_order() -> None:
    stream = io.BytesIO(frame(1, b"a") + frame(2, b"b") + frame(1, b"") + frame(1, b"c" * 100_000))
    assert list(frames(stream)) == [(1, b"a"), (2, b"b"), (1, b"c" * 100_000)]


@pytest.mark.parametrize("cut", [1, 7, 8, 9, 12])
def test_a_torn_frame_ends_the_stream_with_what_came(cut: int) -> None:
    whole = b"".join(data for _, data in frames(io.BytesIO(frame(1, b"data!")[:cut])))
    assert whole == b"data!"[: max(0, cut - 8)]


def test_nobody_there_is_gone(tmp_path: Path) -> None:
    wire = Wire(str(tmp_path / "none"))
    for ask in (lambda: wire.call("GET", "/x"), lambda: wire.attach("/x"), lambda: wire.logs("/x")):
        with pytest.raises(EngineGoneError):
            ask()


@pytest.mark.parametrize("told", [b"", b"nonsense\r\n\r\n", b'HTTP/1.0 200 OK\r\n\r\n{"cut'])
def test_half_an_answer_is_gone(engine: Engine, told: bytes) -> None:
    engine.script = [told]
    with pytest.raises(EngineGoneError):
        Wire(str(engine.path)).call("GET", "/x")


def test_a_refusal_carries_its_status(engine: Engine) -> None:
    engine.script = [answer({"message": "busy"}, 409)]
    with pytest.raises(EngineRefusedError, match="busy") as refused:
        Wire(str(engine.path)).attach("/x")
    assert refused.value.status == 409
