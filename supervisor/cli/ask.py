"""`ask`: a tool or a script asks a person, waits, and prints the choice."""

from __future__ import annotations

import asyncio
import secrets
import sys
from typing import Any

import click

from supervisor.api.client import Client
from supervisor.cli.connection import SUPERVISOR_AWAY, connected, no_start_option, own_session
from supervisor.cli.options import SECONDS
from supervisor.cli.output import json_option, print_json
from supervisor.model.errors import InvalidInput, Refused
from supervisor.model.plain import clean, exact

ANSWERED = ("approved", "consumed")


@click.command("ask")
@click.argument("question")
@click.option("--option", "options", multiple=True, metavar="V=LABEL", help="An answer that may be chosen; repeat it.")
@click.option("--default", metavar="V", help="The option that is preselected; it never decides.")
@click.option("--expires", "expires_s", type=SECONDS, metavar="S", help="Seconds after which the question is void.")
@click.option("--risk", type=click.Choice(["low", "medium", "high"]), default="medium", show_default=True)
@json_option
@no_start_option
def ask_command(
    question: str, options: tuple[str, ...], expires_s: float | None, as_json: bool, no_start: bool, **more: str | None
) -> int:
    """Ask a person, wait for the answer as long as it takes, and print the choice alone.

    Without options the answer is `allow`. Exits with 4 when it was rejected or expired.

    Example: quarterdeck ask "Deploy to production?" --option yes="Deploy now" --option no="Not today"
    """
    body = {"question": question, "options": [_option(text) for text in options], "expires_s": expires_s, **more}
    own = own_session()
    if own is None:
        approval = connected(lambda client: decision_of(client, body), no_start=no_start)
    else:
        approval = asyncio.run(_within(own, body))
    if approval["status"] in ANSWERED:
        if as_json:
            print_json({"approval": approval})
        else:
            click.echo(approval["decision"])
        return 0
    error = Refused(f"The answer is no: {clean(approval['reason'])}", code=approval["status"])
    if as_json:
        said = {"code": error.specific_code, "message": error.message, "hint": error.hint}
        print_json({"approval": approval, "error": said})
    click.echo(f"quarterdeck: {error}", err=True)
    return error.exit_code


async def decision_of(client: Client, body: dict[str, Any]) -> dict[str, Any]:
    """Return the approval that a question came to, once it is decided; it outlives the supervisor."""
    said = False

    def is_pending(answer: dict[str, Any]) -> bool:
        nonlocal said
        approval = answer["approval"]
        waits: bool = approval["status"] == "pending"
        if waits and not said and sys.stderr.isatty():
            said = True
            click.secho(f"Waiting for an answer: quarterdeck approve {exact(approval['id'])}", dim=True, err=True)
        return waits

    answer = await client.post_until_decided(
        "/questions",
        {"key": secrets.token_hex(16), **body},
        is_pending,
        away=lambda: click.echo(SUPERVISOR_AWAY, err=True),
    )
    approval: dict[str, Any] = answer["approval"]
    return approval


async def _within(client: Client, body: dict[str, Any]) -> dict[str, Any]:
    async with client:
        return await decision_of(client, body)


def _option(text: str) -> dict[str, str]:
    value, separator, label = text.partition("=")
    if not value:
        raise InvalidInput(f"The option {text!r} has no value.", hint='Give it as --option yes="Do it".')
    return {"value": value, "label": label if separator else value}
