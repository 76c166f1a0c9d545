"""`evidence`: what speaks for or against something."""

from __future__ import annotations

import os
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

import click

from supervisor.api.client import Client, at
from supervisor.cli.connection import no_start_option
from supervisor.cli.kept import body_of, listed, place_options, provenance_of, said, size_of
from supervisor.cli.output import age, facts, json_option, print_json
from supervisor.cli.putting import put_file, put_text, speaking
from supervisor.model.errors import InvalidInput
from supervisor.model.plain import clean, one_line

SHOWN: Final = 64 * 1024
"""Bytes of a text that `evidence show` prints."""


@click.group("evidence")
def evidence_command() -> None:
    """Keep what shows that something is so, or is not; list and show it.

    Example: quarterdeck evidence add test.log --plan plan-hello --task check --supports "All tests pass"
    """


@evidence_command.command("add")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--text", metavar="T", help="The evidence itself, in the place of a file.")
@place_options(own_task=True)
@click.option("--name", metavar="N", help="What it is called; the file's name unless given.")
@click.option("--supports", metavar="TEXT", help="What it speaks for, in words.")
@click.option("--refutes", metavar="TEXT", help="What it speaks against, in words.")
@click.option("--about", metavar="TEXT", help="What it speaks to without being for or against it.")
@json_option
@no_start_option
def add(
    file: Path | None,
    text: str | None,
    plan: str | None,
    task: str | None,
    name: str | None,
    as_json: bool,
    no_start: bool,
    **stances: str | None,
) -> None:
    """Keep FILE, or a text, as evidence of a task.

    Example: quarterdeck evidence add --text "p99 is 12 ms" --plan plan-hello --task measure --refutes "It is slow"
    """
    if (file is None) == (text is None):
        raise InvalidInput("Give either a file or --text.", hint='For example: quarterdeck evidence add --text "…"')
    taken = {stance: words for stance, words in stances.items() if words is not None}
    if len(taken) > 1:
        raise InvalidInput("Give one of --supports, --refutes and --about.", hint="Add it twice to say both.")
    if not (plan and task) and "QUARTERDECK_TOKEN" not in os.environ:
        raise InvalidInput("It is not said what it is evidence of.", hint="Give --plan P --task T.")
    ((stance, statement),) = taken.items() or [("supports", "")]
    body = {
        **body_of(plan, task, name or (file.name if file else "note.txt"), None if file else "text/plain", None),
        "kind": "evidence",
        "statement": statement,
        "stance": {"supports": "supports", "refutes": "refutes", "about": "neutral"}[stance],
        "provenance": provenance_of(file) if file else {},
    }

    async def use(client: Client) -> dict[str, Any]:
        return await (put_file(client, file, body) if file else put_text(client, text or "", body))

    said(speaking(use, no_start=no_start), as_json)


@evidence_command.command("list")
@place_options(own_task=False)
@json_option
@no_start_option
def list_evidence(as_json: bool, no_start: bool, **wanted: str | None) -> None:
    """List the evidence, newest first.

    Example: quarterdeck evidence list --plan plan-hello --task check
    """
    listed("evidence", wanted, as_json, no_start)


@evidence_command.command("show")
@click.argument("ref", metavar="ID")
@json_option
@no_start_option
def show(ref: str, as_json: bool, no_start: bool) -> None:
    """Show a piece of evidence: what it speaks to, where it comes from, and its text.

    Example: quarterdeck evidence show art_01m7
    """

    async def use(client: Client) -> tuple[dict[str, Any], bytes]:
        found: dict[str, Any] = (await client.get(at("artifact", ref)))["artifact"]
        shown = b""
        if not as_json and found["removed_at"] is None and found["size"]:
            async with aclosing(client.content(at("artifact", found["id"], "content"))) as content:
                async for data in content:
                    shown += data
                    if len(shown) >= SHOWN:
                        break
        return found, shown[:SHOWN]

    found, shown = speaking(use, no_start=no_start)
    if as_json:
        print_json({"evidence": found})
        return
    facts(
        {
            "id": found["id"],
            "name": f"{one_line(found['name'])}, version {found['version']}",
            "stance": one_line(f"{found['stance']}: {found['statement']}" if found["statement"] else found["stance"]),
            "type": one_line(found["type"]),
            "size": size_of(found["size"]),
            "sha256": found["sha256"],
            "plan": found["plan"],
            "task": found["task"],
            "session": found["session"],
            "by": f"{one_line(found['created_by'])}, {age(found['created_at'])} ago",
            "kept": found["retention"],
            "removed": found["removed_at"],
        }
    )
    if b"\0" in shown:
        click.secho(f"\nIt is no text: quarterdeck artifact get {found['id']}", dim=True)
    elif shown:
        click.echo("\n" + clean(shown.decode(errors="replace")).rstrip("\n"))
        if found["size"] > len(shown):
            click.secho(f"… the rest: quarterdeck artifact get {found['id']} --output -", dim=True)
