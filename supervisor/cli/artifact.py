"""`artifact`: put, get and list what is kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from supervisor.api.client import Client, at
from supervisor.cli.connection import no_start_option
from supervisor.cli.kept import body_of, listed, place_options, provenance_of, said, size_of
from supervisor.cli.output import json_option, print_json
from supervisor.cli.putting import get_into, get_out, put_file, speaking
from supervisor.model.artifacts import is_sha256
from supervisor.model.errors import InvalidInput, NotFound, Refused
from supervisor.model.plain import clean, one_line


@click.group("artifact")
def artifact_command() -> None:
    """Put, get and list what is kept: named, typed, and never changed.

    Example: quarterdeck artifact put report.html --plan plan-hello --task check
    """


@artifact_command.command("put")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", metavar="N", help="What it is called; the file's name unless given.")
@click.option("--type", "type_", metavar="T", help="A media type or a word; from the name unless given.")
@place_options(own_task=True)
@click.option(
    "--retention", metavar="DAYS", help="How long it is kept: days, a time (12h, 2w), plan, project, forever."
)
@json_option
@no_start_option
def put(
    file: Path,
    name: str | None,
    type_: str | None,
    plan: str | None,
    task: str | None,
    retention: str | None,
    as_json: bool,
    no_start: bool,
) -> None:
    """Keep FILE. The same name again is a new version; older ones stay.

    Within a session it is that session's. An upload that was broken off goes on when it is put again.

    Example: quarterdeck artifact put report.html --retention 30
    """
    body = {**body_of(plan, task, name or file.name, type_, retention), "provenance": provenance_of(file)}
    artifact = speaking(lambda client: put_file(client, file, body), no_start=no_start)
    said(artifact, as_json)


@artifact_command.command("get")
@click.argument("ref", metavar="ID|NAME")
@place_options(own_task=False)
@click.option("--version", type=click.IntRange(1), metavar="V", help="This version of the name, not the newest.")
@click.option("--output", "-o", type=click.Path(path_type=Path), metavar="F", help="Where to; - is stdout.")
@json_option
@no_start_option
def get(
    ref: str,
    plan: str | None,
    task: str | None,
    version: int | None,
    output: Path | None,
    as_json: bool,
    no_start: bool,
) -> None:
    """Write what was kept to a file, checked by its hash. ID may also be the hash.

    A name gives the newest of that name. Without --output it goes to a new file of its name here. Of a folder that a
    task has kept it is a tar archive.

    Example: quarterdeck artifact get report.html --plan plan-hello --output -
    """
    if as_json and output == Path("-"):
        raise InvalidInput("The content and JSON cannot both go to stdout.", hint="Leave one of them out.")

    async def use(client: Client) -> tuple[dict[str, Any], Path]:
        artifact = await _chosen(client, ref, plan=plan, task=task, version=version)
        archive = ".tar" if artifact["form"] == "folder" else ""
        target = output or Path(artifact["name"].rpartition("/")[2] + archive)
        if target == Path("-"):
            await get_out(client, artifact, sys.stdout.buffer)
            return artifact, target
        if output is None:
            _refuse_taken(target)
        await get_into(client, artifact, target)
        return artifact, target

    artifact, target = speaking(use, no_start=no_start)
    if as_json:
        print_json({"artifact": artifact, "path": str(target.absolute())})
    elif target != Path("-"):
        click.echo(f"{clean(target)}: version {artifact['version']}, {size_of(artifact['size'])}")


@artifact_command.command("list")
@place_options(own_task=False)
@click.option("--session", metavar="ID", help="Only what this session kept.")
@click.option("--name", metavar="N", help="Only the versions of this name.")
@click.option("--project", help="Only those of this project.")
@json_option
@no_start_option
def list_artifacts(as_json: bool, no_start: bool, **wanted: str | None) -> None:
    """List what is kept, newest first, with every version.

    Example: quarterdeck artifact list --plan plan-hello
    """
    listed("artifact", wanted, as_json, no_start)


def _refuse_taken(target: Path) -> None:
    if os.path.lexists(target):
        raise Refused(f"There is a file {target} here already.", hint=f"Give another: --output {target}.new")


async def _chosen(client: Client, ref: str, **wanted: Any) -> dict[str, Any]:
    """Return the artifact that an id, a hash, or a name means; a name means the newest of its address."""
    if is_sha256(ref) or ref.startswith("art_"):
        found: dict[str, Any] = (await client.get(at("artifact", ref)))["artifact"]
        return found
    listed = (await client.get("/artifacts", name=ref, kind="artifact", **wanted))["artifacts"]
    places = {_address(each) for each in listed}
    if not listed:
        raise NotFound(f"Nothing is kept as {one_line(ref)} here.", hint="`quarterdeck artifact list` shows what is.")
    if len(places) > 1:
        several = ", ".join(sorted({one_line(" ".join(filter(None, place))) for place in places})[:5])
        raise InvalidInput(
            f"{one_line(ref)} is the name of several: {several}.", hint="Give --plan and --task, or the id."
        )
    newest: dict[str, Any] = max(listed, key=lambda each: each["version"])
    return newest


def _address(artifact: dict[str, Any]) -> tuple[str | None, ...]:
    session = None if artifact["plan"] else artifact["session"]
    return artifact["project"], artifact["plan"], artifact["task"], session
