"""How commands reach the supervisor: they start one in the background when none runs."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from config.paths import HOME_VARIABLE, Paths
from supervisor.api.client import Client
from supervisor.model.errors import Refused, SupervisorUnreachable

P = ParamSpec("P")
T = TypeVar("T")

START_TIMEOUT_S = 20.0
POLL_S = 0.01
CONNECT_TIMEOUT_S = 1.0

SESSION_VARIABLES = frozenset({"QUARTERDECK_SESSION", "QUARTERDECK_ATTEMPT", "QUARTERDECK_TOKEN", "QUARTERDECK_SOCKET"})
"""What belongs to the session that a command was typed in, and must not reach another one."""

SUPERVISOR_AWAY = "quarterdeck: the supervisor does not answer; waiting for it."

no_start_option = click.option("--no-start", is_flag=True, help="Fail instead of starting a supervisor.")


def with_client(
    function: Callable[Concatenate[Client, P], Coroutine[Any, Any, T]],
) -> Callable[P, T]:
    """Give a command a connected client; adds ``--no-start``."""

    @no_start_option
    @wraps(function)
    def command(*args: P.args, **kwargs: P.kwargs) -> T:
        no_start = bool(kwargs.pop("no_start"))
        return connected(lambda client: function(client, *args, **kwargs), no_start=no_start)

    return command


def connected(use: Callable[[Client], Awaitable[T]], *, no_start: bool = False) -> T:
    """Return what ``use`` makes of a connected client; a supervisor is started when none runs."""
    paths = Paths.find()
    if not is_running(paths):
        if no_start:
            raise SupervisorUnreachable("No supervisor runs.", hint="Leave --no-start out, or run `quarterdeck serve`.")
        start_in_background(paths)

    async def session() -> T:
        async def revive() -> None:
            if not no_start and crashed(paths):
                await asyncio.to_thread(start_in_background, paths)

        async with Client(paths.socket, paths.token_file, revive=revive) as client:
            return await use(client)

    return asyncio.run(session())


def own_session() -> Client | None:
    """Return a client that speaks for the session in whose environment this runs; None outside of one."""
    address, token = os.environ.get("QUARTERDECK_SOCKET"), os.environ.get("QUARTERDECK_TOKEN")
    return Client(Path(address), token=token) if address and token else None


def refuse_in_session(what: str) -> None:
    """Refuse what only a person does, in a session's own environment."""
    if os.environ.get("QUARTERDECK_TOKEN"):
        raise Refused(f"A session cannot {what}.", hint="A person does that, in a terminal of their own.")


def is_running(paths: Paths) -> bool:
    """Whether a supervisor accepts connections."""
    return listens(paths.socket)


def listens(address: Path) -> bool:
    """Whether somebody accepts connections on a socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(CONNECT_TIMEOUT_S)
        try:
            probe.connect(str(address))
        except TimeoutError:
            return True  # It listens, but its queue is full: it hangs.
        except OSError:
            return False
        return True


def is_alive(paths: Paths) -> bool:
    """Whether a supervisor process exists, also one that does not listen yet or any more."""
    try:
        with paths.lock.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def crashed(paths: Paths) -> bool:
    """Whether the last supervisor was killed: one that is stopped removes its socket before it ends."""
    return paths.socket.exists() and not is_alive(paths)


def start_in_background(paths: Paths) -> None:
    """Start a supervisor and wait until it answers. When two commands do so at once, one supervisor remains."""
    if os.environ.get("QUARTERDECK_SOCKET") == str(paths.socket):
        # It would be a part of the session's process tree, and end with it.
        raise SupervisorUnreachable(
            "No supervisor runs, and a session does not start its own.", hint="Start one outside of the session."
        )
    paths.create()
    began = paths.log.stat().st_size if paths.log.exists() else 0
    child: subprocess.Popen[bytes] | None = None
    deadline = time.monotonic() + START_TIMEOUT_S
    try:
        while time.monotonic() < deadline:
            if is_running(paths):
                _give_way(paths, child)
                return
            # Another one may be starting, or still be stopping: it is waited for.
            if (child is None or child.poll() == Refused.exit_code) and not is_alive(paths):
                child = _spawn(paths)
            elif child is not None and child.poll() not in (None, Refused.exit_code):
                break
            time.sleep(POLL_S)
    finally:
        if child is not None and child.returncode is None:
            # It goes on without us: nobody is to warn that we did not wait for it.
            child.returncode = 0
    raise SupervisorUnreachable(f"The supervisor did not start: {_said(paths, began)}", hint=f"Its log is {paths.log}.")


def _give_way(paths: Paths, child: subprocess.Popen[bytes] | None) -> None:
    """End a supervisor of ours that is not up yet, when another one was faster: it would outlive that one's stop."""
    with contextlib.suppress(OSError, ValueError):
        if child is not None and child.poll() is None and int(paths.lock.read_text()) != child.pid:
            child.terminate()


def _spawn(paths: Paths) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if name not in SESSION_VARIABLES}
    if paths.home is not None:
        environment[HOME_VARIABLE] = str(paths.home)  # absolute: the supervisor stands in another folder
    descriptor = os.open(paths.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with open(descriptor, "ab") as log:
        # -P: the folder that the caller stands in is not searched for modules.
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "supervisor.cli.main", "serve"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=paths.state,
            env=environment,
            start_new_session=True,
        )


def _said(paths: Paths, began: int) -> str:
    """Return the last sentence that supervisors wrote to their log since it was ``began`` bytes long."""
    with contextlib.suppress(FileNotFoundError), paths.log.open("rb") as log:
        log.seek(began)
        lines = log.read().decode(errors="replace").strip().splitlines()
        if lines:
            return lines[-1].removeprefix("quarterdeck: ")
    return "it said nothing."
