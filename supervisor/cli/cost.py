"""`cost`: what was used, by anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import click

from supervisor.api.client import Client, Json
from supervisor.cli.connection import with_client
from supervisor.cli.options import SECONDS
from supervisor.cli.output import json_option, print_json, table
from supervisor.model.plain import one_line
from supervisor.model.usage import By


@click.command("cost")
@click.option("--by", type=click.Choice(get_args(By)), default="session", show_default=True, help="What a row is for.")
@click.option("--since", "since_s", type=SECONDS, metavar="S", help="Only what was used in the last so many seconds.")
@click.option("--project", help="Only what was used for this project.")
@json_option
@with_client
async def cost_command(client: Client, by: str, since_s: float | None, project: str | None, as_json: bool) -> None:
    """Show what was used: money, tokens, calls, time of work, attempts; the dearest first.

    A task's row has all its attempts and agents. What an agent does not tell is unknown; >= says that there was more.
    Days are those of this machine's time zone.

    Example: quarterdeck cost --by day --since 604800
    """
    found = await client.get("/cost", by=by, since_s=since_s, project=project)
    if as_json:
        print_json(found)
        return
    if not found["rows"]:
        click.echo("Nothing was used. What sessions and plans use is listed here as soon as they tell it.")
        return
    headings = [by, "cost", "tokens in", "out", "cached", "calls", "time", "attempts"]
    rows = [_row(_name(row), row) for row in found["rows"]]
    table(headings, [*rows, _row("together", found["total"])])


def _name(row: Json) -> str:
    return one_line(row.get("name") or row["key"] or "(none)")


def _row(name: str, figures: Json) -> list[str]:
    tokens, unknown = figures["tokens"], figures["unknown"]
    return [
        name,
        _known(dollars(figures["cost_usd"]), "cost_usd", figures["cost_usd"], unknown),
        *(_known(f"{tokens[kind]:,}", "tokens", tokens[kind], unknown) for kind in ("input", "output", "cached")),
        _known(f"{figures['api_calls']:,}", "api_calls", figures["api_calls"], unknown),
        clock(figures["seconds"]),
        str(figures["attempts"]),
    ]


def _known(words: str, measure: str, amount: float, unknown: Sequence[str]) -> str:
    """Return a figure as far as it is known: what no agent tells is not nothing."""
    if measure not in unknown:
        return words
    return f">={words}" if amount else "unknown"


def dollars(amount: float) -> str:
    """Return money: cents, and more digits where there are fewer than ten cents."""
    if 0 < amount < 0.0001:
        return "<$0.0001"
    return f"${amount:.2f}" if amount == 0 or amount >= 0.1 else f"${amount:.4f}"


def clock(seconds: float) -> str:
    """Return a length of time: ``7s``, ``1m07s``, ``2h05m``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    return f"{whole // 60}m{whole % 60:02}s" if whole < 3600 else f"{whole // 3600}h{whole % 3600 // 60:02}m"
