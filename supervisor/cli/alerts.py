"""`alerts`: what asks to be noticed, and noting that it was."""

from __future__ import annotations

from typing import Any, Final

import click

from supervisor.api.client import Client, at
from supervisor.cli.connection import connected, no_start_option, refuse_in_session, with_client
from supervisor.cli.output import age, json_option, mark, mark_severity, print_json, table
from supervisor.model.errors import InvalidInput
from supervisor.model.plain import one_line

NOTHING: Final = (
    "No alerts. Failed sessions, questions, usage limits, a full disk and what else goes wrong will be listed here;\n"
    "`quarterdeck alerts --all` shows what is over, and `quarterdeck emit --test-alert high` raises one to try."
)
ALL: Final = "all"


@click.group("alerts", invoke_without_command=True)
@click.option("--all", "everything", is_flag=True, help="Also what is over, the last first.")
@json_option
@no_start_option
@click.pass_context
def alerts_command(ctx: click.Context, /, everything: bool, as_json: bool, no_start: bool) -> None:
    """List what asks to be noticed, the most severe first; acknowledge or dismiss it.

    Example: quarterdeck alerts --all
    """
    if ctx.invoked_subcommand is not None:
        return
    found = connected(lambda client: client.get("/alerts", all=everything or None), no_start=no_start)
    if as_json:
        print_json(found)
    elif not found["alerts"]:
        click.echo("There was no alert in the last seven days." if everything else NOTHING)
    else:
        listed = found["alerts"]
        table(["id", "severity", "status", "age", "count", "session", "what"], [_row(each) for each in listed])
        if active := [each["id"] for each in listed if each["ended"] is None]:
            hint = f"\nquarterdeck alerts ack {active[0]} | alerts dismiss {active[0]} | alerts dismiss all"
            click.echo(click.style(hint, dim=True))


@alerts_command.command("ack")
@click.argument("refs", metavar="ID…|all", nargs=-1, required=True)
@json_option
@with_client
async def ack(client: Client, refs: tuple[str, ...], as_json: bool) -> None:
    """Note that you have seen alerts: they stay, below the others, and ask for nothing any more.

    Example: quarterdeck alerts ack al_7kq2m9tx
    """
    await _do(client, "ack", refs, as_json)


@alerts_command.command("dismiss")
@click.argument("refs", metavar="ID…|all", nargs=-1, required=True)
@json_option
@with_client
async def dismiss(client: Client, refs: tuple[str, ...], as_json: bool) -> None:
    """Take alerts away; the same is not shown again until it has not happened for ten minutes.

    Example: quarterdeck alerts dismiss all
    """
    await _do(client, "dismiss", refs, as_json)


async def _do(client: Client, what: str, refs: tuple[str, ...], as_json: bool) -> None:
    refuse_in_session("acknowledge or dismiss alerts")
    if ALL in refs and len(refs) > 1:
        raise InvalidInput("`all` stands for every alert there is.", hint="Give ids, or `all` alone.")
    if len(refs) == 1 and refs[0] != ALL:
        found = await client.post(at("alert", refs[0], what))
    else:
        found = await client.post(f"/alerts/{what}", {"alerts": None if refs[0] == ALL else list(refs)})
    if as_json:
        print_json(found)
        return
    done: list[dict[str, Any]] = [found["alert"]] if "alert" in found else found["alerts"]
    for alert in done:
        click.echo(f"{mark(_status(alert))}  {_what(alert)}")
    if not done:
        click.echo("There are no alerts.")


def _row(alert: dict[str, Any]) -> list[str]:
    return [
        alert["id"],
        mark_severity(alert["severity"]),
        mark(_status(alert)),
        age(alert["raised_at"]),
        f"×{alert['count']}" if alert["count"] > 1 else "",
        one_line(alert["session_name"] or alert["session"] or "-"),
        one_line(alert["text"]),
    ]


def _status(alert: dict[str, Any]) -> str:
    """Return what became of an alert; of one that is over, how it ended."""
    status: str = alert["ended"] or alert["status"]
    return status


def _what(alert: dict[str, Any]) -> str:
    name = alert["session_name"] or alert["session"]
    return one_line(f"{name}: {alert['text']}" if name else alert["text"])
