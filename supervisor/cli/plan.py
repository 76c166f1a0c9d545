"""`plan`: plans of many tasks, and the files that they are written in."""

from __future__ import annotations

import click

from supervisor.cli.keptplans import create, delete, diff, list_plans, revise, show
from supervisor.cli.planfiles import export, graph, schema, validate


@click.group("plan")
def plan_command() -> None:
    """Keep plans of many tasks; check, draw and export plan files.

    Example: quarterdeck plan validate plan.yaml
    """


for _command in (create, validate, list_plans, show, revise, diff, graph, export, delete, schema):
    plan_command.add_command(_command)
