"""`run`: start an agent or a command in its own worktree."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from supervisor.api.client import Client
from supervisor.api.environment import NOT_PASSED, is_text, passed_on
from supervisor.cli.connection import with_client
from supervisor.cli.options import DOLLARS, SECONDS
from supervisor.cli.output import json_option, mark, print_json
from supervisor.cli.prompts import read_prompt
from supervisor.model.errors import InvalidInput
from supervisor.model.plain import clean

WAITS_FOR_APPROVAL = 90


@click.command("run")
@click.option("--agent", help="Agent profile; see `quarterdeck agents`.")
@click.option("--mode", type=click.Choice(["autonomous", "dispatch"]), help="Queued and alone, or in a terminal.")
@click.option("--executor", help="local, tmux or docker.")
@click.option("--task", help="Task name; its suffix may find an existing worktree.")
@click.option("--prompt", help="What the agent is to do.")
@click.option("--prompt-file", type=click.Path(path_type=Path), help="A file that holds the prompt; - is stdin.")
@click.option("--name", help="A name for the session.")
@click.option("--branch", help="Branch to work on (default: qd/<session>).")
@click.option("--base", metavar="REF", help="Where to branch off (default: the default branch).")
@click.option("--image", help="Container image.")
@click.option("--priority", type=int, default=0, show_default=True, help="Higher ones leave the queue first.")
@click.option("--budget-usd", type=DOLLARS, help="Cost limit in US dollars.")
@click.option("--timeout", "timeout_s", type=SECONDS, help="Seconds that it may run.")
@click.option("--wait", is_flag=True, help="Wait until it has ended, or has exited to ask (exit code 90).")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@json_option
@with_client
async def run_command(
    client: Client,
    /,
    *,
    prompt: str | None,
    prompt_file: Path | None,
    command: tuple[str, ...],
    wait: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Start an agent or a command in its own git worktree.

    Example: quarterdeck run --name fix --prompt "Fix the failing test"

    Example: quarterdeck run --wait -- make test
    """
    body = {
        **{name: value for name, value in options.items() if value is not None},
        "cwd": str(Path.cwd()),
        "argv": list(command),
        "prompt": read_prompt(prompt, prompt_file),
        "environment": own_environment(),
    }
    _check_text(body)
    session = (await client.post("/sessions", body))["session"]
    if wait:
        session = await client.wait_until_ended(session["id"], or_asks=True)
    if as_json:
        print_json({"session": session})
    elif wait:
        click.echo(f"{session['name']}  {mark(session['status'])}  {clean(session['status_reason']['text'])}")
        if session["status"] == "waiting":
            click.echo("It has exited to ask, and goes on when that is decided: quarterdeck approvals")
        click.echo(
            click.style(f"branch {session['branch']}; log: quarterdeck sessions logs {session['name']}", dim=True)
        )
    else:
        click.echo(f"{session['name']}  {mark(session['status'])}  {click.style(session['id'], dim=True)}")
        then = "attach" if session["mode"] == "dispatch" else "sessions logs --follow"
        click.echo(click.style(f"quarterdeck {then} {session['name']}", dim=True))
    if not wait or session["status"] == "completed":
        return 0
    return WAITS_FOR_APPROVAL if session["status"] == "waiting" else 1


def own_environment() -> dict[str, str]:
    """Return the caller's environment. A variable that is not UTF-8 cannot be passed on, and that is said."""
    environment = passed_on(os.environ)
    for name in sorted(os.environ.keys() - environment.keys() - NOT_PASSED):
        click.echo(f"quarterdeck: the variable {name!r} is not UTF-8 text and was left out.", err=True)
    return environment


def _check_text(body: dict[str, Any]) -> None:
    given = [*body["argv"], *(value for value in body.values() if isinstance(value, str))]
    for text in given:
        if not is_text(text):
            raise InvalidInput(f"{text!r} is not UTF-8 text.", hint="Give it in UTF-8.")
