"""`plan`: plan files, checked, drawn and exported without a supervisor; what is no file may be a plan that is kept."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from supervisor.api.client import Client, at
from supervisor.cli.connection import connected
from supervisor.cli.output import json_option, mark_plan, print_json
from supervisor.engine.plans.drawing import drawing, layered
from supervisor.engine.plans.exporting import as_json, as_yaml
from supervisor.engine.plans.linear import linear
from supervisor.engine.plans.outline import outline, said_before
from supervisor.engine.plans.problems import Problem
from supervisor.engine.plans.reading import LIMITS, Reading, read
from supervisor.engine.plans.schema import plan_schema
from supervisor.model.errors import InvalidInput, NotFound
from supervisor.model.plain import clean, one_line
from supervisor.model.plan.plan import Plan

_INVALID_EXIT = 2


@click.command("validate")
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


@click.command("schema")
@json_option
def schema(as_json: bool) -> None:
    """Print the JSON schema of plan files, for editors and other programs.

    Example: quarterdeck plan schema > plan.schema.json
    """
    import json

    print_json(plan_schema()) if as_json else click.echo(json.dumps(plan_schema(), indent=2, ensure_ascii=False))


@click.command("export")
@click.argument("what", metavar="ID|FILE")
@click.option(
    "--format", "form", type=click.Choice(["yaml", "json", "linear"]), default="yaml", help="What to write (yaml)."
)
def export(what: str, form: str) -> None:
    """Write a plan in its canonical form: one that is kept, or a file in whichever form and spelling. FILE - is stdin.

    Example: quarterdeck plan export plan.json --format yaml
    """
    plan, _ = _found(what)
    if form == "linear":
        print_json(linear(plan))
    else:
        click.echo(as_yaml(plan) if form == "yaml" else as_json(plan), nl=False)


@click.command("graph")
@click.argument("what", metavar="ID|FILE")
@click.option("--mermaid", is_flag=True, help="As a Mermaid flowchart, for documents and pull requests.")
def graph(what: str, mermaid: bool) -> None:
    """Show what of a plan comes after what, in layers: the tasks of one need only what stands above them.

    Example: quarterdeck plan graph plan.yaml --mermaid
    """
    plan, states = _found(what)
    if mermaid:
        click.echo(drawing(plan, states), nl=False)
        return
    tasks = {task.id: task for task in plan.tasks}
    before = said_before(plan.tasks)
    for number, layer in enumerate(layered(plan), 1):
        click.secho(f"Layer {number}", bold=True)
        for name in layer:
            sign = "◇" if tasks[name].kind == "gate" else "·"
            state = f"  {mark_plan(states[name])}" if name in states else ""
            after = f"  after {', '.join(before[name])}" if before[name] else ""
            title = f"  {one_line(tasks[name].title)}" if tasks[name].title else ""
            click.echo(f"  {sign} {name}{title}{state}" + click.style(after, dim=True))


def _found(what: str) -> tuple[Plan, dict[str, str]]:
    """Return the plan in a file, or the one that is kept, with the statuses of its tasks."""
    if what == "-" or Path(what).exists() or "/" in what:
        return _read(Path(what)).checked(), {}
    try:
        return connected(lambda client: _kept(client, what))
    except NotFound as error:
        raise NotFound(
            f"There is no plan and no file {what!r}.", hint="`quarterdeck plan list` shows the plans."
        ) from error


async def _kept(client: Client, ref: str) -> tuple[Plan, dict[str, str]]:
    found = await client.get(at("plan", ref))
    text = (await client.get(at("plan", ref, "document"), form="json"))["document"]
    return Plan.model_validate_json(text), {task["id"]: task["status"] for task in found["plan"]["tasks"]}


def contents(file: Path) -> tuple[bytes, str]:
    """Return a document and its name; ``-`` is stdin. InvalidInput when it cannot be read."""
    is_stdin = str(file) == "-"
    try:
        with nullcontext(sys.stdin.buffer) if is_stdin else file.open("rb") as source:
            data = source.read(LIMITS.size + 1)
    except OSError as error:
        raise InvalidInput(f"The file {file} cannot be read: {error.strerror}.", hint="Check its path.") from error
    return data, "stdin" if is_stdin else str(file)


def _read(file: Path) -> Reading:
    return read(*contents(file))


def _tell(reading: Reading) -> None:
    for problem in reading.errors:
        click.echo(_line(reading, problem))
    for problem in reading.warnings:
        click.echo(_line(reading, problem, click.style("warning: ", fg="yellow")))
    plan = reading.plan
    if plan is None:
        click.echo(f"{counted(len(reading.errors), 'error')}, {counted(len(reading.warnings), 'warning')}.", err=True)
        return
    numbers = outline(plan)
    nested = f" and {numbers.nested} in subplans" if numbers.nested else ""
    title = f" {one_line(plan.title)}:" if plan.title else ""
    click.echo(
        f"{click.style('✓', fg='green')} {plan.id}:{title} {counted(numbers.tasks, 'task')}{nested}, "
        f"{counted(numbers.gates, 'gate')}, {counted(numbers.layers, 'layer')}, "
        f"{counted(len(reading.warnings), 'warning')}"
    )


def _line(reading: Reading, problem: Problem, mark: str = "") -> str:
    """Return a problem the way editors jump to it."""
    path = f"{one_line(problem.path)}: " if problem.path else ""
    return f"{clean(reading.where)}:{problem.line}: {mark}{path}{one_line(problem.message)}"


def _plain(problem: Problem) -> dict[str, Any]:
    return {"path": problem.path, "line": problem.line, "message": problem.message}


def counted(number: int, what: str) -> str:
    """Return a number with what is counted, in the plural where that is due."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
