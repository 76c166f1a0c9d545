"""Proposed rules: shown with what they would have matched, applied only when a person says so."""

from __future__ import annotations

import sys
from typing import Any

import click

from supervisor.api.client import Client
from supervisor.model.plain import exact, one_line

SHOWN = 8
"""Acts of the history that are listed; the others are counted."""


async def offer(client: Client, approval: str, *, yes: bool, as_json: bool) -> dict[str, Any]:
    """Propose the rule that would have allowed what an approval was about; says whether it was applied."""
    found = await client.post("/policy/propose", {"approval": approval})
    proposal = found["proposal"]
    if proposal["rule"] is None:
        if not as_json:
            click.echo(f"No rule is proposed: {one_line(proposal['reason'])}")
        return {**proposal, "applied": False}
    if not as_json:
        show(proposal)
    applied = yes or (not as_json and sys.stdin.isatty() and click.confirm("Apply this rule?", default=False))
    if applied:
        await apply(client, proposal, found["version"])
    if not as_json:
        click.echo(
            "It is in force; `quarterdeck policy rollback` takes it back."
            if applied
            else f"Not applied. To apply it: quarterdeck policy apply {proposal['id']}"
        )
    return {**proposal, "applied": applied}


async def apply(client: Client, proposal: dict[str, Any], base: int) -> dict[str, Any]:
    """Apply a rule exactly as it was shown; Refused when the rules have changed since."""
    body = {"rule": proposal["rule"], "base": base, "rationale": proposal["reason"]}
    return await client.post("/policy/apply", body)


def show(proposal: dict[str, Any]) -> None:
    """Print a proposed rule, and what of the history it would and would not have matched."""
    click.secho(f"Proposed rule {proposal['id']}", bold=True, nl=False)
    click.echo(f"  {one_line(proposal['reason'])}")
    for line in proposal["text"].splitlines():
        click.echo(click.style("│ ", dim=True) + exact(line))
    _list("Of what was asked before it would have allowed", proposal["would_allow"], "green")
    _list("It would still ask about", proposal["would_ask"], "yellow")


def _list(title: str, acts: list[str], colour: str) -> None:
    if not acts:
        click.echo(f"{title}: nothing.")
        return
    click.echo(f"{title}:")
    for act in acts[:SHOWN]:
        click.echo("  " + click.style(one_line(exact(act)), fg=colour))
    if len(acts) > SHOWN:
        click.secho(f"  … and {len(acts) - SHOWN} more", dim=True)
