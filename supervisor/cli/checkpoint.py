"""`checkpoint`: states of worktrees that can be gone back to."""

from __future__ import annotations

import sys

import click

from supervisor.api.client import Client, Json, at
from supervisor.cli.connection import refuse_in_session, with_client
from supervisor.cli.kept import size_of
from supervisor.cli.output import OF_DIFFS, age, facts, json_option, print_json, table
from supervisor.cli.planfiles import counted
from supervisor.model.errors import InvalidInput
from supervisor.model.plain import clean, one_line

REF = click.argument("ref", metavar="CHECKPOINT")

RESTORE_TIMEOUT_S = 1800.0
"""Large trees on slow disks take their time, and a restore is not to be given up in its middle."""


@click.group("checkpoint")
def checkpoint_command() -> None:
    """Keep states of a session's or a plan's worktree, and go back to one exactly. CHECKPOINT is a name or an id.

    Example: quarterdeck checkpoint create fix --reason "before the rewrite"
    """


@checkpoint_command.command("create")
@click.argument("session", required=False)
@click.option("--plan", help="Of this plan's worktree, instead of a session's.")
@click.option("--reason", default="asked for", show_default=True, help="What it is good for.")
@click.option("--ignored", multiple=True, metavar="PATTERN", help="Ignored files that are to be in it, as .env.")
@json_option
@with_client
async def create(
    client: Client, session: str | None, plan: str | None, reason: str, ignored: tuple[str, ...], as_json: bool
) -> None:
    """Keep the files of a worktree as they are, new ones too, with the index. Nothing of yours is touched.

    Example: quarterdeck checkpoint create --plan plan-hello --ignored .env
    """
    refuse_in_session("make checkpoints")
    if (session is None) == (plan is None):
        raise InvalidInput("Name a session or, with --plan, a plan.", hint="`quarterdeck checkpoint create --help`")
    body = {"session": session, "plan": plan, "reason": reason, "ignored": list(ignored)}
    found = await client.post("/checkpoints", body, timeout_s=RESTORE_TIMEOUT_S)
    if as_json:
        print_json(found)
        return
    made = found["checkpoint"]
    click.echo(f"{made['name']}: {counted(made['files'], 'file')}, {size_of(made['size'])}.")
    click.secho(f"quarterdeck checkpoint restore {made['name']}", dim=True)


@checkpoint_command.command("list")
@click.option("--session", help="Only those of this session.")
@click.option("--plan", help="Only those of this plan.")
@click.option("--project", help="Only those of this project.")
@click.option("--expired", is_flag=True, help="Those that are kept no longer, too.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="How many.")
@json_option
@with_client
async def list_checkpoints(
    client: Client,
    session: str | None,
    plan: str | None,
    project: str | None,
    expired: bool,
    limit: int,
    as_json: bool,
) -> None:
    """List checkpoints, newest first.

    Example: quarterdeck checkpoint list --plan plan-hello
    """
    found = await client.get("/checkpoints", session=session, plan=plan, project=project, expired=expired, limit=limit)
    if as_json:
        print_json(found)
    elif not found["checkpoints"]:
        click.echo("No checkpoints. Plans make them by themselves; of a session: quarterdeck checkpoint create SESSION")
    else:
        rows = [
            [
                each["name"], each["plan"] or each["session"], str(each["files"]), size_of(each["size"]),
                each["status"], age(each["created_at"]), one_line(each["reason"]),
            ]
            for each in found["checkpoints"]
        ]  # fmt: skip
        table(["checkpoint", "of", "files", "size", "status", "age", "reason"], rows)


@checkpoint_command.command("show")
@REF
@json_option
@with_client
async def show(client: Client, ref: str, as_json: bool) -> None:
    """Show a checkpoint: what it is of, where HEAD was, and what was decided by then.

    Example: quarterdeck checkpoint show cp-a-20261129T170059123Z
    """
    found = await client.get(at("checkpoint", ref))
    if as_json:
        print_json(found)
        return
    each = found["checkpoint"]
    facts(
        {
            "checkpoint": f"{each['name']}  {each['id']}",
            "status": each["status"],
            "reason": one_line(each["reason"]),
            "plan": each["plan"],
            "task": each["task"],
            "session": each["session"],
            "worktree": clean(each["worktree"]),
            "files": f"{each['files']}, {size_of(each['size'])}",
            "head": f"{(each['head'] or 'no commit')[:12]} on {clean(each['branch'] or 'no branch')}",
            "ref": each["ref"],
            "decisions": ", ".join(each["decisions"]),
            "outputs of": ", ".join(map(one_line, each["outputs"])),
            "made": f"{age(each['created_at'])} ago by {clean(each['created_by'])}",
            "restored": f"{age(each['restored_at'])} ago" if each["restored_at"] else None,
        }
    )


@checkpoint_command.command("diff")
@REF
@click.argument("other", required=False)
@click.option("--stat", is_flag=True, help="Only which files, and how much.")
@json_option
@with_client
async def diff(client: Client, ref: str, other: str | None, stat: bool, as_json: bool) -> None:
    """Show what is different since a checkpoint: in its worktree now, or in the checkpoint OTHER.

    Example: quarterdeck checkpoint diff cp-a-20261129T170059123Z --stat
    """
    found = await client.get(at("checkpoint", ref, "diff"), other=other, stat=stat)
    if as_json:
        print_json(found)
    elif not sys.stdout.isatty():
        sys.stdout.write(found["diff"])
    else:
        for line in clean(found["diff"]).splitlines():
            click.secho(line, fg=OF_DIFFS.get(line[:1]), bold=line.startswith("diff "))


@checkpoint_command.command("restore")
@REF
@click.option("--head", is_flag=True, help="Move HEAD and the branch that was checked out, too.")
@click.option("--force", is_flag=True, help="Also while something works in the worktree.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@with_client
async def restore(client: Client, ref: str, head: bool, force: bool, yes: bool, as_json: bool) -> int:
    """Make the worktree exactly what it was. What is there now is kept as a checkpoint first.

    Example: quarterdeck checkpoint restore cp-a-20261129T170059123Z
    """
    refuse_in_session("restore checkpoints")
    each = (await client.get(at("checkpoint", ref)))["checkpoint"]
    if not (yes or as_json or click.confirm(f"Make {each['worktree']} what it was {age(each['created_at'])} ago?")):
        click.echo("It was left as it is.")
        return 1
    body = {"head": head, "force": force}
    found = await client.post(at("checkpoint", each["id"], "restore"), body, timeout_s=RESTORE_TIMEOUT_S)
    if as_json:
        print_json(found)
        return 0
    _say(found)
    return 0


@checkpoint_command.command("delete")
@REF
@json_option
@with_client
async def delete(client: Client, ref: str, as_json: bool) -> None:
    """Let go of a checkpoint: git collects what it holds.

    Example: quarterdeck checkpoint delete cp-a-20261129T170059123Z
    """
    refuse_in_session("delete checkpoints")
    found = await client.delete(at("checkpoint", ref))
    if as_json:
        print_json(found)
    else:
        click.echo(f"{found['checkpoint']['name']} is kept no longer.")


def _say(found: Json) -> None:
    name, safety = found["checkpoint"]["name"], found["safety"]["name"]
    click.echo(
        f"{name} is restored: {counted(found['written'], 'file')} written, {found['removed']} removed"
        f"{', HEAD moved' if found['head_moved'] else ''}."
    )
    for line in found["left"]:
        click.echo(clean(line), err=True)
    click.echo(f"What was there before is {safety}.")
    click.secho(f"quarterdeck checkpoint restore {safety}", dim=True)
