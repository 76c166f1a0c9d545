"""`sessions`: list them, show one, its log, or why it has its status."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import click

from supervisor.api.client import ENDED, Client, at
from supervisor.cli.connection import connected, no_start_option, with_client
from supervisor.cli.output import age, doing, facts, json_option, mark, print_json, table
from supervisor.cli.transcript import render
from supervisor.model.plain import clean

POLL_S = 0.5


@click.group("sessions", invoke_without_command=True)
@click.option("--project", help="Only those of this project.")
@click.option("--status", help="Only those with this status.")
@click.option("--archived", is_flag=True, help="Also archived ones.")
@json_option
@no_start_option
@click.pass_context
def sessions_command(ctx: click.Context, /, as_json: bool, no_start: bool, **wanted: Any) -> None:
    """List sessions; show one, its log, or why it has its status.

    Example: quarterdeck sessions --status running
    """
    if ctx.invoked_subcommand is not None:
        return
    found = connected(lambda client: client.get("/sessions", **wanted), no_start=no_start)
    if as_json:
        print_json(found)
    elif not found["sessions"]:
        click.echo('No sessions. Start one: quarterdeck run --prompt "…", or quarterdeck run -- COMMAND')
    else:
        table(["name", "status", "agent", "age", "cost", "branch", "now"], [_row(each) for each in found["sessions"]])


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
    found = await client.get(at("session", ref))
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
            "merged": f"into {session['merged']['into']}, {age(session['merged']['at'])} ago"
            if session["merged"]
            else None,
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
    found = await client.get(at("session", ref, "explain"))
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
    """Print a session's log; of an agent with a prompt, what it said and did.

    Example: quarterdeck sessions logs fix --follow
    """
    session = (await client.get(at("session", ref)))["session"]
    if session["work"]["prompt"] is not None and not raw and not as_json:
        async for event in _transcript(client, session["id"], follow=follow):
            for text in render(event):
                click.echo(text)
        return
    log = _Log(client, session["id"])
    if as_json and not follow:
        print_json({"lines": [line async for line in log.lines(follow=False)], "partial": log.partial})
        return
    async for line in log.lines(follow=follow):
        if as_json:
            print_json(line)
        else:
            click.echo(line["text"] if raw else clean(line["text"]), color=raw or None)
    if log.partial and not as_json:
        click.echo("".join(text if raw else clean(text) for text in log.partial.values()))


class _Log:
    """Reads a session's log page by page. ``partial`` is what has not got its newline yet, per stream."""

    def __init__(self, client: Client, ref: str) -> None:
        self._client = client
        self._ref = ref
        self.partial: dict[str, str] = {}

    async def lines(self, *, follow: bool) -> AsyncIterator[dict[str, Any]]:
        """Yield whole lines; with ``follow`` until the session has ended."""
        offset, ended = 0, not follow
        while True:
            page = await self._client.get_patiently(at("session", self._ref, "logs"), offset=offset)
            for line in page["lines"]:
                yield {**line, "text": self.partial.pop(line["stream"], "") + line["text"]}
            for stream, text in page["partial"].items():
                self.partial[stream] = self.partial.get(stream, "") + text
            if page["next_offset"] > offset:
                offset = page["next_offset"]
            elif ended:
                return
            else:
                ended = await _ended(self._client, self._ref)


async def _transcript(client: Client, ref: str, *, follow: bool) -> AsyncIterator[dict[str, Any]]:
    """Yield a session's events; with ``follow`` until it has ended."""
    after, ended = 0, not follow
    while True:
        events = (await client.get_patiently("/events", after=after, session=ref))["events"]
        for event in events:
            yield event
        if events:
            after = events[-1]["seq"]
        elif ended:
            return
        else:
            ended = await _ended(client, ref)


async def _ended(client: Client, ref: str) -> bool:
    """Whether a session has ended; when it has not, after a moment in which it may go on."""
    ended = (await client.get_patiently(at("session", ref)))["session"]["status"] in ENDED
    await asyncio.sleep(0 if ended else POLL_S)
    return ended
