"""`ask`: a tool or a script asks a person, waits, and prints the choice."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any

import click

from executors.agents.protocol_events import Malformed, read
from supervisor.api.client import Client
from supervisor.cli.connection import SUPERVISOR_AWAY, connected, listens, no_start_option, own_session
from supervisor.cli.options import SECONDS
from supervisor.cli.output import json_option, print_json
from supervisor.cli.prompts import read_prompt
from supervisor.model.errors import InvalidInput, Refused, SupervisorUnreachable
from supervisor.model.plain import clean, exact
from supervisor.model.protocol import RISKS
from supervisor.model.times import now_ms

ANSWERED = ("approved", "consumed")


@click.command("ask")
@click.argument("question")
@click.option("--option", "options", multiple=True, metavar="V=LABEL", help="An answer that may be chosen; repeat it.")
@click.option("--default", metavar="V", help="The option that is preselected; it never decides.")
@click.option("--expires", "expires_s", type=SECONDS, metavar="S", help="Seconds after which the question is void.")
@click.option("--risk", type=click.Choice(RISKS), default="medium", show_default=True, help="How bad it may get.")
@click.option("--preview", metavar="TEXT", help="Exactly what will happen: the commands, the diff, the names.")
@click.option("--preview-file", type=click.Path(path_type=Path), help="A file that holds the preview; - is stdin.")
@json_option
@no_start_option
def ask_command(
    question: str,
    options: tuple[str, ...],
    expires_s: float | None,
    preview: str | None,
    preview_file: Path | None,
    as_json: bool,
    no_start: bool,
    **more: str | None,
) -> int:
    """Ask a person, wait for the answer as long as it takes, and print the choice alone.

    Without options the answer is `allow`. Exits with 4 when it was rejected or expired. Inside a session no supervisor
    is ever started: one that does not answer is waited for up to a minute, with --no-start not at all.

    Example: quarterdeck ask "Deploy to production?" --option yes="Deploy now" --option no="Not today"
    """
    shown = read_prompt(preview, preview_file, what="preview")
    body: dict[str, Any] = {
        "question": question,
        "options": [_option(text) for text in options],
        "expires_s": expires_s,
        **more,
    }
    _check({**body, "preview": shown})
    if shown:
        body["preview"] = {"details": shown}
    own = own_session()
    if own is not None and "QUARTERDECK_SESSION" not in os.environ:
        body["attempt"] = os.environ.get("QUARTERDECK_ATTEMPT")
    if own is not None and no_start and not listens(Path(os.environ["QUARTERDECK_SOCKET"])):
        raise SupervisorUnreachable("No supervisor answers.", hint="Leave --no-start out to wait for it.")
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


def _check(asked: dict[str, Any]) -> None:
    """Refuse what would not be a question of the approval protocol either."""
    line = json.dumps({"type": "approval_needed", **asked}, ensure_ascii=False).encode(errors="surrogatepass")
    found = read(line, now_ms())
    if isinstance(found, Malformed):
        raise InvalidInput(
            f"This cannot be asked. {clean(found.reason)}", hint="docs/approval-protocol.md has the limits."
        )


def _option(text: str) -> dict[str, str]:
    value, separator, label = text.partition("=")
    if not value:
        raise InvalidInput(f"The option {text!r} has no value.", hint='Give it as --option yes="Do it".')
    return {"value": value, "label": label if separator else value}
