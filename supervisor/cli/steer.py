"""Commands that act on one session."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from supervisor.api.client import Client, at
from supervisor.cli.connection import connected, no_start_option, with_client
from supervisor.cli.output import json_option, mark, print_json
from supervisor.cli.prompts import read_prompt
from supervisor.model.errors import QuarterdeckError, Refused
from supervisor.model.plain import clean


def _say(found: dict[str, Any], as_json: bool, text: str = "") -> None:
    if as_json:
        print_json(found)
    else:
        session = found["session"]
        click.echo(f"{session['name']}  {mark(session['status'])}  {text or clean(session['status_reason']['text'])}")


@click.command("attach")
@click.argument("ref", metavar="ID")
@no_start_option
def attach_command(ref: str, no_start: bool) -> None:
    """Enter a session's own terminal; detach with the tmux prefix (ctrl+b) and d.

    Example: quarterdeck attach fix
    """
    found = connected(lambda client: client.get(at("session", ref, "attach")), no_start=no_start)
    command: list[str] = found["command"]
    if not sys.stdin.isatty():
        raise Refused("Attaching needs a terminal.", hint="Run it in one, or use `quarterdeck sessions logs --follow`.")
    os.execvp(command[0], command)  # noqa: S606 - the command is our own tmux or docker call


@click.command("send")
@click.argument("ref", metavar="ID")
@click.argument("text")
@json_option
@with_client
async def send_command(client: Client, ref: str, text: str, as_json: bool) -> None:
    """Send a message to a running agent, and say whether it has arrived.

    Example: quarterdeck send fix "Use the existing helper"
    """
    found = await client.post(at("session", ref, "send"), {"text": text})
    state = found["message"]["state"]
    if state == "failed":
        raise QuarterdeckError(
            f"The message to {found['session']['name']} did not arrive.",
            hint="`sessions explain` says more; try again.",
        )
    said = "It has arrived." if state == "delivered" else "It was handed over; the agent has not confirmed it yet."
    _say(found, as_json, said)


@click.command("pause")
@click.argument("ref", metavar="ID")
@json_option
@with_client
async def pause_command(client: Client, ref: str, as_json: bool) -> None:
    """Freeze a session's whole process tree, or hold it back in the queue.

    Example: quarterdeck pause fix
    """
    _say(await client.post(at("session", ref, "pause")), as_json)


@click.command("resume")
@click.argument("ref", metavar="ID")
@json_option
@with_client
async def resume_command(client: Client, ref: str, as_json: bool) -> None:
    """Let a paused session go on.

    Example: quarterdeck resume fix
    """
    _say(await client.post(at("session", ref, "resume")), as_json)


@click.command("cancel")
@click.argument("ref", metavar="ID")
@json_option
@with_client
async def cancel_command(client: Client, ref: str, as_json: bool) -> None:
    """Stop a session for good. Its worktree, branch and log stay.

    Example: quarterdeck cancel fix
    """
    await client.post(at("session", ref, "cancel"))
    _say({"session": await client.wait_until_ended(ref)}, as_json)


@click.command("continue")
@click.argument("ref", metavar="ID")
@click.option("--prompt", help="What the agent is to do now.")
@click.option("--prompt-file", type=click.Path(path_type=Path), help="A file that holds the prompt; - is stdin.")
@json_option
@with_client
async def continue_command(
    client: Client, ref: str, prompt: str | None, prompt_file: Path | None, as_json: bool
) -> None:
    """Give an ended session another prompt, in the same worktree and conversation.

    Example: quarterdeck continue fix --prompt "Now add a test"
    """
    text = read_prompt(prompt, prompt_file)
    if not text:
        raise click.UsageError("Missing option '--prompt'.")
    _say(await client.post(at("session", ref, "continue"), {"text": text}), as_json)


@click.command("archive")
@click.argument("ref", metavar="ID")
@json_option
@with_client
async def archive_command(client: Client, ref: str, as_json: bool) -> None:
    """Put an ended session away. A worktree that holds work is kept, and it says so.

    Example: quarterdeck archive fix
    """
    found = await client.post(at("session", ref, "archive"))
    _say(found, as_json)
