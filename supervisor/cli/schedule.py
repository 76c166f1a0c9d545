"""`plan schedule` and `schedule`: plans that are run whenever a cron expression says so."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from supervisor.api.client import Client, at
from supervisor.cli.connection import refuse_in_session, with_client
from supervisor.cli.output import facts, json_option, print_json, table, until
from supervisor.cli.run import own_environment
from supervisor.model.plain import one_line

REF = click.argument("ref", metavar="ID")

STATES = {
    "due": ("◌", "white"),
    "waiting": ("◐", "yellow"),
    "starting": ("○", "cyan"),
    "started": ("✓", "green"),
    "declined": ("■", "white"),
    "failed": ("✕", "red"),
}
"""A glyph for each state of a run, readable without its colour."""


@click.command("schedule")
@REF
@click.option(
    "--cron", metavar="C", help="Minute, hour, day, month, weekday. Without it: what the plan's document says."
)
@click.option("--tz", metavar="Z", help="The time zone of the hours, such as Europe/Berlin (UTC).")
@click.option(
    "--missed", type=click.Choice(["skip", "once", "all"]), default="skip", show_default=True,
    help="What to do about times at which no supervisor ran: nothing, one run, or a run for each (10 at most).",
)  # fmt: skip
@click.option("--approve-each/--auto", default=True, help="Ask before each run starts (the default), or start it.")
@json_option
@with_client
async def plan_schedule(
    client: Client, ref: str, cron: str | None, tz: str | None, missed: str, approve_each: bool, as_json: bool
) -> None:
    """Have a plan run again and again. Each run is a new plan, made of the document that is in force then.

    Example: quarterdeck plan schedule nightly --cron "30 2 * * 1-5" --tz Europe/Berlin --missed once
    """
    refuse_in_session("schedule plans")
    body = {
        "plan": ref, "cron": cron, "timezone": tz, "missed": missed,
        "approval": "each" if approve_each else "auto", "environment": own_environment(),
    }  # fmt: skip
    found = await client.post("/schedules", body)
    if as_json:
        print_json(found)
        return
    made = found["schedule"]
    click.echo(f"{made['id']}: {made['plan']} is due next {_moment(made['next'][0])}; each run starts {_starts(made)}.")
    click.secho(f"quarterdeck schedule next {made['id']}", dim=True)


@click.group("schedule")
def schedule_command() -> None:
    """List schedules of plans; run, pause, resume and remove them. ID is the schedule's, or the plan's.

    Example: quarterdeck schedule list
    """


@schedule_command.command("list")
@click.option("--project", help="Only those of this project.")
@json_option
@with_client
async def list_schedules(client: Client, project: str | None, as_json: bool) -> None:
    """List the schedules, oldest first: when each is due next, and what came of its last time.

    Example: quarterdeck schedule list
    """
    found = await client.get("/schedules", project=project)
    if as_json:
        print_json(found)
    elif not found["schedules"]:
        click.echo('No schedules. Have a plan run again and again: quarterdeck plan schedule ID --cron "30 2 * * *"')
    else:
        rows = [
            [
                each["id"], each["plan"], each["cron"], each["timezone"],
                "‖ paused" if each["paused_at"] else f"in {until(each['next'][0])}" if each["next"] else "never",
                each["approval"], _run(each["runs"][0]) if each["runs"] else "-",
            ]
            for each in found["schedules"]
        ]  # fmt: skip
        table(["schedule", "plan", "cron", "time zone", "next", "approval", "last run"], rows)


@schedule_command.command("next")
@REF
@click.option("-n", "--times", type=click.IntRange(1, 100), default=5, show_default=True, help="How many times.")
@json_option
@with_client
async def next_times(client: Client, ref: str, times: int, as_json: bool) -> None:
    """Show when a schedule is due next, in this machine's time, and its newest runs.

    Example: quarterdeck schedule next nightly -n 10
    """
    found = await client.get(at("schedule", ref), times=times)
    if as_json:
        print_json(found)
        return
    schedule = found["schedule"]
    facts(
        {
            "schedule": f"{schedule['id']}  {schedule['plan']}",
            "cron": f"{schedule['cron']}  ({schedule['timezone']})",
            "starts": _starts(schedule),
            "missed": schedule["missed"],
            "made by": schedule["created_by"],
        }
    )
    if schedule["paused_at"]:
        click.echo(f"It is paused. quarterdeck schedule resume {schedule['id']}")
    for moment in schedule["next"]:
        click.echo(f"  {_moment(moment)}  in {until(moment)}")
    if schedule["runs"]:
        click.echo()
        rows = [[_moment(each["due"]), _run(each), one_line(each["reason"])] for each in schedule["runs"]]
        table(["was due", "run", "why"], rows)


@schedule_command.command("pause")
@REF
@json_option
@with_client
async def pause(client: Client, ref: str, as_json: bool) -> None:
    """Make no further runs until it is resumed; what is due meanwhile is not missed.

    Example: quarterdeck schedule pause nightly
    """
    await _do(client, ref, "pause", "is paused", as_json=as_json)


@schedule_command.command("resume")
@REF
@json_option
@with_client
async def resume(client: Client, ref: str, as_json: bool) -> None:
    """Make runs again, from now on.

    Example: quarterdeck schedule resume nightly
    """
    await _do(client, ref, "resume", "goes on", as_json=as_json)


@schedule_command.command("run")
@REF
@json_option
@with_client
async def run_now(client: Client, ref: str, as_json: bool) -> None:
    """Make a run now, as if it were due; it waits for its approval like every other. The times that it is due stay.

    Example: quarterdeck schedule run nightly
    """
    refuse_in_session("run schedules")
    found = await client.post(at("schedule", ref, "run"), {})
    if as_json:
        print_json(found)
        return
    schedule, run = found["schedule"], found["run"]
    click.echo(f"{run['plan']} is made; it starts {_starts(schedule)}.")
    click.secho(f"quarterdeck schedule next {schedule['id']}", dim=True)


@schedule_command.command("remove")
@REF
@json_option
@with_client
async def remove(client: Client, ref: str, as_json: bool) -> None:
    """Take a schedule away. The plan stays, and so do its runs, also those that wait for an approval.

    Example: quarterdeck schedule remove nightly
    """
    refuse_in_session("remove schedules")
    found = await client.delete(at("schedule", ref))
    if as_json:
        print_json(found)
    else:
        click.echo(f"{found['schedule']['id']}: {found['schedule']['plan']} is not run by itself any more.")


async def _do(client: Client, ref: str, what: str, said: str, *, as_json: bool) -> None:
    refuse_in_session(f"{what} schedules")
    found = await client.post(at("schedule", ref, what), {})
    if as_json:
        print_json(found)
        return
    schedule = found["schedule"]
    due = f", due next {_moment(schedule['next'][0])}" if schedule["next"] else ""
    click.echo(f"{schedule['id']} ({schedule['plan']}) {said}{due}.")


def _starts(schedule: dict[str, Any]) -> str:
    return "by itself" if schedule["approval"] == "auto" else "when you approve it"


def _run(run: dict[str, Any]) -> str:
    glyph, colour = STATES[run["state"]]
    return click.style(f"{glyph} {run['state']}", fg=colour) + f" {run['plan']}"


def _moment(moment: str) -> str:
    """Return an RFC 3339 time as this machine's clock shows it, with its offset."""
    return f"{datetime.fromisoformat(moment).astimezone():%a %Y-%m-%d %H:%M %z}"
