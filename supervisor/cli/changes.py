"""What a session changed: diff, commit, merge."""

from __future__ import annotations

import sys

import click

from supervisor.api.client import Client, at
from supervisor.cli.connection import with_client
from supervisor.cli.output import json_option, print_json
from supervisor.model.plain import clean

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@click.command("diff")
@click.argument("ref", metavar="ID")
@click.option("--stat", is_flag=True, help="Only which files, and how much.")
@json_option
@with_client
async def diff_command(client: Client, ref: str, stat: bool, as_json: bool) -> None:
    """Show everything since the base: commits, uncommitted and untracked files.

    Example: quarterdeck diff fix --stat
    """
    found = await client.get(at("session", ref, "diff"), stat=stat)
    if as_json:
        print_json(found)
    elif not sys.stdout.isatty():
        sys.stdout.write(found["diff"])
    else:
        for line in clean(found["diff"]).splitlines():
            click.secho(line, fg=_COLOURS.get(line[:1]), bold=line.startswith("diff "))


@click.command("commit")
@click.argument("ref", metavar="ID")
@click.option("-m", "--message", required=True, help="The commit message.")
@json_option
@with_client
async def commit_command(client: Client, ref: str, message: str, as_json: bool) -> None:
    """Commit everything in a session's worktree.

    Example: quarterdeck commit fix -m "Fix the failing test"
    """
    found = await client.post(at("session", ref, "commit"), {"message": message})
    if as_json:
        print_json(found)
    else:
        click.echo(
            f"{found['commit'][:12]} on {found['branch']}" if found["commit"] else "There was nothing to commit."
        )


@click.command("merge")
@click.argument("ref", metavar="ID")
@click.option("--into", help="Target branch (default: the project's default branch).")
@json_option
@with_client
async def merge_command(client: Client, ref: str, into: str | None, as_json: bool) -> None:
    """Merge a session's branch. A conflict changes nothing and says where it is.

    Example: quarterdeck merge fix
    """
    found = await client.post(at("session", ref, "merge"), {"into": into})
    if as_json:
        print_json(found)
    else:
        click.echo(f"Merged {found['branch']} into {found['into']} as {found['commit'][:12]}.")
