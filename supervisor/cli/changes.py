"""What a session changed: diff, commit, merge, push, bundle."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from supervisor.api.client import Client, at
from supervisor.cli.connection import with_client
from supervisor.cli.output import json_option, print_json
from supervisor.model.plain import clean

PUSH_TIMEOUT_S = 330.0
"""More than the supervisor gives a push."""

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


@click.command("push")
@click.argument("ref", metavar="ID")
@click.option("--remote", help="Remote (default: origin, or the only one).")
@json_option
@with_client
async def push_command(client: Client, ref: str, remote: str | None, as_json: bool) -> None:
    """Push a session's branch to a remote; it is never forced.

    Example: quarterdeck push fix --remote origin
    """
    found = await client.post(at("session", ref, "push"), {"remote": remote}, timeout_s=PUSH_TIMEOUT_S)
    if as_json:
        print_json(found)
        return
    if found["change"] == "unchanged":
        click.echo(f"{found['remote']} has everything of {found['branch']} already.")
    else:
        click.echo(f"Pushed {found['branch']} to {found['remote']} ({found['commit'][:12]}).")
    for line in found["messages"]:
        click.echo(f"{clean(found['remote'])}: {clean(line)}")
    _tell_of_uncommitted(found, ref)


@click.command("bundle")
@click.argument("ref", metavar="ID")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@with_client
async def bundle_command(client: Client, ref: str, file: Path, as_json: bool) -> None:
    """Write a session's commits to a new file, which `git fetch FILE` reads elsewhere.

    Example: quarterdeck bundle fix fix.bundle
    """
    found = await client.post(at("session", ref, "bundle"), {"path": _absolute(file)})
    if as_json:
        print_json(found)
        return
    commits = "1 commit" if found["commits"] == 1 else f"{found['commits']} commits"
    click.echo(f"Wrote {commits} of {found['branch']} to {file}.")
    _tell_of_uncommitted(found, ref)


def _absolute(file: Path) -> str:
    """Return a path as the supervisor, which stands in another folder, can use it."""
    return str(file.absolute())


def _tell_of_uncommitted(found: dict[str, Any], ref: str) -> None:
    if count := found["uncommitted"]:
        files = "1 file is" if count == 1 else f"{count} files are"
        click.echo(f"{files} not committed and not in it; `quarterdeck commit {ref} -m MESSAGE` commits.", err=True)
