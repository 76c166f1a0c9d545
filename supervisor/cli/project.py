"""`project`: the repositories that sessions work on."""

from __future__ import annotations

from pathlib import Path

import click

from supervisor.api.client import Client, at
from supervisor.cli.connection import with_client
from supervisor.cli.output import json_option, print_json, table


@click.group("project")
def project_command() -> None:
    """Add, list or remove repositories.

    Example: quarterdeck project add ~/work/shop
    """


@project_command.command("add")
@click.argument("path", type=click.Path(path_type=Path, resolve_path=True), default=".")
@json_option
@with_client
async def add(client: Client, path: Path, as_json: bool) -> None:
    """Add the repository that holds PATH. This is the consent to make worktrees for it.

    Example: quarterdeck project add .
    """
    found = await client.post("/projects", {"path": str(path)})
    if as_json:
        print_json(found)
    else:
        project = found["project"]
        click.echo(f"{project['name']}  {project['root']}  (default branch {project['default_branch']})")


@project_command.command("list")
@json_option
@with_client
async def list_projects(client: Client, as_json: bool) -> None:
    """List the projects.

    Example: quarterdeck project list
    """
    found = await client.get("/projects")
    if as_json:
        print_json(found)
    elif not found["projects"]:
        click.echo("No projects. Add one: quarterdeck project add PATH")
    else:
        table(
            ["name", "default branch", "root"],
            [[each["name"], each["default_branch"], each["root"]] for each in found["projects"]],
        )


@project_command.command("remove")
@click.argument("ref", metavar="ID")
@json_option
@with_client
async def remove(client: Client, ref: str, as_json: bool) -> None:
    """Forget a project that has no sessions. The repository is not touched.

    Example: quarterdeck project remove shop
    """
    found = await client.delete(at("project", ref))
    if as_json:
        print_json(found)
    else:
        click.echo(f"{found['project']['name']} was forgotten; {found['project']['root']} is as it was.")
