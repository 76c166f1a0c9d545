"""What a tool that is checked finds in the place of a supervisor: it asks nobody, and answers by itself."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from types import TracebackType
from typing import Any, Final, Self

from config.paths import HOME_VARIABLE, Paths
from executors.agents.protocol_events import Emitted, Malformed, read
from supervisor.engine.reach import with_command
from supervisor.model.protocol import ApprovalNeeded
from supervisor.model.times import now_ms

BODY_LIMIT: Final = 1024 * 1024
POLL_S: Final = 0.05
TOKEN: Final = "check"  # noqa: S105 - it opens nothing: whoever it is given to is answered by the check

Answer = tuple[int, dict[str, Any]]


class StandIn:
    """Listens where the programs of a session look for its supervisor; ``environment`` leads a tool there.

    Whoever waits in `ask` is answered at once: the first question of a run with what `expect` was told, later ones
    with their default; all are rejected when it was told None.
    """

    def __init__(self) -> None:
        self._answer: str | None = None
        self._asked: list[ApprovalNeeded | Malformed] = []

    def __enter__(self) -> Self:
        self._home = Path(tempfile.mkdtemp(prefix="qd-check-"))
        self._paths = Paths.below(self._home)
        self._paths.create()
        self._paths.token_file.write_text(TOKEN)
        self._server = _Server(str(self._paths.socket), _Handler)
        self._server.stand_in = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_S,), name="stand-in")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for folder in (self._paths.run, self._home):
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def environment(self) -> dict[str, str]:
        """What a session's programs find in their environment; it names this and no supervisor."""
        path = with_command(os.environ.get("PATH"), self._home)
        return {
            **({} if path is None else {"PATH": path}),
            HOME_VARIABLE: str(self._home),
            "QUARTERDECK_SOCKET": str(self._paths.socket),
            "QUARTERDECK_TOKEN": TOKEN,
            "QUARTERDECK_SESSION": "ses_check",
        }

    def expect(self, answer: str | None) -> None:
        """Begin a run: forget what was asked, and answer like this."""
        self._answer, self._asked = answer, []

    def asked(self) -> list[ApprovalNeeded | Malformed]:
        """Return what was asked in this run, in order."""
        return list(self._asked)

    def respond(self, path: str, body: bytes) -> Answer:
        """Return status and document of the answer to a request."""
        if path == "/emit":
            return 200, {}
        if path != "/questions":
            return _error(409, 4, "refused", "This is `quarterdeck tool check`: there is no supervisor.")
        asked = _question(body)
        self._asked.append(asked)
        if isinstance(asked, Malformed):
            return _error(422, 2, "invalid_input", f"This cannot be asked. {asked.reason}")
        answer = self._answer
        if answer is not None and len(self._asked) > 1:
            answer = asked.default or asked.values[0]
        given = answer if answer in asked.values else None
        status, reason = ("rejected", "Rejected by the check.") if given is None else ("consumed", "It was used.")
        return 200, {"approval": {"id": "app_check", "status": status, "decision": given, "reason": reason}}


def _question(body: bytes) -> ApprovalNeeded | Malformed:
    """Read the body of a request like the line of an `approval_needed`: the same limits hold."""
    try:
        given = json.loads(body)
        preview = given.get("preview") or {}
        fields = {name: given.get(name) for name in ("question", "options", "default", "expires_s", "risk")}
        document = {"type": "approval_needed", **fields, "preview": preview.get("details")}
    except (ValueError, AttributeError):
        return Malformed(body.decode(errors="replace"), "The request is not what `ask` sends.")
    found = read(json.dumps(document, ensure_ascii=False).encode(errors="replace"), now_ms())
    if isinstance(found, Emitted) and found.asks:
        return found.asks
    return found if isinstance(found, Malformed) else Malformed(str(document), "It is no question.")


def _error(status: int, exit_code: int, code: str, message: str) -> Answer:
    return status, {"error": {"code": code, "message": message, "hint": "", "exit_code": exit_code}}


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
    stand_in: StandIn

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: who asked was ended meanwhile."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._send(self.server.stand_in.respond(self.path, b""))

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        self._send(self.server.stand_in.respond(self.path, self.rfile.read(min(size, BODY_LIMIT))))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Print nothing: the report says what was asked."""

    def _send(self, answer: Answer) -> None:
        status, document = answer
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
