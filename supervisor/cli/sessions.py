"""`sessions`: list them, show one, its log, or why it has its status."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import click

from supervisor.api.client import ENDED, Client
from supervisor.cli.connection import with_client
from supervisor.cli.output import age, clean, doing, facts, json_option, mark, print_json, table

POLL_S = 0.5


@click.group("sessions", invoke_without_command=True)
@click.option("--project", help="Only those of this project.")
@click.option("--status", help="Only those with this status.")
@click.option("--archived", is_flag=True, help="Also archived ones.")
@json_option
@click.pass_context
def sessions_command(ctx: click.Context, project: str | None, status: str | None, archived: bool, as_json: bool) -> int:
    """List sessions; show one, its log, or why it has its status.

    Example: quarterdeck sessions --status running
    """
    if ctx.invoked_subcommand is None:
        return _list(project, status, archived, as_json)
    return 0


@with_client
async def _list(client: Client, project: str | None, status: str | None, archived: bool, as_json: bool) -> int:
    found = await client.get("/sessions", project=project, status=status, archived=archived)
    if as_json:
        print_json(found)
    elif not found["sessions"]:
        click.echo('No sessions. Start one: quarterdeck run --prompt "…", or quarterdeck run -- COMMAND')
    else:
        table(["name", "status", "agent", "age", "cost", "branch", "now"], [_row(each) for each in found["sessions"]])
    return 0


def _row(session: dict[str, Any]) -> list[str]:
    cost = f"${session['cost_usd']:.2f}" if session["cost_usd"] else "-"
    return [
        session["name"],
        mark(session["status"]),
        session["agent"],
        age(session["created_at"]),
        cost,
        session["branch"] or "-",
        doing(session),
    ]


@sessions_command.command("show")
@click.argument("ref", metavar="ID")
@json_option
@with_client
async def show(client: Client, ref: str, as_json: bool) -> None:
    """Show everything about one session.

    Example: quarterdeck sessions show fix
    """
    found = await client.get(f"/sessions/{ref}")
    if as_json:
        print_json(found)
        return
    session = found["session"]
    tokens = session["tokens"]
    facts(
        {
            "session": f"{session['name']}  ({session['id']})",
            "status": f"{mark(session['status'])}  {clean(session['status_reason']['text'])}",
            "now": doing(session) if session["status"] in ("running", "waiting") else None,
            "asked for": clean(session["work"]["prompt"] or " ".join(session["work"]["argv"])),
            "agent": f"{session['agent']} on {session['executor']} ({session['mode']})",
            "isolation": session["isolation"],
            "branch": session["branch"],
            "base": session["base_commit"],
            "worktree": session["worktree"],
            "log": session["log_path"],
            "attempts": session["attempts"],
            "exit code": session["exit_code"],
            "messages": session["messages"],
            "tools": ", ".join(f"{clean(tool)} {count}x" for tool, count in session["tools_used"].items()),
            "refused": session["permissions_refused"] or None,
            "tokens": f"{tokens['input']} in, {tokens['output']} out, {tokens['cached']} cached"
            if any(tokens.values())
            else None,
            "cost": f"${session['cost_usd']:.4f}" if session["cost_usd"] else None,
            "terminal": session["tmux_target"],
            "container": session["container"],
            "created": session["created_at"],
            "started": session["started_at"],
            "ended": session["ended_at"],
            "goes on": session["resume_at"],
        }
    )


@sessions_command.command("explain")
@click.argument("ref", metavar="ID")
@json_option
@with_client
async def explain(client: Client, ref: str, as_json: bool) -> None:
    """Say why a session has its status: every signal, newest first.

    Example: quarterdeck sessions explain fix
    """
    found = await client.get(f"/sessions/{ref}/explain")
    if as_json:
        print_json(found)
        return
    session = found["session"]
    reason = session["status_reason"]
    click.echo(f"{session['name']} is {mark(session['status'])}: {clean(reason['text'])}")
    click.echo(click.style(f"decided by: {reason['signal']}, {age(reason['at'])} ago", dim=True))
    rows = [
        [age(each["time"]), ("▸ " if each["decided"] else "  ") + each["signal"], clean(each["text"])]
        for each in found["signals"]
    ]
    click.echo()
    table(["age", "  signal", "what it said"], rows)


@sessions_command.command("logs")
@click.argument("ref", metavar="ID")
@click.option("--follow", "-f", is_flag=True, help="Go on as it grows, until the session has ended.")
@click.option("--raw", is_flag=True, help="Exactly what was printed, control sequences too.")
@json_option
@with_client
async def logs(client: Client, ref: str, follow: bool, raw: bool, as_json: bool) -> None:
    """Print a session's log.

    Example: quarterdeck sessions logs fix --follow
    """
    offset = 0
    ended = not follow
    while True:
        part = await client.get(f"/sessions/{ref}/logs", offset=offset)
        at_end = part["next_offset"] == offset
        offset = part["next_offset"]
        if as_json and not follow and at_end:
            break
        _print_lines(part, raw=raw, as_json=as_json)
        if at_end and ended:
            if not as_json and part["partial"]:
                click.echo("".join(text if raw else clean(text) for text in part["partial"].values()))
            break
        if at_end:
            ended = (await client.get(f"/sessions/{ref}"))["session"]["status"] in ENDED
            await asyncio.sleep(0 if ended else POLL_S)


def _print_lines(part: dict[str, Any], *, raw: bool, as_json: bool) -> None:
    for line in part["lines"]:
        if as_json:
            print_json(line)
        else:
            click.echo(line["text"] if raw else clean(line["text"]), color=raw or None)
    sys.stdout.flush()
