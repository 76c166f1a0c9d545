"""How commands reach the supervisor: they start one in the background when none runs."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from config.paths import Paths
from supervisor.api.client import Client
from supervisor.model.errors import SupervisorUnreachable

P = ParamSpec("P")
T = TypeVar("T")

START_TIMEOUT_S = 20.0


def with_client(
    function: Callable[Concatenate[Client, P], Coroutine[Any, Any, T]],
) -> Callable[P, T]:
    """Give a command a connected client; adds ``--no-start``."""

    @click.option("--no-start", is_flag=True, help="Fail instead of starting a supervisor.")
    @wraps(function)
    def command(*args: P.args, **kwargs: P.kwargs) -> T:
        no_start = bool(kwargs.pop("no_start", False))
        return asyncio.run(_connected(Paths.find(), no_start, lambda client: function(client, *args, **kwargs)))

    return command


async def _connected(paths: Paths, no_start: bool, use: Callable[[Client], Awaitable[T]]) -> T:
    if not is_running(paths):
        if no_start:
            raise SupervisorUnreachable("No supervisor runs.", hint="Leave --no-start out, or run `quarterdeck serve`.")
        start_in_background(paths)
    async with Client(paths.socket, paths.token_file) as client:
        return await use(client)


def is_running(paths: Paths) -> bool:
    """Whether a supervisor accepts connections."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(paths.socket))
        except OSError:
            return False
        return True


def start_in_background(paths: Paths) -> None:
    """Start a supervisor and wait until it answers. When two commands do so at once, one supervisor remains."""
    paths.create()
    descriptor = os.open(paths.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with open(descriptor, "ab") as log:
        began = log.tell()
        # -P: the folder that the caller stands in is not searched for modules.
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "supervisor.cli.main", "serve"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=paths.state,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if is_running(paths):
            # The supervisor goes on without us: nobody is to warn that we did not wait for it.
            child.returncode = child.returncode if child.returncode is not None else 0
            return
        if child.poll() not in (None, 4):
            break
        time.sleep(0.01)
    with paths.log.open(errors="replace") as log_text:
        log_text.seek(began)
        lines = log_text.read().strip().splitlines()
    said = lines[-1] if lines else "it said nothing"
    raise SupervisorUnreachable(f"The supervisor did not start: {said}", hint=f"Its log is {paths.log}.")
