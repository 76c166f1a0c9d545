"""`approvals`, `approve`, `reject`: what waits for a decision, and deciding it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from supervisor.api.client import Client, at
from supervisor.api.wording import headline
from supervisor.cli.always import offer
from supervisor.cli.connection import connected, no_start_option, refuse_in_session, with_client
from supervisor.cli.exact import render
from supervisor.cli.output import age, facts, json_option, mark, mark_risk, print_json, table, until
from supervisor.model.errors import InvalidInput
from supervisor.model.plain import exact, one_line

NOTHING = (
    "Nothing waits for you. What agents and tools want to do, and rules leave to you, will be listed here;\n"
    "`quarterdeck approvals --all` shows what was asked before."
)

ID_LETTERS = 14
"""Letters of an id that are shown at least: its prefix and its whole time, so that the next question differs."""


@click.group("approvals", invoke_without_command=True)
@click.option("--all", "everything", is_flag=True, help="Also what was decided, newest first.")
@click.option("--project", help="Only those of this project.")
@click.option("--session", metavar="ID", help="Only those of a session.")
@json_option
@no_start_option
@click.pass_context
def approvals_command(
    ctx: click.Context, /, everything: bool, as_json: bool, no_start: bool, **wanted: str | None
) -> None:
    """List what waits for your decision; show one of them exactly.

    Example: quarterdeck approvals --all
    """
    if ctx.invoked_subcommand is not None:
        return
    found = connected(lambda client: client.get("/approvals", all=everything or None, **wanted), no_start=no_start)
    if as_json:
        print_json(found)
    elif not found["approvals"]:
        click.echo("Nothing was ever asked." if everything else NOTHING)
    else:
        listed = found["approvals"]
        size = _id_size([each["id"] for each in listed])
        if everything:
            table(["id", "status", "age", "decided by", "asked by", "what"], [_past(each, size) for each in listed])
        else:
            table(["id", "age", "risk", "expires", "asked by", "what"], [_waiting(each, size) for each in listed])
            first = listed[0]["id"][:size]
            click.echo(
                click.style(f"\nquarterdeck approvals show {first} | approve {first} | reject {first}", dim=True)
            )


@approvals_command.command("show")
@click.argument("ref", metavar="ID")
@json_option
@with_client
async def show(client: Client, ref: str, as_json: bool) -> None:
    """Show exactly what would happen.

    Example: quarterdeck approvals show app_01m7
    """
    found = await client.get(at("approval", ref))
    if as_json:
        print_json(found)
        return
    approval = found["approval"]
    click.secho(exact(approval["question"]), bold=True)
    for line in render(approval["preview"]):
        click.echo(line)
    for option in approval["options"]:
        preselected = "  (preselected)" if option["value"] == approval["default"] else ""
        click.echo(
            f"  {click.style(exact(option['value']), fg='cyan')}  {one_line(option['label'])}"
            f"{click.style(preselected, dim=True)}"
        )
        if option["description"]:
            click.secho(f"      {one_line(option['description'])}", dim=True)
    click.echo()
    judgement = approval["judgement"]
    rule = f"{judgement['rule']}: {one_line(judgement['reason'])}" if judgement.get("rule") else None
    facts(
        {
            "approval": approval["id"],
            "status": f"{mark(approval['status'])}  {one_line(approval['reason'])}",
            "decision": exact(approval["decision"]) if approval["decision"] else None,
            "risk": mark_risk(approval["risk"]),
            "asked by": _asker(approval),
            "decided by role": one_line(approval["approver_role"]) if approval["approver_role"] else None,
            "rule": rule,
            "asked": f"{approval['created_at']}  ({age(approval['created_at'])} ago)",
            "expires": _expiry(approval),
            "decided": f"{approval['decided_at']} by {approval['decided_by']}" if approval["decided_at"] else None,
            "rationale": one_line(approval["rationale"]) if approval["rationale"] else None,
            "digest": approval["digest"],
        }
    )


@click.command("approve")
@click.argument("refs", metavar="ID…", nargs=-1, required=True)
@click.option("--choice", metavar="V", help="The value of the option to choose, where the question has options.")
@click.option("--rationale", "--why", metavar="T", help="Why; kept with the decision.")
@click.option("--always", is_flag=True, help="Also propose a rule, so that this need not be asked again.")
@click.option("--yes", is_flag=True, help="Apply the rule that --always proposes without asking.")
@json_option
@with_client
async def approve_command(
    client: Client, /, refs: tuple[str, ...], always: bool, yes: bool, as_json: bool, **given: str | None
) -> None:
    """Allow what was asked, this once; several at once are decided together, or not at all.

    Example: quarterdeck approve app_01m7
    """
    refuse_in_session("decide")
    if yes and not always:
        raise InvalidInput("--yes belongs to --always.", hint="Approving needs no further confirmation.")
    if len(refs) == 1:
        found = await client.post(at("approval", refs[0], "approve"), given)
    else:
        decisions = [{"approval": ref, "approve": True, **given} for ref in dict.fromkeys(refs)]
        found = await client.post("/approvals/decide", {"decisions": decisions})
    decided = _decided(found)
    if not as_json:
        _say(decided)
    rules = [await offer(client, each["id"], yes=yes, as_json=as_json) for each in decided] if always else []
    if as_json:
        print_json({**found, "rules": rules} if always else found)


@click.command("reject")
@click.argument("refs", metavar="ID…", nargs=-1, required=True)
@click.option("--reason", "--why", metavar="T", help="Why not; told to what asked, and kept.")
@click.option("--interrupt", is_flag=True, help="Also end the turn of the agent that asked.")
@json_option
@with_client
async def reject_command(
    client: Client, /, refs: tuple[str, ...], reason: str | None, interrupt: bool, as_json: bool
) -> None:
    """Refuse what was asked. It needs none of the question's options: for an option that means no, approve that one.

    An agent is told why and goes on without it. A tool that exited to ask (code 90) is not started again, and its
    session has failed with your reason. What waits in `quarterdeck ask` gets exit code 4.

    Example: quarterdeck reject app_01m7 --reason "Use the staging database"
    """
    refuse_in_session("decide")
    if len(refs) == 1:
        found = await client.post(at("approval", refs[0], "reject"), {"reason": reason, "interrupt": interrupt})
    else:
        given = {"approve": False, "rationale": reason, "interrupt": interrupt}
        decisions = [{"approval": ref, **given} for ref in dict.fromkeys(refs)]
        found = await client.post("/approvals/decide", {"decisions": decisions})
    if as_json:
        print_json(found)
    else:
        _say(_decided(found))


def _decided(found: dict[str, Any]) -> list[dict[str, Any]]:
    one: list[dict[str, Any]] = [found["approval"]] if "approval" in found else found["approvals"]
    return one


def _say(decided: list[dict[str, Any]]) -> None:
    for approval in decided:
        chosen = f": {exact(approval['decision'])}" if approval["options"] else ""
        click.echo(f"{mark(approval['status'])}{chosen}  {one_line(headline(approval))}")


def _waiting(approval: dict[str, Any], size: int) -> list[str]:
    return [
        approval["id"][:size],
        age(approval["created_at"]),
        mark_risk(approval["risk"]),
        until(approval["expires_at"]),
        _asker(approval),
        one_line(exact(headline(approval))),
    ]


def _past(approval: dict[str, Any], size: int) -> list[str]:
    return [
        approval["id"][:size],
        mark(approval["status"]),
        age(approval["created_at"]),
        one_line(approval["decided_by"] or "-"),
        _asker(approval),
        one_line(exact(headline(approval))),
    ]


def _asker(approval: dict[str, Any]) -> str:
    return one_line(approval["session_name"] or approval["requested_by"])


def _expiry(approval: dict[str, Any]) -> str | None:
    moment: str | None = approval["expires_at"]
    if moment is None:
        return None
    return f"{moment}  (in {until(moment)})" if approval["status"] == "pending" else moment


def _id_size(ids: Sequence[str]) -> int:
    """Return how many letters tell the ids apart."""
    size = ID_LETTERS
    while len({each[:size] for each in ids}) < len(set(ids)):
        size += 1
    return size
