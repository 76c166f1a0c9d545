"""A small web server, and requests made by the program that tasks of plans use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from supervisor.engine.plans.requests import PROGRAM


@dataclass
class Answer:
    """What is answered to a path."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Seen:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Site:
    """A web server with its answers, and what it was asked."""

    port: int
    answers: dict[str, Answer] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    silent: threading.Event = field(default_factory=threading.Event)
    """Set when a request for /silent may be answered."""

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def site(**answers: Answer) -> Iterator[Site]:
    """A web server on a free port; each answer is at the path of its name."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found.seen.append(Seen(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            if self.path == "/silent":
                found.silent.wait(30)
            answer = found.answers.get(self.path.partition("?")[0].removeprefix("/"), Answer(404, b"nothing here"))
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    for method in ("GET", "HEAD", "POST"):
        setattr(Handler, f"do_{method}", Handler.answer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Site(server.server_port, dict(answers))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield found
    finally:
        found.silent.set()
        server.shutdown()
        thread.join()
        server.server_close()


def request(
    role: str, folder: Path, environment: dict[str, str] | None = None, isolated: bool = True, **fields: Any
) -> subprocess.CompletedProcess[str]:
    """Make a request in a folder, as a task of a plan does."""
    flags = ["-I", "-S"] if isolated else ["-I"]
    # Not at home in a coverage run: the environment is only what a test gives.
    return subprocess.run(
        [sys.executable, *flags, PROGRAM, role, "summary"],
        input=json.dumps(fields) + "\n", text=True, capture_output=True, cwd=folder, check=False, timeout=60,
        env={"PATH": os.environ["PATH"], **(environment or {})},
    )  # fmt: skip
