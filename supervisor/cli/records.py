"""`events` and `audit`: what happened."""

from __future__ import annotations

import json
from typing import Any

import click

from supervisor.api.client import Client
from supervisor.cli.connection import connected, no_start_option, refuse_in_session, with_client
from supervisor.cli.options import SECONDS
from supervisor.cli.output import json_option, print_json
from supervisor.model.errors import InvalidInput, SupervisorUnreachable
from supervisor.model.events import PHASES
from supervisor.model.plain import clean

_COLOURS = {"warning": "yellow", "error": "red", "critical": "red", "debug": "bright_black"}


@click.group("events", invoke_without_command=True)
@click.option("--follow", "-f", is_flag=True, help="Go on as they happen.")
@click.option("--session", metavar="ID", help="Only those of a session.")
@click.option("--project", help="Only those of this project.")
@click.option("--plan", metavar="ID", help="Only those of a plan.")
@click.option("--phase", help="Only this phase: tool, batch, autonomy, telemetry, policy or plan.")
@click.option("--type", "kind", help="Only this type, for example status_changed.")
@click.option("--since", "since_s", type=SECONDS, metavar="S", help="Only the last so many seconds.")
@click.option("--after", type=int, metavar="SEQ", help="Only those after this number.")
@click.option("--limit", type=int, default=1000, show_default=True, help="At most so many.")
@json_option
@no_start_option
@click.pass_context
def events_command(ctx: click.Context, /, no_start: bool, **wanted: Any) -> None:
    """Show what happened, or follow it live.

    Example: quarterdeck events --follow --session fix
    """
    if ctx.invoked_subcommand is None:
        connected(lambda client: _events(client, **wanted), no_start=no_start)


async def _events(
    client: Client,
    /,
    *,
    follow: bool,
    kind: str | None,
    since_s: float | None,
    after: int | None,
    limit: int,
    as_json: bool,
    **wanted: Any,
) -> None:
    query = {**wanted, "type": kind}
    start = after
    if follow and start is None:
        # Counted before anything is shown: what happens meanwhile, or during a restart, is not missed.
        start = await client.last_seq()
    if not follow or since_s is not None:
        found = (await client.get("/events", after=after, since_s=since_s, limit=limit, **query))["events"]
        if as_json and not follow:
            print_json({"events": found})
            return
        for event in found:
            _print(event, as_json)
        start = found[-1]["seq"] if found else start
    if follow and start is not None:
        await _follow(client, start, query, as_json)


@events_command.command("clear")
@click.option("--phase", type=click.Choice(PHASES), help="What is shown of this phase.")
@click.option("--older-than", "older_than_s", type=SECONDS, metavar="S", help="What is older than so many seconds.")
@click.option("--all", "everything", is_flag=True, help="All that is shown.")
@json_option
@with_client
async def clear(client: Client, phase: str | None, older_than_s: float | None, everything: bool, as_json: bool) -> None:
    """Empty the view of live events in every app; the history stays, and `quarterdeck events` shows it.

    Example: quarterdeck events clear --older-than 3600
    """
    refuse_in_session("clear the view of events")
    if everything is (phase is not None or older_than_s is not None):
        raise InvalidInput("It is not clear what to clear.", hint="Give --phase, --older-than or both, or --all alone.")
    done = await client.post("/events/clear", {"phase": phase, "older_than_s": older_than_s})
    if as_json:
        print_json(done)
    else:
        click.echo("Cleared from the view; the history stays.")


async def _follow(client: Client, start: int, query: dict[str, Any], as_json: bool) -> None:
    while True:
        try:
            async for event in client.follow(start, **query):
                start = event["seq"]
                _print(event, as_json)
        except SupervisorUnreachable:
            # It was restarted, or will be: the numbers say where to go on.
            await client.pause()


def _print(event: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(event)
        return
    payload = event["payload"]
    text = payload.get("text") or payload.get("reason") or payload.get("argument")
    text = text if text is not None else json.dumps(payload, ensure_ascii=False)
    where = (event["session"] or "-")[-6:]
    line = f"{event['time'][11:23]}  {where:6}  {event['type']:18}  {clean(text)}"
    click.secho(line.replace("\n", " "), fg=_COLOURS.get(event["severity"]))


@click.group("audit")
def audit_command() -> None:
    """List, verify or export the audit log.

    Example: quarterdeck audit verify
    """


@audit_command.command("list")
@click.option("--after", type=int, default=0, help="Only those after this number.")
@click.option("--limit", type=int, default=1000, show_default=True)
@json_option
@with_client
async def list_entries(client: Client, after: int, limit: int, as_json: bool) -> None:
    """List what was done, by whom, to what.

    Example: quarterdeck audit list --limit 20
    """
    found = await client.get("/audit", after=after, limit=limit)
    if as_json:
        print_json(found)
        return
    for entry in found["entries"]:
        click.echo(f"{entry['seq']:6}  {entry['time']}  {entry['actor']:12}  {entry['action']:18}  {entry['subject']}")


@audit_command.command("verify")
@json_option
@with_client
async def verify(client: Client, as_json: bool) -> int:
    """Check that no entry was changed, removed or added; exit code 1 when one was.

    Example: quarterdeck audit verify
    """
    found = await client.get("/audit/verify")
    if as_json:
        print_json(found)
    elif found["valid"]:
        click.echo(f"✓ {found['entries']} entries, all in order.")
    else:
        click.echo(f"✕ Not valid from entry {found['first_bad']} on: {found['detail']}")
    return 0 if found["valid"] else 1


@audit_command.command("export")
@with_client
async def export(client: Client) -> None:
    """Print every entry, one JSON document per line.

    Example: quarterdeck audit export > audit.jsonl
    """
    click.echo(await client.text("/audit/export"), nl=False)
