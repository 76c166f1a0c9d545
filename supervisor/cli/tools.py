"""For tools and agents: beat, emit, hook, wrap. Inside a session the first three take the short cut in `entry`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal

import click

from executors import hookclient
from executors.runner.tree import Tree, become_subreaper, descendants
from supervisor.api.client import Client
from supervisor.cli.connection import with_client
from supervisor.cli.options import SECONDS
from supervisor.model.errors import InvalidInput, Unavailable

TIMEOUT_EXIT = 124
"""What timeout(1) exits with."""

GRACE_S = 5.0

_PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@click.command("beat")
@with_client
async def beat_command(client: Client) -> None:
    """Report a sign of life. Inside a session it is that session's.

    Example: quarterdeck beat
    """
    await client.post("/emit", {"type": "heartbeat", "payload": {}})


@click.command("emit")
@click.argument("kind", metavar="TYPE", required=False)
@click.argument("payload", metavar="[JSON]", default="{}")
@click.option("--test-alert", "test_alert", type=click.Choice(hookclient.ALERTS), help="Raise a test alert, instead.")
@with_client
async def emit_command(client: Client, kind: str | None, payload: str, test_alert: str | None) -> None:
    """Report an event. Inside a session it is that session's.

    Example: quarterdeck emit progress '{"done": 3, "of": 10}'
    """
    if (kind is None) == (test_alert is None):
        raise InvalidInput(
            "Give either the type of an event or --test-alert.", hint="For example: quarterdeck emit --test-alert high"
        )
    if test_alert is not None:
        await client.post("/emit", {"type": "test_alert", "payload": {"severity": test_alert}})
        return
    try:
        document = json.loads(payload)
    except ValueError as error:
        raise InvalidInput(
            f"The payload is not JSON: {error}.", hint='Give an object, for example {"done": 3}.'
        ) from error
    if not isinstance(document, dict):
        raise InvalidInput("The payload is not a JSON object.", hint='Give an object, for example {"done": 3}.')
    await client.post("/emit", {"type": kind, "payload": document})


@click.command("hook")
@click.argument("agent", type=click.Choice(["claude", "codex"]))
def hook_command(agent: str) -> int:
    """Take what an agent's hook was given, on stdin. Never changes what the agent does.

    Example: quarterdeck hook claude < event.json
    """
    return hookclient.main(["hook", agent])


@click.command("wrap")
@click.option("--heartbeat", "heartbeat_s", type=SECONDS, default=30.0, show_default=True)
@click.option("--timeout", "timeout_s", type=SECONDS, help="Seconds; then SIGTERM, grace, SIGKILL.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def wrap_command(heartbeat_s: float, timeout_s: float | None, command: tuple[str, ...]) -> int:
    """Run a command with heartbeats and a timeout; exits with its exit code, 124 after a timeout.

    Example: quarterdeck wrap --timeout 600 -- pytest -q
    """
    return asyncio.run(_wrap(heartbeat_s, timeout_s, command))


async def _wrap(heartbeat_s: float, timeout_s: float | None, command: tuple[str, ...]) -> int:
    loop = asyncio.get_running_loop()
    started: asyncio.Future[int] = loop.create_future()
    # Before the command starts: a signal that came in between would end this program and leave it running.
    for number in _PASSED_ON:
        loop.add_signal_handler(number, _pass_on, number, started)
    become_subreaper()
    try:
        child = await asyncio.create_subprocess_exec(*command, start_new_session=True)
    except OSError as error:
        raise Unavailable(
            f"{command[0]} cannot be started: {error.strerror}.", hint="Check its name and PATH."
        ) from error
    started.set_result(child.pid)
    beats = asyncio.create_task(_beat(heartbeat_s), name="beats")
    try:
        async with asyncio.timeout(timeout_s):
            code = await child.wait()
    except TimeoutError:
        click.echo(f"quarterdeck: {command[0]} ran longer than {timeout_s:g} s and was stopped.", err=True)
        await _end(child)
        return TIMEOUT_EXIT
    finally:
        beats.cancel()
        for number in _PASSED_ON:
            loop.remove_signal_handler(number)
    return code if code >= 0 else 128 - code


async def _beat(every_s: float) -> None:
    """Report signs of life; outside a session there is nobody to report to."""
    if "QUARTERDECK_SOCKET" not in os.environ:
        return
    while True:
        with contextlib.suppress(hookclient.ReportError):
            await asyncio.to_thread(hookclient.post, *hookclient.request(["beat"]))
        await asyncio.sleep(every_s)


async def _end(child: asyncio.subprocess.Process) -> None:
    """End the whole tree, also what left the process group: SIGTERM, grace, SIGKILL."""
    tree = Tree(descendants)
    tree.terminate()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GRACE_S):
            await child.wait()
    await asyncio.to_thread(tree.kill)
    await child.wait()


def _pass_on(number: int, started: asyncio.Future[int]) -> None:
    """Send a signal to the command's process group, as soon as there is one."""

    def send(group: asyncio.Future[int]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group.result(), number)

    started.add_done_callback(send)
