"""`policy`: what is decided without a person, why, and since when."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import click

from supervisor.api.client import Client
from supervisor.cli.always import apply, show
from supervisor.cli.connection import refuse_in_session, with_client
from supervisor.cli.output import OF_DIFFS, age, json_option, print_json, table
from supervisor.model.errors import InvalidInput, NotFound
from supervisor.model.plain import clean, exact, one_line

_EFFECTS = {"allow": "green", "ask": "yellow", "deny": "red"}


@click.group("policy")
def policy_command() -> None:
    """Test, list, apply and take back the rules that decide for you.

    Example: quarterdeck policy test "git push --force"
    """


@policy_command.command("test")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--agent", help="As if this agent wanted it.")
@json_option
@with_client
async def test(client: Client, command: tuple[str, ...], agent: str | None, as_json: bool) -> None:
    """Say what would be decided about a command, by which rule, and why. Nothing runs.

    One argument is a line for a shell, several (or all behind --) are words that no shell reads.

    Example: quarterdeck policy test "cd /tmp && rm -rf build | tee log"
    """
    asked = command[0] if len(command) == 1 else list(command)
    found = await client.post("/policy/test", {"command": asked, "cwd": str(Path.cwd()), "agent": agent})
    if as_json:
        print_json(found)
        return
    click.echo(f"{_effect(found['decision'])}  by {found['rule']}: {one_line(found['reason'])}")
    if found["commands"]:
        click.echo()
        rows = [
            [_effect(each["decision"]), each["rule"], one_line(exact(each["command"]))] for each in found["commands"]
        ]
        table(["decision", "rule", "part"], rows)


@policy_command.command("list")
@click.option("--project", help="With the rules of this project.")
@json_option
@with_client
async def list_rules(client: Client, project: str | None, as_json: bool) -> None:
    """List the rules in force, with where each comes from.

    Example: quarterdeck policy list
    """
    found = await client.get("/policy", project=project)
    if as_json:
        print_json(found)
        return
    for problem in found["problems"]:
        click.secho(f"! {clean(problem)}", fg="red")
    rows = [
        [_effect(rule["effect"]), rule["name"], rule["layer"], one_line(exact(" | ".join(rule["patterns"])) or "-")]
        for rule in found["rules"]
    ]
    table(["effect", "rule", "from", "matches"], rows)


@policy_command.command("suggestions")
@json_option
@with_client
async def suggestions(client: Client, as_json: bool) -> None:
    """Propose rules for what you have approved again and again. None applies by itself.

    Example: quarterdeck policy suggestions
    """
    found = await client.get("/policy/suggestions")
    if as_json:
        print_json(found)
    elif not found["suggestions"]:
        click.echo("No suggestions. They come from what you approve again and again.")
    for number, proposal in enumerate([] if as_json else found["suggestions"]):
        if number:
            click.echo()
        show(proposal)
        click.secho(f"quarterdeck policy apply {proposal['id']}", dim=True)


@policy_command.command("apply")
@click.argument("what", metavar="ID|FILE")
@click.option("--rationale", metavar="T", default="", help="Why; kept with the version.")
@json_option
@with_client
async def apply_rules(client: Client, what: str, rationale: str, as_json: bool) -> None:
    """Apply a suggestion by its id, or a file whose rules take the place of those applied before.

    Example: quarterdeck policy apply rules.yaml --rationale "Deployments are asked about"
    """
    refuse_in_session("change policy")
    if what.startswith("sug_"):
        found = await client.get("/policy/suggestions")
        meant = [each for each in found["suggestions"] if each["id"].startswith(what)]
        if len(meant) != 1:
            raise NotFound(f"There is no suggestion {what}.", hint="`quarterdeck policy suggestions` lists them.")
        done = await apply(client, meant[0], found["version"])
    else:
        done = await client.post("/policy/apply", {"document": _document(Path(what)), "rationale": rationale})
    _say(done, as_json)


@policy_command.command("versions")
@json_option
@with_client
async def versions(client: Client, as_json: bool) -> None:
    """List every version of the rules that people applied, newest first.

    Example: quarterdeck policy versions
    """
    found = await client.get("/policy/versions")
    if as_json:
        print_json(found)
    elif not found["versions"]:
        click.echo("No rules were applied yet: those that come with Quarterdeck and your own file are in force.")
    else:
        rows = [
            [str(each["version"]), age(each["created_at"]), one_line(each["author"]), one_line(each["rationale"])]
            for each in found["versions"]
        ]
        table(["version", "age", "by", "why"], rows)


@policy_command.command("diff")
@click.argument("before", metavar="A", type=int)
@click.argument("after", metavar="B", type=int)
@json_option
@with_client
async def diff(client: Client, before: int, after: int, as_json: bool) -> None:
    """Show what differs between two versions; 0 is before anything was applied.

    Example: quarterdeck policy diff 1 2
    """
    known = {each["version"]: each["document"] for each in (await client.get("/policy/versions"))["versions"]}
    known[0] = ""
    for number in (before, after):
        if number not in known:
            raise NotFound(f"There is no policy version {number}.", hint="`quarterdeck policy versions` lists them.")
    lines = list(
        difflib.unified_diff(
            known[before].splitlines(), known[after].splitlines(), f"version {before}", f"version {after}", lineterm=""
        )
    )
    if as_json:
        print_json({"before": before, "after": after, "diff": "\n".join(lines)})
        return
    for line in lines:
        click.secho(exact(line), fg=OF_DIFFS.get(line[:1]))
    if not lines:
        click.echo("They are the same.")


@policy_command.command("rollback")
@click.argument("version", type=int)
@click.option("--rationale", metavar="T", default="", help="Why; kept with the version.")
@json_option
@with_client
async def rollback(client: Client, version: int, rationale: str, as_json: bool) -> None:
    """Let the rules of an earlier version be in force again, exactly; this makes a new version.

    Example: quarterdeck policy rollback 1
    """
    refuse_in_session("change policy")
    _say(await client.post("/policy/rollback", {"version": version, "rationale": rationale}), as_json)


def _say(done: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(done)
    else:
        version = done["version"]
        click.echo(f"Version {version['version']} is in force: {one_line(version['rationale'])}")


def _effect(effect: str) -> str:
    return click.style(effect, fg=_EFFECTS.get(effect), bold=effect == "deny")


def _document(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise InvalidInput(f"The file {path} cannot be read: {error.strerror}.", hint="Check its path.") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"The file {path} is not UTF-8 text.", hint="Convert it.") from error
