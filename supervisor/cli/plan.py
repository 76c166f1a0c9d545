"""`plan`: plans of many tasks, and the files that they are written in."""

from __future__ import annotations

import click

from supervisor.cli.keptplans import create, delete, diff, list_plans, revise, show
from supervisor.cli.planfiles import export, graph, schema, validate
from supervisor.cli.planruns import advance, archive, cancel, merge, pause, resume, start
from supervisor.cli.plantemplates import template_command
from supervisor.cli.schedule import plan_schedule


@click.group("plan")
def plan_command() -> None:
    """Keep and run plans of many tasks; check, draw and export plan files.

    Example: quarterdeck plan start plan-hello --wait
    """


RUNNING = (start, advance, pause, resume, cancel, merge, archive, plan_schedule)
KEPT = (create, list_plans, show, revise, diff, delete)
FILES = (validate, graph, export, schema)

for _command in (*KEPT, *RUNNING, *FILES, template_command):
    plan_command.add_command(_command)
