"""`plan create, list, show, revise, diff, delete`: the plans that the supervisor keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from supervisor.api.client import Client, Json, at
from supervisor.cli.connection import refuse_in_session, with_client
from supervisor.cli.output import OF_DIFFS, age, facts, json_option, mark_plan, print_json, table
from supervisor.cli.planfiles import contents, counted
from supervisor.cli.planwords import REF, progress_of
from supervisor.engine.plans.reading import read
from supervisor.model.plain import clean, one_line
from supervisor.model.plans import PlanStatus, Running

FILE = click.argument("file", type=click.Path(path_type=Path))


@click.command("create")
@FILE
@json_option
@with_client
async def create(client: Client, file: Path, as_json: bool) -> None:
    """Keep the plan in FILE for the repository of this folder. Nothing of it runs. FILE - is stdin.

    Example: quarterdeck plan create plan.yaml
    """
    found = await client.post("/plans", {**_document(file), "cwd": str(Path.cwd())})
    if as_json:
        print_json(found)
        return
    plan = found["plan"]
    count = counted(len(plan["tasks"]), "task")
    click.echo(f"{plan['id']}: {one_line(plan['title'])}, {count}. It is kept; nothing has begun.")
    click.secho(f"quarterdeck plan show {plan['id']}", dim=True)


@click.command("list")
@click.option("--status", type=click.Choice([each.value for each in PlanStatus]), multiple=True, help="Only these.")
@click.option("--project", help="Only those of this project.")
@click.option("--archived", is_flag=True, help="Archived ones, too.")
@json_option
@with_client
async def list_plans(
    client: Client, status: tuple[str, ...], project: str | None, archived: bool, as_json: bool
) -> None:
    """List the plans, oldest first.

    Example: quarterdeck plan list --status pending
    """
    found = await client.get("/plans", status=list(status) or None, project=project, archived=archived)
    if as_json:
        print_json(found)
    elif not found["plans"]:
        click.echo("No plans. Write one, then: quarterdeck plan create plan.yaml")
    else:
        rows = [
            [
                plan["id"], one_line(plan["title"]), mark_plan(plan["status"]),
                str(plan["revision"]), plan["project_name"] or "-", age(plan["created_at"]),
            ]
            for plan in found["plans"]
        ]  # fmt: skip
        table(["plan", "title", "status", "revision", "project", "age"], rows)


@click.command("show")
@REF
@json_option
@with_client
async def show(client: Client, ref: str, as_json: bool) -> None:
    """Show a plan: how each task stands, and its revisions.

    Example: quarterdeck plan show plan-hello
    """
    found = await client.get(at("plan", ref))
    if as_json:
        print_json(found)
        return
    plan = found["plan"]
    facts(
        {
            "plan": f"{plan['id']}  {one_line(plan['title'])}",
            "status": f"{mark_plan(plan['status'])}: {one_line(plan['status_reason']['text'])}",
            "project": plan["project_name"],
            "owner": plan["owner"],
            "advance": plan["advance"],
            "deadline": plan["deadline"],
            "progress": progress_of(plan),
            "branch": plan["branch"],
            "worktree": plan["worktree"],
        }
    )
    click.echo()
    rows = [
        [task["id"], one_line(task["title"]), task["kind"], mark_plan(task["status"]),
         ", ".join(task["after"]) or "-", _why(task)]
        for task in plan["tasks"]
    ]  # fmt: skip
    table(["task", "title", "kind", "status", "after", "why"], rows)
    if len(plan["revisions"]) > 1:
        click.echo()
        table(["revision", "age", "by", "why"], [_revision(each) for each in plan["revisions"]])


@click.command("revise")
@REF
@FILE
@click.option("--rationale", metavar="T", help="Why; kept with the revision.")
@click.option(
    "--running",
    type=click.Choice(get_args(Running)),
    default="refuse",
    help="What becomes of tasks under way that it changes or removes: keep (they go on as they were started), stop "
    "(they are ended, and wait for you), restart (they are ended, and begun anew).",
)
@click.option("--dry-run", is_flag=True, help="Show what it would change and what would become of what runs.")
@json_option
@with_client
async def revise(
    client: Client, ref: str, file: Path, rationale: str | None, running: str, dry_run: bool, as_json: bool
) -> int:
    """Let the document in FILE take the place of a plan's, as a new revision. Unchanged tasks keep their state.

    Example: quarterdeck plan revise plan-hello plan.yaml --rationale "The check comes first"
    """
    body = {**_document(file), "running": running}
    if dry_run:
        return _rehearsed(await client.post(at("plan", ref, "revisions/rehearsal"), body), as_json=as_json)
    refuse_in_session("revise plans")
    if not (rationale or "").strip():
        raise click.UsageError("Why is it revised? Give --rationale.")
    found = await client.post(at("plan", ref, "revisions"), {**body, "rationale": rationale})
    plan = found["plan"]
    if as_json:
        print_json(found)
    else:
        click.echo(f"{plan['id']} is at revision {plan['revision']} now.")
        _say_running(found["running"])
        click.secho(f"quarterdeck plan diff {plan['id']} {plan['revision'] - 1} {plan['revision']}", dim=True)
    return 0


@click.command("diff")
@REF
@click.argument("before", metavar="A", type=click.IntRange(1))
@click.argument("after", metavar="B", type=click.IntRange(1))
@json_option
@with_client
async def diff(client: Client, ref: str, before: int, after: int, as_json: bool) -> None:
    """Show what is different between two revisions of a plan.

    Example: quarterdeck plan diff plan-hello 1 2
    """
    found = await client.get(at("plan", ref, "diff"), before=before, after=after)
    if as_json:
        print_json(found)
        return
    if not found["diff"]:
        click.echo(f"Revisions {before} and {after} say the same.")
    _say_diff(found["diff"])


@click.command("delete")
@REF
@click.option("--force", is_flag=True, help="Also when it holds work that exists nowhere else: that is lost.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@with_client
async def delete(client: Client, ref: str, force: bool, yes: bool, as_json: bool) -> int:
    """Take a plan away that is not under way, with its worktree and branch. What is recorded of it stays.

    It is refused, with what would be lost, when it holds work that exists nowhere else.

    Example: quarterdeck plan delete plan-hello
    """
    refuse_in_session("delete plans")
    plan = (await client.get(at("plan", ref)))["plan"]
    question = f"Delete {plan['id']} ({one_line(plan['title'])}), with {counted(plan['revision'], 'revision')}?"
    question += " What only its branches and worktrees hold is lost." if force else ""
    if not (yes or as_json or click.confirm(question)):
        click.echo("It was left as it is.")
        return 1
    found = await client.delete(at("plan", plan["id"]), force=force)
    if as_json:
        print_json(found)
    else:
        click.echo(f"{found['plan']['id']} was deleted.")
        if found["worktree"]["detail"]:
            click.secho(clean(found["worktree"]["detail"]), dim=True)
    return 0


def _rehearsed(found: Json, *, as_json: bool) -> int:
    """Print what a revision would change; exit code 1 when it would be refused."""
    if as_json:
        print_json(found)
        return 1 if found["refusal"] else 0
    _say_diff(found["diff"])
    _say_running(found["running"])
    if found["refusal"]:
        click.secho(f"It would be refused: {clean(found['refusal'])}", fg="red")
        return 1
    click.secho(f"Nothing was revised. {found['plan']} would be at revision {found['revision']}.", dim=True)
    return 0


def _say_diff(diff: str) -> None:
    for line in diff.splitlines():
        click.secho(clean(line), fg=OF_DIFFS.get(line[:1]))


def _say_running(running: list[Json]) -> None:
    """Say what becomes of tasks under way that a revision touches."""
    for each in running:
        click.echo(f"{mark_plan(each['status'])}  {each['task']}: {one_line(each['text'])}")


def _why(task: dict[str, Any]) -> str:
    """Return why a task stands as it does, where that is not plain."""
    told = task["status_reason"]["signal"] in ("unchanged", "rollback")  # completed, but not as usual
    plain = task["status"] in ("pending", "completed") and not told and task["goes_by"] is None
    return "" if plain else one_line(task["status_reason"]["text"])


def _document(file: Path) -> dict[str, str]:
    data, where = contents(file)
    try:
        return {"document": data.decode("utf-8-sig"), "where": where}
    except UnicodeDecodeError:
        read(data, where).checked()  # It says in which line.
        raise


def _revision(each: dict[str, Any]) -> list[str]:
    return [str(each["number"]), age(each["created_at"]), each["author"], one_line(each["rationale"]) or "-"]
