"""`budget`: how far each budget is used, and letting one that is used up go on."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import click

from supervisor.api.client import Client, Json
from supervisor.cli.connection import connected, no_start_option, refuse_in_session, with_client
from supervisor.cli.output import age, json_option, mark_level, print_json, table
from supervisor.model.plain import one_line
from supervisor.model.usage import Measure, counted, in_words

NOTHING: Final = (
    "There are no budgets. `quarterdeck run --budget-usd`, `budget` in a plan's document, and `budgets` in the\n"
    "configuration set them."
)


@click.group("budget", invoke_without_command=True)
@json_option
@no_start_option
@click.pass_context
def budget_command(ctx: click.Context, /, as_json: bool, no_start: bool) -> None:
    """Show how far each budget is used; let one that is used up go on.

    Example: quarterdeck budget
    """
    if ctx.invoked_subcommand is not None:
        return
    found = connected(lambda client: client.get("/budgets"), no_start=no_start)
    if as_json:
        print_json(found)
    elif not found["budgets"]:
        click.echo(NOTHING)
    else:
        table(["level", "of", "used", "limit", "since", "at the limit it"], [_row(each) for each in found["budgets"]])
        tripped = [each["scope"] for each in found["budgets"] if each["level"] == "tripped"]
        for scope in dict.fromkeys(tripped):
            click.secho(f"quarterdeck budget resume {scope}", dim=True)


@budget_command.command("resume")
@click.argument("scope", metavar="SCOPE")
@json_option
@with_client
async def resume(client: Client, scope: str, as_json: bool) -> None:
    """Let what is used up go on: as much again may be used. SCOPE is day, project:NAME, plan:ID, task:PLAN/TASK, or
    session:NAME.

    Example: quarterdeck budget resume day
    """
    refuse_in_session("resume budgets")
    found = await client.post(f"/budgets/{quote(scope, safe=':/')}/resume")
    if as_json:
        print_json(found)
        return
    allowed = ", ".join(_words(measure, amount) for measure, amount in found["allowed"].items())
    click.echo(f"{found['scope']} goes on; its limit is {allowed} now.")


def _row(budget: Json) -> list[str]:
    measure: Measure = budget["measure"]
    return [
        mark_level(budget["level"]),
        one_line(budget["of"]),
        _words(measure, budget["used"]),
        _words(measure, budget["limit"]),
        age(budget["since"]),
        budget["does"],
    ]


def _words(measure: Measure, amount: float) -> str:
    return in_words(measure, counted(measure, amount))
