"""`plan`: plan files, checked and exported without a supervisor."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from supervisor.cli.output import json_option, print_json
from supervisor.engine.plans.exporting import as_json, as_yaml
from supervisor.engine.plans.linear import linear
from supervisor.engine.plans.outline import outline
from supervisor.engine.plans.problems import Problem
from supervisor.engine.plans.reading import LIMITS, Reading, read
from supervisor.engine.plans.schema import plan_schema
from supervisor.model.errors import InvalidInput
from supervisor.model.plain import clean, one_line

_INVALID_EXIT = 2


@click.group("plan")
def plan_command() -> None:
    """Check plan files, export them, and show their schema.

    Example: quarterdeck plan validate plan.yaml
    """


@plan_command.command("validate")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def validate(file: Path, as_json: bool) -> int:
    """Name everything that is wrong with a plan file, with its line; exit code 2 when something is.

    YAML and JSON are read, and the text language from files that end with .plan. FILE - is stdin.

    Example: quarterdeck plan validate plan.yaml
    """
    reading = _read(file)
    if as_json:
        print_json(
            {
                "valid": reading.plan is not None,
                "errors": [_plain(problem) for problem in reading.errors],
                "warnings": [_plain(problem) for problem in reading.warnings],
            }
        )
    else:
        _tell(reading)
    return 0 if reading.plan is not None else _INVALID_EXIT


@plan_command.command("schema")
@json_option
def schema(as_json: bool) -> None:
    """Print the JSON schema of plan files, for editors and other programs.

    Example: quarterdeck plan schema > plan.schema.json
    """
    import json

    print_json(plan_schema()) if as_json else click.echo(json.dumps(plan_schema(), indent=2, ensure_ascii=False))


@plan_command.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(["yaml", "json", "linear"]), default="yaml", help="What to write (yaml)."
)
def export(file: Path, form: str) -> None:
    """Write a plan file in its canonical form, whichever form and spelling it has. FILE - is stdin.

    Example: quarterdeck plan export plan.json --format yaml
    """
    plan = _read(file).checked()
    if form == "linear":
        print_json(linear(plan))
    else:
        click.echo(as_yaml(plan) if form == "yaml" else as_json(plan), nl=False)


def _read(file: Path) -> Reading:
    is_stdin = str(file) == "-"
    try:
        with nullcontext(sys.stdin.buffer) if is_stdin else file.open("rb") as source:
            data = source.read(LIMITS.size + 1)
    except OSError as error:
        raise InvalidInput(f"The file {file} cannot be read: {error.strerror}.", hint="Check its path.") from error
    return read(data, "stdin" if is_stdin else str(file))


def _tell(reading: Reading) -> None:
    for problem in reading.errors:
        click.echo(_line(reading, problem))
    for problem in reading.warnings:
        click.echo(_line(reading, problem, click.style("warning: ", fg="yellow")))
    plan = reading.plan
    if plan is None:
        click.echo(f"{_counted(len(reading.errors), 'error')}, {_counted(len(reading.warnings), 'warning')}.", err=True)
        return
    numbers = outline(plan)
    nested = f" and {numbers.nested} in subplans" if numbers.nested else ""
    title = f" {one_line(plan.title)}:" if plan.title else ""
    click.echo(
        f"{click.style('✓', fg='green')} {plan.id}:{title} {_counted(numbers.tasks, 'task')}{nested}, "
        f"{_counted(numbers.gates, 'gate')}, {_counted(numbers.layers, 'layer')}, "
        f"{_counted(len(reading.warnings), 'warning')}"
    )


def _line(reading: Reading, problem: Problem, mark: str = "") -> str:
    """Return a problem the way editors jump to it."""
    path = f"{one_line(problem.path)}: " if problem.path else ""
    return f"{clean(reading.where)}:{problem.line}: {mark}{path}{one_line(problem.message)}"


def _plain(problem: Problem) -> dict[str, Any]:
    return {"path": problem.path, "line": problem.line, "message": problem.message}


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
