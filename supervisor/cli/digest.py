"""`digest`: what happened since you last looked, the most important first."""

from __future__ import annotations

from typing import Final

import click

from supervisor.api.client import Client, Json
from supervisor.cli.connection import with_client
from supervisor.cli.cost import clock, dollars, known
from supervisor.cli.options import SECONDS
from supervisor.cli.output import age, json_option, print_json
from supervisor.model.plain import one_line

SHOWN: Final = 10
"""Lines of a section; `--json` has all."""

SECTIONS: Final = {
    "waits": ("◐", "yellow", "Waits for you"),
    "failed": ("✕", "red", "Failed or blocked"),
    "risks": ("△", "yellow", "At risk"),
    "finished": ("✓", "green", "Finished"),
    "running": ("●", "cyan", "Running"),
}


@click.command("digest")
@click.option("--since", "since_s", type=SECONDS, metavar="S", help="The last so many seconds, whenever you looked.")
@json_option
@with_client
async def digest_command(client: Client, since_s: float | None, as_json: bool) -> None:
    """Show what happened since you last looked: what waits, failed, is at risk, finished, runs, and what it cost.

    The first time it shows the last day. With --since the next digest begins where it would have begun.

    Example: quarterdeck digest --since 3600
    """
    found = await client.get("/digest", since_s=since_s)
    if as_json:
        print_json(found)
    else:
        _print(found)
    if since_s is None:
        await client.post("/digest/seen", {"until": found["until"]})


def _print(found: Json) -> None:
    click.secho(f"Since {found['since'][:19].replace('T', ' ')} UTC, {age(found['since'])} ago", dim=True)
    for name, (sign, colour, title) in SECTIONS.items():
        if found[name]:
            click.echo(f"\n{click.style(f'{sign} {title}', fg=colour, bold=True)}")
            _lines(found[name])
    if not any(found[name] for name in SECTIONS):
        click.echo("Nothing happened, and nothing waits for you.")
    cost = found["cost"]
    tokens = cost["tokens"]["input"] + cost["tokens"]["output"]
    if cost["attempts"] or tokens:
        each = ", ".join(f"{one_line(row['key'])} {_dollars(row)}" for row in cost["agents"] if row["key"])
        click.echo(f"\n{click.style('Cost', bold=True)}")
        counted = known(f"{tokens:,}", "tokens", tokens, cost["unknown"])
        click.echo(f"  {_dollars(cost)}, {counted} tokens, {clock(cost['seconds'])} of work ({each})")
        click.secho("  quarterdeck cost --by task", dim=True)


def _lines(items: list[Json]) -> None:
    for item in items[:SHOWN]:
        click.echo(f"  {one_line(item['text'])}")
        click.secho(f"    {item['command']}", dim=True)
    if len(items) > SHOWN:
        click.secho(f"  … and {len(items) - SHOWN} more: quarterdeck digest --json", dim=True)


def _dollars(figures: Json) -> str:
    return known(dollars(figures["cost_usd"]), "cost_usd", figures["cost_usd"], figures["unknown"])
