"""The program that a container's runner runs: it is the container's stdio and exit code.

``python -I -S attach.py ENGINE-SOCKET CONTAINER GRACE-FILE SPOOL OFFSET INODE``

It attaches before it starts the container, so that the first byte is there, passes stdin, stdout and stderr
on, and exits with exactly the container's code. For a container that was started before (its runner was
killed) it goes on where the spool ends, by the container's own log. SIGTERM stops the container, with the
seconds of grace that GRACE-FILE holds. It exits with 125 and a sentence on stderr when the engine went away
for good or the container was removed, and with what the engine says when it could not be started.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from typing import Any

if __name__ == "__main__":  # -I leaves sys.path without the folder that holds `executors`
    sys.path.insert(0, str(__file__).rsplit("/", 3)[0])

from executors.docker.position import Position, Spooled, read_spool
from executors.docker.wire import EngineGoneError, EngineRefusedError, Wire, frames

CANNOT = 125
# A daemon that is restarted is back within seconds; one that is not is not coming back by itself.
PATIENCE_S = 60.0
RETRY_S = 0.2
# Two files of 64 MB are kept of a container's log; below that nothing of it can have been dropped.
KEPT_LOG_BYTES = 64_000_000
ENDED = ("exited", "dead", "removing")


class Relay:
    """Follows one container to its end."""

    def __init__(self, wire: Wire, container: str, grace_file: str, spooled: Spooled) -> None:
        self._wire = wire
        self._target = f"/containers/{container}"
        self._grace_file = grace_file
        self._spooled = spooled
        self._positions = spooled.positions
        self._live = False
        self._stopping = False
        self._lost_at = ""

    def run(self) -> int:
        """Return the code to exit with."""
        deadline: float | None = None
        while True:
            try:
                code = self._advance()
                if code is not None:
                    return code
                deadline = None
            except EngineGoneError as error:
                now = time.monotonic()
                deadline = deadline or now + PATIENCE_S
                self._lost_at = self._lost_at or time.strftime("%H:%M:%SZ", time.gmtime())
                if now > deadline:
                    return say(f"Docker went away at {self._lost_at} and is not back ({error}).")
            except EngineRefusedError as error:
                if error.status != 404:
                    return say(f"Docker refused: {error}")
                return say("The container was removed; its exit code is not known.")
            time.sleep(RETRY_S)

    def stop(self, *_: object) -> None:
        """Handle SIGTERM."""
        self._stopping = True
        threading.Thread(target=self._ask_to_stop, daemon=True).start()

    def _ask_to_stop(self) -> None:
        try:
            with open(self._grace_file) as file:
                grace = float(file.read())
        except (OSError, ValueError):
            grace = 5.0
        # The engine counts whole seconds. Where it fails, the loop that waits for the end says so.
        with contextlib.suppress(EngineGoneError, EngineRefusedError):
            self._wire.call("POST", f"{self._target}/stop?t={-int(-grace // 1)}", timeout=None)

    def _advance(self) -> int | None:
        """Go on from the container's state; returns its exit code once it has ended."""
        about = self._wire.call("GET", f"{self._target}/json")
        state: dict[str, Any] = about["State"]
        if state["Status"] == "created":
            if self._stopping:
                return 128 + signal.SIGTERM
            return self._begin(stdin=bool(about["Config"]["OpenStdin"]))
        close_stdin()
        ended = state["Status"] in ENDED
        if self._stopping and not ended:
            self.stop()
        self._catch_up(follow=not ended)
        return self._code(state) if ended else None

    def _begin(self, *, stdin: bool) -> int:
        streams = "stdout=1&stderr=1" + ("&stdin=1" if stdin else "")
        connection, stream = self._wire.attach(f"{self._target}/attach?stream=1&{streams}")
        with connection, stream:
            try:
                self._wire.call("POST", f"{self._target}/start", timeout=PATIENCE_S)
            except EngineRefusedError as error:
                if error.status == 404:
                    raise
                code = self._wire.call("GET", f"{self._target}/json")["State"]["ExitCode"]
                return say(f"Docker could not start it: {error}", code or CANNOT)
            self._live = True
            if self._stopping:
                self.stop()
            if stdin:
                threading.Thread(target=pump, args=(connection,), daemon=True).start()
            for number, data in frames(stream):
                self._pass_on(number, data)
        code = self._wire.call("POST", f"{self._target}/wait")["StatusCode"]
        if code == 128 + signal.SIGKILL:
            return self._code(self._wire.call("GET", f"{self._target}/json")["State"])
        return int(code)

    def _catch_up(self, *, follow: bool) -> None:
        since = ""
        skips = {number: position.copy() for number, position in self._positions.items()}
        if not self._live and (not self._spooled.whole or self._spooled.log_size > KEPT_LOG_BYTES):
            # Its beginning may be gone on either side: by time, which may repeat or miss a few lines.
            skips = {number: Position() for number in skips}
            since = f"&since={self._spooled.last:.6f}" if self._spooled.last else ""
        target = f"{self._target}/logs?stdout=1&stderr=1&follow={int(follow)}{since}"
        self._live = True
        with self._wire.logs(target) as stream:
            for number, data in frames(stream):
                new = skips[number].skip(data)
                if new:
                    self._pass_on(number, new)

    def _pass_on(self, number: int, data: bytes) -> None:
        self._positions[number].advance(data)
        view = memoryview(data)
        while view:
            view = view[os.write(number, view) :]

    def _code(self, state: dict[str, Any]) -> int:
        code = int(state["ExitCode"])
        if state.get("OOMKilled"):
            return say("The container went out of memory and the kernel ended it.", code)
        if self._lost_at:
            return say(f"Docker went away at {self._lost_at}, while the container ran, and came back.", code)
        return code


def pump(connection: Any) -> None:
    """Pass stdin on, and its end."""
    with contextlib.suppress(OSError):
        while data := os.read(0, 65536):
            connection.sendall(data)
        connection.shutdown(1)


def close_stdin() -> None:
    """Take no input: a container's stdin ended with the relay that held it, and whoever writes shall know."""
    with contextlib.suppress(OSError):
        os.close(0)


def say(sentence: str, code: int = CANNOT) -> int:
    """Write a sentence to stderr; returns the code to exit with."""
    os.write(2, f"[quarterdeck: {sentence}]\n".encode())
    return code


def main(argv: list[str]) -> int:
    """Run the relay."""
    engine, container, grace_file, spool, offset, inode = argv
    relay = Relay(Wire(engine), container, grace_file, read_spool(spool, int(offset), int(inode)))
    signal.signal(signal.SIGTERM, relay.stop)
    return relay.run()


if __name__ == "__main__":
    # Threads may still wait for stdin or for the engine: there is nothing to wait for any more.
    os._exit(main(sys.argv[1:]))
