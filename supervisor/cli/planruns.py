"""`plan start, advance, pause, resume, cancel`: plans that run."""

from __future__ import annotations

import click

from supervisor.api.client import Client, Json, at
from supervisor.cli.connection import refuse_in_session, with_client
from supervisor.cli.output import json_option, mark_plan, print_json
from supervisor.cli.planfiles import counted
from supervisor.cli.planwords import REF, progress_of
from supervisor.cli.run import WAITS_FOR_APPROVAL, own_environment
from supervisor.model.plain import clean, one_line


@click.command("start")
@REF
@click.option("--wait", is_flag=True, help="Wait until it has ended, or waits for a person (exit code 90).")
@click.option("--dry-run", is_flag=True, help="Say what each task would do and where; nothing is started or stored.")
@json_option
@with_client
async def start(client: Client, ref: str, wait: bool, dry_run: bool, as_json: bool) -> int:
    """Start a plan. With `advance: auto` it runs on by itself, else `plan advance` lets each step run.

    Example: quarterdeck plan start plan-hello --wait
    """
    if dry_run:
        return _rehearsed(await client.get(at("plan", ref, "rehearsal")), as_json=as_json)
    refuse_in_session("start plans")
    plan = (await client.post(at("plan", ref, "start"), {"environment": own_environment()}))["plan"]
    if wait:
        plan = await client.wait_until_plan_rests(plan["id"])
    if as_json:
        print_json({"plan": plan})
    else:
        _say(plan)
    return _code(plan) if wait else 0


@click.command("advance")
@REF
@click.option("--level", is_flag=True, help="Let all that are ready run, not just the next.")
@json_option
@with_client
async def advance(client: Client, ref: str, level: bool, as_json: bool) -> None:
    """Let the next ready task of a plan run, where each step waits for a person.

    Example: quarterdeck plan advance plan-hello --level
    """
    refuse_in_session("advance plans")
    found = await client.post(at("plan", ref, "advance"), {"level": level})
    if as_json:
        print_json(found)
        return
    click.echo(
        f"{found['plan']['id']}: {counted(len(found['released']), 'task')} may run: {', '.join(found['released'])}."
    )


@click.command("pause")
@REF
@json_option
@with_client
async def pause(client: Client, ref: str, as_json: bool) -> None:
    """Begin nothing more of a plan; what runs goes on to its end.

    Example: quarterdeck plan pause plan-hello
    """
    await _do(client, ref, "pause", as_json=as_json)


@click.command("resume")
@REF
@json_option
@with_client
async def resume(client: Client, ref: str, as_json: bool) -> None:
    """Let a paused plan go on.

    Example: quarterdeck plan resume plan-hello
    """
    await _do(client, ref, "resume", as_json=as_json)


@click.command("cancel")
@REF
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@with_client
async def cancel(client: Client, ref: str, yes: bool, as_json: bool) -> int:
    """Give a plan up: what runs is stopped, nothing more begins. Its branch and worktree stay.

    Example: quarterdeck plan cancel plan-hello
    """
    refuse_in_session("cancel plans")
    plan = (await client.get(at("plan", ref)))["plan"]
    running = sum(task["status"] == "running" for task in plan["tasks"])
    if not (
        yes or as_json or click.confirm(f"Cancel {plan['id']}? {counted(running, 'task')} of it runs and is stopped.")
    ):
        click.echo("It was left as it is.")
        return 1
    await _do(client, plan["id"], "cancel", as_json=as_json)
    return 0


@click.command("merge")
@REF
@click.option("--into", metavar="BRANCH", help="Where to (default: the default branch).")
@json_option
@with_client
async def merge(client: Client, ref: str, into: str | None, as_json: bool) -> None:
    """Merge the branch of a plan that has ended. A conflict changes nothing and says where.

    Example: quarterdeck plan merge plan-hello
    """
    refuse_in_session("merge plans")
    found = await client.post(at("plan", ref, "merge"), {"into": into})
    if as_json:
        print_json(found)
    else:
        click.echo(f"{found['branch']} is merged into {found['into']}.")


@click.command("archive")
@REF
@json_option
@with_client
async def archive(client: Client, ref: str, as_json: bool) -> None:
    """Put an ended plan away, with a readme of what came of it for whoever goes on. Its branch stays.

    Example: quarterdeck plan archive plan-hello
    """
    refuse_in_session("archive plans")
    found = await client.post(at("plan", ref, "archive"), {})
    if as_json:
        print_json(found)
        return
    click.echo(f"{found['plan']['id']} is archived. What to hand on: {found['readme']}")
    if found["worktree"]["detail"]:
        click.secho(clean(found["worktree"]["detail"]), dim=True)


async def _do(client: Client, ref: str, what: str, *, as_json: bool) -> None:
    refuse_in_session(f"{what} plans")
    found = await client.post(at("plan", ref, what), {})
    if as_json:
        print_json(found)
    else:
        _say(found["plan"])


def _rehearsed(found: Json, *, as_json: bool) -> int:
    """Print what a start would do; exit code 1 when it would be refused."""
    if as_json:
        print_json(found)
        return 1 if found["refusal"] else 0
    for task in found["tasks"]:
        after = f", after {', '.join(task['after'])}" if task["after"] else ""
        title = f"  {one_line(task['title'])}" if task["title"] != task["task"] else ""
        click.echo(click.style(task["task"], bold=True) + title + click.style(f"  {task['place']}{after}", dim=True))
        for number, step in enumerate(task["steps"], 1):
            click.echo(f"  {number}. {one_line(step)}")
        if bounds := task.get("bounds"):  # an older supervisor does not say them
            click.secho(f"  {one_line('; '.join(bounds))}", dim=True)
    if found["refusal"]:
        click.secho(f"A start would be refused: {clean(found['refusal'])}", fg="red")
        return 1
    click.secho(f"Nothing was started. quarterdeck plan start {found['plan']}", dim=True)
    return 0


def _say(plan: Json) -> None:
    """Say how a plan stands, and what a person can do now."""
    click.echo(f"{plan['id']}  {mark_plan(plan['status'])}  {clean(plan['status_reason']['text'])}")
    click.secho(progress_of(plan), dim=True)
    for task in plan["tasks"]:
        if task["status"] in ("failed", "blocked"):
            click.echo(f"  {mark_plan(task['status'])}  {task['id']}: {one_line(task['status_reason']['text'])}")
    asked: dict[str, list[str]] = {}
    for task in plan["tasks"]:
        if task["status"] == "waiting_approval":
            asked.setdefault(task["status_reason"]["text"], []).append(task["id"])
        elif task["asks"]:
            asked.setdefault("A person decides.", []).append(task["id"])
    ready = [task["id"] for task in plan["tasks"] if task["status"] == "ready"]
    if asked:
        for who, names in asked.items():
            said = one_line(who)
            click.echo(f"{', '.join(names)}: {said[:1].lower()}{said[1:]} quarterdeck approvals")
    elif plan["status"] == "running" and plan["advance"] == "manual" and ready:
        click.secho(f"quarterdeck plan advance {plan['id']}", dim=True)
    else:
        click.secho(f"quarterdeck plan show {plan['id']}", dim=True)


def _code(plan: Json) -> int:
    if plan["status"] == "completed":
        return 0
    return 1 if plan["status"] in ("failed", "abandoned", "blocked") else WAITS_FOR_APPROVAL
